//! `search` and `info`.

use reqwest::Method;
use serde_json::Value;

use super::answer::{list, number, text};
use super::args::{Global, Info, Search};
use super::client::Client;
use super::failure::{Failure, code};
use super::terminal::Terminal;

/// Finds packages.
pub(crate) async fn search(terminal: &Terminal, global: &Global, args: &Search) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let words = args.words.join(" ");
    let answer = client.get("/api/packages/search", args.part.query().and("q", &words)).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "results");
    if found.is_empty() {
        terminal.say(format!("Nothing was found for `{words}`."));
        return Ok(());
    }
    let row = |package: &Value| {
        let score = package
            .get("score")
            .and_then(Value::as_f64)
            .map_or_else(String::new, |score| format!("{score:.2}"));
        vec![
            text(package, "name"),
            text(package, "version"),
            number(package, "downloads"),
            score,
            text(package, "description"),
        ]
    };
    terminal
        .table(&["name", "version", "downloads", "score", "description"], found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    terminal.hint(format!("fondaco info {}", text(&found[0], "name")));
    Ok(())
}

/// Shows a package.
pub(crate) async fn info(terminal: &Terminal, global: &Global, args: &Info) -> Result<(), Failure> {
    let (name, version) = split(&args.name);
    let client = Client::new(global)?;
    let answer = client.json(client.request(Method::GET, &client.session.api(&path(name)?))).await;
    let mut package = answer.map_err(|failure| match failure.exit {
        code::NOT_FOUND => Failure {
            detail: format!("{} has no package {name}, or it is not yours to see.", client.session.server),
            ..failure
        }
        .next(format!("fondaco search {}", name.rsplit('/').next().unwrap_or(name))),
        _ => failure,
    })?;
    if let Some(version) = version {
        only(&mut package, name, version)?;
    }
    if terminal.json {
        terminal.data_json(&package);
        return Ok(());
    }
    let releases = package.get("versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let newest = package.get("distTags").and_then(|tags| tags.get("latest")).and_then(Value::as_str);
    let newest = version
        .or(newest)
        .map_or_else(|| releases.first().map(|r| text(r, "version")).unwrap_or_default(), str::to_owned);
    terminal.data(format!("{name}@{newest}"));
    let lines = [
        ("", text(&package, "description")),
        ("deprecated", text(&package, "deprecated")),
        ("licence", text(&package, "license")),
        ("maintainers", names(&package, "maintainers")),
        ("keywords", names(&package, "keywords")),
        ("repository", text(&package, "repository")),
        ("homepage", text(&package, "homepage")),
        ("downloads", number(&package, "downloads")),
        ("stars", number(&package, "stars")),
        ("score", score(&package)),
        (
            "published",
            releases
                .iter()
                .find(|r| text(r, "version") == newest)
                .map(|r| text(r, "publishedAt"))
                .unwrap_or_default(),
        ),
        (
            "releases",
            releases.iter().map(|release| text(release, "version")).take(8).collect::<Vec<_>>().join(", "),
        ),
    ];
    terminal.details(&lines);
    terminal.hint(format!("npm install {name}@{newest}"));
    Ok(())
}

/// `@scope/name@1.0.0` in its two parts.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    match text.rfind('@') {
        Some(at) if at > 0 => (&text[..at], Some(&text[at + 1..]).filter(|version| !version.is_empty())),
        _ => (text, None),
    }
}

/// The path of a package. What could leave the path is refused here, before it is sent anywhere.
fn path(name: &str) -> Result<String, Failure> {
    let fine = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_graphic() && !b"/?#%\\".contains(&b))
    };
    let parts = name.strip_prefix('@').map_or_else(|| vec![name], |rest| rest.splitn(2, '/').collect());
    if parts.iter().all(|part| fine(part)) && (!name.starts_with('@') || parts.len() == 2) {
        Ok(format!("/api/packages/{name}"))
    } else {
        Err(Failure::usage(format!("`{}` is no name of a package.", super::terminal::plain(name))))
    }
}

/// Leaves one release in the list.
fn only(package: &mut Value, name: &str, version: &str) -> Result<(), Failure> {
    let releases = package.get_mut("versions").and_then(Value::as_array_mut);
    let found = releases.map(|releases| {
        releases.retain(|release| text(release, "version") == version);
        !releases.is_empty()
    });
    if found == Some(true) {
        return Ok(());
    }
    let detail = format!("{name} has no release {version}.");
    Err(Failure::new(code::NOT_FOUND, "cli.no_release", "Not found", detail)
        .next(format!("fondaco info {name}")))
}

fn names(value: &Value, name: &str) -> String {
    let item = |item: &Value| item.as_str().map_or_else(|| text(item, "name"), str::to_owned);
    list(value, name).iter().map(item).collect::<Vec<_>>().join(", ")
}

fn score(package: &Value) -> String {
    let part = |name: &str| package.get("score")?.get(name)?.as_f64();
    let Some(overall) = part("overall") else { return String::new() };
    let parts = ["quality", "popularity", "maintenance"];
    let parts = parts.into_iter().filter_map(|name| part(name).map(|value| format!("{name} {value:.2}")));
    format!("{overall:.2} ({})", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn names_with_and_without_a_release() {
        assert_eq!(split("@elide/http@2.0.0"), ("@elide/http", Some("2.0.0")));
        assert_eq!(split("@elide/http"), ("@elide/http", None));
        assert_eq!(split("http@"), ("http", None));
        assert_eq!(path("@elide/http").unwrap(), "/api/packages/@elide/http");
        for wrong in ["", "@", "@a", "@a/", "a/b", "../x", "@a/..", "a?b", "a%2fb", "a b", "@a/b/c"] {
            assert_eq!(path(wrong).unwrap_err().exit, 2, "{wrong}");
        }
    }

    #[test]
    fn one_release_of_many() {
        let mut package = json!({"versions": [{"version": "1.0.0"}, {"version": "2.0.0"}]});
        only(&mut package, "x", "2.0.0").unwrap();
        assert_eq!(package["versions"].as_array().unwrap().len(), 1);
        assert_eq!(only(&mut package, "x", "3.0.0").unwrap_err().exit, 5);
    }
}
