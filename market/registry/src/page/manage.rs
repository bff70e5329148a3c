//! What those may do on a package's page who may write it: forms that send here and come back.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use identity::{Caller, Visit};
use kernel::Problem;
use serde::Deserialize;
use web::face::FormState;
use web::face::parts::Choice;
use web::{Failure, Form, Path};

use super::address_of;
use super::package::draw_manage;
use crate::access::operates;
use crate::owners::OwnerChange;
use crate::package::{Access, MaintainerRole, OwnerKind};
use crate::registry::Registry;
use crate::show::Shown;
use crate::tags::TagChange;
use crate::{Ecosystem, RegistryError, Standing};

/// The forms' words for all versions.
const ALL: &str = "*";

/// What is said when nothing is left to go back to.
const GONE: &str = "The package was unpublished.";

/// What the tab shows.
pub(crate) struct Manage {
    pub(super) form: FormState,
    pub(super) is_owner: bool,
    pub(super) versions: Vec<Choice>,
    pub(super) deprecated: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
    /// With whether each may say who else may.
    pub(super) maintainers: Vec<(String, bool)>,
    pub(super) accesses: Vec<Choice>,
    /// Versions that may still be removed.
    pub(super) removable: Vec<Choice>,
    pub(super) question: String,
    /// The policy in words.
    pub(super) window: String,
    /// Whether all of it may be removed.
    pub(super) whole: bool,
    pub(super) rev: String,
}

impl Manage {
    pub(super) fn new(registry: &Registry, by: &Caller, shown: &Shown, form: FormState) -> Self {
        let window = registry.settings().unpublish_window;
        let removable = |published_at| operates(by) || by.now().since(published_at) <= window;
        let versions =
            || shown.releases.iter().map(|release| Choice::new(&release.version, &release.version, ""));
        let recent = shown.releases.iter().filter(|release| removable(release.published_at));
        let recent: Vec<Choice> =
            recent.map(|release| Choice::new(&release.version, &release.version, "")).collect();
        let deprecated =
            shown.releases.iter().filter_map(|one| Some((one.version.clone(), one.deprecated.clone()?)));
        Self {
            form: if form == FormState::default() {
                FormState::with(&[("access", shown.package.access.as_str())])
            } else {
                form
            },
            is_owner: shown.standing >= Standing::Owner,
            versions: std::iter::once(Choice::new(ALL, "All versions", "")).chain(versions()).collect(),
            deprecated: deprecated.collect(),
            tags: shown.tags.iter().map(|(tag, version)| (tag.clone(), version.clone())).collect(),
            maintainers: shown
                .maintainers
                .iter()
                .map(|(name, role)| (name.clone(), *role == MaintainerRole::Owner))
                .collect(),
            question: format!("Unpublish from {}", shown.package.name),
            accesses: accesses(shown.package.owner_kind),
            whole: recent.len() == shown.releases.len(),
            removable: recent,
            window: window_words(window.as_secs() / 3600, operates(by)),
            rev: shown.package.rev().to_string(),
        }
    }
}

fn accesses(owner: OwnerKind) -> Vec<Choice> {
    let mut choices = vec![
        Choice::new("public", "Public", "Everybody finds and installs it."),
        Choice::new("private", "Private", "Only its maintainers and the teams that were let in."),
    ];
    if owner == OwnerKind::Organisation {
        choices.insert(1, Choice::new("organisation", "Organisation", "All members of the organisation."));
    }
    choices
}

fn window_words(hours: u64, operator: bool) -> String {
    let rest = "Its number cannot be used again, and whoever depends on it can no longer install it.";
    if operator {
        return format!("As an operator you may remove any version. {rest}");
    }
    format!(
        "A version can be removed for {hours} hours after it was published. {rest} Later, deprecate it instead."
    )
}

/// What a form sends; which fields there are depends on `action`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    action: String,
    version: String,
    message: String,
    tag: String,
    username: String,
    access: String,
    confirm: String,
    rev: String,
}

/// `POST /packages/{name}`.
pub(super) async fn change(
    State(registry): State<Registry>,
    visit: Visit,
    Path(name): Path<String>,
    Form(sent): Form<Sent>,
) -> Result<Response, Failure> {
    visit.caller.account()?;
    match apply(&registry, &visit.caller, &name, &sent).await {
        Ok((next, words)) => Ok(identity::done(&next, words)),
        // Who may not write it gets no form back.
        Err(problem) if matches!(problem.status, 401 | 404) => Err(problem.into()),
        Err(problem) if !can_manage(&registry, &visit.caller, &name).await => Err(problem.into()),
        Err(problem) => {
            let kept = [
                ("version", &sent.version),
                ("message", &sent.message),
                ("tag", &sent.tag),
                ("username", &sent.username),
                ("access", &sent.access),
            ];
            let form = FormState::with(&kept.map(|(key, value)| (key, value.as_str()))).failed(&problem);
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let mut page = draw_manage(&registry, visit, &name, form).await?;
            *page.status_mut() = status;
            Ok(page)
        }
    }
}

