//! What people do with a private registry, with the real npm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod durable;
mod install;
mod manage;
mod organisation;
mod provenance;
mod publish;
mod upstream;

/// Publishes a version of a package with nothing special.
async fn publish(bench: &stories::Workbench, name: &str, version: &str) {
    let folder = bench.package(name, version, serde_json::json!({}));
    bench.npm(&folder, &["publish"]).await.succeeds();
}
