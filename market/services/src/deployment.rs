//! What a deployment is: types and pure rules, no I/O.

use std::collections::BTreeMap;

use identity::{AccountId, UserId};
use kernel::{Secret, Timestamp};
use serde::{Deserialize, Serialize};
use store::{FromValue, Value};

use crate::template::{Chosen, Plan, Recipe, Rule, Template};
use crate::{DeploymentId, ServiceId};

/// The longest name, in characters.
const MAX_NAME: usize = 60;

store::words! {
    /// What its owner wants.
    #[derive(Default)]
    Wanted, "expected running, stopped or deleted" {
        /// It serves.
        #[default]
        Running = "running",
        /// It rests, with what it keeps.
        Stopped = "stopped",
        /// It goes: at once, or when the time to undo that is over.
        Deleted = "deleted",
    }
}

store::words! {
    /// How far it is.
    #[derive(Default, utoipa::ToSchema)]
    Status, "expected the status of a deployment" {
        /// It is made, or starts.
        #[default]
        Provisioning = "provisioning",
        /// It answered its probe.
        Running = "running",
        /// It was running, and does not answer at the moment.
        Degraded = "degraded",
        /// It is asked to end.
        Stopping = "stopping",
        /// It rests.
        Stopped = "stopped",
        /// It could not be started; the reason is told.
        Failed = "failed",
        /// It is being taken away, or waits until that cannot be undone any more.
        Deleting = "deleting",
        /// It is gone.
        Deleted = "deleted",
    }
}

/// A deployment as it stands in the database.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Whose it is.
    pub owner: AccountId,
    /// Who made it.
    pub creator: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Of which service.
    pub service: ServiceId,
    /// That service in addresses.
    pub slug: String,
    /// The digest of the template's text.
    pub template: String,
    /// The id of its image; empty until it is made for the first time.
    pub image: String,
    /// How large it is and what it costs.
    pub plan: Plan,
    /// Where it runs.
    pub region: String,
    /// The port at which it is reached; none when it is gone.
    pub port: Option<u16>,
    /// What shall be.
    pub wanted: Wanted,
    /// Counts what is wanted anew.
    pub generation: i64,
    /// How often its container shall have been made afresh.
    pub run: i64,
    /// What was seen last.
    pub status: Status,
    /// Why it is so, where that is not plain; empty otherwise.
    pub reason: String,
    /// The last lines that it wrote before it failed.
    pub last_lines: String,
    /// Sealed.
    pub credentials: String,
    /// Sealed: what is to replace them.
    pub next_credentials: Option<String>,
    /// The backup that it is to be brought back from.
    pub restore_from: Option<crate::BackupId>,
    /// What it may cost in a month before its owner is told.
    pub budget_minor: Option<i64>,
    /// Counts the changes.
    pub version: i64,
    /// When what it does now began: since when it starts, runs, rests.
    pub since: Timestamp,
    /// Until when its removal can be undone.
    pub undo_until: Option<Timestamp>,
    /// When it served for the first time.
    pub deployed_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything of it changed last.
    pub updated_at: Timestamp,
}

impl Deployment {
    /// What its container and volume are called on an engine.
    #[must_use]
    pub fn engine_name(&self) -> String {
        engine_name(&self.id)
    }

    /// For what its credentials are sealed.
    pub(crate) fn purpose(&self) -> String {
        purpose(&self.id)
    }

    /// Whether nothing may be left of it.
    pub(crate) fn is_to_vanish(&self, now: Timestamp) -> bool {
        self.wanted == Wanted::Deleted && self.undo_until.is_none_or(|until| until <= now)
    }
}

/// What the container and the volume of a deployment are called.
pub(crate) fn engine_name(id: &DeploymentId) -> String {
    format!("fondaco-{id}")
}

/// For what its credentials are sealed.
pub(crate) fn purpose(id: &DeploymentId) -> String {
    format!("deployment:{id}")
}

/// What every text of a template may use beside the credentials; what is secret is hidden unless it shall be shown.
pub(crate) fn texts(
    known: &Deployment,
    template: &Template,
    chosen: &Chosen,
    reveal: bool,
) -> BTreeMap<String, String> {
    let plan = &known.plan;
    let mut texts = chosen.texts(&template.settings, reveal);
    let own = [
        ("deployment", known.id.to_string()),
        ("region", known.region.clone()),
        ("plan.memoryMb", (plan.memory_bytes >> 20).to_string()),
        ("plan.cpus", plan.cpu_millis.div_ceil(1000).to_string()),
        ("plan.diskMb", (plan.disk_bytes >> 20).to_string()),
    ];
    texts.extend(own.map(|(name, text)| (name.to_owned(), text)));
    texts
}

