//! `/packages/{name}`: a package, in tabs that are links.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use identity::Visit;
use kernel::{Paging, Problem};
use serde::Deserialize;
use web::face::chart::{Chart, Series, sparkline};
use web::face::parts::{Command, Pager, Tab};
use web::face::{self, FormState, Html, Sheet, Shell};
use web::{Failure, Path, Query};

use super::manage::Manage;
use super::{address_of, encoded};
use crate::package::Access;
use crate::registry::Registry;
use crate::search::Hit;
use crate::show::{Dependency, DependencyKind, Manifest, ReleaseLine, Shown};
use crate::{Ecosystem, NpmName, RegistryError, Standing};

/// How many versions or dependents one page lists.
const LISTED: u32 = 50;
/// How many days the small chart and the large one show.
const SPARK_DAYS: u32 = 90;
const CHART_DAYS: u32 = 90;

/// What the address says beside the name.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    tab: String,
    /// A version or a tag; the latest where absent.
    version: Option<String>,
    #[serde(default)]
    offset: u32,
}

/// What is looked at.
pub(crate) enum Body {
    Readme(Option<Html>),
    Versions { lines: Vec<Line>, pager: Pager },
    Dependencies(Vec<Group>),
    Dependents { hits: Vec<Hit>, pager: Pager },
    Provenance { kind: String, file: String },
    Downloads { chart: Html, by_version: Vec<ReleaseLine> },
    Manage(Box<Manage>),
}

/// The dependencies of one kind: an id, a title, a name for the table, and what they are.
type Group = (&'static str, &'static str, &'static str, Vec<Dependency>);

/// A version in the list, with its tags.
pub(crate) struct Line {
    pub(super) release: ReleaseLine,
    pub(super) tags: Vec<String>,
    pub(super) href: String,
}

#[derive(Template)]
#[template(path = "packages/package.html")]
struct PackagePage {
    shell: Shell,
    shown: Shown,
    release: ReleaseLine,
    manifest: Manifest,
    is_latest: bool,
    tabs: Vec<Tab>,
    commands: Vec<Command>,
    purl: String,
    body: Body,
    week: u64,
    /// `None` while nobody has downloaded it lately.
    spark: Option<Html>,
    address: String,
    /// The address of the downloads in detail.
    downloads: String,
}

/// `GET /packages/{name}`.
pub(super) async fn package(
    State(registry): State<Registry>,
    Visit { caller: by, shell }: Visit,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let shown = registry.show(&by, Ecosystem::Npm, &name).await?;
    draw(&registry, shell, &by, shown, &asked, FormState::default()).await
}

/// The tab `manage` again, with what was wrong with a form.
pub(super) async fn draw_manage(
    registry: &Registry,
    visit: Visit,
    name: &str,
    form: FormState,
) -> Result<Response, Failure> {
    let shown = registry.show(&visit.caller, Ecosystem::Npm, name).await?;
    let asked = Asked { tab: "manage".to_owned(), ..Asked::default() };
    draw(registry, visit.shell, &visit.caller, shown, &asked, form).await
}

async fn draw(
    registry: &Registry,
    shell: Shell,
    by: &identity::Caller,
    shown: Shown,
    asked: &Asked,
    form: FormState,
) -> Result<Response, Failure> {
    let release = shown.release(asked.version.as_deref())?.clone();
    let manifest = registry.manifest(&shown.package, &release.version).await?;
    let viewer = registry.viewer(by).await?;
    let paging = Paging { limit: LISTED, offset: asked.offset }.checked()?;
    let address = address_of(&shown.package.name);
    let (dependents, total) = registry.search().dependents(&shown.package.name, &viewer, paging).await?;
    let pager = |tab: &str, shown: usize, of: u64| {
        Pager::new(&format!("{address}?tab={tab}&"), LISTED, asked.offset, shown, of)
    };
    let body = match asked.tab.as_str() {
        "versions" => {
            let lines = lines(&shown, paging, &address);
            let pager = pager("versions", lines.len(), shown.releases.len() as u64);
            Body::Versions { lines, pager }
        }
        "dependencies" => Body::Dependencies(grouped(&manifest)),
        "dependents" => {
            Body::Dependents { pager: pager("dependents", dependents.len(), total), hits: dependents }
        }
        "provenance" => provenance(&shown, &release)?,
        "downloads" => Body::Downloads {
            chart: chart(&registry.daily_downloads(&shown.package, CHART_DAYS, by.now()).await?),
            by_version: most_fetched(&shown),
        },
        "manage" if shown.standing >= Standing::Writer => {
            Body::Manage(Box::new(Manage::new(registry, by, &shown, form)))
        }
        "" | "readme" => Body::Readme(registry.readme(&shown.package, &release.version).await?),
        _ => return Err(Problem::not_found("registry.no_tab", "There is no such part of this page.").into()),
    };
    let daily = registry.daily_downloads(&shown.package, SPARK_DAYS, by.now()).await?;
    let name =
        NpmName::parse(&shown.package.name).map_err(|error| RegistryError::Malformed(error.to_string()))?;
    let is_latest = shown.package.latest.as_deref() == Some(release.version.as_str());
    let description = if manifest.description.is_empty() {
        format!("{name} for npm.")
    } else {
        manifest.description.clone()
    };
    let page = PackagePage {
        tabs: tabs(&shown, &manifest, total, asked, &release, is_latest),
        commands: commands(&name, (!is_latest).then_some(release.version.as_str())),
        purl: name.purl(&release.version),
        week: daily.iter().rev().take(7).map(|(_, count)| count).sum(),
        spark: spark(&daily),
        shell: shell
            .page(format!("{name} - Packages"), "packages")
            .describe(description)
            .with_sheet(Sheet::Prose),
        shown,
        release,
        manifest,
        is_latest,
        body,
        downloads: format!("{address}?tab=downloads"),
        address,
    };
    Ok(face::html(&page.shell, &page))
}

impl PackagePage {
    /// The badge of a package that is not for everybody.
    fn access_words(&self) -> Option<&'static str> {
        match self.shown.package.access {
            Access::Public => None,
            Access::Private => Some("Private"),
            Access::Organisation => Some("Organisation only"),
        }
    }
}

