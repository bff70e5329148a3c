//! What the engine is asked for: a deployment, its template and its credentials as container, volume and network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use containers::{Container, Labels, Limits, Network, SecretFile, Volume, VolumeMount};
use ipnet::Ipv4Net;
use kernel::Secret;

use crate::deployment::{Credentials, Deployment, texts};
use crate::template::{Chosen, Command, Template, Text};

/// The label that says of which deployment something is.
const DEPLOYMENT: &str = "deployment";
/// The file with what was chosen, beside the template's own.
const SETTINGS: &str = "settings.json";
/// How many bits of an address name a container within a network: a /24 has room for 253.
const PREFIX: u8 = 24;

/// Everything that is known of a deployment before the engine is asked.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) deployment: Deployment,
    pub(crate) template: Arc<Template>,
    pub(crate) credentials: Credentials,
    pub(crate) chosen: Chosen,
    pub(crate) container: Container,
    pub(crate) fingerprint: String,
    pub(crate) volume: Option<Volume>,
}

/// All that the networks of an account, or of a deployment that had one alone, were ever called.
pub(crate) fn network_names(account: &str) -> [String; 3] {
    let base = format!("fondaco-{account}");
    [format!("{base}-peers"), format!("{base}-open"), base]
}

/// The network that a deployment shall be in: its owner's; one of its own while it is nobody's. One that leads outside is
/// another one, so that what is already in the first moves over when the operator opens it, one deployment after the other.
pub(crate) fn network_of(known: &Deployment, outside: bool) -> String {
    let whose = if known.is_spare() { known.id.as_str() } else { known.owner.as_str() };
    network_names(whose)[usize::from(outside)].clone()
}

/// What the operator and other deployments say about where a container is.
pub(crate) struct Place<'a> {
    /// The id of its image.
    pub(crate) image: &'a str,
    /// By which name others reach it.
    pub(crate) peer: &'a str,
    /// Whether it reaches the internet.
    pub(crate) outside: bool,
}

/// A network of this name by its number; `None` where the range is used up. `account` is whose it is.
pub(crate) fn network(
    account: &str,
    name: String,
    number: u32,
    range: Ipv4Net,
    outside: bool,
) -> Option<Network> {
    let size = 1_u32 << (32 - PREFIX);
    let first = u32::from(range.network()).checked_add(number.checked_mul(size)?)?;
    let subnet = Ipv4Net::new(Ipv4Addr::from(first), PREFIX).ok()?;
    let labels = Labels::from([("account".to_owned(), account.to_owned())]);
    range.contains(&subnet).then_some(Network { name, labels, subnet, outside })
}

impl Target {
    pub(crate) fn new(
        deployment: Deployment,
        template: Arc<Template>,
        credentials: Credentials,
        chosen: Chosen,
        place: &Place<'_>,
    ) -> Self {
        let recipe = &template.recipe;
        let name = deployment.engine_name();
        let values = texts(&deployment, &template, &chosen, true);
        let fill = |text: &Text| text.fill(|name| value(&values, &credentials, None, name));
        let labels = Labels::from([
            (DEPLOYMENT.to_owned(), deployment.id.to_string()),
            ("run".to_owned(), deployment.run.to_string()),
        ]);
        let volume = recipe.volume.as_ref().map(|volume| Volume {
            name: name.clone(),
            labels: Labels::from([(DEPLOYMENT.to_owned(), deployment.id.to_string())]),
            size_bytes: deployment.plan.disk_bytes,
            template: volume
                .template
                .as_ref()
                .map(|path| containers::Template { image: place.image.to_owned(), path: path.clone() }),
        });
        let mounts = recipe
            .volume
            .iter()
            .map(|volume| VolumeMount { volume: name.clone(), path: volume.path.clone() });
        let container = Container {
            labels,
            image: place.image.to_owned(),
            argv: recipe.arguments(&chosen, fill),
            env: recipe.variables(&chosen, fill),
            user: recipe.user.clone(),
            network: network_of(&deployment, place.outside),
            aliases: vec![place.peer.to_owned(), deployment.id.to_string()],
            outside: place.outside,
            mounts: mounts.collect(),
            tmpfs: recipe.tmpfs.clone(),
            read_only_root: recipe.read_only_root,
            limits: Limits {
                cpu_millis: deployment.plan.cpu_millis,
                memory_bytes: deployment.plan.memory_bytes,
                pids: deployment.plan.pids,
            },
            capabilities: recipe.capabilities.clone(),
            stop_signal: recipe.stop_signal.clone(),
            name,
        };
        let fingerprint = container.fingerprint();
        Self { deployment, template, credentials, chosen, container, fingerprint, volume }
    }

