//! Reads from the database what documents are built of.

use std::collections::BTreeMap;

use store::{StoreError, Tx, args};

use super::build::{Fragment, Front, abbreviated, full};
use super::{Base, Document, Form};
use crate::package::Package;
use crate::registry::Registry;
use crate::{Ecosystem, RegistryError, sql};

/// All that a document is built of, of one moment.
struct Source {
    package: Package,
    tags: BTreeMap<String, String>,
    releases: Vec<Fragment>,
    front: Option<Front>,
}

impl Registry {
    /// A package's document from memory or the database. It says nothing about who may read it.
    pub(crate) async fn document(
        &self,
        ecosystem: Ecosystem,
        form: Form,
        base: &Base,
        name: &str,
    ) -> Result<std::sync::Arc<Document>, RegistryError> {
        if let Some(document) = self.documents().get(ecosystem, form, base, name) {
            return Ok(document);
        }
        let build = self.build(ecosystem, form, base, name);
        self.documents().get_or_build(ecosystem, form, base, name, build).await
    }

    async fn build(
        &self,
        ecosystem: Ecosystem,
        form: Form,
        base: &Base,
        name: &str,
    ) -> Result<Document, RegistryError> {
        let owned = name.to_owned();
        let read = async move |tx: &mut Tx| source(tx, ecosystem, form, &owned).await;
        let source = self.store().read(read).await?.ok_or(RegistryError::NotFound)?;
        let Source { package, tags, releases, front } = &source;
        let bytes = match front {
            None => abbreviated(package, tags, releases, base),
            Some(front) => full(package, tags, releases, front, base),
        };
        Document::new(source.package, form, bytes).await
    }
}

async fn source(
    tx: &mut Tx,
    ecosystem: Ecosystem,
    form: Form,
    name: &str,
) -> Result<Option<Source>, StoreError> {
    let package: Option<Package> = tx.first(&sql::FIND_PACKAGE, args![ecosystem, name]).await?;
    let Some(package) = package.filter(|package| package.deleted_at.is_none()) else { return Ok(None) };
    let tags = tags(tx, &package).await?;
    let (releases, front) = match form {
        Form::Abbreviated => (tx.all(&sql::LIST_ABBREVIATED, args![package.id]).await?, None),
        Form::Full => (tx.all(&sql::LIST_FULL, args![package.id]).await?, Some(front(tx, &package).await?)),
    };
    Ok(Some(Source { package, tags, releases, front }))
}

/// The tags of a package.
pub(crate) async fn tags(tx: &mut Tx, package: &Package) -> Result<BTreeMap<String, String>, StoreError> {
    let tags: Vec<(String, String)> = tx.all(&sql::LIST_TAGS, args![package.id]).await?;
    Ok(tags.into_iter().collect())
}

/// What the full form shows of the package itself.
pub(crate) async fn front(tx: &mut Tx, package: &Package) -> Result<Front, StoreError> {
    let maintainers: Vec<(String, String, String)> =
        tx.all(&sql::LIST_MAINTAINERS, args![package.id]).await?;
    let maintainers = maintainers.into_iter().map(|(_, username, _)| username).collect();
    let Some(latest) = &package.latest else { return Ok(Front { maintainers, ..Front::default() }) };
    let head: Option<(String, Option<String>, Option<String>)> =
        tx.first(&sql::FIND_HEAD, args![package.id, latest]).await?;
    let (head, filename, text) = head.unwrap_or_default();
    Ok(Front { head, readme: filename.zip(text), maintainers, users: None })
}
