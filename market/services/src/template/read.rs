//! From the tree to a template: which fields there are, and what must hold between them.

use std::time::Duration;

use containers::{Capability, Tmpfs};
use kernel::Currency;
use regex::bytes::RegexBuilder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{
    Fields, Flaws, bytes, duration, filled, flag, list, money, name, named, number, path, size, text,
    thousandths, word,
};
use super::yaml::{Flaw, Kind, Node, parse, to_json};
use super::{
    BackupRecipe, Category, Command, Exchange, Given, Health, MetricField, MetricSource, Metrics, Plan, Port,
    Pricing, Probe, Recipe, Rule, Setting, SettingKind, Sla, Template, VolumeRecipe,
};

/// What may stand in any text of a recipe beside its credentials.
const ALWAYS: [&str; 5] = ["deployment", "region", "plan.memoryMb", "plan.cpus", "plan.diskMb"];
/// What is known once it has an address.
const ADDRESS: [&str; 2] = ["host", "port"];
/// What else stands in a request for a deployment, so that no setting can be called so.
const TAKEN: [&str; 3] = ["tier", "region", "backupId"];
/// The password that held until now, while it is replaced.
pub(crate) const OLD: &str = "old.";

/// Which names may stand where.
struct Known<'a> {
    /// Where everybody can look: nothing secret.
    open: Vec<&'a str>,
    /// Where only the service can.
    secret: Vec<&'a str>,
    /// Where its owner can.
    owner: Vec<&'a str>,
    /// Where a new password is told.
    rotate: Vec<&'a str>,
}

/// Reads a file.
pub(super) fn template(source: &str) -> Result<Template, Vec<Flaw>> {
    let node = parse(source).map_err(|flaw| vec![flaw])?;
    let flaws = Flaws::default();
    let fields = Fields::of(&node, &flaws);
    let currency = fields.maybe("currency", word_currency).unwrap_or(Currency::USD);
    let id = fields.need("id", |node, flaws| {
        let text = text(60)(node, flaws);
        text.parse().map_or_else(
            |_| {
                flaws.add(node.line, "expected an id such as svc-postgres");
                None
            },
            Some,
        )
    });
    let settings = fields.maybe("settings", list(40, setting)).unwrap_or_default().into_iter().flatten();
    let settings: Vec<Setting> = settings.collect();
    let template = Template {
        digest: hex::encode(Sha256::digest(source.as_bytes())),
        source: source.to_owned(),
        id: id.unwrap_or_else(crate::ServiceId::fresh),
        slug: fields.need("slug", name),
        name: fields.need("name", text(60)),
        category: fields.need("category", word::<Category>("expected database, ml, api, storage or compute")),
        summary: fields.need("summary", text(200)),
        description: fields.need("description", text(8000)),
        icon: fields.need("icon", name),
        versions: fields.need("versions", list(20, text(40))),
        regions: fields.need("regions", list(50, name)),
        sla: fields.need("sla", sla),
        plans: fields.need("plans", list(20, move |node, flaws| plan(node, flaws, currency))),
        seller: fields.maybe("seller", name),
        recipe: recipe(&fields, &settings),
        settings,
    };
    agree(&template, fields.line(), &flaws);
    fields.end();
    let flaws = flaws.into_sorted();
    if flaws.is_empty() { Ok(template) } else { Err(flaws) }
}

/// What no field can say alone.
fn agree(template: &Template, line: usize, flaws: &Flaws) {
    if template.plans.is_empty() {
        flaws.add(line, "`plans` needs at least one plan");
    }
    if template.regions.is_empty() {
        flaws.add(line, "`regions` needs at least one region");
    }
    for (index, setting) in template.settings.iter().enumerate() {
        if template.settings[..index].iter().any(|other| other.name == setting.name) {
            flaws.add(line, format!("two settings are called `{}`", setting.name));
        }
    }
    for (index, plan) in template.plans.iter().enumerate() {
        if template.plans[..index].iter().any(|other| other.id == plan.id) {
            flaws.add(line, format!("two plans have the id `{}`", plan.id));
        }
        if template.recipe.volume.is_some() != (plan.disk_bytes > 0) {
            flaws.add(line, format!("the plan `{}` needs `disk` exactly where there is a `volume`", plan.id));
        }
    }
}

