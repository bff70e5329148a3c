//! What every driver does, shown on each of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ground;

use std::sync::Arc;
use std::time::Duration;

use containers::{
    EngineError, Exec, Kind, Labels, Logs, Network, SecretFile, State, Stream, Template, Volume, VolumeMount,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use ground::{Ground, IMAGE};
use kernel::Secret;
use tokio::io::AsyncWriteExt as _;

/// Each test on each driver.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::ground::on(super::ground::memory().await, super::$test).await;
            })*
        }
        mod docker {
            $(#[tokio::test]
            async fn $test() {
                if let Some(ground) = super::ground::docker(&[]).await {
                    super::ground::on(ground, super::$test).await;
                }
            })*
        }
    };
}

on_both!(
    a_container_lives_from_create_to_remove,
    another_description_is_different,
    programs_that_end_are_exited,
    what_is_missing_is_named,
    installations_do_not_see_each_other,
    networks_do_not_overlap,
    a_container_joins_another_network_while_it_runs,
    secrets_are_there_until_they_are_forgotten,
    commands_run_inside,
    logs_are_lines,
    volumes_outlive_containers_and_only_grow,
    usage_is_of_those_that_run,
    changes_are_told,
    nonsense_is_refused,
);

type Here = Arc<Ground>;

fn volume(here: &Ground, what: &str, mb: u64) -> Volume {
    let labels = Labels::from([("kind".to_owned(), what.to_owned())]);
    let template = Some(Template { image: IMAGE.to_owned(), path: "/var/mail".to_owned() });
    Volume { name: here.name(what), labels, size_bytes: mb << 20, template }
}

fn secret(name: &str, text: &str) -> SecretFile {
    SecretFile { name: name.to_owned(), content: Secret::new(text) }
}

async fn a_container_lives_from_create_to_remove(here: Here) {
    let container = here.container("one", &["sleep", "infinity"]);
    let name = container.name.as_str();
    assert_eq!(here.engine.container(name).await.unwrap(), None);
    for _ in 0..2 {
        here.engine.create(&container).await.unwrap();
    }
    let made = here.engine.container(name).await.unwrap().unwrap();
    assert_eq!((made.state, made.address, made.labels), (State::Created, None, container.labels.clone()));
    assert_eq!(made.fingerprint, container.fingerprint());
    here.engine.stop(name, Duration::ZERO).await.unwrap();
    assert_eq!(here.engine.pause(name).await, Err(EngineError::NotRunning(name.to_owned())));
    for _ in 0..2 {
        here.engine.start(name, &[]).await.unwrap();
    }
    let runs = here.engine.container(name).await.unwrap().unwrap();
    assert_eq!(runs.state, State::Running);
    assert!(
        here.network
            .subnet
            .contains(&runs.address.unwrap().to_string().parse::<std::net::Ipv4Addr>().unwrap())
    );
    assert!(runs.started_at.is_some());
    for _ in 0..2 {
        assert_eq!(here.engine.seen().await.unwrap().containers, std::slice::from_ref(&runs));
    }
    for _ in 0..2 {
        here.engine.pause(name).await.unwrap();
    }
    here.engine.start(name, &[]).await.unwrap();
    assert_eq!(here.state_of(name).await, State::Paused);
    for _ in 0..2 {
        here.engine.unpause(name).await.unwrap();
    }
    assert_eq!(here.state_of(name).await, State::Running);
    here.engine.pause(name).await.unwrap();
    for _ in 0..2 {
        here.engine.stop(name, Duration::ZERO).await.unwrap();
    }
    assert!(matches!(here.state_of(name).await, State::Exited { .. }));
    here.engine.start(name, &[]).await.unwrap();
    assert_eq!(here.state_of(name).await, State::Running);
    for _ in 0..2 {
        here.engine.remove(name).await.unwrap();
        here.engine.stop(name, Duration::ZERO).await.unwrap();
        here.engine.forget_secrets(name).await.unwrap();
    }
    assert_eq!(here.engine.container(name).await.unwrap(), None);
}

async fn another_description_is_different(here: Here) {
    let container = here.sleeper("one").await;
    let mut other = container.clone();
    other.limits.memory_bytes *= 2;
    let different = EngineError::Different { kind: Kind::Container, name: container.name.clone() };
    assert_eq!(here.engine.create(&other).await, Err(different));
    assert_eq!(here.engine.create(&container).await, Ok(()));
}

