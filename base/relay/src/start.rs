//! How a relay comes to be: as a process of its own, or as a task of this one.

use std::net::IpAddr;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kernel::Clock;
use rustix::io::{FdFlags, fcntl_setfd};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::RelayError;
use crate::place::Place;
use crate::process::run;

/// What a relay must know to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data folder; the relay's files are in `run` under it.
    pub data_dir: PathBuf,
    /// The address that ports are opened at.
    pub listen: IpAddr,
    /// How long a relay without routes that nobody speaks to goes on.
    pub idle: Duration,
}

/// Whose the relay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A process of its own, which goes on when this one ends: the program that has the command `relay`.
    Detached {
        /// Usually the running program itself.
        program: PathBuf,
    },
    /// A task of this process, which ends with it.
    Embedded,
}

/// A relay that ends with this value.
pub(crate) struct Embedded {
    _stop: DropGuard,
    task: JoinHandle<Result<(), RelayError>>,
}

impl Embedded {
    pub(crate) fn start(settings: Settings) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(settings, Clock::system(), stop.clone()));
        Self { _stop: stop.drop_guard(), task }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

/// Starts a process that lives on when this one ends. It gets nothing of this one's environment: secrets are in there
/// that are none of its business.
pub(crate) fn detached(settings: &Settings, program: &Path) -> Result<(), RelayError> {
    let place = Place::of(&settings.data_dir);
    place.make()?;
    let data_dir = settings.data_dir.canonicalize().map_err(RelayError::folder(&settings.data_dir))?;
    let log = place.log()?;
    keep_files();
    let spawned = Command::new(program)
        .arg("relay")
        .arg("--detached")
        .arg("--data-dir")
        .arg(data_dir)
        .arg("--listen")
        .arg(settings.listen.to_string())
        .arg("--idle")
        .arg(format!("{}s", settings.idle.as_secs()))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    // The runtime takes note of its end, so that it leaves no zombie behind.
    spawned.map(drop).map_err(RelayError::folder(program))
}

/// Keeps what this process was given by whoever started it: a lock or a pipe would otherwise stay open in the relay for as
/// long as that lives, and somebody may wait for its end. What Rust opens itself is kept already.
#[allow(unsafe_code)]
fn keep_files() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let number = |name: &std::ffi::OsStr| name.to_str()?.parse::<RawFd>().ok();
    for fd in open.flatten().filter_map(|entry| number(&entry.file_name())).filter(|fd| *fd > 2) {
        // SAFETY: the number is borrowed for one call that neither reads nor closes what it stands for. Should the file have
        // been closed since, the call fails; should another have taken its number, that one has this flag already.
        let file = unsafe { BorrowedFd::borrow_raw(fd) };
        let _ = fcntl_setfd(file, FdFlags::CLOEXEC);
    }
}
