//! The answer to npm's search.

use identity::Caller;
use kernel::{Paging, Problem, Timestamp};
use serde_json::{Value, json};

use super::{Hit, Query, Sort};
use crate::page::address_of;
use crate::registry::Registry;

/// The most results that npm may ask for at once.
const MAX_SIZE: u32 = 250;

impl Registry {
    /// Answers `GET /-/v1/search` with `size` results from `from` on, which npm's clients take for 20 and 0.
    ///
    /// # Errors
    /// A 503 [`Problem`] while the index is being filled.
    pub async fn npm_search(&self, by: &Caller, text: &str, size: u32, from: u32) -> Result<Value, Problem> {
        let viewer = self.viewer(by).await?;
        let mut query = Query::parse(text);
        query.ecosystem = Some("npm".to_owned());
        let paging = Paging { limit: size.min(MAX_SIZE), offset: from.min(Paging::MAX_OFFSET) };
        let found = self.search().search(&query, &viewer, Sort::Relevance, paging).await?;
        let web = self.identity().settings().public_url.trim_end_matches('/');
        let objects: Vec<Value> = found.hits.iter().map(|hit| object(hit, web)).collect();
        Ok(json!({"objects": objects, "total": found.total, "time": by.now()}))
    }
}

/// npm breaks without `maintainers`, and prints `date`, `publisher` and `keywords`. There are no scores yet, so the
/// fields that clients expect have the neutral value. Our own page about the package is at `web`.
fn object(hit: &Hit, web: &str) -> Value {
    let entry = &hit.entry;
    let person = |username: &str| json!({"username": username, "email": ""});
    let maintainers: Vec<Value> = entry.maintainers.iter().map(|one| person(&one.username)).collect();
    let date: Timestamp = entry.published_at;
    let mut package = json!({
        "name": entry.name, "scope": entry.scope().unwrap_or("unscoped"), "version": entry.latest,
        "description": entry.description, "keywords": entry.keywords, "date": date,
        "license": entry.licence, "links": {"npm": format!("{web}{}", address_of(&entry.name))},
        "publisher": person(&entry.published_by),
        "maintainers": maintainers,
    });
    let links = &entry.links;
    for (key, link) in
        [("homepage", &links.homepage), ("repository", &links.repository), ("bugs", &links.bugs)]
    {
        if let Some(link) = link {
            package["links"][key] = json!(link);
        }
    }
    if !entry.author.is_empty() {
        package["author"] = json!({"name": entry.author});
    }
    json!({
        "package": package,
        "score": {"final": 0, "detail": {"quality": 0, "popularity": 0, "maintenance": 0}},
        "searchScore": hit.relevance, "updated": entry.updated_at,
        "downloads": {"weekly": hit.downloads.week, "monthly": hit.downloads.month},
        "flags": {"insecure": 0, "unstable": u8::from(entry.is_unstable())},
    })
}