/// An address as people read it: without scheme and without the slash at its end.
pub(crate) fn short(href: &str) -> &str {
    href.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/')
}

fn tabs(
    shown: &Shown,
    manifest: &Manifest,
    dependents: u64,
    asked: &Asked,
    release: &ReleaseLine,
    is_latest: bool,
) -> Vec<Tab> {
    let address = address_of(&shown.package.name);
    // Another version than the latest is kept while one goes from tab to tab.
    let version = if is_latest { String::new() } else { format!("version={}", encoded(&release.version)) };
    let present = if asked.tab.is_empty() { "readme" } else { asked.tab.as_str() };
    let tab = |key: &str, label: &str, count: Option<u64>| {
        let tab = if key == "readme" { String::new() } else { format!("tab={key}") };
        let said: Vec<&str> = [tab.as_str(), &version].into_iter().filter(|text| !text.is_empty()).collect();
        let query = if said.is_empty() { String::new() } else { format!("?{}", said.join("&")) };
        Tab::new(
            label,
            format!("{address}{query}"),
            count.map(face::text::count).unwrap_or_default(),
            key == present,
        )
    };
    let needed = manifest.dependencies.iter().filter(|one| one.kind != DependencyKind::Development).count();
    let mut tabs = vec![
        tab("readme", "Readme", None),
        tab("versions", "Versions", Some(shown.releases.len() as u64)),
        tab("dependencies", "Dependencies", Some(needed as u64)),
        tab("dependents", "Dependents", Some(dependents)),
        tab("downloads", "Downloads", None),
    ];
    if release.provenance.is_some() {
        tabs.push(tab("provenance", "Provenance", None));
    }
    if shown.standing >= Standing::Writer {
        tabs.push(tab("manage", "Manage", None));
    }
    tabs
}

fn commands(name: &NpmName, version: Option<&str>) -> Vec<Command> {
    let what = version.map_or_else(|| name.to_string(), |version| format!("{name}@{version}"));
    let tools = [("npm", "install"), ("pnpm", "add"), ("yarn", "add"), ("bun", "add")];
    tools.map(|(tool, verb)| Command::new(tool, format!("{tool} {verb} {what}"))).into()
}

fn lines(shown: &Shown, paging: Paging, address: &str) -> Vec<Line> {
    let page = shown.releases.iter().skip(paging.offset as usize).take(paging.limit as usize);
    let line = |release: &ReleaseLine| Line {
        tags: shown.tags_of(&release.version).map(str::to_owned).collect(),
        href: format!("{address}?version={}", encoded(&release.version)),
        release: release.clone(),
    };
    page.map(line).collect()
}

fn most_fetched(shown: &Shown) -> Vec<ReleaseLine> {
    let mut releases = shown.releases.clone();
    releases.sort_by_key(|release| std::cmp::Reverse(release.downloads));
    releases.truncate(10);
    releases.retain(|release| release.downloads > 0);
    releases
}

/// The dependencies by kind, with what each kind is for.
fn grouped(manifest: &Manifest) -> Vec<Group> {
    let kinds = [
        (DependencyKind::Runtime, "runtime", "Installed with it", "Dependencies"),
        (DependencyKind::Peer, "peer", "You bring these", "Peer dependencies"),
        (DependencyKind::Optional, "optional", "Installed where possible", "Optional dependencies"),
        (DependencyKind::Development, "development", "Only to work on it", "Development dependencies"),
    ];
    let groups = kinds.map(|(kind, id, title, label)| {
        (id, title, label, manifest.of_kind(kind).cloned().collect::<Vec<_>>())
    });
    groups.into_iter().filter(|(_, _, _, list)| !list.is_empty()).collect()
}

fn provenance(shown: &Shown, release: &ReleaseLine) -> Result<Body, RegistryError> {
    let kind = release.provenance.clone().ok_or(RegistryError::NoPart("provenance"))?;
    let file =
        format!("/npm/-/npm/v1/attestations/{}@{}", encoded(&shown.package.name), encoded(&release.version));
    Ok(Body::Provenance { kind, file })
}

#[allow(clippy::cast_precision_loss)] // Downloads of a day are far below 2^52.
fn values(daily: &[(i64, u64)]) -> Vec<f64> {
    daily.iter().map(|(_, count)| *count as f64).collect()
}

fn spark(daily: &[(i64, u64)]) -> Option<Html> {
    let total: u64 = daily.iter().map(|(_, count)| count).sum();
    let label = format!("Downloads a day over {} days, {} in all", daily.len(), face::text::count(total));
    (total > 0).then(|| sparkline(&values(daily), &label))
}

fn chart(daily: &[(i64, u64)]) -> Html {
    let total: u64 = daily.iter().map(|(_, count)| count).sum();
    let most = daily.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let chart = Chart {
        title: "Downloads a day".to_owned(),
        summary: format!(
            "{} downloads in {} days, at most {} on one day.",
            face::text::count(total),
            daily.len(),
            face::text::count(most)
        ),
        label_name: "Day (UTC)".to_owned(),
        labels: daily.iter().map(|(day, _)| kernel::Timestamp::from_day(*day).date()).collect(),
        unit: String::new(),
        series: vec![Series { name: "Downloads".to_owned(), values: values(daily), dashed: false }],
    };
    chart.render()
}
