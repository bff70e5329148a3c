//! What containers use, from the kernel's own files: asking the engine costs a second for 200 containers, reading these
//! a few milliseconds. Both versions of control groups (cgroups(7)), below either of the engine's two drivers of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Docker;
use super::error::io;
use crate::{EngineError, Usage};

/// What has to be known of a container to find its files.
struct Place {
    name: String,
    id: String,
    /// Folders that its volumes are mounted at.
    disks: Vec<PathBuf>,
}

impl Docker {
    pub(super) async fn measure(&self, names: &[&str]) -> Result<Vec<Usage>, EngineError> {
        let mut known = HashMap::new();
        for listed in self.list().await? {
            let name = listed.names.unwrap_or_default().into_iter().next().unwrap_or_default();
            let id = listed.id.unwrap_or_default();
            let sources = listed.mounts.unwrap_or_default().into_iter().filter_map(|mount| mount.source);
            let disks =
                sources.map(PathBuf::from).filter(|source| source.starts_with(self.volumes.mount("")));
            known.insert(name.trim_start_matches('/').to_owned(), (id, disks.collect()));
        }
        let places = names.iter().filter_map(|name| {
            let (id, disks) = known.remove(*name)?;
            Some(Place { name: (*name).to_owned(), id, disks })
        });
        let places: Vec<_> = places.collect();
        let read = move || places.iter().filter_map(measure).collect();
        tokio::task::spawn_blocking(read).await.map_err(|error| io("measure")(std::io::Error::other(error)))
    }
}

/// `None` when it does not run: then it has no control group.
fn measure(place: &Place) -> Option<Usage> {
    let (disk_bytes, disk_limit) =
        place.disks.iter().map(|disk| space(disk)).fold((0, 0), |(used, all), (u, a)| (used + u, all + a));
    let usage = version_1(Path::new("/sys/fs/cgroup"), &place.id)
        .or_else(|| version_2(Path::new("/sys/fs/cgroup"), &place.id))?;
    Some(Usage { name: place.name.clone(), disk_bytes, disk_limit, ..usage })
}

/// The container's group below `root`: where the engine makes groups itself, or where it has systemd make them.
fn group(root: &Path, id: &str) -> Option<PathBuf> {
    let candidates =
        [root.join("docker").join(id), root.join("system.slice").join(format!("docker-{id}.scope"))];
    candidates.into_iter().find(|folder| folder.is_dir())
}

fn version_1(root: &Path, id: &str) -> Option<Usage> {
    let memory = group(&root.join("memory"), id)?;
    let cpu = group(&root.join("cpuacct"), id)?;
    let pids = group(&root.join("pids"), id)?;
    let (rx_bytes, tx_bytes) = traffic(&memory);
    let dropped: u64 = field(&memory.join("memory.stat"), "total_inactive_file").unwrap_or(0);
    Some(Usage {
        cpu_us: number::<u64>(&cpu.join("cpuacct.usage"))? / 1000,
        memory_bytes: number::<u64>(&memory.join("memory.usage_in_bytes"))?.saturating_sub(dropped),
        memory_limit: number(&memory.join("memory.limit_in_bytes"))?,
        rx_bytes,
        tx_bytes,
        pids: number(&pids.join("pids.current"))?,
        ..Usage::default()
    })
}

fn version_2(root: &Path, id: &str) -> Option<Usage> {
    let group = group(root, id)?;
    let (rx_bytes, tx_bytes) = traffic(&group);
    let dropped: u64 = field(&group.join("memory.stat"), "inactive_file").unwrap_or(0);
    Some(Usage {
        cpu_us: field(&group.join("cpu.stat"), "usage_usec")?,
        memory_bytes: number::<u64>(&group.join("memory.current"))?.saturating_sub(dropped),
        // Without a limit it says `max`.
        memory_limit: number(&group.join("memory.max")).unwrap_or(0),
        rx_bytes,
        tx_bytes,
        pids: number(&group.join("pids.current"))?,
        ..Usage::default()
    })
}

/// Bytes received and sent, as a process of the group sees its interfaces.
fn traffic(group: &Path) -> (u64, u64) {
    let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let Some(process) = processes.lines().next() else { return (0, 0) };
    let table = std::fs::read_to_string(format!("/proc/{process}/net/dev")).unwrap_or_default();
    interfaces(&table)
}

/// Sums the table of `/proc/net/dev` (proc_net(5)), the loopback left out.
fn interfaces(table: &str) -> (u64, u64) {
    let rows = table.lines().filter_map(|line| line.split_once(':')).filter(|(name, _)| name.trim() != "lo");
    rows.fold((0, 0), |(rx, tx): (u64, u64), (_, figures)| {
        let figure = |index| figures.split_ascii_whitespace().nth(index).and_then(|text| text.parse().ok());
        (rx.saturating_add(figure(0).unwrap_or(0)), tx.saturating_add(figure(8).unwrap_or(0)))
    })
}

fn number<T: FromStr>(file: &Path) -> Option<T> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value of a line `key value`.
fn field<T: FromStr>(file: &Path, key: &str) -> Option<T> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Bytes in use and in all of the file system that is mounted there.
fn space(at: &Path) -> (u64, u64) {
    let Ok(seen) = rustix::fs::statvfs(at) else { return (0, 0) };
    let used = seen.f_blocks.saturating_sub(seen.f_bfree).saturating_mul(seen.f_frsize);
    (used, seen.f_blocks.saturating_mul(seen.f_frsize))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn traffic_is_summed_without_the_loopback() {
        let table = "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo:  99 1 0 0 0 0 0 0  99 1 0 0 0 0 0 0\n  \
                     eth0: 700 5 0 0 0 0 0 0 300 4 0 0 0 0 0 0\n  eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n";
        assert_eq!(interfaces(table), (701, 302));
        assert_eq!(interfaces("eth0: garbage"), (0, 0));
    }

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let file = root.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        put("memory/docker/one/memory.usage_in_bytes", "5000\n");
        put("memory/docker/one/memory.limit_in_bytes", "9000\n");
        put("memory/docker/one/memory.stat", "cache 1\ntotal_inactive_file 1000\n");
        put("cpuacct/docker/one/cpuacct.usage", "7000000\n");
        put("pids/docker/one/pids.current", "3\n");
        let expected =
            Usage { cpu_us: 7000, memory_bytes: 4000, memory_limit: 9000, pids: 3, ..Usage::default() };
        assert_eq!(version_1(root.path(), "one"), Some(expected.clone()));
        put("system.slice/docker-two.scope/cpu.stat", "usage_usec 7000\nuser_usec 1\n");
        put("system.slice/docker-two.scope/memory.current", "5000\n");
        put("system.slice/docker-two.scope/memory.max", "9000\n");
        put("system.slice/docker-two.scope/memory.stat", "anon 1\ninactive_file 1000\n");
        put("system.slice/docker-two.scope/pids.current", "3\n");
        assert_eq!(version_2(root.path(), "two"), Some(expected));
        assert_eq!((version_1(root.path(), "two"), version_2(root.path(), "one")), (None, None));
    }
}
