//! The files every page loads, compiled into the binary and served under names that change with their
//! content, so that a browser may keep them for ever.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

/// The style sheets as they are served, each made of these files in this order. Every page loads the first; the
/// others only the pages that ask for them, see [`super::Sheet`].
const SHEETS: [(&str, &[&str]); 4] = [
    ("css/fondaco.css", &["css/tokens.css", "css/fondaco.css"]),
    ("css/market.css", &["css/market.css"]),
    ("css/prose.css", &["css/prose.css"]),
    ("css/services.css", &["css/services.css"]),
];
/// Where assets are served.
const PREFIX: &str = "/assets/";
/// A name with a hash in it never changes its content: a year is what caches take as for ever.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[derive(RustEmbed)]
#[folder = "assets"]
#[include = "css/*.css"]
#[include = "js/*.js"]
#[include = "fonts/*.woff2"]
#[include = "*.svg"]
struct Embedded;

/// One file as it is served.
struct Asset {
    url: String,
    etag: HeaderValue,
    media_type: HeaderValue,
    plain: Bytes,
    /// Compressed on the first request for it; `None` for what is compressed already.
    gzip: OnceLock<Option<Bytes>>,
    brotli: OnceLock<Option<Bytes>>,
}

struct Table {
    by_name: HashMap<String, Asset>,
    /// The address of each symbol of the icon sprite, by its name.
    icons: HashMap<String, String>,
    name_by_url: HashMap<String, String>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

/// The address of an asset by its name under `assets/`, e.g. `css/fondaco.css`. An unknown name gives an
/// address that answers 404, and a test of the templates that fails.
#[must_use]
pub fn asset(name: &str) -> &'static str {
    TABLE.by_name.get(name).map_or("/assets/missing", |asset| asset.url.as_str())
}

/// The address of an icon of the sprite, if the sprite has it.
pub(super) fn icon(name: &str) -> Option<&'static str> {
    TABLE.icons.get(name).map(String::as_str)
}

/// Serves `/assets/{name}.{hash8}.{ext}`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{*path}", get(serve))
}

async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let url = format!("{PREFIX}{path}");
    let Some(asset) = TABLE.name_by_url.get(&url).and_then(|name| TABLE.by_name.get(name)) else {
        return (StatusCode::NOT_FOUND, "No such asset; reload the page to get its new address.")
            .into_response();
    };
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let (body, encoding) = asset.best(accepts);
    let mut response = if headers.get(header::IF_NONE_MATCH) == Some(&asset.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body.into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, asset.media_type.clone());
    out.insert(header::CACHE_CONTROL, IMMUTABLE);
    out.insert(header::ETAG, asset.etag.clone());
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

impl Asset {
    fn new(name: &str, plain: Bytes) -> Self {
        let hash = hex::encode(Sha256::digest(&plain));
        let short = hash.get(..8).unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        Self {
            url: format!("{PREFIX}{stem}.{short}.{extension}"),
            etag: HeaderValue::from_str(&format!("\"{short}\"")).unwrap_or(HeaderValue::from_static("\"-\"")),
            media_type: HeaderValue::from_static(media_type(extension)),
            plain,
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
        }
    }

    /// The smallest form that `accepts` (an `Accept-Encoding`) allows, with its encoding's name.
    fn best(&self, accepts: &str) -> (Bytes, Option<&'static str>) {
        let wants = |name: &str| {
            accepts.split(',').any(|part| {
                let (coding, weight) = part.split_once(';').unwrap_or((part, ""));
                coding.trim() == name && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
            })
        };
        if wants("br")
            && let Some(body) = self.brotli.get_or_init(|| self.compressed(brotli))
        {
            return (body.clone(), Some("br"));
        }
        if wants("gzip")
            && let Some(body) = self.gzip.get_or_init(|| self.compressed(gzip))
        {
            return (body.clone(), Some("gzip"));
        }
        (self.plain.clone(), None)
    }

    fn compressed(&self, with: fn(&[u8]) -> Option<Vec<u8>>) -> Option<Bytes> {
        if self.media_type == "font/woff2" {
            return None;
        }
        with(&self.plain).filter(|body| body.len() < self.plain.len()).map(Bytes::from)
    }
}

impl Table {
    /// The style sheets come last: they name other assets, whose addresses must be known by then.
    fn build() -> Self {
        let mut table = Self { by_name: HashMap::new(), icons: HashMap::new(), name_by_url: HashMap::new() };
        let read = |name: &str| Embedded::get(name).map(|file| file.data.into_owned()).unwrap_or_default();
        for name in Embedded::iter().filter(|name| !name.ends_with(".css")) {
            table.add(&name, Bytes::from(read(&name)));
        }
        for (name, files) in SHEETS {
            let source: String =
                files.iter().map(|file| String::from_utf8_lossy(&read(file)).into_owned()).collect();
            let sheet = table.style_sheet(&source);
            table.add(name, Bytes::from(sheet));
        }
        table.icons = table.by_name.get("icons.svg").map(symbols).unwrap_or_default();
        table
    }

