//! What a request asks for, read from its method and its raw path.
//!
//! Scoped names come as `@scope%2fname`, `@scope%2Fname` and `@scope/name`; a router that decodes first cannot tell
//! `@scope%2fname` from two segments, so the path is taken apart here.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::NpmName;

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// There is nothing at this path.
    NotFound,
    /// There is something, for other methods.
    Method,
    /// A name or a segment in it is none; the text says why.
    Malformed(&'static str),
}

macro_rules! calls {
    ($($(#[$meta:meta])* $name:ident $({ $($field:ident : $kind:ty),+ })? = $needs:ident;)+) => {
        /// One request of the protocol.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Call {
            $($(#[$meta])* $name $({
                $(
                    #[allow(missing_docs)]
                    $field: $kind
                ),+
            })?,)+
        }

        impl Call {
            /// Who may make it at all; the use case decides the rest.
            #[must_use]
            pub const fn needs(&self) -> Needs {
                match self {
                    $(Self::$name { .. } => Needs::$needs,)+
                }
            }

            /// The name of the call, for tests and metrics.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)+
                }
            }

            /// The names of all calls.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];
        }
    };
}

/// What a caller must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: signing in itself, and what is about nobody.
    Nothing,
    /// Who may read the package; anybody where it is public.
    Reader,
    /// Signed in; the use case decides what the account may do or see.
    Account,
}

calls! {
    /// `GET /`
    Root = Nothing;
    /// `GET /-/ping`
    Ping = Nothing;
    /// `GET /{name}`; `write` asks for the freshest full form.
    Packument { name: NpmName, write: bool } = Reader;
    /// `GET /{name}/{version or tag}`
    Manifest { name: NpmName, selector: String } = Reader;
    /// `GET /{name}/-/{file}`
    Tarball { name: NpmName, file: String } = Reader;
    /// `PUT /{name}`: publish, deprecate or star, by its body.
    Put { name: NpmName } = Account;
    /// `PUT /{name}/-rev/{rev}`: owners, unpublish of versions, star.
    PutRevision { name: NpmName, rev: String } = Account;
    /// `DELETE /{name}/-rev/{rev}`
    DeletePackage { name: NpmName, rev: String } = Account;
    /// `DELETE /{name}/-/{file}/-rev/{rev}`
    DeleteTarball { name: NpmName, file: String, rev: String } = Account;
    /// `GET /-/package/{name}/dist-tags`
    Tags { name: NpmName } = Reader;
    /// `POST /-/package/{name}/dist-tags`
    MergeTags { name: NpmName } = Account;
    /// `PUT /-/package/{name}/dist-tags`
    ReplaceTags { name: NpmName } = Account;
    /// `PUT /-/package/{name}/dist-tags/{tag}`
    SetTag { name: NpmName, tag: String } = Account;
    /// `DELETE /-/package/{name}/dist-tags/{tag}`
    RemoveTag { name: NpmName, tag: String } = Account;
    /// `GET /-/package/{name}/visibility`
    Visibility { name: NpmName } = Reader;
    /// `GET /-/package/{name}/collaborators`
    Collaborators { name: NpmName } = Account;
    /// `POST /-/package/{name}/access`
    SetAccess { name: NpmName } = Account;
    /// `GET /-/package/{name}/owners`
    Owners { name: NpmName } = Reader;
    /// `PUT /-/package/{name}/owners`
    AddOwner { name: NpmName } = Account;
    /// `DELETE /-/package/{name}/owners/{user}`
    RemoveOwner { name: NpmName, user: String } = Account;
    /// `GET /-/user/{user}/package`
    UserPackages { user: String } = Account;
    /// `GET /-/org/{org}/package`
    OrgPackages { org: String } = Account;
    /// `GET /-/team/{org}/{team}/package`
    TeamPackages { org: String, team: String } = Account;
    /// `PUT /-/team/{org}/{team}/package`
    GrantTeam { org: String, team: String } = Account;
    /// `DELETE /-/team/{org}/{team}/package`
    RevokeTeam { org: String, team: String } = Account;
    /// `GET /-/org/{org}/user`
    Members { org: String } = Account;
    /// `PUT /-/org/{org}/user`
    SetMember { org: String } = Account;
    /// `DELETE /-/org/{org}/user`
    RemoveMember { org: String } = Account;
    /// `GET /-/org/{org}/team`
    Teams { org: String } = Account;
    /// `PUT /-/org/{org}/team`
    CreateTeam { org: String } = Account;
    /// `DELETE /-/team/{org}/{team}`
    DeleteTeam { org: String, team: String } = Account;
    /// `GET /-/team/{org}/{team}/user`
    TeamMembers { org: String, team: String } = Account;
    /// `PUT /-/team/{org}/{team}/user`
    AddTeamMember { org: String, team: String } = Account;
    /// `DELETE /-/team/{org}/{team}/user`
    RemoveTeamMember { org: String, team: String } = Account;
    /// `GET /-/whoami`
    Whoami = Account;
    /// `PUT /-/user/org.couchdb.user:{user}`
    SignIn { user: String } = Nothing;
    /// `GET /-/user/org.couchdb.user:{user}`
    User { user: String } = Account;
    /// `POST /-/v1/login`
    WebSignIn = Nothing;
    /// `GET /-/v1/done/{secret}`
    WebSignInDone { secret: String } = Nothing;
    /// `DELETE /-/user/token/{token}`
    SignOut { token: String } = Account;
    /// `GET /-/npm/v1/user`
    Profile = Account;
    /// `POST /-/npm/v1/user`
    EditProfile = Account;
    /// `GET /-/npm/v1/tokens`
    Tokens = Account;
    /// `POST /-/npm/v1/tokens`
    CreateToken = Account;
    /// `DELETE /-/npm/v1/tokens/token/{key}`
    RevokeToken { key: String } = Account;
    /// `GET /-/v1/search`
    Search = Nothing;
    /// `POST /-/npm/v1/security/advisories/bulk`
    AuditBulk = Nothing;
    /// `POST /-/npm/v1/security/audits` and `…/quick`
    AuditQuick = Nothing;
    /// `GET /-/npm/v1/keys`
    Keys = Nothing;
    /// `GET /-/npm/v1/attestations/{name}@{version}`
    Attestations { name: NpmName, version: String } = Reader;
    /// `GET /-/_view/starredByUser`
    StarredByUser = Account;
    /// `GET /-/_view/starredByPackage`
    StarredByPackage = Account;
    /// `GET /-/user/v1/star`
    OwnStars = Account;
    /// `PUT /-/user/v1/star`
    Star = Account;
    /// `DELETE /-/user/v1/star`
    Unstar = Account;
    /// `GET /-/user/{user}/stars`
    UserStars { user: String } = Account;
}

