//! Known vulnerabilities by package, as the advisory data says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nodejs_semver::{Range, Version};
use store::{StoreError, Tx, args, json_list};

use crate::registry::Registry;
use crate::{Ecosystem, sql};

/// How many names are asked for in one statement.
const BATCH: usize = 500;

/// One advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// Its number here.
    pub id: i64,
    /// The package's name.
    pub package: String,
    /// Which versions have the vulnerability, as an npm range.
    pub vulnerable_range: String,
    /// Which have not any more.
    pub patched_range: String,
    /// `info`, `low`, `moderate`, `high` or `critical`.
    pub severity: String,
    /// One line.
    pub title: String,
    /// Where to read about it.
    pub url: String,
    /// JSON: a list of CWE names.
    pub cwe: String,
    /// JSON: score and vector.
    pub cvss: String,
}

impl store::FromRow for Advisory {
    fn from_row(row: &store::Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            package: row.get(1)?,
            vulnerable_range: row.get(2)?,
            patched_range: row.get(3)?,
            severity: row.get(4)?,
            title: row.get(5)?,
            url: row.get(6)?,
            cwe: row.get(7)?,
            cvss: row.get(8)?,
        })
    }
}

impl Advisory {
    /// Whether a version has the vulnerability. Pre-releases count as what they come before; a range that cannot be
    /// read covers everything, so that nothing is passed over in silence.
    #[must_use]
    pub fn covers(&self, version: &str) -> bool {
        let Ok(version) = Version::parse(version) else { return false };
        match Range::parse(&self.vulnerable_range) {
            Ok(range) => range.satisfies_with_prerelease(&version, true),
            Err(_) => true,
        }
    }
}

impl Registry {
    /// The advisories about those of `installed` whose installed versions they cover, by package.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advisories(
        &self,
        ecosystem: Ecosystem,
        installed: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<BTreeMap<String, Vec<Advisory>>, StoreError> {
        let names: Arc<[String]> = installed.keys().cloned().collect();
        let look = async move |tx: &mut Tx| {
            let mut found: Vec<Advisory> = Vec::new();
            for names in names.chunks(BATCH) {
                let names = json_list(names);
                found.extend(tx.all::<Advisory>(&sql::LIST_ADVISORIES, args![ecosystem, names]).await?);
            }
            Ok::<_, StoreError>(found)
        };
        let mut by_package: BTreeMap<String, Vec<Advisory>> = BTreeMap::new();
        for advisory in self.store().read(look).await? {
            let versions = installed.get(&advisory.package).into_iter().flatten();
            if versions.into_iter().any(|version| advisory.covers(version)) {
                by_package.entry(advisory.package.clone()).or_default().push(advisory);
            }
        }
        Ok(by_package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_what_npm_says() {
        let advisory = |range: &str| Advisory {
            id: 1,
            package: "a".to_owned(),
            vulnerable_range: range.to_owned(),
            patched_range: String::new(),
            severity: "high".to_owned(),
            title: String::new(),
            url: String::new(),
            cwe: "[]".to_owned(),
            cvss: "{}".to_owned(),
        };
        assert!(advisory("<1.2.3").covers("1.2.2"));
        assert!(advisory("<1.2.3").covers("1.2.3-beta.1"));
        assert!(!advisory("<1.2.3").covers("1.2.3"));
        assert!(advisory(">=1.0.0 <1.5.0 || >=2.0.0 <2.1.0").covers("2.0.5"));
        assert!(!advisory(">=1.0.0 <1.5.0 || >=2.0.0 <2.1.0").covers("1.5.0"));
        assert!(advisory("what").covers("1.0.0") && !advisory("*").covers("what"));
    }
}