async fn can_manage(registry: &Registry, by: &Caller, name: &str) -> bool {
    let shown = registry.show(by, Ecosystem::Npm, name).await;
    shown.is_ok_and(|shown| shown.standing >= Standing::Writer)
}

/// Does it, and tells where to go then.
async fn apply(
    registry: &Registry,
    by: &Caller,
    name: &str,
    sent: &Sent,
) -> Result<(String, &'static str), Problem> {
    let npm = Ecosystem::Npm;
    let missing = |field: &'static str, words: &'static str| {
        Problem::invalid("registry.form", "Nothing was changed.").field(field, words)
    };
    let page = address_of(name);
    let done = match sent.action.as_str() {
        "deprecate" if sent.message.trim().is_empty() => {
            return Err(missing("/message", "Say why, and what to use instead."));
        }
        "deprecate" => deprecate(registry, by, name, sent, sent.message.trim())
            .await
            .map(|()| "Deprecated. Whoever installs it now is told why.")?,
        "undeprecate" => {
            deprecate(registry, by, name, sent, "").await.map(|()| "The deprecation was taken back.")?
        }
        "tag" if sent.tag.trim().is_empty() => return Err(missing("/tag", "Name the tag, such as next.")),
        "tag" => {
            let tags = BTreeMap::from([(sent.tag.trim().to_owned(), sent.version.clone())]);
            registry.change_tags(by, npm, name, TagChange::Set(tags)).await.map(|_| "The tag was set.")?
        }
        "untag" => registry
            .change_tags(by, npm, name, TagChange::Remove(sent.tag.clone()))
            .await
            .map(|_| "The tag was removed.")?,
        "add" if sent.username.trim().is_empty() => return Err(missing("/username", "Name an account.")),
        "add" => {
            let change = OwnerChange::Add(sent.username.trim().to_owned());
            registry.change_owners(by, npm, name, change).await.map(|_| "The maintainer was added.")?
        }
        "remove" => {
            let change = OwnerChange::Remove(sent.username.clone());
            registry.change_owners(by, npm, name, change).await.map(|_| "The maintainer was removed.")?
        }
        "access" => {
            let access =
                access_of(&sent.access).ok_or_else(|| missing("/access", "Choose who may read it."))?;
            registry.set_access(by, npm, name, access).await.map(|_| "The access was changed.")?
        }
        "unpublish" if sent.confirm != name => {
            return Err(missing("/confirm", "Type the name of the package to go on."));
        }
        "unpublish" if sent.version == ALL => {
            registry.unpublish(by, npm, name, sent.rev.clone()).await?;
            return Ok(("/packages".to_owned(), GONE));
        }
        "unpublish" => return unpublish(registry, by, name, sent).await,
        "star" | "unstar" => {
            registry.star(by, npm, name, sent.action == "star").await?;
            return Ok((page, if sent.action == "star" { "Starred." } else { "The star was taken away." }));
        }
        _ => {
            return Err(Problem::bad_request(
                "registry.form",
                "This form is not known here. Nothing was changed.",
            ));
        }
    };
    Ok((format!("{page}?tab=manage"), done))
}

async fn deprecate(
    registry: &Registry,
    by: &Caller,
    name: &str,
    sent: &Sent,
    message: &str,
) -> Result<(), RegistryError> {
    let shown = registry.show(by, Ecosystem::Npm, name).await?;
    let chosen =
        shown.releases.iter().filter(|release| sent.version == ALL || release.version == sent.version);
    let messages: BTreeMap<String, String> =
        chosen.map(|release| (release.version.clone(), message.to_owned())).collect();
    if messages.is_empty() {
        return Err(RegistryError::NoVersion(sent.version.clone()));
    }
    registry.deprecate(by, Ecosystem::Npm, name, messages, None).await.map(|_| ())
}

async fn unpublish(
    registry: &Registry,
    by: &Caller,
    name: &str,
    sent: &Sent,
) -> Result<(String, &'static str), Problem> {
    let shown = registry.show(by, Ecosystem::Npm, name).await?;
    shown.release(Some(&sent.version))?;
    let kept = shown.releases.iter().map(|release| release.version.clone());
    let kept = kept.filter(|version| *version != sent.version).collect();
    registry.unpublish_others(by, Ecosystem::Npm, name, kept, BTreeMap::new(), sent.rev.clone()).await?;
    let last = shown.releases.len() == 1;
    Ok(match last {
        true => ("/packages".to_owned(), GONE),
        false => (format!("{}?tab=manage", address_of(name)), "The version was unpublished."),
    })
}

fn access_of(text: &str) -> Option<Access> {
    [Access::Public, Access::Private, Access::Organisation].into_iter().find(|access| access.as_str() == text)
}
