//! `/`: what there is, and how to begin.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, header};
use identity::Visit;
use kernel::Paging;
use web::Failure;
use web::face::{self, Shell};

use crate::documents::Mount;
use crate::registry::Registry;
use crate::search::{Hit, Query, Sort, Summary};

/// How many packages each list shows.
const LISTED: u32 = 6;

#[derive(Template)]
#[template(path = "packages/home.html")]
struct HomePage {
    shell: Shell,
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
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let viewer = registry.viewer(&by).await?;
    let search = registry.search();
    let everything = Query::default();
    let paging = Paging { limit: LISTED, offset: 0 };
    let base = registry.documents().bases.of(headers.get(header::HOST), Mount::Npm);
    let about = format!("Packages on {}: find, install and publish them.", shell.site.name);
    let page = HomePage {
        summary: search.summary(&viewer).await?,
        newest: search.search(&everything, &viewer, Sort::Newest, paging).await?.hits,
        popular: search.search(&everything, &viewer, Sort::Downloads, paging).await?.hits,
        commands: vec![
            format!("npm config set registry {}", base.url()),
            "npm login".to_owned(),
            "npm publish".to_owned(),
        ],
        shell: shell.page("", "home").describe(about),
    };
    Ok(face::html(&page.shell, &page))
}
