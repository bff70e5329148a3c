//! `npm audit`: what is known of the versions that a project has.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use axum::body::Body;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, json, packed};
use super::upload::small;
use crate::Ecosystem;
use crate::advisories::Advisory;
use crate::registry::Registry;

/// The most bytes of a request, and of what it unpacks to.
const MAX_PACKED: usize = 4 << 20;
const MAX_UNPACKED: u64 = 16 << 20;
/// The most installed packages in one request, and how deep they may be nested.
const MAX_PACKAGES: usize = 100_000;

type Installed = BTreeMap<String, BTreeSet<String>>;

/// `POST /-/npm/v1/security/advisories/bulk`.
pub(super) async fn bulk(registry: &Registry, headers: &HeaderMap, body: Body) -> Answer {
    let installed: Installed = read(headers, body).await?;
    let found = registry.advisories(Ecosystem::Npm, &installed).await?;
    let answer: BTreeMap<&String, Vec<Value>> =
        found.iter().map(|(name, advisories)| (name, advisories.iter().map(short).collect())).collect();
    Ok(packed(headers, serde_json::to_vec(&answer).unwrap_or_default()))
}

fn short(advisory: &Advisory) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    json!({
        "id": advisory.id, "url": advisory.url, "title": advisory.title, "severity": advisory.severity,
        "vulnerable_versions": advisory.vulnerable_range, "cwe": parsed(&advisory.cwe), "cvss": parsed(&advisory.cvss),
    })
}

#[derive(Deserialize)]
struct Tree {
    #[serde(default)]
    dependencies: BTreeMap<String, Node>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    version: String,
    #[serde(default)]
    dependencies: BTreeMap<String, Node>,
}

/// `POST /-/npm/v1/security/audits` and `…/quick`: yarn 1 and old npm send their whole tree.
pub(super) async fn quick(registry: &Registry, headers: &HeaderMap, body: Body) -> Answer {
    let tree: Tree = read(headers, body).await?;
    let mut paths = Paths::new();
    let count = walk(&tree.dependencies, "", &mut paths)?;
    let installed: Installed =
        paths.iter().map(|(name, versions)| (name.clone(), versions.keys().cloned().collect())).collect();
    let found = registry.advisories(Ecosystem::Npm, &installed).await?;
    let mut advisories = Map::new();
    let mut severities: BTreeMap<&str, u64> =
        ["info", "low", "moderate", "high", "critical"].into_iter().map(|severity| (severity, 0)).collect();
    for advisory in found.values().flatten() {
        let findings = findings(advisory, &paths);
        *severities.entry(advisory.severity.as_str()).or_default() += findings.len() as u64;
        advisories.insert(advisory.id.to_string(), long(advisory, &findings));
    }
    let answer = json!({
        "actions": [], "advisories": advisories, "muted": [],
        "metadata": {"vulnerabilities": severities, "dependencies": count, "devDependencies": 0,
            "optionalDependencies": 0, "totalDependencies": count},
    });
    Ok(packed(headers, serde_json::to_vec(&answer).unwrap_or_default()))
}

/// By name and version, where in the tree it is: `a>b`.
type Paths = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Notes every package of a level and those below; the parser has limited how deep they are. Answers how many.
fn walk(level: &BTreeMap<String, Node>, above: &str, paths: &mut Paths) -> Result<usize, Refusal> {
    let mut count = level.len();
    for (name, node) in level {
        let path = if above.is_empty() { name.clone() } else { format!("{above}>{name}") };
        count += walk(&node.dependencies, &path, paths)?;
        paths.entry(name.clone()).or_default().entry(node.version.clone()).or_default().push(path);
    }
    if count > MAX_PACKAGES { Err(too_many()) } else { Ok(count) }
}

fn findings(advisory: &Advisory, paths: &Paths) -> Vec<Value> {
    let versions = paths.get(&advisory.package).into_iter().flatten();
    let covered = versions.filter(|(version, _)| advisory.covers(version));
    covered.map(|(version, paths)| json!({"version": version, "paths": paths})).collect()
}

fn long(advisory: &Advisory, findings: &[Value]) -> Value {
    let recommendation = if advisory.patched_range.is_empty() {
        "No version without it is known: look for another package.".to_owned()
    } else {
        format!("Upgrade to version {} or later", advisory.patched_range.trim_start_matches(['>', '=', ' ']))
    };
    json!({
        "id": advisory.id, "findings": findings, "module_name": advisory.package, "title": advisory.title,
        "severity": advisory.severity, "url": advisory.url, "vulnerable_versions": advisory.vulnerable_range,
        "patched_versions": advisory.patched_range, "recommendation": recommendation, "overview": advisory.title,
        "cwe": serde_json::from_str::<Value>(&advisory.cwe).unwrap_or(Value::Null),
    })
}

fn too_many() -> Refusal {
    Refusal::malformed(format!("At most {MAX_PACKAGES} packages can be checked at once."))
}

/// Reads a body that may be packed.
async fn read<T: serde::de::DeserializeOwned + Send + 'static>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Refusal> {
    let text = small(body, MAX_PACKED).await?;
    let gzipped = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let parse = move || -> Result<T, Refusal> {
        if !gzipped {
            return serde_json::from_slice(&text).map_err(|error| unreadable(&error));
        }
        let mut unpacked = Vec::new();
        let mut limited = MultiGzDecoder::new(&text[..]).take(MAX_UNPACKED + 1);
        limited.read_to_end(&mut unpacked).map_err(|error| unreadable(&error))?;
        if unpacked.len() as u64 > MAX_UNPACKED {
            return Err(too_many());
        }
        serde_json::from_slice(&unpacked).map_err(|error| unreadable(&error))
    };
    match tokio::task::spawn_blocking(parse).await {
        Ok(parsed) => parsed,
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::malformed(format!("The list of packages cannot be read: {error}."))
}

/// `GET /-/npm/v1/keys`: nothing is signed here, and clients take a 404 for that.
pub(super) fn keys() -> Answer {
    Ok(json(StatusCode::NOT_FOUND, &json!({"error": "This registry does not sign packages."})))
}
