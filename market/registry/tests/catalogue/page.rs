#![allow(clippy::unwrap_used, clippy::panic)]
use http::Method;
use scraper::{Html, Selector};
use serde_json::json;
use store::testing::both;

use crate::bench::{MIGRATIONS, document, found};
use crate::catalogue::{Catalogue, attributes, texts};

const README: &str = "# Left pad\n\nPads a text.\n\n```js\npad('a', 3)\n```\n";

#[tokio::test]
async fn home_shows_what_there_is() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let empty = market.page("/", "").await;
        assert!(texts(&empty, "main").join(" ").contains("Nothing is published yet"));
        let ada = market.bench.account("ada").await;
        market.publish(&ada, "left-pad", "1.0.0", README, json!({})).await;
        let page = market.page("/", "").await;
        assert_eq!(texts(&page, "h1").len(), 1);
        assert_eq!(texts(&page, "dl.figures dd"), ["1", "1", "0"]);
        assert!(attributes(&page, "main a", "href").contains(&"/packages/left-pad".to_owned()));
        assert!(
            texts(&page, ".cmd code")
                .contains(&"npm config set registry http://localhost:4873/npm/".to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn a_search_holds_everything_in_its_address() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        for n in 0..23 {
            let licence = if n == 0 { "Apache-2.0" } else { "MIT" };
            market.publish_only(&ada, &format!("http-{n}"), "1.0.0", "", json!({"license": licence})).await;
        }
        market.settle("", "http", |found| found["total"] == 23).await;
        let page = market.page("/search?q=http", "").await;
        assert_eq!(texts(&page, ".hits > li").len(), 20);
        assert_eq!(attributes(&page, "a[rel=next]", "href"), ["/search?q=http&offset=20"]);
        assert!(
            attributes(&page, ".choices a", "href").contains(&"/search?q=http&license=Apache-2.0".to_owned())
        );
        let last = market.page("/search?q=http&offset=20", "").await;
        assert_eq!(texts(&last, ".hits > li").len(), 3);
        assert_eq!(attributes(&last, "a[rel=prev]", "href"), ["/search?q=http&offset=0"]);
        let chosen = market.page("/search?q=http&license=Apache-2.0&sort=newest", "").await;
        assert_eq!(texts(&chosen, ".hits h3"), ["http-0"]);
        assert_eq!(texts(&chosen, ".seg [aria-current]"), ["Newest"]);
        assert_eq!(attributes(&chosen, "input[type=search]", "value"), ["http"]);

        let slipped = market.page("/search?q=htpp", "").await;
        assert_eq!(attributes(&slipped, ".notice a", "href"), ["/search?q=http"]);
        let nothing = market.page("/search?q=zzzzzz&license=MIT", "").await;
        assert!(texts(&nothing, ".empty b").contains(&"No package fits".to_owned()));
        assert_eq!(texts(&nothing, ".empty code"), ["fondaco search zzzzzz"]);
        assert_eq!(texts(&market.page("/packages", "").await, ".hits > li").len(), 20);
        market.get("/search?q=a&offset=20000", "").await.expect(422);
    })
    .await;
}