fn word_currency(node: &Node, flaws: &Flaws) -> Currency {
    text(3)(node, flaws).parse().unwrap_or_else(|_| {
        flaws.add(node.line, "expected a currency of ISO 4217 such as USD");
        Currency::USD
    })
}

fn sla(node: &Node, flaws: &Flaws) -> Sla {
    let fields = Fields::of(node, flaws);
    let sla = Sla {
        uptime: fields.need("uptime", thousandths),
        response_ms: fields.need("responseTime", number(1, 600_000)),
        support: fields.need("support", text(60)),
    };
    fields.end();
    sla
}

fn plan(node: &Node, flaws: &Flaws, currency: Currency) -> Plan {
    let fields = Fields::of(node, flaws);
    let plan = Plan {
        id: fields.need("id", name),
        name: fields.need("name", text(40)),
        pricing: fields.need("pricing", |node, flaws| pricing(node, flaws, currency)),
        currency,
        cpu_millis: fields.need("cpu", thousandths),
        memory_bytes: fields.need("memory", size),
        disk_bytes: fields.maybe("disk", size).unwrap_or(0),
        pids: fields.maybe("pids", number(8, 10_000)).unwrap_or(200),
        features: fields.maybe("features", list(20, text(100))).unwrap_or_default(),
    };
    if plan.cpu_millis == 0 {
        flaws.add(node.line, "`cpu` must be above zero");
    }
    if plan.memory_bytes < 16 << 20 {
        flaws.add(node.line, "`memory` must be 16 MiB at least");
    }
    if (1..16 << 20).contains(&plan.disk_bytes) {
        flaws.add(node.line, "`disk` must be 16 MiB at least");
    }
    fields.end();
    plan
}

fn pricing(node: &Node, flaws: &Flaws, currency: Currency) -> Pricing {
    if matches!(&node.kind, Kind::Text { text, .. } if text == "free") {
        return Pricing::Free;
    }
    let fields = Fields::of(node, flaws);
    let month = fields.maybe("perMonth", money(currency));
    let hours = fields.maybe("perThousandHours", money(currency));
    fields.end();
    match (month, hours) {
        (Some(month_minor), None) => Pricing::Subscription { month_minor },
        (None, Some(thousand_hours_minor)) => Pricing::Usage { thousand_hours_minor },
        _ => {
            flaws.add(node.line, "expected `free`, or one of `perMonth` and `perThousandHours`");
            Pricing::Free
        }
    }
}

/// A setting; none where its kind is none.
fn setting(node: &Node, flaws: &Flaws) -> Option<Setting> {
    let fields = Fields::of(node, flaws);
    let name = fields.need("name", text(40));
    let plain =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    if !plain || TAKEN.contains(&name.as_str()) {
        flaws.add(
            node.line,
            format!("`name` is of letters and digits, begins small, and is none of {}", TAKEN.join(", ")),
        );
    }
    let (title, help) = (fields.need("title", text(60)), fields.maybe("help", text(300)).unwrap_or_default());
    let required = fields.maybe("required", flag).unwrap_or(false);
    let secret = fields.maybe("secret", flag).unwrap_or(false);
    let default = fields.maybe("default", |node, _| (node.line, raw(node)));
    let kind = setting_kind(&fields, node.line, flaws);
    fields.end();
    let mut setting = Setting { name, title, help, kind: kind?, required, default: None, secret };
    if let Some((line, value)) = default {
        match setting.read(&value) {
            Ok(value) => setting.default = Some(value),
            Err(words) => flaws.add(line, words),
        }
        if required {
            flaws.add(line, "what is `required` has no `default`");
        }
    }
    Some(setting)
}

