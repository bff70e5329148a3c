//! nginx serving the bytes that Fondaco answered: the limit of what this machine can do.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::{Answer, Connection, Url};

/// A running nginx; it is ended when this is dropped.
pub(super) struct Nginx {
    child: Child,
    authority: String,
}

/// Stores an answer as the file `name`, so that nginx serves the same bytes: with `gzip_static` it takes
/// the compressed file for a client that accepts gzip.
///
/// # Errors
/// If the folder cannot be written, or the answer has an encoding that nginx cannot serve from a file.
pub(super) fn store(folder: &Path, name: &str, answer: &Answer) -> Result<()> {
    match answer.header("content-encoding") {
        None => std::fs::write(folder.join(name), &answer.body)?,
        Some("gzip") => {
            // gzip_static looks for the plain file only when the client does not accept gzip.
            std::fs::write(folder.join(format!("{name}.gz")), &answer.body)?;
        }
        Some(other) => bail!("{name} came with the encoding {other}; nginx cannot serve that from a file"),
    }
    Ok(())
}

impl Nginx {
    /// Starts nginx on a free port with `folder/www` as its root.
    ///
    /// # Errors
    /// If nginx is missing or does not start.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let authority = format!("127.0.0.1:{port}");
        std::fs::write(folder.join("nginx.conf"), configuration(folder, &authority)?)?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx did not start; run scripts/setup --bench")?;
        let mut nginx = Self { child, authority };
        let began = Instant::now();
        while Connection::open(&nginx.url("/")?).is_err() {
            if let Some(status) = nginx.child.try_wait()? {
                let log = std::fs::read_to_string(folder.join("error.log")).unwrap_or_default();
                bail!("nginx ended with {status}: {log}");
            }
            if began.elapsed() > Duration::from_secs(10) {
                bail!("nginx did not listen within 10 s");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(nginx)
    }

    pub(super) fn url(&self, path: &str) -> Result<Url> {
        Url::parse(&format!("http://{}{path}", self.authority))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the master ends its workers; SIGKILL would leave them.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, authority: &str) -> Result<String> {
    let folder = folder.display();
    let mut text = String::new();
    // Started by root, nginx would give its workers a user that may not read the folder.
    let is_root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if is_root {
        writeln!(text, "user root;")?;
    }
    writeln!(
        text,
        "daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    gzip_static on;
    default_type application/octet-stream;
    types {{ application/vnd.npm.install-v1+json json; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {authority};
        root {folder}/www;
    }}
}}"
    )?;
    Ok(text)
}
