//! The reading side: Fondaco against nginx with the same bytes, by turns.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::nginx::{Nginx, store};
use super::publish::Registry;
use super::wrk;
use crate::http::{Answer, Connection, Url};
use crate::report::{Figure, Target, median};

/// What npm sends when it installs.
const INSTALL: &[(&str, &str)] =
    &[("Accept", "application/vnd.npm.install-v1+json"), ("Accept-Encoding", "gzip")];

/// Figures of a packument beside its plain rate, with the least ratio that is good enough.
const UNCHANGED: (&str, f64) = ("unchanged packument (304), of nginx", 0.6);
const TOKEN: (&str, f64) = ("packument with a token, of without", 0.95);

/// How often and how long each side is loaded. Many short rounds are better than few long ones: what else the machine
/// does then disturbs both sides alike.
pub(super) struct Effort {
    pub(super) rounds: usize,
    pub(super) seconds: u32,
}

/// One document or file that both sides serve.
pub(super) struct Subject {
    name: &'static str,
    ours: Url,
    /// Its path at nginx.
    path: String,
    headers: &'static [(&'static str, &'static str)],
    target: f64,
    by_bytes: bool,
}

impl Subject {
    /// The abbreviated packument of a package.
    pub(super) fn packument(name: &'static str, registry: &Registry, package: &str, target: f64) -> Self {
        let path = format!("/{package}.json");
        Self { name, ours: registry.url(package), path, headers: INSTALL, target, by_bytes: false }
    }

    /// The tarball of the newest version; its rate counts by bytes where it is large.
    ///
    /// # Errors
    /// If the packument does not tell where the tarball is.
    pub(super) fn tarball(
        name: &'static str,
        registry: &Registry,
        package: &str,
        target: f64,
        by_bytes: bool,
    ) -> Result<Self> {
        let url = registry.url(package);
        let answer = Connection::open(&url)?.get(&url.path, &[("Accept", "application/json")])?;
        let document: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let latest =
            document["dist-tags"]["latest"].as_str().context("a packument without a latest version")?;
        let address = document["versions"][latest]["dist"]["tarball"].as_str().context("no tarball")?;
        // The host is the public one of the configuration; the path is what counts here.
        let ours = Url { authority: url.authority, path: Url::parse(address)?.path };
        Ok(Self { name, ours, path: format!("/{package}.tgz"), headers: &[], target, by_bytes })
    }

    /// Stores what Fondaco answers, for nginx to serve.
    ///
    /// # Errors
    /// If the answer is not a 200.
    pub(super) fn keep(&self, www: &Path) -> Result<()> {
        let answer = fetch(&self.ours, self.headers)?;
        store(www, self.path.trim_start_matches('/'), &answer)
    }

    /// Loads both sides by turns and compares the medians.
    ///
    /// # Errors
    /// If the two sides do not serve the same bytes, or any request fails.
    pub(super) fn compare(&self, nginx: &Nginx, effort: &Effort) -> Result<Figure> {
        let theirs = nginx.url(&self.path)?;
        let same = fetch(&self.ours, self.headers)?.body == fetch(&theirs, self.headers)?.body;
        ensure!(same, "{}: the two sides serve different bytes", self.name);
        self.duel(self.name, self.target, (&self.ours, self.headers), (&theirs, self.headers), effort)
    }

    /// The same for answers that only say that nothing changed.
    ///
    /// # Errors
    /// As [`Subject::compare`], or if a side does not answer with 304.
    pub(super) fn compare_unchanged(&self, nginx: &Nginx, effort: &Effort) -> Result<Figure> {
        let theirs = nginx.url(&self.path)?;
        let our_tag = etag(&self.ours, self.headers)?;
        let their_tag = etag(&theirs, self.headers)?;
        let ours = with(self.headers, ("If-None-Match", &our_tag));
        let their_headers = with(self.headers, ("If-None-Match", &their_tag));
        for (url, headers) in [(&self.ours, &ours), (&theirs, &their_headers)] {
            let status = Connection::open(url)?.get(&url.path, headers)?.status;
            ensure!(status == 304, "{} answered {status} instead of 304", url.authority);
        }
        self.duel(UNCHANGED.0, UNCHANGED.1, (&self.ours, &ours), (&theirs, &their_headers), effort)
    }

    /// Fondaco with a token on every request against Fondaco without.
    ///
    /// # Errors
    /// If any request fails.
    pub(super) fn compare_token(&self, token: &str, effort: &Effort) -> Result<Figure> {
        let authorization = format!("Bearer {token}");
        let headers = with(self.headers, ("Authorization", &authorization));
        self.duel(TOKEN.0, TOKEN.1, (&self.ours, &headers), (&self.ours, self.headers), effort)
    }

    /// Loads both sides by turns, and who begins alternates too. The first turn of each only warms up.
    fn duel(
        &self,
        name: &str,
        target: f64,
        ours: Side<'_>,
        theirs: Side<'_>,
        effort: &Effort,
    ) -> Result<Figure> {
        let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
        for round in 0..=effort.rounds {
            let (our_rate, their_rate) = if round % 2 == 0 {
                (self.rate(ours, effort)?, self.rate(theirs, effort)?)
            } else {
                let their_rate = self.rate(theirs, effort)?;
                (self.rate(ours, effort)?, their_rate)
            };
            our_rates.push(our_rate);
            their_rates.push(their_rate);
        }
        let (our_rate, their_rate) = (median(&our_rates[1..]), median(&their_rates[1..]));
        let unit = if self.by_bytes { "MB/s" } else { "/s" };
        Ok(Figure {
            name: name.to_owned(),
            value: our_rate / their_rate,
            target: Target::AtLeast(target),
            detail: format!("{our_rate:.0} of {their_rate:.0} {unit}"),
        })
    }

    fn rate(&self, (url, headers): Side<'_>, effort: &Effort) -> Result<f64> {
        let rates = wrk::run(url, headers, effort.seconds)?;
        Ok(if self.by_bytes { rates.bytes_per_second / 1e6 } else { rates.requests_per_second })
    }
}

type Side<'a> = (&'a Url, &'a [(&'a str, &'a str)]);

fn with<'a>(headers: &[(&'a str, &'a str)], more: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    headers.iter().copied().chain([more]).collect()
}

fn etag(url: &Url, headers: &[(&str, &str)]) -> Result<String> {
    let answer = fetch(url, headers)?;
    Ok(answer.header("etag").with_context(|| format!("{} sent no ETag", url.authority))?.to_owned())
}

fn fetch(url: &Url, headers: &[(&str, &str)]) -> Result<Answer> {
    let answer = Connection::open(url)?.get(&url.path, headers)?;
    ensure!(answer.status == 200, "{}{} answered {}", url.authority, url.path, answer.status);
    Ok(answer)
}
