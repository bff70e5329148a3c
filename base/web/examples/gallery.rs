//! Shows every layout and component: `cargo run -p web --example gallery [port]`.
#![allow(clippy::print_stdout, clippy::cast_precision_loss)]

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::HeaderMap;
use kernel::{Clock, Problem, Timestamp};
use web::face::chart::{Chart, Series, sparkline};
use web::face::parts::{
    Choice, Command, OrderLine, Pager, Score, ScorePart, Seat, SeatRow, Step, Tab, steps,
};
use web::face::{self, Audience, FormState, Html, Notice, Place, Sheet, Shell, SignedIn, Site, Theme};

const README: &str = include_str!("gallery.md");

#[derive(Template)]
#[template(path = "gallery/thing.html")]
struct Thing {
    shell: Shell,
    published: Timestamp,
    tabs: Vec<Tab>,
    commands: Vec<Command>,
    readme: Html,
    score: Score,
    no_score: Score,
    sparkline: Html,
    size: u64,
}

#[derive(Template)]
#[template(path = "gallery/components.html")]
struct Components {
    shell: Shell,
    form: FormState,
    expiries: Vec<Choice>,
    scopes: Vec<Choice>,
    pager: Pager,
}

#[derive(Template)]
#[template(path = "gallery/console.html")]
struct Console {
    shell: Shell,
    tabs: Vec<Tab>,
    sparkline: Html,
    downloads: Html,
    times: Html,
    nothing: Html,
    earlier: Timestamp,
}

#[derive(Template)]
#[template(path = "gallery/market.html")]
struct Market {
    shell: Shell,
    form: FormState,
    ends_at: Timestamp,
    ended_at: Timestamp,
    starts_at: Timestamp,
    steps: Vec<Step>,
    lines: Vec<OrderLine>,
    receipt: Vec<(String, String)>,
    ways: Vec<Choice>,
    rows: Vec<SeatRow>,
    tiers: Vec<String>,
    code: Html,
}

#[derive(Template)]
#[template(path = "gallery/login.html")]
struct Login {
    shell: Shell,
    form: FormState,
}

fn site() -> Site {
    let mut site = Site::new("Fondaco")
        .with_public(Place::new("packages", "Packages", "/", "package").with_shortcut('p'))
        .with_public(Place::new("components", "Components", "/components", "layers"))
        .with_public(Place::new("market", "Market", "/market", "store"))
        .with_console("Build", Place::new("downloads", "Downloads", "/console", "chart-line"))
        .with_console("Build", Place::new("packages", "Packages", "/", "package").with_shortcut('p'))
        .with_console("Account", Place::new("profile", "Profile", "#profile", "user").in_menu())
        .with_console("Account", Place::new("tokens", "API tokens", "#tokens", "key-round").in_menu())
        .with_console("Account", Place::new("organisations", "Organisations", "#organisations", "building-2"))
        .with_console("Account", Place::new("audit", "Audit log", "#audit", "scroll-text"))
        .with_console(
            "Operate",
            Place::new("users", "Users", "#users", "users")
                .for_audience(Audience::Roles(&["admin"]))
                .in_menu(),
        )
        .with_foot(Place::new("api", "API", "#api", "code"))
        .with_foot(Place::new("status", "Status", "#status", "activity"));
    site.demo = true;
    site.search_hint = "Search 10,482 packages".into();
    site
}

fn shell(path: &str, headers: &HeaderMap, signed_in: bool) -> Shell {
    let mut shell = Shell::new(Arc::new(site()), path, Clock::system().now());
    shell.theme = Theme::from_cookies(headers);
    shell.request_id = "0f3b9c4e5a6d7e8f90a1b2c3".into();
    shell.counts = vec![("packages", 12), ("tokens", 3)];
    if signed_in {
        shell.account =
            Some(SignedIn { username: "mira".into(), roles: vec!["publisher".into(), "admin".into()] });
    }
    shell
}