async fn programs_that_end_are_exited(here: Here) {
    for (program, expected) in [("true", 0), ("false", 1)] {
        let container = here.container(program, &[program]);
        here.engine.create(&container).await.unwrap();
        here.engine.start(&container.name, &[]).await.unwrap();
        let State::Exited { code, out_of_memory, at, error } = here.ended(&container.name).await else {
            panic!()
        };
        assert_eq!((code, out_of_memory, error), (expected, false, None));
        assert!(at.is_some());
        let seen = here.engine.seen().await.unwrap().containers;
        let seen = seen.into_iter().find(|seen| seen.name == container.name).unwrap();
        assert_eq!((seen.address, matches!(seen.state, State::Exited { .. })), (None, true));
    }
}

async fn what_is_missing_is_named(here: Here) {
    let missing = |kind, name: &str| Err(EngineError::NotThere { kind, name: name.to_owned() });
    let mut container = here.container("one", &["true"]);
    container.image = "fondaco/nothing:0".to_owned();
    assert_eq!(here.engine.image(&container.image).await, Ok(None));
    assert!(here.engine.image(IMAGE).await.unwrap().is_some());
    assert_eq!(here.engine.create(&container).await, missing(Kind::Image, "fondaco/nothing:0"));
    let mut container = here.container("one", &["true"]);
    container.mounts = vec![VolumeMount { volume: here.name("lost"), path: "/data".to_owned() }];
    assert_eq!(here.engine.create(&container).await, missing(Kind::Volume, &here.name("lost")));
    let name = here.name("nobody");
    let nobody = || missing(Kind::Container, &name);
    assert_eq!(here.engine.start(&name, &[]).await, nobody());
    assert_eq!(here.engine.pause(&name).await, nobody());
    assert_eq!(here.engine.exec(&name, &Exec::new(["true"])).await.map(drop), nobody());
    assert_eq!(here.engine.logs(&name, Logs::default()).await.map(drop), nobody());
    here.engine.remove_network(&name).await.unwrap();
    here.engine.remove_volume(&name).await.unwrap();
}

async fn installations_do_not_see_each_other(here: Here) {
    let container = here.sleeper("one").await;
    let name = container.name.as_str();
    assert_eq!(here.stranger.seen().await.unwrap(), containers::Seen::default());
    assert_eq!(here.stranger.container(name).await.unwrap(), None);
    here.stranger.stop(name, Duration::ZERO).await.unwrap();
    here.stranger.remove(name).await.unwrap();
    here.stranger.remove_network(&here.network.name).await.unwrap();
    assert_eq!(here.state_of(name).await, State::Running);
    assert!(matches!(here.stranger.start(name, &[]).await, Err(EngineError::NotThere { .. })));
    assert!(matches!(here.stranger.create(&container).await, Err(EngineError::Refused(_))));
    assert!(matches!(here.stranger.ensure_network(&here.network).await, Err(EngineError::Refused(_))));
    assert_eq!(here.engine.seen().await.unwrap().networks.len(), 1);
}

async fn networks_do_not_overlap(here: Here) {
    here.engine.ensure_network(&here.network).await.unwrap();
    let moved = Network { subnet: "10.212.0.0/28".parse().unwrap(), ..here.network.clone() };
    let different = EngineError::Different { kind: Kind::Network, name: here.network.name.clone() };
    assert_eq!(here.engine.ensure_network(&moved).await, Err(different));
    let beside = Network { name: here.name("beside"), ..here.network.clone() };
    assert_eq!(here.engine.ensure_network(&beside).await, Err(EngineError::SubnetTaken(beside.subnet)));
    let seen = here.engine.seen().await.unwrap().networks;
    assert_eq!((seen.len(), seen[0].subnet), (1, Some(here.network.subnet)));
    here.sleeper("one").await;
    assert!(matches!(here.engine.remove_network(&here.network.name).await, Err(EngineError::Failed(_))));
    here.engine.remove(&here.name("one")).await.unwrap();
    for _ in 0..2 {
        here.engine.remove_network(&here.network.name).await.unwrap();
    }
}