#[tokio::test]
async fn a_package_has_its_tabs() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        let fields = json!({"description": "Pads", "keywords": ["text"], "repository": "git@example.com:a/pad.git",
            "homepage": "https://example.com/", "dependencies": {"kind-of": "^1"}, "devDependencies": {"tap": "2"}, "types": "a.d.ts"});
        market.publish(&ada, "@ada/pad", "1.0.0", README, fields.clone()).await;
        market.publish_only(&ada, "@ada/pad", "1.1.0", README, fields).await;
        market.publish(&ada, "user-of-pad", "1.0.0", "", json!({"dependencies": {"@ada/pad": "1"}})).await;
        market.download("@ada/pad", "1.1.0", 2).await;

        let page = market.page("/packages/@ada/pad", "").await;
        assert_eq!(texts(&page, "h1"), ["@ada/pad"]);
        assert_eq!(texts(&page, ".prose pre"), ["pad('a', 3)"]);
        let commands = texts(&page, ".install .cmd code");
        assert_eq!(commands, ["npm install @ada/pad", "pnpm add @ada/pad", "yarn add @ada/pad", "bun add @ada/pad"]);
        assert_eq!(texts(&page, "#purl-text"), ["pkg:npm/%40ada/pad@1.1.0"]);
        assert!(attributes(&page, ".dl a", "href").contains(&"https://example.com/a/pad".to_owned()));
        assert_eq!(texts(&page, ".tabs a"), ["Readme", "Versions 2", "Dependencies 1", "Dependents 1", "Downloads"]);
        // Every tab is a link that works, with or without an encoded slash.
        for href in attributes(&page, ".tabs a", "href") {
            market.page(&href, "").await;
            market.page(&href.replace("@ada/pad", "@ada%2fpad"), "").await;
        }
        let versions = market.page("/packages/@ada/pad?tab=versions", "").await;
        assert_eq!(texts(&versions, "tbody th a"), ["1.1.0", "1.0.0"]);
        let dependencies = market.page("/packages/@ada/pad?tab=dependencies", "").await;
        assert_eq!(texts(&dependencies, "tbody th a"), ["kind-of", "tap"]);
        assert_eq!(texts(&market.page("/packages/@ada/pad?tab=dependents", "").await, ".hits h3"), ["user-of-pad"]);
        assert!(texts(&market.page("/packages/@ada/pad?tab=downloads", "").await, "figcaption")[0].starts_with("2 downloads"));
        let old = market.page("/packages/@ada/pad?version=1.0.0", "").await;
        assert_eq!(texts(&old, ".install .cmd code")[0], "npm install @ada/pad@1.0.0");
        for path in ["/packages/@ada/pad?tab=manage", "/packages/@ada/pad?version=9.0.0", "/packages/none", "/packages/@ada/pad?tab=x"] {
            market.get(path, "").await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn private_packages_are_not_there_for_strangers() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let (ada, eve) = (market.bench.account("ada").await, market.bench.account("eve").await);
        found(&market.bench, &ada, "acme").await;
        market.publish(&ada, "@acme/secret", "1.0.0", "", json!({"dependencies": {"kind-of": "1"}})).await;
        market.publish(&eve, "kind-of", "1.0.0", "", json!({})).await;
        assert!(
            texts(&market.page("/packages/@acme/secret", &ada).await, ".band .badge")
                .contains(&"Organisation only".to_owned())
        );
        for token in ["", eve.as_str()] {
            market.get("/packages/@acme/secret", token).await.expect(404);
            for path in ["/", "/search?q=secret", "/packages", "/packages/kind-of?tab=dependents"] {
                let page = market.get(path, token).await.expect(200);
                let body =
                    String::from_utf8(page.body).unwrap().replace("q=secret", "").replace("secret\"", "");
                assert!(!body.contains("@acme/secret"), "{path}");
            }
            let page = market.page("/packages/kind-of", token).await;
            assert!(texts(&page, ".tabs a").contains(&"Dependents 0".to_owned()));
        }
        assert!(
            texts(&market.page("/packages/kind-of", &ada).await, ".tabs a")
                .contains(&"Dependents 1".to_owned())
        );
    })
    .await;
}

/// Nothing that a stranger wrote runs, loads or leads anywhere it should not.
fn assert_harmless(page: &Html, path: &str) {
    let all = Selector::parse("*").unwrap();
    for element in page.select(&all) {
        let tag = element.value().name();
        if tag == "script" {
            assert!(
                element.value().attr("src").is_some_and(|src| src.starts_with("/assets/")),
                "{path}: a script"
            );
        }
        assert!(!["iframe", "object", "embed", "base", "style"].contains(&tag), "{path}: <{tag}>");
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on") && !name.starts_with("hx-on"), "{path}: {name}={value}");
            let value = value.trim().to_lowercase();
            let leads = matches!(name, "href" | "src" | "action" | "formaction");
            assert!(
                !leads
                    || !["javascript:", "data:", "vbscript:"].iter().any(|scheme| value.starts_with(scheme)),
                "{path}: {value}"
            );
        }
    }
    let images = attributes(page, "main img", "src");
    assert!(images.is_empty(), "{path}: {images:?}");
}