/// The longest segment.
const MAX_SEGMENT: usize = 1024;

impl Call {
    /// Reads a request; `path` is raw, without query, and begins after the registry's own prefix.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn parse(method: &Method, path: &str, query: Option<&str>) -> Result<Self, PathError> {
        let raw: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if raw.len() > 12 {
            return Err(PathError::NotFound);
        }
        // HEAD is answered as GET, without the body.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        match raw.as_slice() {
            [] => only(method, &Method::GET, Self::Root),
            ["-", rest @ ..] => under_dash(method, rest),
            segments => package(method, segments, query),
        }
    }
}

fn only(method: &Method, wanted: &Method, call: Call) -> Result<Call, PathError> {
    if method == wanted { Ok(call) } else { Err(PathError::Method) }
}

/// One segment, decoded.
fn text(segment: &str) -> Result<String, PathError> {
    let decoded = percent_decode_str(segment).decode_utf8();
    let decoded = decoded.map_err(|_| PathError::Malformed("The path is not UTF-8."))?;
    if decoded.len() > MAX_SEGMENT || decoded.chars().any(char::is_control) {
        return Err(PathError::Malformed("The path has a part that is too long or has control characters."));
    }
    Ok(decoded.into_owned())
}

/// A package's name at the beginning of `segments`, and what follows it.
fn name<'p, 's>(segments: &'s [&'p str]) -> Result<(NpmName, &'s [&'p str]), PathError> {
    let Some((first, rest)) = segments.split_first() else { return Err(PathError::NotFound) };
    let first = text(first)?;
    let malformed = PathError::Malformed("This is no package name.");
    let parse = |text: &str| NpmName::parse(text).map_err(|_| malformed);
    if !first.starts_with('@') || first.contains('/') {
        return Ok((parse(&first)?, rest));
    }
    let Some((second, rest)) = rest.split_first() else { return Err(malformed) };
    Ok((parse(&format!("{first}/{}", text(second)?))?, rest))
}

