//! The writing side: how fast packages come in.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};

use super::npm::{noise, publish_document};
use crate::http::{Connection, Url};
use crate::report::{Figure, Target, median};

/// Connections that publish at the same time.
const PUBLISHERS: usize = 8;
/// Versions of the one large package.
const VERSIONS: usize = 300;
/// How many publishes at each end of the large package are compared.
const SAMPLE: usize = 20;

/// Where to publish, and as whom.
pub(super) struct Registry {
    /// The npm registry's address without a slash at its end.
    pub(super) base: Url,
    pub(super) token: String,
}

impl Registry {
    pub(super) fn url(&self, path: &str) -> Url {
        Url { authority: self.base.authority.clone(), path: format!("{}/{path}", self.base.path) }
    }

    /// Publishes one prepared document.
    ///
    /// # Errors
    /// If the registry refuses it; the message has its answer.
    pub(super) fn publish(&self, connection: &mut Connection, name: &str, document: &[u8]) -> Result<()> {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let answer = connection.send("PUT", &self.url(name).path, &headers, document)?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(matches!(answer.status, 200 | 201), "publishing {name}: {} {said}", answer.status);
        Ok(())
    }
}

/// Publishes `count` fresh packages over 8 connections. The documents are made before the clock starts.
///
/// # Errors
/// If any publish fails.
pub(super) fn fresh_packages(registry: &Registry, count: usize) -> Result<Figure> {
    let payload = noise(1024);
    let mut documents = Vec::with_capacity(count);
    for number in 0..count {
        let name = format!("bench-fresh-{number}");
        let document = publish_document(&name, "1.0.0", &payload)?;
        documents.push((name, document));
    }

    let next = AtomicUsize::new(0);
    let publisher = || -> Result<()> {
        let mut connection = Connection::open(&registry.base)?;
        while let Some((name, document)) = documents.get(next.fetch_add(1, Ordering::Relaxed)) {
            registry.publish(&mut connection, name, document)?;
        }
        Ok(())
    };
    let began = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..PUBLISHERS).map(|_| scope.spawn(publisher)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a publisher panicked"))??;
        }
        Ok(())
    })?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figure {
        name: format!("publish/s, {PUBLISHERS} connections, fresh packages"),
        value: count as f64 / seconds,
        target: Target::AtLeast(700.0),
        detail: format!("{count} in {seconds:.2} s"),
    })
}

/// Publishes 300 versions of one package after another, and compares the last with the first ones.
///
/// # Errors
/// If any publish fails.
pub(super) fn many_versions(registry: &Registry, name: &str) -> Result<Figure> {
    let payload = noise(1024);
    let mut connection = Connection::open(&registry.base)?;
    let mut milliseconds = Vec::with_capacity(VERSIONS);
    for number in 0..VERSIONS {
        let document = publish_document(name, &format!("1.{number}.0"), &payload)?;
        let began = Instant::now();
        registry.publish(&mut connection, name, &document)?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    let first = median(&milliseconds[..SAMPLE]);
    let last = median(&milliseconds[VERSIONS - SAMPLE..]);
    let all: f64 = milliseconds.iter().sum();
    Ok(Figure {
        name: format!("publishing version {VERSIONS} against the first"),
        value: last / first,
        target: Target::AtMost(1.5),
        detail: format!("medians of {SAMPLE}: {first:.2} ms, {last:.2} ms; all in {:.2} s", all / 1000.0),
    })
}
