//! A Docker engine of this machine, by its unix socket. It speaks the API of 20.10 (1.41) to 1.44, which every
//! later engine understands.
//!
//! What the driver keeps lies in one folder:
//!
//! ```text
//! volumes/NAME/disk, about.json   a file system in a sparse file; its size and labels
//! mounts/NAME/                    where it is mounted, for containers to be given
//! templates/                      filled file systems that new volumes are copies of
//! secrets/NAME/                   what a container finds in /run/secrets
//! new/PID/                        what is not whole yet; swept when a driver starts and that process is gone
//! ```

mod changes;
mod containers;
mod disk;
mod driver;
mod error;
mod exec;
mod logs;
mod networks;
mod secrets;
mod seen;
mod template;
mod usage;
mod volumes;

use std::collections::HashMap;
use std::path::PathBuf;

use bollard::ClientVersion;
use tokio::sync::OnceCell;

use self::error::failed;
use crate::{EngineError, Labels, Single};

/// The label whose value is the installation.
const INSTALLATION: &str = "fondaco.installation";
/// The label whose value is the fingerprint of the container's description.
const FINGERPRINT: &str = "fondaco.fingerprint";
/// What the names of the caller's labels start with.
const LABEL: &str = "fondaco.label.";
/// The newest version of the API that is spoken; older engines are spoken to in theirs.
const NEWEST: ClientVersion = ClientVersion { major_version: 1, minor_version: 44 };
/// How long the engine may take to begin an answer, in seconds. Stopping takes as long as the grace time.
const ANSWER_SECONDS: u64 = 150;

/// Where the engine is and what is ours there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its socket, such as `/var/run/docker.sock`.
    pub socket: PathBuf,
    /// The id of this installation: the value of a label on everything.
    pub installation: String,
    /// An absolute path of a folder of our own, for volumes and secrets. The engine must see it by this path too.
    pub state: PathBuf,
    /// Whether volumes are disks with a hard limit where this machine can mount them. Otherwise they are the engine's own,
    /// which nothing limits.
    pub disks: bool,
}

/// A driver of a Docker engine.
#[derive(Debug)]
pub struct Docker {
    settings: Settings,
    client: OnceCell<bollard::Docker>,
    volumes: volumes::Place,
    /// Who makes a template or a volume now, so that it is made once; who comes to a network or leaves it.
    making: Single,
    started: seen::Started,
    /// When the rules of the packet filter were last seen to hold.
    shielded_at: std::sync::Mutex<Option<std::time::Instant>>,
}

impl Docker {
    /// A driver; the engine need not be there yet, and may go and come back.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub async fn open(settings: Settings) -> Result<Self, EngineError> {
        let volumes = volumes::Place::prepare(&settings.state, settings.disks).await?;
        Ok(Self {
            settings,
            client: OnceCell::new(),
            volumes,
            making: Single::default(),
            started: seen::Started::default(),
            shielded_at: std::sync::Mutex::default(),
        })
    }

    /// The engine, after it has said which version it speaks.
    async fn client(&self) -> Result<&bollard::Docker, EngineError> {
        let connect = async || {
            let socket = self.settings.socket.to_string_lossy();
            let client = bollard::Docker::connect_with_unix(&socket, ANSWER_SECONDS, &NEWEST);
            let client = client.map_err(failed)?.negotiate_version().await.map_err(failed)?;
            self.sweep_fillings(&client).await.map_err(failed)?;
            Ok(client)
        };
        self.client.get_or_try_init(connect).await
    }

    /// The caller's labels and ours.
    fn labels(&self, labels: &Labels) -> HashMap<String, String> {
        let own = [(INSTALLATION.to_owned(), self.settings.installation.clone())];
        let callers = labels.iter().map(|(name, value)| (format!("{LABEL}{name}"), value.clone()));
        callers.chain(own).collect()
    }

    /// The filter that leaves only what is ours.
    fn filter(&self) -> HashMap<String, Vec<String>> {
        let label = format!("{INSTALLATION}={}", self.settings.installation);
        HashMap::from([("label".to_owned(), vec![label])])
    }

    /// The caller's labels when what has these is ours. A container also has those of its image, which are left out.
    fn ours(&self, labels: Option<&HashMap<String, String>>) -> Option<Labels> {
        let labels = labels?;
        let callers = labels
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(LABEL)?.to_owned(), value.clone())));
        (*labels.get(INSTALLATION)? == self.settings.installation).then(|| callers.collect())
    }
}