/// A value as it stands there: words stay texts, since the kind says how they are read.
fn raw(node: &Node) -> Value {
    match &node.kind {
        Kind::Text { text, .. } => Value::from(text.as_str()),
        _ => to_json(node),
    }
}

fn setting_kind(fields: &Fields<'_>, line: usize, flaws: &Flaws) -> Option<SettingKind> {
    let (min, max) = (fields.maybe("min", whole), fields.maybe("max", whole));
    let (min, max) = (min.unwrap_or(0), max.unwrap_or(i64::from(i32::MAX)));
    let options = fields.maybe("options", list(100, text(100))).unwrap_or_default();
    let pattern = fields.maybe("pattern", regex).flatten();
    let max_length = fields.maybe("maxLength", number(1, 65_536)).unwrap_or(1000);
    let multiline = fields.maybe("multiline", flag).unwrap_or(false);
    let max_bytes = fields.maybe("maxBytes", number(2, 131_072)).unwrap_or(64 << 10);
    match fields.need("kind", name).as_str() {
        "text" => Some(SettingKind::Text { pattern, max_length, multiline }),
        "number" if min <= max => Some(SettingKind::Number { min, max }),
        "choice" if !options.is_empty() => Some(SettingKind::Choice(options)),
        "toggle" => Some(SettingKind::Toggle),
        "document" => Some(SettingKind::Document { max_bytes }),
        "number" => {
            flaws.add(line, "`min` is at most `max`");
            None
        }
        "choice" => {
            flaws.add(line, "a choice needs `options`");
            None
        }
        _ => {
            flaws.add(line, "`kind` is text, number, choice, toggle or document");
            None
        }
    }
}

fn whole(node: &Node, flaws: &Flaws) -> i64 {
    word::<i64>("expected a whole number")(node, flaws)
}

fn regex(node: &Node, flaws: &Flaws) -> Option<regex::Regex> {
    let built = regex::RegexBuilder::new(&text(300)(node, flaws)).size_limit(1 << 18).build();
    built.map_err(|error| flaws.add(node.line, error.to_string())).ok()
}

fn recipe(fields: &Fields<'_>, settings: &[Setting]) -> Recipe {
    let credentials = fields.maybe("credentials", named(12, rule)).unwrap_or_default();
    let names: Vec<&str> = credentials.iter().map(|(name, _)| name.as_str()).collect();
    let old: Vec<String> = names.iter().map(|name| format!("{OLD}{name}")).collect();
    let fitting = settings.iter().filter(|setting| setting.kind.fits_texts());
    let fitting: Vec<(String, bool)> =
        fitting.map(|setting| (format!("settings.{}", setting.name), setting.secret)).collect();
    let open = credentials.iter().filter(|(_, rule)| !rule.is_secret()).map(|(name, _)| name.as_str());
    let open = open.chain(fitting.iter().filter(|(_, secret)| !secret).map(|(name, _)| name.as_str()));
    let open: Vec<&str> = open.chain(ALWAYS).collect();
    let secret = names.iter().copied().chain(fitting.iter().map(|(name, _)| name.as_str()));
    let secret: Vec<&str> = secret.chain(ALWAYS).collect();
    let owner = secret.iter().copied().chain(ADDRESS).collect();
    let rotate = secret.iter().copied().chain(old.iter().map(String::as_str)).collect();
    let known = Known { open, secret, owner, rotate };
    let (uri, example) = fields.need("connection", |node, flaws| connection(node, flaws, &known));
    let (stop_signal, stop_grace) = fields.maybe("stop", stop).unwrap_or((None, Duration::from_secs(10)));
    Recipe {
        image: fields
            .need("image", |node, flaws| Some(image(node, flaws, settings)))
            .unwrap_or_else(|| Given::Here(String::new())),
        image_from: fields.maybe("imageFrom", text(300)).unwrap_or_default(),
        port: fields.need("port", |node, flaws| port(node, flaws, settings)),
        command: fields.maybe("command", |node, flaws| {
            given(node, flaws, settings, is_document, list(50, filled(&known.open)))
        }),
        env: fields
            .maybe("env", |node, flaws| {
                given(node, flaws, settings, is_document, named(50, filled(&known.open)))
            })
            .unwrap_or_else(|| Given::Here(Vec::new())),
        user: fields.maybe("user", name),
        read_only_root: fields.maybe("readOnlyRoot", flag).unwrap_or(false),
        tmpfs: fields.maybe("tmpfs", list(8, tmpfs)).unwrap_or_default(),
        volume: fields.maybe("volume", volume),
        capabilities: fields
            .maybe("capabilities", list(6, capability))
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .collect(),
        secrets: fields.maybe("secrets", named(12, filled(&known.secret))).unwrap_or_default(),
        uri: uri.unwrap_or_else(nothing),
        example: example.unwrap_or_else(nothing),
        health: fields.need("health", |node, flaws| health(node, flaws, &known, settings)),
        metrics: fields.maybe("metrics", |node, flaws| metrics(node, flaws, &known)),
        stop_signal,
        stop_grace,
        backup: fields.maybe("backup", |node, flaws| backup(node, flaws, &known)),
        rotate: fields.maybe("rotate", |node, flaws| command(node, flaws, &known.open, &known.rotate)),
        credentials,
    }
}

