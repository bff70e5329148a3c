//! A file system in a sparse file: it takes what is in it, and never more than its size. Needs root and loop devices.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use super::error::io as failed_to;
use crate::EngineError;

/// Where the tools may lie that a plain user's PATH does not name.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// Runs a tool and says what it said when it failed.
async fn run(program: &str, arguments: &[&OsStr]) -> Result<String, EngineError> {
    let output =
        Command::new(program).args(arguments).env("PATH", SYSTEM_PATH).env("LC_ALL", "C").output().await;
    let output = output.map_err(failed_to(program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(EngineError::Failed(format!("{program}: {:.300}", said.trim())))
}

/// Makes a file with an empty file system of `size_bytes`, all for its user.
pub(super) async fn make(file: &Path, size_bytes: u64) -> Result<(), EngineError> {
    let sparse = tokio::fs::File::create(file).await.map_err(failed_to("make a disk"))?;
    sparse.set_len(size_bytes).await.map_err(failed_to("make a disk"))?;
    let options = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"];
    let mut arguments: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    arguments.push(file.as_os_str());
    run("mkfs.ext4", &arguments).await.map(drop)
}

/// Lets everybody write in the top folder of such a file system, which only root could.
pub(super) async fn open_to_all(file: &Path) -> Result<(), EngineError> {
    let arguments = ["-w", "-R", "set_inode_field <2> mode 041777"].map(OsStr::new);
    run("debugfs", &[&arguments[..], &[file.as_os_str()]].concat()).await.map(drop)
}

/// A copy that shares or leaves out what it can. It is not flushed: until the service that it is for flushes its own
/// files, and with them these, nobody was promised anything.
pub(super) async fn copy(from: &Path, to: &Path) -> Result<(), EngineError> {
    let arguments =
        [OsStr::new("--reflink=auto"), OsStr::new("--sparse=auto"), from.as_os_str(), to.as_os_str()];
    run("cp", &arguments).await.map(drop)
}

/// Whether something is mounted there: it is on another device than the folder around it.
pub(super) fn is_mounted(at: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).ok().map(|about| about.dev());
    at.parent().is_some_and(|around| device(at).is_some_and(|inside| Some(inside) != device(around)))
}

/// Mounts it unless it is. The folder below the mount is closed to everybody, so that a container that is started
/// without the mount fails instead of writing where nothing limits it.
pub(super) async fn mount(file: &Path, at: &Path) -> Result<(), EngineError> {
    if is_mounted(at) {
        return Ok(());
    }
    tokio::fs::create_dir_all(at).await.map_err(failed_to("make a mount point"))?;
    let closed = std::fs::Permissions::from_mode(0o000);
    tokio::fs::set_permissions(at, closed).await.map_err(failed_to("close a mount point"))?;
    // Without `noinit_itable` the kernel would fill the sparse file with zeros in the background.
    let options = OsStr::new("loop,nodev,nosuid,noatime,noinit_itable");
    run(
        "mount",
        &[OsStr::new("-t"), OsStr::new("ext4"), OsStr::new("-o"), options, file.as_os_str(), at.as_os_str()],
    )
    .await
    .map(drop)
}

/// Unmounts it, however often it was mounted, and removes the mount point.
pub(super) async fn unmount(at: &Path) -> Result<(), EngineError> {
    while is_mounted(at) {
        run("umount", &[at.as_os_str()]).await?;
    }
    match tokio::fs::remove_dir(at).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed_to("remove a mount point")(error))
        }
        _ => Ok(()),
    }
}

/// Grows a mounted one to `size_bytes`: under those who use it where this program may do that (it takes the capability
/// `SYS_RESOURCE`), otherwise while nobody does.
pub(super) async fn grow(file: &Path, at: &Path, size_bytes: u64) -> Result<(), EngineError> {
    let sparse =
        tokio::fs::OpenOptions::new().write(true).open(file).await.map_err(failed_to("grow a disk"))?;
    sparse.set_len(size_bytes).await.map_err(failed_to("grow a disk"))?;
    if grow_in_use(file).await.is_ok() {
        return Ok(());
    }
    unmount(at).await?;
    let grown = grow_unused(file).await;
    mount(file, at).await.and(grown)
}

async fn grow_in_use(file: &Path) -> Result<(), EngineError> {
    for device in devices(file).await? {
        run("losetup", &[OsStr::new("--set-capacity"), OsStr::new(&device)]).await?;
        run("resize2fs", &[OsStr::new(&device)]).await?;
    }
    Ok(())
}

/// A container that has it keeps the loop device alive after it was unmounted here, so its absence shows that nobody has.
async fn grow_unused(file: &Path) -> Result<(), EngineError> {
    let mut patience = 50;
    while !devices(file).await?.is_empty() {
        patience -= 1;
        if patience == 0 {
            let text = "this machine cannot grow a volume that is in use: stop its container first";
            return Err(EngineError::Failed(text.to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // resize2fs wants it checked; what cannot be repaired shows there.
    let _ = run("e2fsck", &[OsStr::new("-f"), OsStr::new("-p"), file.as_os_str()]).await;
    run("resize2fs", &[file.as_os_str()]).await.map(drop)
}

/// The loop devices of a file.
async fn devices(file: &Path) -> Result<Vec<String>, EngineError> {
    let query = ["--noheadings", "--output", "NAME", "--associated"].map(OsStr::new);
    let listed = run("losetup", &[&query[..], &[file.as_os_str()]].concat()).await?;
    Ok(listed.split_whitespace().map(str::to_owned).collect())
}