fn wave(n: usize, base: f64, swing: f64) -> Vec<f64> {
    (0..n)
        .map(|i| {
            let t = i as f64;
            base + swing * ((t / 9.0).sin() + 0.4 * (t / 2.3).sin() + t / n as f64)
        })
        .map(f64::round)
        .collect()
}

async fn thing(headers: HeaderMap) -> Response {
    let shell = shell("/", &headers, false)
        .page("@elide/http - Packages", "packages")
        .with_sheet(Sheet::Prose)
        .describe("HTTP server and client.");
    let tab = |label: &str, count: &str, current| Tab::new(label, "#", count, current);
    let part = |label: &str, weight_percent, value| ScorePart { label: label.into(), weight_percent, value };
    let name = "@elide/http";
    let page = Thing {
        published: shell.now.before(std::time::Duration::from_secs(3 * 86_400)),
        tabs: vec![
            tab("Readme", "", true),
            tab("Versions", "24", false),
            tab("Dependencies", "0", false),
            tab("Dependents", "1,204", false),
            tab("Security", "1", false),
            tab("Code", "", false),
        ],
        commands: vec![
            Command::new("npm", format!("npm install {name}")),
            Command::new("pnpm", format!("pnpm add {name}")),
            Command::new("yarn", format!("yarn add {name}")),
            Command::new("bun", format!("bun add {name}")),
        ],
        readme: face::markdown::render(README, None),
        score: Score {
            total: Some(92),
            parts: vec![
                part("Quality", 30, Some(88)),
                part("Popularity", 40, Some(95)),
                part("Maintenance", 30, Some(92)),
            ],
        },
        no_score: Score {
            total: None,
            parts: vec![
                part("Quality", 30, Some(71)),
                part("Popularity", 40, None),
                part("Maintenance", 30, None),
            ],
        },
        sparkline: sparkline(&wave(52, 9_100.0, 3_000.0), "Weekly downloads over one year, rising"),
        size: 48_230,
        shell,
    };
    face::html(&page.shell, &page)
}

async fn components(headers: HeaderMap) -> Response {
    let problem = Problem::invalid("token.invalid", "The token was not made. Two things need a change.")
        .field("/email", "Add the part after the dot, for example mira@example.org.")
        .field("/scope", "Choose at least one scope.");
    let mut shell = shell("/components", &headers, true).page("Components", "components");
    shell.flash = Some(Notice {
        kind: face::Kind::Ok,
        text: "Token removed.".into(),
        link: Some(("Undo".into(), "#".into())),
    });
    let page = Components {
        form: FormState::with(&[("email", "mira@example"), ("name", "Mira Haddad"), ("expires", "90d")])
            .failed(&problem),
        expiries: vec![
            Choice::new("30d", "In 30 days", ""),
            Choice::new("90d", "In 90 days", ""),
            Choice::new("never", "Never", ""),
        ],
        scopes: vec![
            Choice::new("read", "Read packages", "Install private packages."),
            Choice::new("publish", "Publish packages", "Add releases to packages you maintain."),
        ],
        pager: Pager::new("/components?", 4, 4, 4, 11),
        shell,
    };
    face::html(&page.shell, &page)
}

fn seats() -> Vec<SeatRow> {
    let seat = |row: &str, tier: u8, n: usize| {
        let is_free = !(n * 7 + row.len() + usize::from(tier)).is_multiple_of(5);
        let price = if tier == 1 { "$64.00" } else { "$42.00" };
        let words = format!("Row {row}, seat {n}, {}", if is_free { price } else { "taken" });
        Seat { value: format!("{row}{n}"), label: n.to_string(), words, tier, is_free, aisle_before: n == 7 }
    };
    let row = |(label, tier): (&str, u8)| SeatRow {
        label: label.into(),
        seats: (1..=12).map(|n| seat(label, tier, n)).collect(),
    };
    [("A", 1), ("B", 1), ("C", 2), ("D", 2)].map(row).into()
}