fn nothing() -> super::Text {
    super::Text::default()
}

/// The setting whose value stands here alone, as `{{settings.NAME}}`; none where something else does.
fn chosen<'a>(node: &Node, flaws: &Flaws, settings: &'a [Setting]) -> Option<&'a Setting> {
    let Kind::Text { text, .. } = &node.kind else { return None };
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim().strip_prefix("settings.")?;
    let found = settings.iter().find(|setting| setting.name == name);
    if found.is_none() {
        flaws.add(node.line, format!("there is no setting `{name:.40}`"));
    }
    found
}

/// What stands here, or the setting of a fitting kind whose value stands here alone.
fn given<T>(
    node: &Node,
    flaws: &Flaws,
    settings: &[Setting],
    fits: impl Fn(&SettingKind) -> bool,
    read: impl FnOnce(&Node, &Flaws) -> T,
) -> Given<T> {
    let Some(setting) = chosen(node, flaws, settings) else { return Given::Here(read(node, flaws)) };
    if setting.secret || !fits(&setting.kind) {
        let name = &setting.name;
        flaws.add(node.line, format!("the setting `{name}` has another kind than fits here, or is secret"));
    }
    Given::Chosen(setting.name.clone())
}

fn is_document(kind: &SettingKind) -> bool {
    matches!(kind, SettingKind::Document { .. })
}

fn image(node: &Node, flaws: &Flaws, settings: &[Setting]) -> Given<String> {
    if let Some(setting) = chosen(node, flaws, settings) {
        if !matches!(setting.kind, SettingKind::Text { .. }) || setting.secret || !setting.required {
            flaws.add(
                node.line,
                "an image is chosen by a required setting of the kind text that is not secret",
            );
        }
        return Given::Chosen(setting.name.clone());
    }
    let image = text(255)(node, flaws);
    if image.starts_with('-') || !image.bytes().all(|b| b.is_ascii_graphic()) {
        flaws.add(node.line, "expected a reference of an image such as fondaco/postgres:15");
    }
    Given::Here(image)
}

fn port_number(node: &Node, flaws: &Flaws, settings: &[Setting]) -> Given<u16> {
    if let Some(setting) = chosen(node, flaws, settings) {
        let fits = matches!(setting.kind, SettingKind::Number { min: 1.., max: ..=65_535 });
        if !fits || !(setting.required || setting.default.is_some()) {
            flaws.add(
                node.line,
                "a port is chosen by a setting of the kind number, from 1 to 65535, that is required or has a default",
            );
        }
        return Given::Chosen(setting.name.clone());
    }
    Given::Here(u16::try_from(number(1, 65_535)(node, flaws)).unwrap_or(0))
}

