//! `/search` and `/packages`: lists with choices. The address holds everything that was chosen.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use identity::Visit;
use kernel::Paging;
use serde::Deserialize;
use web::Failure;
use web::face::parts::Pager;
use web::face::{self, Html, Sheet, Shell};

use super::{Front, encoded};
use crate::registry::Registry;
use crate::search::{Found, Hit, Query, Sort};

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    ecosystem: String,
    #[serde(default)]
    license: String,
    #[serde(default)]
    offset: u32,
}

impl Asked {
    /// Whether other things than packages are meant too: words, no filter, and the first page.
    fn looks_everywhere(&self) -> bool {
        let is_filtered = !self.ecosystem.is_empty() || !self.license.is_empty();
        !self.q.trim().is_empty() && !is_filtered && self.offset == 0
    }
}

/// A link that chooses one value.
struct Choice {
    label: String,
    href: String,
    count: String,
    chosen: bool,
}

/// Values of one kind to choose among.
struct Facet {
    id: &'static str,
    title: &'static str,
    choices: Vec<Choice>,
    /// Where none is chosen.
    any: String,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "packages/search.html")]
struct SearchPage {
    shell: Shell,
    title: String,
    hits: Vec<Hit>,
    total: u64,
    /// What other rooms found.
    others: Html,
    sorts: Vec<Choice>,
    facets: Vec<Facet>,
    pager: Pager,
    /// The words of the suggestion, and its address.
    did_you_mean: Option<(String, String)>,
    /// What looks for the same on the command line.
    command: String,
    /// Where all choices are undone.
    all: String,
}

/// `GET /search`.
pub(super) async fn search(
    State(registry): State<Registry>,
    visit: Visit,
    front: Option<Extension<Arc<dyn Front>>>,
    asked: web::Query<Asked>,
) -> Result<Response, Failure> {
    let others = match front {
        Some(Extension(front)) if asked.0.looks_everywhere() => {
            front.found(&visit.caller, asked.0.q.trim()).await?
        }
        _ => Html::default(),
    };
    list(&registry, visit, "/search", Sort::Relevance, asked.0, others).await
}

/// `GET /packages`.
pub(super) async fn browse(
    State(registry): State<Registry>,
    visit: Visit,
    asked: web::Query<Asked>,
) -> Result<Response, Failure> {
    list(&registry, visit, "/packages", Sort::Downloads, asked.0, Html::default()).await
}

async fn list(
    registry: &Registry,
    Visit { caller: by, shell }: Visit,
    path: &'static str,
    usual: Sort,
    asked: Asked,
    others: Html,
) -> Result<Response, Failure> {
    let paging = Paging { limit: Paging::DEFAULT_LIMIT, offset: asked.offset }.checked()?;
    let sort = if asked.sort.is_empty() { usual } else { Sort::of(&asked.sort) };
    let asked = Asked { sort: if sort == usual { String::new() } else { sort.as_str().to_owned() }, ..asked };
    let mut query = Query::parse(&asked.q);
    let chosen = |text: &str| Some(text.to_lowercase()).filter(|text| !text.is_empty());
    query.ecosystem = chosen(&asked.ecosystem).or(query.ecosystem);
    query.licence = chosen(&asked.license).or(query.licence);
    let viewer = registry.viewer(&by).await?;
    let found = registry.search().search(&query, &viewer, sort, paging).await?;
    let words: String = asked.q.trim().chars().take(80).collect();
    let title =
        if words.is_empty() { "Packages".to_owned() } else { format!("Results for \u{201c}{words}\u{201d}") };
    let mut shell = shell.page(format!("{title} - Packages"), "packages").describe("Packages, with filters.");
    if words.is_empty() {
        shell.title = title.clone();
    }
    if !others.as_str().is_empty() {
        shell = shell.with_sheet(Sheet::Market);
    }
    shell.query.clone_from(&asked.q);
    let base = address(path, &Asked { offset: 0, ..asked.clone() });
    let base = format!("{base}{}", if base.contains('?') { '&' } else { '?' });
    let page = SearchPage {
        sorts: sorts(path, usual, sort, &asked),
        facets: facets(path, &asked, &found),
        pager: Pager::new(&base, paging.limit, paging.offset, found.hits.len(), found.total),
        did_you_mean: found.did_you_mean.map(|words| {
            let href = address(path, &Asked { q: words.clone(), offset: 0, ..asked.clone() });
            (words, href)
        }),
        command: format!("fondaco search {}", shell_word(&words)),
        all: address(path, &Asked { q: asked.q.clone(), ..Asked::default() }),
        hits: found.hits,
        others,
        total: found.total,
        title,
        shell,
    };
    Ok(face::html(&page.shell, &page))
}

