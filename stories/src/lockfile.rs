//! What every package client promises of its lockfile.

use std::path::PathBuf;

use serde_json::json;

use crate::{Market, Workbench};

/// A package client, as it installs from a lockfile.
#[derive(Clone, Copy, Debug)]
pub struct Installer {
    /// Its name among the installed tools.
    pub tool: &'static str,
    /// How it installs for the first time.
    pub install: &'static [&'static str],
    /// How it installs exactly what the lockfile says.
    pub frozen: &'static [&'static str],
    /// The file's name.
    pub lockfile: &'static str,
    /// What stands in it before the digest of each package.
    pub digest: &'static str,
    /// Whether the file works with another address of the registry too.
    pub names_no_host: bool,
}

/// npm.
pub const NPM: Installer = Installer {
    tool: "npm",
    install: &["install"],
    frozen: &["ci"],
    lockfile: "package-lock.json",
    digest: "\"integrity\": \"sha512-",
    names_no_host: false,
};
/// yarn 1.
pub const YARN: Installer = Installer {
    tool: "yarn",
    install: &["install"],
    frozen: &["install", "--frozen-lockfile"],
    lockfile: "yarn.lock",
    digest: "integrity sha512-",
    names_no_host: false,
};
/// yarn 4 (Berry).
pub const BERRY: Installer = Installer {
    tool: "yarn-berry",
    install: &["install"],
    frozen: &["install", "--immutable"],
    lockfile: "yarn.lock",
    digest: "checksum: ",
    names_no_host: true,
};
/// pnpm.
pub const PNPM: Installer = Installer {
    tool: "pnpm",
    install: &["install", "--no-frozen-lockfile"],
    frozen: &["install", "--frozen-lockfile"],
    lockfile: "pnpm-lock.yaml",
    digest: "integrity: sha512-",
    names_no_host: true,
};
/// bun.
pub const BUN: Installer = Installer {
    tool: "bun",
    install: &["install", "--no-frozen-lockfile"],
    frozen: &["install", "--frozen-lockfile"],
    lockfile: "bun.lock",
    digest: "\"sha512-",
    names_no_host: false,
};

impl Installer {
    /// Installs `lantern` 1.0.0, which depends on `@ada/wick` 1.2.0, in an application, and then again from the
    /// lockfile with a warm and a cold cache, while `seller` publishes a newer `@ada/wick`. The lockfile holds the
    /// digest of both, decides what is installed, and is not rewritten. Answers the machine and the application.
    pub async fn installs_from_its_lockfile(
        &self,
        market: &Market,
        seller: &Workbench,
    ) -> (Workbench, PathBuf) {
        let bench = market.workbench(None);
        let application =
            bench.application("application", json!({"lantern": "^1.0.0", "@ada/wick": "^1.0.0"}));
        let lockfile = application.join(self.lockfile);
        if self.lockfile == "yarn.lock" {
            // Without one Berry takes the folder for a part of a project above it.
            std::fs::write(&lockfile, "").unwrap();
        }
        bench.run(self.tool, &application, self.install).await.succeeds();
        let lock = std::fs::read_to_string(&lockfile).unwrap();
        assert_eq!(lock.matches(self.digest).count(), 2, "{lock}");
        let names_host = lock.contains("127.0.0.1") || lock.contains("__archiveUrl");
        assert!(!(self.names_no_host && names_host), "tied to a host: {lock}");

        let newer = seller.package("@ada/wick", "1.3.0", json!({}));
        seller.npm(&newer, &["publish", "--access", "public"]).await.succeeds();
        for cold in [false, true] {
            if cold {
                bench.clear_caches();
            }
            std::fs::remove_dir_all(application.join("node_modules")).unwrap();
            bench.run(self.tool, &application, self.frozen).await.succeeds();
            assert_eq!(bench.require(&application, "lantern").await, "lantern@1.0.0");
            assert_eq!(bench.require(&application, "@ada/wick").await, "@ada/wick@1.2.0");
            assert_eq!(std::fs::read_to_string(&lockfile).unwrap(), lock);
        }
        (bench, application)
    }
}