fn port(node: &Node, flaws: &Flaws, settings: &[Setting]) -> Port {
    let fields = Fields::of(node, flaws);
    let number = fields.need("number", |node, flaws| Some(port_number(node, flaws, settings)));
    let port = Port {
        name: fields.need("name", name),
        number: number.unwrap_or(Given::Here(0)),
        protocol: fields.need("protocol", name),
    };
    if !["tcp", "http"].contains(&port.protocol.as_str()) {
        flaws.add(node.line, "`protocol` is tcp or http");
    }
    fields.end();
    port
}

fn tmpfs(node: &Node, flaws: &Flaws) -> Tmpfs {
    let fields = Fields::of(node, flaws);
    let tmpfs = Tmpfs { path: fields.need("path", path), size_bytes: fields.need("size", size) };
    fields.end();
    tmpfs
}

fn volume(node: &Node, flaws: &Flaws) -> VolumeRecipe {
    let fields = Fields::of(node, flaws);
    let volume = VolumeRecipe { path: fields.need("path", path), template: fields.maybe("template", path) };
    fields.end();
    volume
}

fn capability(node: &Node, flaws: &Flaws) -> Option<Capability> {
    use Capability::{Chown, DacOverride, Fowner, NetBindService, Setgid, Setuid};
    let word = name(node, flaws);
    let all = [Chown, DacOverride, Fowner, Setuid, Setgid, NetBindService];
    let found = all.into_iter().find(|known| known.as_str() == word);
    if found.is_none() {
        flaws.add(node.line, format!("expected one of {}", all.map(Capability::as_str).join(", ")));
    }
    found
}

fn rule(node: &Node, flaws: &Flaws) -> Rule {
    if matches!(node.kind, Kind::Text { .. }) {
        return Rule::Fixed(text(200)(node, flaws));
    }
    let fields = Fields::of(node, flaws);
    let kind = fields.need("generate", name);
    let rule = match kind.as_str() {
        "name" => Rule::Name { prefix: fields.maybe("prefix", name).unwrap_or_default() },
        "password" => {
            Rule::Password { length: fields.maybe("length", number(16, 128)).unwrap_or(32) as usize }
        }
        _ => {
            flaws.add(node.line, "`generate` is name or password");
            Rule::default()
        }
    };
    fields.end();
    rule
}

type Texts = (Option<super::Text>, Option<super::Text>);

fn connection(node: &Node, flaws: &Flaws, known: &Known<'_>) -> Texts {
    let fields = Fields::of(node, flaws);
    let uri = fields.need("uri", |node, flaws| Some(filled(&known.owner)(node, flaws)));
    let example = fields.need("example", |node, flaws| Some(filled(&known.owner)(node, flaws)));
    fields.end();
    (uri, example)
}

fn stop(node: &Node, flaws: &Flaws) -> (Option<String>, Duration) {
    let fields = Fields::of(node, flaws);
    let stop = (fields.maybe("signal", name), fields.need("grace", duration));
    fields.end();
    stop
}

fn command(node: &Node, flaws: &Flaws, open: &[&str], secret: &[&str]) -> Command {
    let fields = Fields::of(node, flaws);
    let command = Command {
        argv: fields.need("argv", list(100, filled(open))),
        stdin: fields.maybe("stdin", filled(secret)),
        user: fields.maybe("user", name),
    };
    if command.argv.is_empty() {
        flaws.add(node.line, "`argv` needs a program");
    }
    fields.end();
    command
}

