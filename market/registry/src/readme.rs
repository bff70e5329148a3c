//! READMEs as HTML: rendered once per version, when somebody looks first, and kept.
//!
//! Rendering takes milliseconds and READMEs are hostile. At publish it would be the slowest step by far, and most
//! versions of a package are never looked at; so it is done by the first look, away from the threads that serve
//! requests, a few at a time. Relative links lead to the package's repository.

use std::sync::{Arc, LazyLock};

use store::{Tx, args, sql};
use tokio::sync::Semaphore;
use web::face::{Html, markdown};

use crate::RegistryError;
use crate::package::Package;
use crate::registry::Registry;

sql! {
    FIND_README = "select readme.text, readme_html.html from readme left join readme_html \
        on readme_html.package = readme.package and readme_html.version = readme.version \
        and readme_html.renderer = $3 where readme.package = $1 and readme.version = $2";
    /// Nothing when the README is gone meanwhile.
    SET_README_HTML = "insert into readme_html (package, version, renderer, html) \
        select package, version, $3, $4 from readme where package = $1 and version = $2 \
        on conflict (package, version) do update set renderer = excluded.renderer, html = excluded.html";
}

/// Count it up when rendering changes: what is stored is then made anew.
const RENDERER: i64 = 2;

/// How many are rendered at once, so that hostile ones cannot take all processors.
static RENDERING: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(1));

impl Registry {
    /// The README of a version that the caller may read, as HTML that is safe to show; `None` where there is none.
    ///
    /// # Errors
    /// [`RegistryError::Store`]; [`RegistryError::NoVersion`] when the version is gone meanwhile.
    pub async fn readme(&self, package: &Package, version: &str) -> Result<Option<Html>, RegistryError> {
        if let Found::Rendered(html) = self.find_readme(package, version).await? {
            return Ok(Some(html));
        }
        let _turn = RENDERING.acquire().await;
        // Somebody else may have rendered it while we waited.
        let text = match self.find_readme(package, version).await? {
            Found::Nothing => return Ok(None),
            Found::Rendered(html) => return Ok(Some(html)),
            Found::Text(text) => text,
        };
        let sources = self.manifest(package, version).await?.sources;
        let render = move || match sources {
            Some(sources) => {
                markdown::render_among(&text, None, Arc::new(move |address| sources.resolve(address)))
            }
            None => markdown::render(&text, None),
        };
        let rendered = tokio::task::spawn_blocking(render).await;
        let Ok(html) = rendered else { return Ok(None) };
        let (id, version, text) = (package.id.clone(), version.to_owned(), html.as_str().to_owned());
        let write = async move |tx: &mut Tx| {
            tx.execute(&SET_README_HTML, args![id, version, RENDERER, text]).await?;
            Ok::<_, RegistryError>(())
        };
        self.store().write(write).await?;
        Ok(Some(html))
    }

    async fn find_readme(&self, package: &Package, version: &str) -> Result<Found, RegistryError> {
        let (id, version) = (package.id.clone(), version.to_owned());
        let look = async move |tx: &mut Tx| tx.first(&FIND_README, args![id, version, RENDERER]).await;
        let row: Option<(String, Option<String>)> =
            self.store().read::<_, _, store::StoreError>(look).await?;
        Ok(match row {
            None => Found::Nothing,
            Some((_, Some(html))) => Found::Rendered(Html::trusted(html)),
            Some((text, None)) => Found::Text(text),
        })
    }
}

enum Found {
    Nothing,
    Text(String),
    Rendered(Html),
}