async fn market(headers: HeaderMap) -> Response {
    let shell = shell("/market", &headers, true).page("Market", "components").with_sheet(Sheet::Market);
    let seconds = std::time::Duration::from_secs;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let squares: String = (0..441)
        .filter(|i| (i * i + i / 21 * 5) % 3 == 0)
        .map(|i| format!("M{} {}h1v1h-1z", i % 21, i / 21))
        .collect();
    let page = Market {
        form: FormState::with(&[("way", "wallet"), ("seat", "A3"), ("seat", "A4")]),
        ends_at: shell.now.after(seconds(862)),
        ended_at: shell.now.before(seconds(5)),
        starts_at: shell.now.after(seconds(21 * 86_400)),
        steps: steps(&["Tickets", "Payment", "Done"], 1),
        lines: vec![
            OrderLine::new("Night of the Oud", "Row A, seats 3 and 4", "$128.00"),
            OrderLine::new("Fee", "", "$4.32"),
        ],
        receipt: vec![pair("Order", "order-0197a2"), pair("Paid by", "Wallet"), pair("Total", "$132.32")],
        ways: vec![
            Choice::new("wallet", "Wallet", "You have $240.00."),
            Choice::new("card", "Card ending in 4242", "Expires 12/29."),
        ],
        rows: seats(),
        tiers: vec!["Stalls, $64.00".into(), "Circle, $42.00".into()],
        code: Html::trusted(format!(
            r#"<svg viewBox="0 0 21 21" aria-hidden="true"><path d="{squares}"/></svg>"#
        )),
        shell,
    };
    face::html(&page.shell, &page)
}

async fn console(headers: HeaderMap) -> Response {
    let shell = shell("/console", &headers, true)
        .page("Downloads", "downloads")
        .crumb("Build", "/")
        .crumb("Downloads", "");
    let days: Vec<String> = (0..90).map(|day| Timestamp::from_day(20_500 + day).date()).collect();
    let chart = Chart {
        title: "Downloads a day".into(),
        summary: "Downloads a day over 90 days, rising from about 1,200 to 2,300.".into(),
        label_name: "Day".into(),
        labels: days,
        unit: String::new(),
        series: vec![Series { name: "Downloads".into(), values: wave(90, 1_200.0, 500.0), dashed: false }],
    };
    let times = Chart {
        title: "Answer times".into(),
        summary: "Half of all answers took about 20 ms, 95 of 100 at most 41 ms.".into(),
        unit: " ms".into(),
        series: vec![
            Series { name: "p50".into(), values: wave(90, 18.0, 2.0), dashed: false },
            Series { name: "p95".into(), values: wave(90, 33.0, 5.0), dashed: true },
        ],
        ..chart.clone()
    };
    let tab = |label: &str, current| Tab::new(label, "#", "", current);
    let page = Console {
        tabs: vec![tab("Overview", true), tab("Packages", false), tab("Countries", false)],
        sparkline: sparkline(&wave(40, 100.0, 60.0), "Rising"),
        downloads: chart.render(),
        times: times.render(),
        nothing: Chart { title: "Nothing".into(), ..Chart::default() }.render(),
        earlier: shell.now.before(std::time::Duration::from_secs(5_000)),
        shell,
    };
    face::html(&page.shell, &page)
}

async fn login(headers: HeaderMap) -> Response {
    let page =
        Login { shell: shell("/login", &headers, false).page("Sign in", ""), form: FormState::default() };
    face::html(&page.shell, &page)
}

async fn problem(Path(status): Path<u16>, headers: HeaderMap) -> Response {
    let problem = Problem::new(status, "gallery.shown", "There is no package named @elide/htpp.");
    face::pages::problem_page(&problem, &shell("/problem", &headers, false))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let app = Router::new()
        .route("/", get(thing))
        .route("/components", get(components).post(components))
        .route("/market", get(market).post(market))
        .route("/console", get(console))
        .route("/login", get(login))
        .route("/problem/{status}", get(problem))
        .merge(face::assets::routes());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