async fn a_container_joins_another_network_while_it_runs(here: Here) {
    let other = ground::network(&here.engine, &here.name("net-two")).await.name;
    let container = here.sleeper("one").await;
    let name = container.name.as_str();
    let before = here.engine.container(name).await.unwrap().unwrap();
    let mut elsewhere = container.clone();
    (elsewhere.network, elsewhere.aliases) = (other.clone(), vec!["shop".to_owned()]);
    assert_eq!(elsewhere.fingerprint(), container.fingerprint(), "where it is does not make it another one");
    let join = async |network: &str| here.engine.join(name, network, &elsewhere.aliases).await;
    for _ in 0..2 {
        join(&other).await.unwrap();
    }
    let after = here.engine.container(name).await.unwrap().unwrap();
    let mut both = vec![here.network.name.clone(), other.clone()];
    both.sort();
    assert_eq!((&after.networks, after.started_at), (&both, before.started_at));
    assert_eq!(after.address, before.address, "it is reached where it was");
    assert_eq!(here.engine.seen().await.unwrap().containers, [after]);
    assert!(matches!(here.engine.remove_network(&other).await, Err(EngineError::Failed(_))), "it is in use");

    here.engine.stop(name, Duration::ZERO).await.unwrap();
    here.engine.start(name, &[]).await.unwrap();
    let again = here.engine.container(name).await.unwrap().unwrap();
    assert_eq!(again.networks, both, "it is still in both");
    let missing = |kind, name: String| Err(EngineError::NotThere { kind, name });
    assert_eq!(join(&here.name("nowhere")).await, missing(Kind::Network, here.name("nowhere")));
    let nobody = here.name("nobody");
    assert_eq!(here.engine.join(&nobody, &other, &[]).await, missing(Kind::Container, nobody.clone()));
    assert!(matches!(join("Host").await, Err(EngineError::Refused(_))));
    here.engine.remove(name).await.unwrap();
    here.engine.remove_network(&other).await.unwrap();
}

async fn secrets_are_there_until_they_are_forgotten(here: Here) {
    let container = here.sleeper("one").await;
    let name = container.name.as_str();
    let read = async |file: &str| {
        let command = Exec::new(["cat", &format!("/run/secrets/{file}")]);
        let done = here.engine.exec(name, &command).await.unwrap().finish(100).await.unwrap();
        (done.code == 0).then(|| String::from_utf8(done.stdout.to_vec()).unwrap())
    };
    assert_eq!(read("password").await, None);
    here.engine.start(name, &[secret("password", "first"), secret("key", "k")]).await.unwrap();
    assert_eq!(read("password").await.as_deref(), Some("first"));
    here.engine.start(name, &[secret("password", "second")]).await.unwrap();
    assert_eq!((read("password").await.as_deref(), read("key").await), (Some("second"), None));
    here.engine.forget_secrets(name).await.unwrap();
    assert_eq!(read("password").await, None);
}

async fn commands_run_inside(here: Here) {
    let name = here.sleeper("one").await.name;
    let done =
        here.engine.exec(&name, &Exec::new(["echo", "a", "b"])).await.unwrap().finish(3).await.unwrap();
    assert_eq!((done.code, &done.stdout[..], &done.stderr[..]), (0, &b"a b"[..], &b""[..]));
    let done = here.engine.exec(&name, &Exec::new(["false"])).await.unwrap().finish(9).await.unwrap();
    assert_eq!(done.code, 1);
    let mut running = here.engine.exec(&name, &Exec { stdin: true, ..Exec::new(["cat"]) }).await.unwrap();
    let mut stdin = running.stdin.take().unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[i as usize % 3]).collect();
    let copy = sent.clone();
    let writing = tokio::spawn(async move {
        stdin.write_all(&copy).await.unwrap();
        stdin.shutdown().await.unwrap();
    });
    let done = running.finish(usize::MAX).await.unwrap();
    writing.await.unwrap();
    assert_eq!(done.code, 0);
    assert!(done.stdout == sent, "{} bytes came back", done.stdout.len());
    here.engine.pause(&name).await.unwrap();
    let refused = here.engine.exec(&name, &Exec::new(["true"])).await.map(drop);
    assert_eq!(refused, Err(EngineError::NotRunning(name)));
}

async fn logs_are_lines(here: Here) {
    let container = here.container("one", &["echo", "one\ntwo\nthree"]);
    here.engine.create(&container).await.unwrap();
    here.engine.start(&container.name, &[]).await.unwrap();
    here.ended(&container.name).await;
    let read = async |which| {
        let lines = here.engine.logs(&container.name, which).await.unwrap();
        lines.try_collect::<Vec<_>>().await.unwrap()
    };
    let lines = read(Logs::default()).await;
    let texts: Vec<_> = lines.iter().map(|line| (line.stream, line.text.as_str())).collect();
    assert_eq!(texts, [(Stream::Stdout, "one"), (Stream::Stdout, "two"), (Stream::Stdout, "three")]);
    assert_eq!(read(Logs { tail: Some(2), follow: true, ..Logs::default() }).await, lines[1..]);
    assert_eq!(read(Logs { since: Some(lines[0].at), ..Logs::default() }).await, lines);
    let later = lines[2].at.after(Duration::from_millis(1));
    assert_eq!(read(Logs { since: Some(later), ..Logs::default() }).await, []);
}