fn health(node: &Node, flaws: &Flaws, known: &Known<'_>, settings: &[Setting]) -> Health {
    let fields = Fields::of(node, flaws);
    let talk =
        fields.maybe("talk", list(8, exchange)).map(|talk| Probe::Talk(talk.into_iter().flatten().collect()));
    let tcp = fields.maybe("tcp", flag).map(|_| Probe::Tcp);
    let http = fields.maybe("http", |node, flaws| {
        let is_text = |kind: &SettingKind| matches!(kind, SettingKind::Text { .. });
        Probe::Http(given(node, flaws, settings, is_text, http_path))
    });
    let exec = fields.maybe("exec", |node, flaws| command(node, flaws, &known.open, &known.secret));
    let probes: Vec<Probe> = [talk, tcp, http, exec.map(Probe::Exec)].into_iter().flatten().collect();
    if probes.len() != 1 {
        flaws.add(node.line, "expected one of `talk`, `tcp`, `http` and `exec`");
    }
    let health = Health {
        probe: probes.into_iter().next().unwrap_or_default(),
        interval: fields.maybe("interval", duration).unwrap_or(Duration::from_secs(5)),
        start_timeout: fields.maybe("startTimeout", duration).unwrap_or(Duration::from_secs(60)),
    };
    fields.end();
    health
}

/// A path, alone or as `path` in a table.
fn http_path(node: &Node, flaws: &Flaws) -> String {
    if matches!(node.kind, Kind::Text { .. }) {
        return path(node, flaws);
    }
    let fields = Fields::of(node, flaws);
    let path = fields.need("path", path);
    fields.end();
    path
}

fn metrics_source(fields: &Fields<'_>, line: usize, flaws: &Flaws, known: &Known<'_>) -> MetricSource {
    let exec = fields.maybe("exec", |node, flaws| command(node, flaws, &known.open, &known.secret));
    let http = fields.maybe("http", |node, flaws| {
        let fields = Fields::of(node, flaws);
        let source = MetricSource::Http {
            path: fields.need("path", path),
            bearer: fields.maybe("bearer", filled(&known.secret)),
        };
        fields.end();
        source
    });
    let sources: Vec<MetricSource> = exec.map(MetricSource::Exec).into_iter().chain(http).collect();
    if sources.len() != 1 {
        flaws.add(line, "expected one of `exec` and `http`");
    }
    sources.into_iter().next().unwrap_or_default()
}

fn exchange(node: &Node, flaws: &Flaws) -> Option<Exchange> {
    let fields = Fields::of(node, flaws);
    let send = fields.maybe("send", bytes).unwrap_or_default();
    let expect = fields.need("expect", |node, flaws| {
        let mut builder = RegexBuilder::new(&text(200)(node, flaws));
        let regex = builder.unicode(false).dot_matches_new_line(true).size_limit(1 << 18).build();
        regex.map_err(|error| flaws.add(node.line, error.to_string())).ok()
    });
    fields.end();
    expect.map(|expect| Exchange { send, expect })
}

fn metrics(node: &Node, flaws: &Flaws, known: &Known<'_>) -> Metrics {
    let fields = Fields::of(node, flaws);
    let metrics = Metrics {
        source: metrics_source(&fields, node.line, flaws, known),
        every: fields.maybe("every", duration).unwrap_or(Duration::from_secs(15)),
        fields: fields.need("fields", list(20, metric)),
    };
    fields.end();
    metrics
}

fn metric(node: &Node, flaws: &Flaws) -> MetricField {
    let fields = Fields::of(node, flaws);
    let kind = fields.need("kind", name);
    if !["counter", "gauge"].contains(&kind.as_str()) {
        flaws.add(node.line, "`kind` is counter or gauge");
    }
    let metric = MetricField {
        name: fields.need("name", name),
        from: fields.need("from", text(100)),
        counter: kind == "counter",
    };
    fields.end();
    metric
}

fn backup(node: &Node, flaws: &Flaws, known: &Known<'_>) -> BackupRecipe {
    let fields = Fields::of(node, flaws);
    let read = |node: &Node, flaws: &Flaws| command(node, flaws, &known.open, &known.secret);
    let backup = BackupRecipe {
        dump: fields.need("dump", read),
        restore: fields.need("restore", read),
        verify: fields.need("verify", read),
    };
    fields.end();
    backup
}