/// The address of a list with these choices; what is as usual is left out.
fn address(path: &str, asked: &Asked) -> String {
    let offset = if asked.offset == 0 { String::new() } else { asked.offset.to_string() };
    let pairs = [
        ("q", asked.q.as_str()),
        ("sort", &asked.sort),
        ("ecosystem", &asked.ecosystem),
        ("license", &asked.license),
        ("offset", &offset),
    ];
    let said = pairs.iter().filter(|(_, value)| !value.is_empty());
    let said: Vec<String> = said.map(|(key, value)| format!("{key}={}", encoded(value))).collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", said.join("&")) }
}

fn sorts(path: &str, usual: Sort, present: Sort, asked: &Asked) -> Vec<Choice> {
    let label = |sort| match sort {
        Sort::Relevance => "Relevance",
        Sort::Downloads => "Downloads",
        Sort::Newest => "Newest",
    };
    // Without words nothing is more relevant than anything else.
    let offered =
        Sort::ALL.into_iter().filter(|sort| !(asked.q.trim().is_empty() && *sort == Sort::Relevance));
    let choice = |sort: Sort| {
        let word = if sort == usual { String::new() } else { sort.as_str().to_owned() };
        Choice {
            label: label(sort).to_owned(),
            href: address(path, &Asked { sort: word, offset: 0, ..asked.clone() }),
            count: String::new(),
            chosen: sort == present,
        }
    };
    offered.map(choice).collect()
}

fn facets(path: &str, asked: &Asked, found: &Found) -> Vec<Facet> {
    let with_ecosystem = |value: &str| Asked { ecosystem: value.to_owned(), offset: 0, ..asked.clone() };
    let with_licence = |value: &str| Asked { license: value.to_owned(), offset: 0, ..asked.clone() };
    let choices = |values: &[(String, u64)], present: &str, with: &dyn Fn(&str) -> Asked| {
        let choice = |(value, count): &(String, u64)| Choice {
            label: value.clone(),
            href: address(path, &with(value)),
            count: face::text::count(count),
            chosen: value.eq_ignore_ascii_case(present),
        };
        values.iter().map(choice).collect::<Vec<_>>()
    };
    let facets = [
        Facet {
            id: "ecosystem",
            title: "Ecosystem",
            choices: choices(&found.ecosystems, &asked.ecosystem, &with_ecosystem),
            any: address(path, &with_ecosystem("")),
            is_chosen: !asked.ecosystem.is_empty(),
        },
        Facet {
            id: "licence",
            title: "Licence",
            choices: choices(&found.licences, &asked.license, &with_licence),
            any: address(path, &with_licence("")),
            is_chosen: !asked.license.is_empty(),
        },
    ];
    facets.into_iter().filter(|facet| !facet.choices.is_empty() || facet.is_chosen).collect()
}

/// A text as one word of a command line.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./@:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_what_was_chosen_and_nothing_else() {
        assert_eq!(address("/search", &Asked::default()), "/search");
        let asked =
            Asked { q: "a&b=\"c\" ü".into(), license: "Apache-2.0".into(), offset: 20, ..Asked::default() };
        assert_eq!(
            address("/search", &asked),
            "/search?q=a%26b%3D%22c%22%20%C3%BC&license=Apache-2.0&offset=20"
        );
    }

    #[test]
    fn commands_cannot_be_broken_out_of() {
        assert_eq!(shell_word("@elide/http"), "@elide/http");
        assert_eq!(shell_word("a'; rm b"), r"'a'\''; rm b'");
    }
}