async fn volumes_outlive_containers_and_only_grow(here: Here) {
    let small = volume(&here, "data", 32);
    for _ in 0..2 {
        here.engine.ensure_volume(&small).await.unwrap();
    }
    let mut container = here.container("one", &["sleep", "infinity"]);
    container.mounts = vec![VolumeMount { volume: small.name.clone(), path: "/data".to_owned() }];
    here.engine.create(&container).await.unwrap();
    here.engine.start(&container.name, &[]).await.unwrap();
    here.engine.stop(&container.name, Duration::ZERO).await.unwrap();
    let large = Volume { size_bytes: 64 << 20, ..small.clone() };
    for _ in 0..2 {
        here.engine.ensure_volume(&large).await.unwrap();
    }
    assert!(matches!(here.engine.ensure_volume(&small).await, Err(EngineError::Refused(_))));
    let seen = here.engine.seen().await.unwrap().volumes;
    assert_eq!(seen.len(), 1);
    let kept = (seen[0].name.clone(), seen[0].size_bytes, seen[0].labels.clone(), seen[0].ready);
    assert_eq!(kept, (large.name.clone(), large.size_bytes, large.labels.clone(), true));
    assert!(matches!(here.engine.remove_volume(&small.name).await, Err(EngineError::Failed(_))));
    here.engine.remove(&container.name).await.unwrap();
    assert_eq!(here.engine.seen().await.unwrap().volumes.len(), 1);
    for _ in 0..2 {
        here.engine.remove_volume(&small.name).await.unwrap();
    }
    assert_eq!(here.engine.seen().await.unwrap().volumes, []);
}

async fn usage_is_of_those_that_run(here: Here) {
    let (runs, ended) = (here.sleeper("one").await, here.sleeper("two").await);
    here.engine.stop(&ended.name, Duration::ZERO).await.unwrap();
    let names = [runs.name.as_str(), ended.name.as_str(), "nobody"];
    let usage = here.engine.usage(&names).await.unwrap();
    assert_eq!(usage.len(), 1);
    let usage = &usage[0];
    assert_eq!((usage.name.as_str(), usage.memory_limit, usage.pids), (names[0], 64 << 20, 1));
    assert!(usage.memory_bytes > 0 && usage.memory_bytes < usage.memory_limit, "{usage:?}");
}

async fn changes_are_told(here: Here) {
    let mut changes = here.engine.changes().await.unwrap();
    let mut elsewhere = here.stranger.changes().await.unwrap();
    let name = here.sleeper("one").await.name;
    let told = tokio::time::timeout(Duration::from_secs(10), changes.next()).await.unwrap();
    assert_eq!(told, Some(name));
    assert!(tokio::time::timeout(Duration::from_millis(50), elsewhere.next()).await.is_err());
}

async fn nonsense_is_refused(here: Here) {
    let good = here.container("one", &["true"]);
    let mut bad = vec![good.clone(); 6];
    bad[0].name = "../one".to_owned();
    bad[1].network = "Host".to_owned();
    bad[2].mounts = vec![VolumeMount { volume: "data".to_owned(), path: "/data/../etc".to_owned() }];
    bad[3].mounts = vec![VolumeMount { volume: "a/b".to_owned(), path: "/data".to_owned() }];
    bad[4].limits.memory_bytes = 1;
    bad[5].env = vec![("A=B".to_owned(), String::new())];
    for container in bad {
        assert!(
            matches!(here.engine.create(&container).await, Err(EngineError::Refused(_))),
            "{container:?}"
        );
    }
    let slash = secret("a/b", "x");
    assert!(matches!(here.engine.start(&good.name, &[slash]).await, Err(EngineError::Refused(_))));
    let tiny = volume(&here, "tiny", 1);
    assert!(matches!(here.engine.ensure_volume(&tiny).await, Err(EngineError::Refused(_))));
    let point = Network { subnet: "10.212.0.1/32".parse().unwrap(), ..here.network.clone() };
    assert!(matches!(here.engine.ensure_network(&point).await, Err(EngineError::Refused(_))));
}