fn package(method: &Method, segments: &[&str], query: Option<&str>) -> Result<Call, PathError> {
    let (name, rest) = name(segments)?;
    let get = method == Method::GET;
    match rest {
        [] if get => {
            let write = query.is_some_and(|query| query.split('&').any(|pair| pair == "write=true"));
            Ok(Call::Packument { name, write })
        }
        [] => only(method, &Method::PUT, Call::Put { name }),
        ["-rev", rev] => match *method {
            Method::PUT => Ok(Call::PutRevision { name, rev: text(rev)? }),
            _ => only(method, &Method::DELETE, Call::DeletePackage { name, rev: text(rev)? }),
        },
        // yarn and Berry repeat the scope before the file.
        ["-", file] | ["-", _, file] if get => {
            let file = text(file)?;
            let file = file.rsplit_once('/').map_or(file.as_str(), |(_, file)| file).to_owned();
            Ok(Call::Tarball { name, file })
        }
        ["-", file, "-rev", rev] | ["-", _, file, "-rev", rev] => {
            only(method, &Method::DELETE, Call::DeleteTarball { name, file: text(file)?, rev: text(rev)? })
        }
        [selector] if !selector.starts_with('-') => {
            only(method, &Method::GET, Call::Manifest { name, selector: text(selector)? })
        }
        _ => Err(PathError::NotFound),
    }
}

fn under_dash(method: &Method, segments: &[&str]) -> Result<Call, PathError> {
    match segments {
        ["ping"] => only(method, &Method::GET, Call::Ping),
        ["whoami"] => only(method, &Method::GET, Call::Whoami),
        ["v1", "search"] => only(method, &Method::GET, Call::Search),
        ["v1", "login"] => only(method, &Method::POST, Call::WebSignIn),
        ["v1", "done", secret] => only(method, &Method::GET, Call::WebSignInDone { secret: text(secret)? }),
        ["package", rest @ ..] => about_package(method, rest),
        ["org", org, what] => about_organisation(method, text(org)?, what),
        ["team", org, team, rest @ ..] => about_team(method, text(org)?, text(team)?, rest),
        ["user", rest @ ..] => about_user(method, rest),
        ["npm", "v1", rest @ ..] => under_npm(method, rest),
        ["_view", "starredByUser"] => only(method, &Method::GET, Call::StarredByUser),
        ["_view", "starredByPackage"] => only(method, &Method::GET, Call::StarredByPackage),
        _ => Err(PathError::NotFound),
    }
}

fn about_package(method: &Method, segments: &[&str]) -> Result<Call, PathError> {
    let (name, rest) = name(segments)?;
    match (rest, method) {
        (["dist-tags"], &Method::GET) => Ok(Call::Tags { name }),
        (["dist-tags"], &Method::POST) => Ok(Call::MergeTags { name }),
        (["dist-tags"], method) => only(method, &Method::PUT, Call::ReplaceTags { name }),
        (["dist-tags", tag], &Method::PUT | &Method::POST) => Ok(Call::SetTag { name, tag: text(tag)? }),
        (["dist-tags", tag], method) => {
            only(method, &Method::DELETE, Call::RemoveTag { name, tag: text(tag)? })
        }
        (["visibility"], method) => only(method, &Method::GET, Call::Visibility { name }),
        (["collaborators"], method) => only(method, &Method::GET, Call::Collaborators { name }),
        (["access"], method) => only(method, &Method::POST, Call::SetAccess { name }),
        (["owners"], &Method::GET) => Ok(Call::Owners { name }),
        (["owners"], method) => only(method, &Method::PUT, Call::AddOwner { name }),
        (["owners", user], method) => {
            only(method, &Method::DELETE, Call::RemoveOwner { name, user: text(user)? })
        }
        _ => Err(PathError::NotFound),
    }
}