impl FromValue for Plan {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        serde_json::from_str(&String::from_value(value)?).map_err(|error| error.to_string())
    }
}

/// What users of a deployment sign in with, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials(pub(crate) BTreeMap<String, Secret>);

impl Credentials {
    /// Fresh ones by the rules of a recipe.
    #[must_use]
    pub fn fresh(recipe: &Recipe) -> Self {
        Self(recipe.credentials.iter().map(|(name, rule)| (name.clone(), make(rule))).collect())
    }

    /// The same, with everything secret made anew.
    #[must_use]
    pub(crate) fn renewed(&self, recipe: &Recipe) -> Self {
        let renew = |(name, rule): &(String, Rule)| {
            let kept = self.0.get(name).filter(|_| !rule.is_secret()).cloned();
            (name.clone(), kept.unwrap_or_else(|| make(rule)))
        };
        Self(recipe.credentials.iter().map(renew).collect())
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::expose)
    }

    pub(crate) fn to_json(&self) -> Secret {
        let plain: BTreeMap<&str, &str> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        Secret::new(serde_json::to_string(&plain).unwrap_or_default())
    }

    pub(crate) fn of_json(text: &Secret) -> Option<Self> {
        serde_json::from_str(text.expose()).ok().map(Self)
    }
}

fn make(rule: &Rule) -> Secret {
    match rule {
        Rule::Fixed(text) => Secret::new(text),
        Rule::Name { prefix } => {
            Secret::new(format!("{prefix}{}", letters(8, b"abcdefghijklmnopqrstuvwxyz")))
        }
        Rule::Password { length } => {
            Secret::new(letters(*length, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"))
        }
    }
}

/// Random letters, each as likely as any other: they need no quotes in any language.
fn letters(count: usize, from: &[u8]) -> String {
    let fair = 256 - 256 % from.len();
    let mut out = String::with_capacity(count);
    while out.len() < count {
        for byte in kernel::random_bytes::<64>() {
            if usize::from(byte) < fair && out.len() < count {
                out.extend(from.get(usize::from(byte) % from.len()).map(|letter| char::from(*letter)));
            }
        }
    }
    out
}

/// What a new deployment is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewDeployment {
    /// The service's id or slug.
    pub service: String,
    /// What its owner calls it.
    pub name: String,
    /// The plan; the service's first where absent.
    pub plan: Option<String>,
    /// The region; the service's first where absent.
    pub region: Option<String>,
    /// What is chosen of the service's settings; their defaults where absent.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// The backup that it begins with; nothing where absent.
    pub backup: Option<crate::BackupId>,
    /// The organisation whose it is; the caller's own where absent.
    pub organisation: Option<String>,
}

/// What is wrong with a name, if anything.
pub(crate) fn check_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_alphanumeric() || " -_.".contains(c);
    let fine =
        (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(plain) && name.trim() == name;
    (!fine).then_some("Use 1 to 60 letters, digits, spaces, dashes, dots or underscores.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_made_keeps_to_its_rule() {
        let password = make(&Rule::Password { length: 40 });
        assert_eq!(password.expose().len(), 40);
        assert!(password.expose().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(password, make(&Rule::Password { length: 40 }));
        let name = make(&Rule::Name { prefix: "user_".into() });
        assert!(name.expose().starts_with("user_") && name.expose().len() == 13);
    }

    #[test]
    fn credentials_survive_being_sealed() {
        let known = Credentials([("password".to_owned(), Secret::new("x\"y"))].into());
        assert_eq!(Credentials::of_json(&known.to_json()), Some(known));
        assert_eq!(Credentials::of_json(&Secret::new("[")), None);
    }

    #[test]
    fn names() {
        assert_eq!(check_name("my-database 1"), None);
        for wrong in ["", " x", "a\nb", "a/b", &"x".repeat(61)] {
            assert!(check_name(wrong).is_some(), "{wrong:?}");
        }
    }
}