#[tokio::test]
async fn what_strangers_write_is_text() {
    const EVIL: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>";
    const EVIL_README: &str = "<script>alert(1)</script>\n<img src=x onerror=alert(1)>\n[a](javascript:alert(1))\n\
        <a href=\" javascript:alert(1)\" onclick=alert(1)>b</a>\n<svg onload=alert(1)>\n![x](data:text/html,1)\n\
        <form action=/packages/x method=post><button>c</button></form><div hx-on:click=alert(1) hx-get=/x>d</div>";
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        let fields = json!({"description": EVIL, "keywords": [EVIL, "a&b"], "license": EVIL, "author": EVIL,
            "homepage": "javascript:alert(1)", "repository": {"url": "data:text/html,<script>alert(1)</script>"},
            "bugs": {"url": "https://user@example.com"}, "engines": {"node": EVIL}, "dependencies": {EVIL: EVIL}});
        market.publish(&ada, "evil", "1.0.0", EVIL_README, fields).await;
        let spec = json!({"versions": {"1.0.0": {"name": "evil", "version": "1.0.0", "deprecated": EVIL}}});
        market.bench.put("/npm/evil", &ada, spec).await.expect(200);
        market.settle("", "is:deprecated", |found| found["total"] == 1).await;
        let q: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
        let mut paths = vec!["/".to_owned(), "/packages".to_owned(), format!("/search?q={q}&license={q}&ecosystem={q}&sort={q}")];
        for tab in ["readme", "versions", "dependencies", "dependents", "downloads", "manage"] {
            paths.push(format!("/packages/evil?tab={tab}"));
        }
        for path in paths {
            let page = market.page(&path, &ada).await;
            assert_harmless(&page, &path);
        }
        let page = market.page("/packages/evil", "").await;
        assert_eq!(texts(&page, ".lead"), [EVIL.split_whitespace().collect::<Vec<_>>().join(" ")]);
        assert!(attributes(&page, ".dl a", "href").is_empty(), "no link that is not safe");
        assert!(texts(&page, ".prose form, .prose button").is_empty());
    })
    .await;
}

#[tokio::test]
async fn relative_links_of_a_readme_lead_to_the_repository() {
    const LINKS: &str =
        "[a](docs/a.md) [b](/LICENSE) ![c](./logo.png) [d](../../../evil) [e](//evil.example.com/x)";
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        let of = |url: &str| json!({"repository": {"type": "git", "url": url, "directory": "packages/left"}});
        market.publish(&ada, "left", "1.0.0", LINKS, of("git+https://example.com/ada/pads.git")).await;
        let page = market.page("/packages/left", "").await;
        let top = "https://example.com/ada/pads";
        let expected = [
            format!("{top}/packages/left/docs/a.md"),
            format!("{top}/LICENSE"),
            format!("{top}/packages/left/logo.png"),
        ];
        assert_eq!(attributes(&page, ".prose a", "href"), expected);
        for (at, hostile) in
            ["javascript:alert(1)", "//evil.example.com/a/b", "http://example.com/a"].iter().enumerate()
        {
            let name = format!("hostile-{at}");
            market.publish(&ada, &name, "1.0.0", LINKS, of(hostile)).await;
            let page = market.page(&format!("/packages/{name}"), "").await;
            assert!(attributes(&page, ".prose a", "href").is_empty(), "{hostile}");
        }
    })
    .await;
}