fn about_organisation(method: &Method, org: String, what: &str) -> Result<Call, PathError> {
    match (what, method) {
        ("package", method) => only(method, &Method::GET, Call::OrgPackages { org }),
        ("user", &Method::GET) => Ok(Call::Members { org }),
        ("user", &Method::PUT) => Ok(Call::SetMember { org }),
        ("user", method) => only(method, &Method::DELETE, Call::RemoveMember { org }),
        ("team", &Method::GET) => Ok(Call::Teams { org }),
        ("team", method) => only(method, &Method::PUT, Call::CreateTeam { org }),
        _ => Err(PathError::NotFound),
    }
}

fn about_team(method: &Method, org: String, team: String, rest: &[&str]) -> Result<Call, PathError> {
    match (rest, method) {
        ([], method) => only(method, &Method::DELETE, Call::DeleteTeam { org, team }),
        (["package"], &Method::GET) => Ok(Call::TeamPackages { org, team }),
        (["package"], &Method::PUT) => Ok(Call::GrantTeam { org, team }),
        (["package"], method) => only(method, &Method::DELETE, Call::RevokeTeam { org, team }),
        (["user"], &Method::GET) => Ok(Call::TeamMembers { org, team }),
        (["user"], &Method::PUT) => Ok(Call::AddTeamMember { org, team }),
        (["user"], method) => only(method, &Method::DELETE, Call::RemoveTeamMember { org, team }),
        _ => Err(PathError::NotFound),
    }
}

fn about_user(method: &Method, segments: &[&str]) -> Result<Call, PathError> {
    match segments {
        ["token", token] => only(method, &Method::DELETE, Call::SignOut { token: text(token)? }),
        ["v1", "star"] => match *method {
            Method::GET => Ok(Call::OwnStars),
            Method::PUT => Ok(Call::Star),
            _ => only(method, &Method::DELETE, Call::Unstar),
        },
        [user, "package"] => only(method, &Method::GET, Call::UserPackages { user: text(user)? }),
        [user, "stars"] => only(method, &Method::GET, Call::UserStars { user: text(user)? }),
        [user] | [user, "-rev", _] => {
            let user = text(user)?;
            let Some(user) = user.strip_prefix("org.couchdb.user:") else { return Err(PathError::NotFound) };
            let user = user.to_owned();
            match *method {
                Method::GET => Ok(Call::User { user }),
                _ => only(method, &Method::PUT, Call::SignIn { user }),
            }
        }
        _ => Err(PathError::NotFound),
    }
}