    /// The same in a container and a volume of another name, to try something out.
    pub(crate) fn trial(&self, name: &str) -> Self {
        let (mut container, mut volume) = (self.container.clone(), self.volume.clone());
        name.clone_into(&mut container.name);
        // Nobody may meet what is only tried.
        container.aliases.clear();
        container.labels = Labels::from([("trial".to_owned(), name.to_owned())]);
        for mount in &mut container.mounts {
            name.clone_into(&mut mount.volume);
        }
        if let Some(volume) = &mut volume {
            name.clone_into(&mut volume.name);
            volume.labels = container.labels.clone();
        }
        Self {
            deployment: self.deployment.clone(),
            template: Arc::clone(&self.template),
            credentials: self.credentials.clone(),
            chosen: self.chosen.clone(),
            fingerprint: container.fingerprint(),
            container,
            volume,
        }
    }

    /// The port of its container.
    pub(crate) fn port(&self) -> u16 {
        self.template.recipe.port(&self.chosen)
    }

    /// The files that its program reads when it starts.
    pub(crate) fn secrets(&self) -> Vec<SecretFile> {
        let secrets = self.template.recipe.secrets.iter();
        let secrets = secrets.map(|(name, text)| SecretFile {
            name: name.clone(),
            content: Secret::new(self.fill(text, None)),
        });
        let has_settings = !self.template.settings.is_empty();
        let settings =
            has_settings.then(|| SecretFile { name: SETTINGS.to_owned(), content: self.chosen.to_json() });
        secrets.chain(settings).collect()
    }

    /// A command of the recipe with what it reads. `next` are the credentials that are to replace those there are: then
    /// they are meant by their names, and those there are by `old.`.
    pub(crate) fn command(
        &self,
        command: &Command,
        next: Option<&Credentials>,
    ) -> (containers::Exec, Option<Secret>) {
        let exec = containers::Exec {
            argv: command.argv.iter().map(|text| self.fill(text, next)).collect(),
            user: command.user.clone(),
            stdin: command.stdin.is_some(),
            ..containers::Exec::default()
        };
        (exec, command.stdin.as_ref().map(|text| Secret::new(self.fill(text, next))))
    }

    /// A text that may have secrets.
    pub(crate) fn secret(&self, text: &Text) -> Secret {
        Secret::new(self.fill(text, None))
    }

    fn fill(&self, text: &Text, next: Option<&Credentials>) -> String {
        let values = texts(&self.deployment, &self.template, &self.chosen, true);
        text.fill(|name| value(&values, &self.credentials, next, name))
    }
}

fn value<'a>(
    values: &'a BTreeMap<String, String>,
    credentials: &'a Credentials,
    next: Option<&'a Credentials>,
    name: &str,
) -> Option<&'a str> {
    if let Some(value) = values.get(name) {
        return Some(value);
    }
    match name.strip_prefix("old.") {
        Some(name) => credentials.get(name),
        None => next.unwrap_or(credentials).get(name),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn networks_do_not_overlap_and_end_with_the_range() {
        let range: Ipv4Net = "10.0.0.0/20".parse().unwrap();
        let subnet = |number| {
            network("user-ada", "x".into(), number, range, false).map(|network| network.subnet.to_string())
        };
        assert_eq!(subnet(0).as_deref(), Some("10.0.0.0/24"));
        assert_eq!(subnet(15).as_deref(), Some("10.0.15.0/24"));
        assert_eq!(subnet(16), None);
        assert_eq!(subnet(u32::MAX), None);
    }
}