#[tokio::test]
async fn those_who_may_write_manage_it_by_forms() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let (ada, eve) = (market.bench.account("ada").await, market.bench.account("eve").await);
        market.publish(&ada, "pad", "1.0.0", README, json!({})).await;
        market.publish_only(&ada, "pad", "1.1.0", README, json!({})).await;
        let post =
            async |token: &str, fields: &[(&str, &str)]| market.form("/packages/pad", token, fields).await;
        let manage = async || market.page("/packages/pad?tab=manage", &ada).await;

        let done = post(&ada, &[("action", "deprecate"), ("version", "*"), ("message", "use left-pad")])
            .await
            .expect(303);
        assert_eq!(done.header("location"), "/packages/pad?tab=manage");
        assert!(texts(&market.page("/packages/pad", "").await, ".notice.warn")[0].ends_with("use left-pad"));
        post(&ada, &[("action", "undeprecate"), ("version", "1.1.0")]).await.expect(303);
        assert!(texts(&market.page("/packages/pad", "").await, ".notice.warn").is_empty());

        post(&ada, &[("action", "tag"), ("tag", "next"), ("version", "1.0.0")]).await.expect(303);
        assert!(texts(&manage().await, "tbody th").contains(&"next".to_owned()));
        post(&ada, &[("action", "untag"), ("tag", "next")]).await.expect(303);
        post(&ada, &[("action", "add"), ("username", "eve")]).await.expect(303);
        market.page("/packages/pad?tab=manage", &eve).await;
        post(&ada, &[("action", "remove"), ("username", "eve")]).await.expect(303);
        post(&ada, &[("action", "star")]).await.expect(303);
        assert!(texts(&market.page("/packages/pad", "").await, "form .btn")[0].ends_with('1'));
        post(&ada, &[("action", "access"), ("access", "private")]).await.expect(303);
        market.get("/packages/pad", &eve).await.expect(404);
        post(&ada, &[("action", "access"), ("access", "public")]).await.expect(303);

        // What was typed comes back with what is wrong.
        let wrong = post(&ada, &[("action", "tag"), ("tag", "1.x"), ("version", "1.0.0")]).await.expect(400);
        let page = Html::parse_document(&String::from_utf8(wrong.body).unwrap());
        assert!(texts(&page, ".summary h2")[0].contains("valid SemVer range"));
        assert_eq!(attributes(&page, "#tag-name", "value"), ["1.x"]);
        post(&ada, &[("action", "add"), ("username", "nobody-here")]).await.expect(404);

        for token in ["", eve.as_str()] {
            let status = if token.is_empty() { 401 } else { 403 };
            for fields in [
                [("action", "deprecate"), ("version", "*"), ("message", "x")],
                [("action", "untag"), ("tag", "latest"), ("version", "")],
            ] {
                post(token, &fields).await.expect(status);
            }
        }
        let rev = attributes(&manage().await, "input[name=rev]", "value").remove(0);
        post(&ada, &[("action", "unpublish"), ("version", "1.0.0"), ("rev", &rev), ("confirm", "other")])
            .await
            .expect(422);
        post(&ada, &[("action", "unpublish"), ("version", "1.0.0"), ("rev", &rev), ("confirm", "pad")])
            .await
            .expect(303);
        market.get("/packages/pad?version=1.0.0", &ada).await.expect(404);
        market.bench.advance(73);
        assert!(texts(&manage().await, "main").join(" ").contains("No version can be removed any more"));
    })
    .await;
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    both(MIGRATIONS, async |store| {
        let market = Catalogue::new(store).await;
        let ada = market.bench.account("ada").await;
        let body = document("pad", "1.0.0", json!({}));
        market.bench.put("/npm/pad", &ada, body).await.expect(201);
        let headers = [
            ("cookie", "fondaco_session=x"),
            ("sec-fetch-site", "cross-site"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let refused =
            market.call(Method::POST, "/packages/pad", &headers, "action=star".to_owned()).await.expect(403);
        assert_eq!(refused.json()["code"], "request.foreign");
    })
    .await;
}
