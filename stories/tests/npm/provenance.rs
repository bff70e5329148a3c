//! Provenance: npm signs how a package was built, the registry keeps that, and npm verifies it.
//!
//! npm signs in a known CI only, and with Sigstore over the internet. Here it runs with the environment of a CI, and
//! its requests to Sigstore's hosts go to the simulations that Sigstore's authors publish (`stories/sigstore/`). npm
//! verifies with the root of trust in its cache, where theirs is put; npm itself is not changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use stories::{Market, Started, Workbench};

/// Sigstore's services, as long as this lives.
struct Sigstore {
    address: String,
    root: PathBuf,
    _running: Started,
}

impl Sigstore {
    async fn start(bench: &Workbench) -> Self {
        let root = bench.home().join("root.json");
        let script = source("services.cjs");
        let mut running = bench.start("node", bench.home(), &[&script, root.to_str().unwrap()]);
        let said = running.line_with("listening on ").await;
        let address = said.trim_start_matches("listening on ").to_owned();
        Self { address, root, _running: running }
    }

    /// Leads what runs on this machine to these services.
    fn lead(&self, bench: &mut Workbench) {
        bench.set("NODE_OPTIONS", &format!("--require={}", source("redirect.cjs")));
        bench.set("STORY_SIGSTORE", &self.address);
        // Where npm keeps the root of trust; it takes its own only where there is none.
        let cache = bench.home().join(".npm/_tuf/tuf-repo-cdn.sigstore.dev");
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::copy(&self.root, cache.join("root.json")).unwrap();
    }
}

fn source(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sigstore").join(file).to_str().unwrap().to_owned()
}

/// Makes the machine look like a run of a workflow that may ask for an identity.
fn enter_ci(bench: &mut Workbench, sigstore: &Sigstore) {
    for (name, value) in [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://example.com"),
        ("GITHUB_REPOSITORY", "ada/lantern"),
        ("GITHUB_WORKFLOW_REF", "ada/lantern/.github/workflows/publish.yml@refs/heads/main"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("GITHUB_EVENT_NAME", "push"),
        ("GITHUB_REPOSITORY_ID", "1"),
        ("GITHUB_REPOSITORY_OWNER_ID", "1"),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_RUN_ATTEMPT", "1"),
        ("RUNNER_ENVIRONMENT", "github-hosted"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/token?run=1", sigstore.address)),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "for this run"),
    ] {
        bench.set(name, value);
    }
}

/// A scoped package published from a CI with `--provenance`: the statement is about this version and this tarball,
/// is served byte for byte where the packument says, and npm verifies it after an install.
#[tokio::test]
async fn provenance_is_signed_kept_and_verified() {
    let market = Market::open().await;
    let ada = market.account("ada");
    let mut seller = market.workbench(Some(&ada.token));
    let sigstore = Sigstore::start(&seller).await;
    sigstore.lead(&mut seller);
    enter_ci(&mut seller, &sigstore);
    let repository = json!({"repository": {"type": "git", "url": "git+https://example.com/ada/lantern.git"}});
    let folder = seller.package("@ada/lantern", "1.0.0", repository);
    let published = seller.npm(&folder, &["publish", "--provenance", "--access=public"]).await.succeeds();
    published.says("Signed provenance statement with source and build information");

    let mut buyer = market.workbench(None);
    sigstore.lead(&mut buyer);
    let dist = buyer.npm(buyer.home(), &["view", "@ada/lantern", "dist", "--json"]).await.succeeds().json();
    let attestations = &dist["attestations"];
    assert_eq!(attestations["provenance"]["predicateType"], "https://slsa.dev/provenance/v1");
    let served = reqwest::get(attestations["url"].as_str().unwrap()).await.unwrap();
    let served: Value = served.json().await.unwrap();
    let payload = served["attestations"][0]["bundle"]["dsseEnvelope"]["payload"].as_str().unwrap();
    let statement: Value = serde_json::from_slice(&BASE64_STANDARD.decode(payload).unwrap()).unwrap();
    assert_eq!(statement["subject"][0]["name"], "pkg:npm/%40ada/lantern@1.0.0");
    let sha512 = statement["subject"][0]["digest"]["sha512"].as_str().unwrap();
    let integrity = dist["integrity"].as_str().unwrap().trim_start_matches("sha512-");
    let of_tarball: String =
        BASE64_STANDARD.decode(integrity).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha512, of_tarball);

    let application = buyer.application("application", json!({"@ada/lantern": "1.0.0"}));
    buyer.npm(&application, &["install"]).await.succeeds();
    let audited = buyer.npm(&application, &["audit", "signatures"]).await.succeeds();
    audited.says("1 package has a verified attestation");

    // Who trusts another Sigstore verifies nothing; npm says so in these words where nothing else was verified.
    let mut other = market.workbench(None);
    let another = Sigstore::start(&other).await;
    another.lead(&mut other);
    let application = other.application("application", json!({"@ada/lantern": "1.0.0"}));
    other.npm(&application, &["install"]).await.succeeds();
    let audited = other.npm(&application, &["audit", "signatures"]).await.fails();
    audited.says("found no dependencies to audit").omits("verified attestation");
}
