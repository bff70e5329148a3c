//! Objects by `s3cmd`, files by `curl`, `cadaver` and `svn`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::town::{PATIENCE, Town, client, has_engine, uri};

/// `s3cmd` with the keys of a deployment.
struct Bucket {
    host: String,
    access_key: String,
    secret_key: String,
}

impl Bucket {
    fn of(made: &Value) -> Self {
        let said = |name: &str| made["credentials"][name].as_str().unwrap().to_owned();
        let host = uri(made).trim_start_matches("http://").to_owned();
        Self { host, access_key: said("accessKeyId"), secret_key: said("password") }
    }

    fn s3cmd(&self, args: &[&str]) -> Result<String, String> {
        let host = [format!("--host={}", self.host), format!("--host-bucket={}", self.host)];
        let keys = [format!("--access_key={}", self.access_key), format!("--secret_key={}", self.secret_key)];
        let mut all = vec!["--config=/dev/null", "--no-ssl", "--no-progress", "--multipart-chunk-size-mb=5"];
        all.extend(host.iter().chain(&keys).map(String::as_str));
        all.extend(args);
        client("s3cmd", &all)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s3cmd_keeps_objects() {
    if !has_engine(&["fondaco/s3-storage:1"]) {
        return;
    }
    let town = Town::open(22_800).await;
    let made = town.deploy("s3-storage", "pantry").await;
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    let mut bucket = Bucket::of(&made);
    let folder = tempfile::tempdir().unwrap();
    let (small, large, back) =
        (folder.path().join("recipe ü.txt"), folder.path().join("film"), folder.path().join("back"));
    std::fs::write(&small, "flour, water, salt").unwrap();
    // Twenty megabytes that compress badly, in four parts.
    let mut state = 7_u32;
    let bytes: Vec<u8> = (0..20_000_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect();
    std::fs::write(&large, &bytes).unwrap();

    bucket.s3cmd(&["mb", "s3://bread"]).unwrap();
    bucket.s3cmd(&["put", text(&small), "s3://bread/recipe ü.txt"]).unwrap();
    bucket.s3cmd(&["put", text(&large), "s3://bread/film"]).unwrap();
    let list = bucket.s3cmd(&["ls", "s3://bread"]).unwrap();
    assert!(list.contains("20000000") && list.contains("s3://bread/recipe ü.txt"), "{list}");
    bucket.s3cmd(&["get", "s3://bread/film", text(&back)]).unwrap();
    assert!(std::fs::read(&back).unwrap() == bytes, "what comes back is what was put");

    // A presigned address opens one object for somebody without a key, and nothing else.
    let address = bucket.s3cmd(&["signurl", "s3://bread/recipe ü.txt", "+60"]).unwrap();
    assert_eq!(client("curl", &["-sSf", &address]).unwrap(), "flour, water, salt");
    assert!(client("curl", &["-sSf", &address.replace("recipe", "film")]).is_err());
    let wrong = Bucket { secret_key: "wrong".to_owned(), ..Bucket::of(&made) };
    assert!(wrong.s3cmd(&["ls"]).unwrap_err().contains("SignatureDoesNotMatch"));

    let rotated = town.post(&format!("/api/deployments/{id}/rotate")).await;
    assert!(bucket.s3cmd(&["ls"]).is_err(), "the old key holds no more");
    bucket.secret_key = rotated["password"].as_str().unwrap().to_owned();
    town.post(&format!("/api/deployments/{id}/restart")).await;
    town.is(&id, "running").await;
    assert_eq!(
        bucket.s3cmd(&["ls", "s3://bread"]).unwrap().lines().count(),
        2,
        "all is there after a restart"
    );
    bucket.s3cmd(&["del", "s3://bread/film"]).unwrap();
    assert!(bucket.s3cmd(&["info", "s3://bread/film"]).is_err());
    let found = requests(&town, &id).await;
    assert!(found["requests"].as_f64() > Some(0.0), "{found}");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_file_is_a_version_that_comes_back() {
    if !has_engine(&["fondaco/file-storage:1"]) {
        return;
    }
    let town = Town::open(22_900).await;
    let made = town.deploy("file-storage", "recipes").await;
    let id = made["deploymentId"].as_str().unwrap().to_owned();
    town.is(&id, "running").await;
    let said = |name: &str| made["credentials"][name].as_str().unwrap().to_owned();
    let (url, user, password) = (uri(&made), said("username"), said("password"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.txt");
    let keys = format!("{user}:{password}");
    let curl = |args: &[&str]| client("curl", &[&["-sSf", "-u", &keys], args].concat());
    let address = format!("{url}/recipe.txt");

    for words in ["flour", "flour and water", "flour, water and salt"] {
        std::fs::write(&file, words).unwrap();
        curl(&["-T", text(&file), &address]).unwrap();
    }
    assert_eq!(curl(&[&address]).unwrap(), "flour, water and salt");
    assert_eq!(curl(&[&format!("{address}?p=1")]).unwrap(), "flour");
    let svn = |args: &[&str]| {
        let own = ["--non-interactive", "--no-auth-cache", "--username", &user, "--password", &password];
        client("svn", &[args, &own].concat())
    };
    let log = svn(&["log", "--quiet", &address]).unwrap();
    assert_eq!(log.matches(&user).count(), 3, "{log}");
    assert_eq!(svn(&["cat", "-r", "2", &address]).unwrap(), "flour and water");

    // The first version becomes the newest.
    std::fs::write(&file, curl(&[&format!("{address}?p=1")]).unwrap()).unwrap();
    curl(&["-T", text(&file), &address]).unwrap();
    assert_eq!(curl(&[&address]).unwrap(), "flour");
    assert!(svn(&["diff", "-r", "3:4", &address]).unwrap().contains("-flour, water and salt"));

    let listed = cadaver(folder.path(), &url, &user, &password);
    assert!(listed.contains("soup.txt") && listed.contains("Locking `soup.txt': succeeded"), "{listed}");
    assert_eq!(curl(&[&format!("{url}/menu/stew.txt")]).unwrap(), "flour");
    assert!(client("curl", &["-sSf", &address]).is_err(), "strangers see nothing");
    assert!(client("curl", &["-sSf", "-u", &format!("{user}:wrong"), &address]).is_err());

    // A backup has all versions.
    let backup = town.post(&format!("/api/deployments/{id}/backups")).await["backupId"].clone();
    let began = Instant::now();
    loop {
        let list = town.get(&format!("/api/deployments/{id}/backups")).await;
        match list["backups"][0]["state"].as_str().unwrap() {
            "done" => break,
            "failed" => panic!("{list:#}"),
            _ => assert!(began.elapsed() < PATIENCE, "{list:#}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    curl(&["-X", "DELETE", &address]).unwrap();
    let body = json!({ "backupId": backup });
    town.ask(reqwest::Method::POST, &format!("/api/deployments/{id}/restore"), Some(body)).await;
    town.is(&id, "running").await;
    assert_eq!(curl(&[&address]).unwrap(), "flour");
    assert_eq!(curl(&[&format!("{address}?p=2")]).unwrap(), "flour and water");
    town.close().await;
}

/// A WebDAV client that knows nothing of versions: makes a folder, puts, locks, moves.
fn cadaver(home: &Path, url: &str, user: &str, password: &str) -> String {
    let host = url.trim_start_matches("http://").split(':').next().unwrap();
    std::fs::write(home.join(".netrc"), format!("machine {host} login {user} password {password}\n"))
        .unwrap();
    let commands = format!(
        "open {url}/\nmkcol menu\ncd menu\nput recipe.txt soup.txt\nls\nlock soup.txt\nunlock soup.txt\n\
         move soup.txt stew.txt\nquit\n"
    );
    let mut started = Command::new("cadaver")
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    started.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    String::from_utf8_lossy(&started.wait_with_output().unwrap().stdout).into_owned()
}

/// The figures of a deployment, once it counted a request.
async fn requests(town: &Town, id: &str) -> Value {
    let began = Instant::now();
    loop {
        let found = town.get(&format!("/api/deployments/{id}")).await["metrics"].clone();
        if found["requests"].as_f64() > Some(0.0) || began.elapsed() > PATIENCE {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
