//! What no engine shall be asked: checked by every driver before it does anything.

use std::path::{Component, Path};

use crate::{Container, EngineError, Network, SecretFile, Volume};

/// The least that a volume can have: below it a file system has no room for itself.
const MIN_VOLUME_BYTES: u64 = 16 << 20;
/// The least memory that engines accept.
const MIN_MEMORY_BYTES: u64 = 6 << 20;
/// The longest secret: certificates, settings and small programs fit.
const MAX_SECRET_BYTES: usize = 256 * 1024;

type Checked = Result<(), EngineError>;

fn refuse(why: String) -> Checked {
    Err(EngineError::Refused(why))
}

/// A name becomes a part of paths and of host names, so it is an RFC 1123 label.
pub(crate) fn name(text: &str) -> Checked {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || text.len() > 63 || text.starts_with('-') || !text.bytes().all(plain) {
        return refuse(format!(
            "`{text:.80}` is no name: use lower-case letters, digits and dashes, at most 63"
        ));
    }
    Ok(())
}

/// An absolute path without `..`, and not the root itself.
fn path(text: &str) -> Checked {
    let mut parts = Path::new(text).components();
    let absolute = parts.next() == Some(Component::RootDir);
    let mut deep = 0;
    let plain = parts.inspect(|_| deep += 1).all(|part| matches!(part, Component::Normal(_)));
    // A colon or a comma would end the path in an engine's own notations.
    if !absolute || !plain || deep == 0 || text.contains([':', ',', '\0']) {
        return refuse(format!("`{text:.200}` is no absolute path in a container"));
    }
    Ok(())
}

pub(crate) fn network(network: &Network) -> Checked {
    name(&network.name)?;
    if network.subnet.prefix_len() > 29 || network.subnet.trunc() != network.subnet {
        return refuse(format!("{} has no room for containers, or is no network", network.subnet));
    }
    Ok(())
}

pub(crate) fn volume(volume: &Volume) -> Checked {
    name(&volume.name)?;
    if volume.size_bytes < MIN_VOLUME_BYTES {
        return refuse(format!("a volume has at least {MIN_VOLUME_BYTES} bytes"));
    }
    volume.template.as_ref().map_or(Ok(()), |template| path(&template.path))
}

pub(crate) fn shrinks(volume: &Volume) -> EngineError {
    EngineError::Refused(format!("the volume {} is larger already, and volumes do not shrink", volume.name))
}

/// A container's name, its network's and its names there.
pub(crate) fn place(container: &str, network: &str, aliases: &[String]) -> Checked {
    name(container)?;
    name(network)?;
    aliases.iter().try_for_each(|alias| name(alias))
}

pub(crate) fn container(container: &Container) -> Checked {
    place(&container.name, &container.network, &container.aliases)?;
    for mount in &container.mounts {
        name(&mount.volume)?;
        path(&mount.path)?;
    }
    for folder in &container.tmpfs {
        path(&folder.path)?;
    }
    let limits = container.limits;
    if limits.cpu_millis < 10 || limits.memory_bytes < MIN_MEMORY_BYTES || limits.pids == 0 {
        return refuse(
            "a container needs a hundredth of a processor, 6 MB of memory and a process".to_owned(),
        );
    }
    if container.env.iter().any(|(key, _)| key.is_empty() || key.contains(['=', '\0'])) {
        return refuse("a variable of the environment has no name".to_owned());
    }
    Ok(())
}

pub(crate) fn secrets(secrets: &[SecretFile]) -> Checked {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    for SecretFile { name, content } in secrets {
        if name.is_empty() || name.len() > 63 || name.starts_with('.') || !name.bytes().all(plain) {
            return refuse(format!("`{name:.80}` is no name of a secret file"));
        }
        if content.expose().len() > MAX_SECRET_BYTES {
            return refuse(format!("the secret {name} is larger than {MAX_SECRET_BYTES} bytes"));
        }
    }
    Ok(())
}