    fn add(&mut self, name: &str, bytes: Bytes) {
        let asset = Asset::new(name, bytes);
        self.name_by_url.insert(asset.url.clone(), name.to_owned());
        self.by_name.insert(name.to_owned(), asset);
    }

    /// Comments and line breaks out, `url(asset:…)` to the address of that asset.
    fn style_sheet(&self, source: &str) -> String {
        let mut css = String::with_capacity(source.len());
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("/*") {
            css.push_str(before);
            rest = after.split_once("*/").map_or("", |(_, after)| after);
        }
        css.push_str(rest);
        let mut css = css.split_whitespace().collect::<Vec<_>>().join(" ");
        for (from, to) in
            [(" { ", "{"), ("; }", "}"), (" }", "}"), ("} ", "}"), ("; ", ";"), (": ", ":"), (", ", ",")]
        {
            css = css.replace(from, to);
        }
        for (name, asset) in &self.by_name {
            css = css.replace(&format!("asset:{name}"), &asset.url);
        }
        css
    }
}

fn symbols(sprite: &Asset) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(&sprite.plain);
    let names = text.split("<symbol id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| (name.to_owned(), format!("{}#{name}", sprite.url))).collect()
}

fn media_type(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

fn brotli(plain: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 10, ..Default::default() };
    brotli::BrotliCompress(&mut &*plain, &mut out, &params).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::io::Read;
    use std::path::PathBuf;

    use super::*;

    fn templates() -> String {
        let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/templates"))];
        let mut text = String::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    text.push_str(&std::fs::read_to_string(path).unwrap());
                }
            }
        }
        text
    }

    /// The first string argument of every `call("…` in `text`.
    fn arguments<'a>(text: &'a str, call: &str) -> BTreeSet<&'a str> {
        text.split(call).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn names_change_with_content_and_answers_are_immutable() {
        let url = asset("css/fondaco.css");
        assert!(url.starts_with("/assets/css/fondaco.") && url.ends_with(".css"), "{url}");
        let other = Asset::new("css/fondaco.css", Bytes::from_static(b"a{}"));
        assert_ne!(other.url, url);
    }

    #[test]
    fn compressed_forms_hold_the_same_bytes_and_q_zero_refuses() {
        let asset = &TABLE.by_name["js/fondaco.js"];
        let (body, encoding) = asset.best("gzip, deflate");
        assert_eq!(encoding, Some("gzip"));
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
        assert_eq!(plain, asset.plain);
        assert_eq!(asset.best("gzip, br;q=1").1, Some("br"));
        assert_eq!(asset.best("br;q=0, identity").1, None);
        assert_eq!(TABLE.by_name["fonts/inter.woff2"].best("br").1, None);
    }

    #[test]
    fn style_sheets_name_hashed_fonts() {
        let css = String::from_utf8_lossy(&TABLE.by_name["css/fondaco.css"].plain);
        assert!(css.contains(asset("fonts/inter.woff2")) && !css.contains("asset:"));
    }

    #[test]
    fn pages_stay_within_the_budget() {
        let size = |name: &str| TABLE.by_name[name].best("gzip").0.len();
        let script = size("js/htmx.js") + size("js/fondaco.js");
        for (name, most) in [
            ("css/fondaco.css", 8_192),
            ("css/market.css", 6_000),
            ("css/prose.css", 2_048),
            ("css/services.css", 1_024),
        ] {
            assert!(size(name) <= most, "{name} has {} bytes, at most {most} fit", size(name));
        }
        assert!(script <= 20_000, "{script} bytes of script");
    }

    #[test]
    fn every_sheet_that_a_page_can_ask_for_is_served() {
        use crate::face::Sheet;
        for sheet in [Sheet::Market, Sheet::Prose, Sheet::Services] {
            let css = String::from_utf8_lossy(&TABLE.by_name[sheet.asset()].plain);
            assert!(css.starts_with("@layer parts{"), "{sheet:?} stands in a layer of the main sheet");
        }
    }

    #[test]
    fn templates_ask_only_for_assets_and_icons_that_exist() {
        let text = templates();
        let missing: Vec<_> = arguments(&text, "shell.asset(\"")
            .into_iter()
            .filter(|name| !TABLE.by_name.contains_key(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        let sprite = String::from_utf8_lossy(&TABLE.by_name["icons.svg"].plain);
        let icons = arguments(&text, "icon(\"");
        assert!(icons.len() > 10);
        let missing: Vec<_> =
            icons.into_iter().filter(|name| !sprite.contains(&format!("id=\"{name}\""))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