fn under_npm(method: &Method, segments: &[&str]) -> Result<Call, PathError> {
    match segments {
        ["user"] if method == Method::GET => Ok(Call::Profile),
        ["user"] => only(method, &Method::POST, Call::EditProfile),
        ["tokens"] if method == Method::GET => Ok(Call::Tokens),
        ["tokens"] => only(method, &Method::POST, Call::CreateToken),
        ["tokens", "token", key] => only(method, &Method::DELETE, Call::RevokeToken { key: text(key)? }),
        ["security", "advisories", "bulk"] => only(method, &Method::POST, Call::AuditBulk),
        ["security", "audits"] | ["security", "audits", "quick"] => {
            only(method, &Method::POST, Call::AuditQuick)
        }
        ["keys"] => only(method, &Method::GET, Call::Keys),
        ["attestations", rest @ ..] => {
            let spec = rest.iter().map(|segment| text(segment)).collect::<Result<Vec<_>, _>>()?.join("/");
            let malformed = PathError::Malformed("This is no name@version.");
            let (name, version) = spec.rsplit_once('@').ok_or(malformed)?;
            let name = NpmName::parse(name).map_err(|_| malformed)?;
            only(method, &Method::GET, Call::Attestations { name, version: version.to_owned() })
        }
        _ => Err(PathError::NotFound),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn get(path: &str) -> Result<Call, PathError> {
        Call::parse(&Method::GET, path, None)
    }

    fn scoped() -> NpmName {
        NpmName::parse("@s/n").unwrap()
    }

    #[test]
    fn every_spelling_of_a_scoped_name_is_the_same() {
        for path in ["/@s/n", "/@s%2fn", "/@s%2Fn", "/%40s%2Fn", "/%40s/n", "//@s//n/"] {
            assert_eq!(get(path), Ok(Call::Packument { name: scoped(), write: false }), "{path}");
        }
        for path in [
            "/@s/n/-/n-1.0.0.tgz",
            "/@s%2fn/-/n-1.0.0.tgz",
            "/@s/n/-/@s/n-1.0.0.tgz",
            "/@s%2fn/-/@s%2fn-1.0.0.tgz",
        ] {
            assert_eq!(
                get(path),
                Ok(Call::Tarball { name: scoped(), file: "n-1.0.0.tgz".to_owned() }),
                "{path}"
            );
        }
        for path in ["/-/package/@s%2fn/dist-tags", "/-/package/@s/n/dist-tags"] {
            assert_eq!(get(path), Ok(Call::Tags { name: scoped() }), "{path}");
        }
        for path in ["/-/npm/v1/attestations/@s/n@1.0.0", "/-/npm/v1/attestations/@s%2fn@1.0.0"] {
            let expected = Call::Attestations { name: scoped(), version: "1.0.0".to_owned() };
            assert_eq!(get(path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn versions_and_tags_are_decoded() {
        let selector = |text: &str| Ok(Call::Manifest { name: scoped(), selector: text.to_owned() });
        assert_eq!(get("/@s/n/1.0.0-beta.1"), selector("1.0.0-beta.1"));
        assert_eq!(get("/@s%2fn/a%20b"), selector("a b"));
        assert_eq!(
            Call::parse(&Method::GET, "/@s/n", Some("a=b&write=true")).unwrap(),
            Call::Packument { name: scoped(), write: true }
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for path in [
            "/..",
            "/%2e%2e",
            "/a%2fb",
            "/@s",
            "/@s%2fn%2fx",
            "/.a",
            "/a%00b",
            "/%ff",
            "/@s/n%0a",
            "/node_modules",
        ] {
            assert!(matches!(get(path), Err(PathError::Malformed(_))), "{path}: {:?}", get(path));
        }
        for path in [
            "/-",
            "/-/",
            "/-/nothing",
            "/-/all",
            "/a/-",
            "/a/-/b/c/d",
            "/a/b/c",
            "/-/user/ada",
            &"/a".repeat(20),
        ] {
            assert_eq!(get(path), Err(PathError::NotFound), "{path}");
        }
    }

    #[test]
    fn other_methods_are_told_so() {
        for (method, path) in [
            (Method::POST, "/a"),
            (Method::PUT, "/-/ping"),
            (Method::GET, "/-/v1/login"),
            (Method::POST, "/a/-rev/1"),
        ] {
            assert_eq!(Call::parse(&method, path, None), Err(PathError::Method), "{method} {path}");
        }
        assert_eq!(Call::parse(&Method::HEAD, "/-/ping", None), Ok(Call::Ping));
    }

    #[test]
    fn writes_are_told_apart() {
        let parse = |method: Method, path: &str| Call::parse(&method, path, None).unwrap().name();
        assert_eq!(parse(Method::PUT, "/@s%2fn"), "Put");
        assert_eq!(parse(Method::PUT, "/@s%2fn/-rev/1-ab"), "PutRevision");
        assert_eq!(parse(Method::DELETE, "/n/-rev/1-ab"), "DeletePackage");
        assert_eq!(parse(Method::DELETE, "/@s/n/-/n-1.0.0.tgz/-rev/1-ab"), "DeleteTarball");
        assert_eq!(parse(Method::DELETE, "/@s/n/-/@s/n-1.0.0.tgz/-rev/1-ab"), "DeleteTarball");
        assert_eq!(parse(Method::PUT, "/-/user/org.couchdb.user:ada"), "SignIn");
        assert_eq!(parse(Method::PUT, "/-/user/org.couchdb.user%3Aada/-rev/1"), "SignIn");
    }

    proptest! {
        #[test]
        fn any_path_is_judged_without_panic(path in "(/|%2f|%40|@|-|-rev|a|\\.|%|\\PC){0,20}") {
            for method in [Method::GET, Method::PUT, Method::DELETE, Method::POST] {
                let _ = Call::parse(&method, &path, None);
            }
        }
    }
}
