//! `/`: what there is, and how to begin.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::{HeaderMap, header};
use identity::{Caller, Visit};
use kernel::Paging;
use web::Failure;
use web::face::{self, Html, Sheet, Shell};

use crate::documents::Mount;
use crate::registry::Registry;
use crate::search::{Hit, Query, Sort, Summary};

/// How many packages each list shows.
const LISTED: u32 = 6;

/// What the home page and the search show beside packages, from rooms that this one does not know. The program gives it
/// as an `Extension(Arc<dyn Front>)`; without one the pages are about packages only.
pub trait Front: Send + Sync + 'static {
    /// Sections with an `h2` each, for who looks; empty where there is nothing to show.
    fn sections<'a>(&'a self, by: &'a Caller) -> BoxFuture<'a, Result<Html, Failure>>;

    /// Sections with an `h2` each of what has these words; empty where nothing does.
    fn found<'a>(&'a self, by: &'a Caller, words: &'a str) -> BoxFuture<'a, Result<Html, Failure>>;
}

#[derive(Template)]
#[template(path = "packages/home.html")]
struct HomePage {
    shell: Shell,
    /// What is before the packages.
    front: Html,
    summary: Summary,
    newest: Vec<Hit>,
    popular: Vec<Hit>,
    /// The commands that make npm use this registry.
    commands: Vec<String>,
}

/// `GET /`.
pub(super) async fn home(
    State(registry): State<Registry>,
    Visit { caller: by, shell }: Visit,
    front: Option<Extension<Arc<dyn Front>>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let viewer = registry.viewer(&by).await?;
    let search = registry.search();
    let everything = Query::default();
    let paging = Paging { limit: LISTED, offset: 0 };
    let base = registry.documents().bases.of(headers.get(header::HOST), Mount::Npm);
    let about = format!("Packages on {}: find, install and publish them.", shell.site.name);
    let front = match front {
        Some(Extension(front)) => front.sections(&by).await?,
        None => Html::default(),
    };
    let page = HomePage {
        front,
        summary: search.summary(&viewer).await?,
        newest: search.search(&everything, &viewer, Sort::Newest, paging).await?.hits,
        popular: search.search(&everything, &viewer, Sort::Downloads, paging).await?.hits,
        commands: vec![
            format!("npm config set registry {}", base.url()),
            "npm login".to_owned(),
            "npm publish".to_owned(),
        ],
        shell: shell.page("", "home").describe(about).with_sheet(Sheet::Market),
    };
    Ok(face::html(&page.shell, &page))
}
