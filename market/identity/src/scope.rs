//! What an API token may be used for.
//!
//! Text form: words separated by spaces. `read`, `publish`, `buy`, `account` and `admin` say what; a word such as
//! `packages:@acme/*` says on which things of a kind, and all words of one kind together are the things that
//! are covered. Without such a word everything of that kind is covered.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a token may do at the most; its holder's roles say whether it may at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// See what the holder sees.
    Read = 1,
    /// Publish and change listings; includes `read`.
    Publish = 2,
    /// Change the account: profile, tokens, organisations; includes `read`.
    Account = 4,
    /// Use the holder's operator rights; includes `read`.
    Admin = 8,
    /// Spend the holder's money: order, pay, subscribe, top up; includes `read`.
    Buy = 16,
}

impl Scope {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 5] = [Self::Read, Self::Publish, Self::Buy, Self::Account, Self::Admin];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Account => "account",
            Self::Admin => "admin",
            Self::Buy => "buy",
        }
    }
}

/// The most restrictions a token has.
const MAX_LIMITS: usize = 50;
/// The longest pattern: a package name has at most 214 characters.
const MAX_PATTERN: usize = 216;

/// A set of scopes and what they are restricted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes {
    bits: u8,
    limits: Arc<[Limit]>,
}

/// One restriction, such as `packages:@acme/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Limit {
    kind: String,
    pattern: String,
}

impl Limit {
    fn covers(&self, name: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => self.pattern == name,
        }
    }

    /// Whether everything that `other` covers is covered here too.
    fn includes(&self, other: &Self) -> bool {
        self.kind == other.kind
            && match (self.pattern.strip_suffix('*'), other.pattern.strip_suffix('*')) {
                (Some(start), Some(narrower)) => narrower.starts_with(start),
                (Some(start), None) => other.pattern.starts_with(start),
                (None, None) => self.pattern == other.pattern,
                (None, Some(_)) => false,
            }
    }
}

impl Scopes {
    /// Everything, as a person has who signed in with a password.
    #[must_use]
    pub fn all() -> Self {
        Self::of(&Scope::ALL)
    }

    /// These scopes, on everything.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self { bits: scopes.iter().fold(0, |bits, scope| bits | *scope as u8), limits: Arc::new([]) }
    }

    /// Whether `scope` is among them; every scope includes `read`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.bits & scope as u8 != 0 || (scope == Scope::Read && self.bits != 0)
    }

    /// Whether `name`, a thing of `kind` (such as `packages`), is among what the token may be used on.
    #[must_use]
    pub fn covers(&self, kind: &str, name: &str) -> bool {
        let mut of_kind = self.limits.iter().filter(|limit| limit.kind == kind).peekable();
        of_kind.peek().is_none() || of_kind.any(|limit| limit.covers(name))
    }

    /// Whether it is restricted to some things.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Whether a token with `other` may do nothing that one with these may not.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let kinds_stay =
            self.limits.iter().all(|own| other.limits.iter().any(|limit| limit.kind == own.kind));
        let narrower = |limit: &Limit| {
            let mut own = self.limits.iter().filter(|own| own.kind == limit.kind).peekable();
            own.peek().is_none() || own.any(|own| own.includes(limit))
        };
        Scope::ALL.into_iter().all(|scope| !other.has(scope) || self.has(scope))
            && kinds_stay
            && other.limits.iter().all(narrower)
    }

    /// The words of the text form.
    pub fn words(&self) -> Vec<String> {
        let scopes = Scope::ALL.into_iter().filter(|scope| self.bits & *scope as u8 != 0);
        let scopes = scopes.map(|scope| scope.name().to_owned());
        scopes.chain(self.limits.iter().map(|limit| format!("{}:{}", limit.kind, limit.pattern))).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

impl FromStr for Scopes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bits = 0;
        let mut limits = Vec::new();
        for word in text.split_ascii_whitespace() {
            match (word.split_once(':'), Scope::ALL.into_iter().find(|scope| scope.name() == word)) {
                (_, Some(scope)) => bits |= scope as u8,
                (Some((kind, pattern)), None) => limits.push(limit(kind, pattern)?),
                (None, None) => {
                    return Err(
                        "The scopes are read, publish, account and admin, and packages:NAME or packages:@scope/*.",
                    );
                }
            }
        }
        if bits == 0 {
            return Err("Choose at least one of read, publish, account and admin.");
        }
        if limits.len() > MAX_LIMITS {
            return Err("Restrict a token to at most 50 things.");
        }
        Ok(Self { bits, limits: limits.into() })
    }
}

fn limit(kind: &str, pattern: &str) -> Result<Limit, &'static str> {
    if !(1..=20).contains(&kind.len()) || !kind.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err("A restriction starts with a kind such as `packages:`.");
    }
    let stem = pattern.strip_suffix('*').unwrap_or(pattern);
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'*' | b',' | b'"' | b'\\');
    if pattern.is_empty() || pattern.len() > MAX_PATTERN || !stem.bytes().all(plain) {
        return Err("A restriction is a name, or the start of names followed by `*`.");
    }
    Ok(Limit { kind: kind.to_owned(), pattern: pattern.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn scopes(text: &str) -> Scopes {
        text.parse().unwrap()
    }

    #[test]
    fn restrictions_cover_what_they_name_and_nothing_else() {
        let token = scopes("publish packages:@acme/* packages:left-pad");
        assert!(token.has(Scope::Read) && token.has(Scope::Publish) && !token.has(Scope::Account));
        assert!(token.covers("packages", "@acme/x") && token.covers("packages", "left-pad"));
        assert!(!token.covers("packages", "@acme-evil/x") && !token.covers("packages", "left-pad2"));
        assert!(token.covers("organisations", "acme"));
        assert!(!token.has(Scope::Admin));
    }

    #[test]
    fn nothing_grows_by_making_a_token_with_a_token() {
        let own = scopes("publish account packages:@acme/*");
        for narrower in ["publish packages:@acme/*", "read packages:@acme/x", "publish packages:@acme/a*"] {
            assert!(own.includes(&scopes(narrower)), "{narrower}");
        }
        for wider in [
            "publish",
            "admin packages:@acme/*",
            "publish packages:@acme*",
            "publish packages:@acme/* packages:x",
        ] {
            assert!(!own.includes(&scopes(wider)), "{wider}");
        }
        assert!(Scopes::all().includes(&own));
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            "",
            "everything",
            "packages:x",
            "read packages:",
            "read packages:a*b",
            "read :x",
            "read PACKAGES:x",
        ] {
            assert!(wrong.parse::<Scopes>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn the_text_form_reads_back(bits in 1u8..16, names in prop::collection::vec("[a-z@/]{1,8}\\*?", 0..4)) {
            let words = Scope::ALL.into_iter().filter(|scope| bits & *scope as u8 != 0).map(|scope| scope.name().to_owned());
            let text = words.chain(names.iter().map(|name| format!("packages:{name}"))).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(scopes(&text).to_string(), text);
        }

        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Scopes>();
        }
    }
}
