//! The table of settings: the one place that names a key, its kind, default, seed alias and purpose. The loader,
//! `fondaco check` and `fondaco.example.toml` are made from it.

use std::net::IpAddr;

use toml::Value;

use super::units::{parse_duration, parse_size};

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown; also read from the file that `…_FILE` names.
    Secret,
    /// A file or folder.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number between these bounds.
    Count(i64, i64),
    /// An IP address.
    Address,
    /// An `http` or `https` address without query.
    Url,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Several of these words.
    Choices(&'static [&'static str]),
    /// Several texts.
    List,
    /// A duration, see [`parse_duration`].
    Duration,
    /// A size in bytes, see [`parse_size`].
    Size,
    /// A list of tables; in the environment as JSON.
    Tables,
}

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// `section.key`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds when nothing is set, as it would stand in the environment; `None` leaves it unset.
    pub default: Option<&'static str>,
    /// Other names in the environment, of the seed or of common tools.
    pub aliases: &'static [&'static str],
    /// What it does, in a sentence or two.
    pub purpose: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: Option<&'static str>, purpose: &'static str) -> Key {
    Key { name, kind, default, aliases: &[], purpose }
}

impl Key {
    const fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Its own name in the environment: `server.web_port` is `FONDACO_SERVER__WEB_PORT`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("FONDACO_{}", self.name.replace('.', "__").to_ascii_uppercase())
    }
}

/// The roles that a process can have, see [`super::Role`].
pub(super) const ROLES: &[&str] = &["api", "registry", "web", "orchestrator", "worker"];
const PORT: Kind = Kind::Count(0, 65_535);
const ANY: i64 = i64::MAX;

/// Every setting, in the order of `fondaco.example.toml`.
pub static KEYS: &[Key] = &[
    key("server.data_dir", Kind::Path, Some("./fondaco-data"), "Where everything is kept that is not kept elsewhere.")
        .alias(&["FONDACO_DATA_DIR", "STATE_DIRECTORY"]),
    key("server.listen", Kind::Address, Some("127.0.0.1"), "The address to listen on; 0.0.0.0 is every one of this machine."),
    key("server.api_port", PORT, Some("3000"), "Port of the API. 0 picks a free one, here and below.").alias(&["PORT"]),
    key("server.services_port", PORT, Some("3001"), "Port of the services API.").alias(&["MARKETPLACE_PORT"]),
    key("server.orchestrator_port", PORT, Some("3002"), "Port of the orchestrator.").alias(&["ORCHESTRATOR_PORT"]),
    key("server.registry_port", PORT, Some("4873"), "Port of the package registries.").alias(&["REGISTRY_PORT"]),
    key("server.web_port", PORT, Some("8080"), "Port of the web interface.").alias(&["DASHBOARD_PORT"]),
    key("server.roles", Kind::Choices(ROLES), Some("api,registry,web,orchestrator,worker"), "What this process does. Several processes may share the work on PostgreSQL and object storage."),
    key("server.public_url", Kind::Url, None, "Where people reach the web interface; stands in mails and links. The web listener's own address where unset."),
    key("server.trusted_hops", Kind::Count(0, 16), Some("0"), "How many proxies of yours stand in front: that many last entries of X-Forwarded-For are believed."),
    key("server.cors_origins", Kind::List, Some(""), "Origins whose scripts may call the API with a token."),
    key("server.shutdown_grace", Kind::Duration, Some("30s"), "How long running requests may take to finish after SIGTERM."),
    key("database.path", Kind::Path, None, "The embedded database's file; fondaco.db in the data folder where unset.").alias(&["DATABASE_PATH"]),
    key("database.url", Kind::Secret, None, "A PostgreSQL server instead: postgres://user:password@host:5432/name.").alias(&["DATABASE_URL"]),
    key("database.connections", Kind::Count(1, 500), Some("16"), "How many connections to PostgreSQL are opened at the most."),
    key("database.readers", Kind::Count(1, 64), Some("4"), "How many threads read from the embedded database beside the one that writes."),
    key("storage.folder", Kind::Path, None, "Where files are kept; the folder blobs in the data folder where unset."),
    key("storage.bucket", Kind::Text, None, "A bucket of S3-compatible object storage instead.").alias(&["STORAGE_BUCKET"]),
    key("storage.prefix", Kind::Text, Some(""), "What goes before every name in the bucket."),
    key("storage.endpoint", Kind::Url, None, "Where the object storage is, unless it is AWS.").alias(&["AWS_ENDPOINT_URL"]),
    key("storage.region", Kind::Text, Some("us-east-1"), "Its region.").alias(&["AWS_REGION"]),
    key("storage.path_style", Kind::Flag, Some("true"), "Whether the bucket stands in the path (endpoint/bucket) rather than in the host."),
    key("storage.access_key", Kind::Secret, None, "Access key; without one the machine's own role is asked for.").alias(&["AWS_ACCESS_KEY_ID"]),
    key("storage.secret_key", Kind::Secret, None, "Secret key.").alias(&["AWS_SECRET_ACCESS_KEY"]),
    key("storage.cache", Kind::Size, Some("32MB"), "How much memory small files may take that were read before."),
    key("auth.jwt_secret", Kind::Secret, None, "What signs short-lived tokens, at least 32 characters. Made and kept in the data folder where unset; set it where several processes share the work.").alias(&["JWT_SECRET"]),
    key("auth.encryption_keys", Kind::Secret, None, "What seals secrets that are kept in the database, such as those of webhooks: long random texts with a comma between; the first seals, all open. Made and kept in the data folder where unset; set it where several processes share the work."),
    key("auth.token_expiry", Kind::Duration, Some("7d"), "How long a signed token of a sign-in is valid.").alias(&["TOKEN_EXPIRY"]),
    key("auth.registration", Kind::Choice(&["open", "closed"]), Some("open"), "Who may make an account: everybody, or nobody but the operator."),
    key("mail.smtp_host", Kind::Text, None, "The mail server. Mail is written to the folder mail in the data folder where unset.").alias(&["SMTP_HOST"]),
    key("mail.smtp_port", Kind::Count(1, 65_535), Some("587"), "Its port.").alias(&["SMTP_PORT"]),
    key("mail.smtp_user", Kind::Text, None, "The user to sign in to it as.").alias(&["SMTP_USER"]),
    key("mail.smtp_password", Kind::Secret, None, "That user's password.").alias(&["SMTP_PASS"]),
    key("mail.smtp_tls", Kind::Choice(&["auto", "implicit", "starttls", "plain"]), Some("auto"), "How the connection is encrypted; auto is implicit on port 465, plain to this machine itself and starttls elsewhere."),
    key(
        "mail.smtp_authority_file",
        Kind::Path,
        None,
        "A PEM file with the certificate authority of the mail server, if it is none that the world knows.",
    ),
    key("mail.from", Kind::Text, Some("Fondaco <fondaco@localhost>"), "The sender of every mail."),
    key("registry.public_url", Kind::Url, None, "Where package clients reach the registry listener. Its own address where unset."),
    key("registry.cdn_url", Kind::Url, None, "Where clients load package files from, when a content delivery network stands in front.").alias(&["CDN_URL"]),
    key("registry.max_upload", Kind::Size, Some("128MB"), "The largest package file."),
    key("registry.unpublish_window", Kind::Duration, Some("72h"), "How long after its publication a release can be removed by its maintainers; 0s forbids it."),
    key("registry.local_only", Kind::List, Some(""), "These are never looked up in an uplink: name, @scope, @scope/name, prefix-*."),
    key("registry.allow", Kind::List, Some(""), "If set, only these are taken from uplinks: name, @scope, prefix-*, name@range."),
    key("registry.block", Kind::List, Some(""), "These are never taken from uplinks: name, @scope, prefix-*, name@range."),
    key("registry.minimum_release_age", Kind::Duration, Some("0s"), "How old a release of an uplink must be to be offered."),
    key("registry.uplink_cache", Kind::Size, Some("20GB"), "How much room package files of uplinks may take; those that nobody asked for the longest time go first."),
    key("registry.uplinks", Kind::Tables, None, "Upstream registries that are proxied and cached: one table for each."),
    key("webhooks.private_hosts", Kind::List, Some(""), "Hosts (names or addresses as they stand in a URL) that webhooks may call in a private network, and without https."),
    key("services.docker_socket", Kind::Path, Some("/var/run/docker.sock"), "The socket of the Docker engine that deployments run on. Where none answers, everything but deployments works."),
    key("services.disks", Kind::Flag, Some("true"), "Whether what a deployment keeps is a disk with a hard limit of its own, which needs root and loop devices. Where that cannot be, it is a folder without a limit."),
    key("services.templates", Kind::Path, None, "A folder with YAML files of services of yours, beside those of the program."),
    key("services.host", Kind::Text, Some("127.0.0.1"), "The name or address under which deployments are reached; {id} in it becomes the deployment's id."),
    key("services.listen", Kind::Address, Some("127.0.0.1"), "The address that their ports are opened at; 0.0.0.0 is every one of this machine."),
    key("services.ports", Kind::Text, Some("20000-29999"), "The first and the last port of deployments."),
    key("services.subnets", Kind::Text, Some("10.208.0.0/12"), "From where the networks of accounts get their addresses, 256 each."),
    key("services.paid", Kind::Choice(&["needed", "off"]), Some("needed"), "Whether plans with a price must be bought; off gives them to everybody for nothing."),
    key("services.free_deployments", Kind::Count(0, 10_000), Some("1"), "How many deployments of free plans an account may have running."),
    key("services.undo", Kind::Duration, Some("1d"), "How long the removal of a deployment can be undone."),
    key("services.seller", Kind::Text, None, "The name of the account or organisation that sells services whose template names no other; the first administrator where unset."),
    key("services.grace", Kind::Duration, Some("7d"), "How long a deployment that is not paid any more is kept, stopped, before it is deleted."),
    key("services.at_once", Kind::Count(1, 64), Some("8"), "How many deployments are worked on at once."),
    key("services.hosted_images", Kind::List, Some(""), "Which images buyers may choose for services that let them: references with * for any characters, such as fondaco/*. They are fetched where they are missing. Those of a demo: fondaco/*."),
    key("services.warm", Kind::List, Some(""), "What runs before anybody wants it, as service:plan:count such as postgres-managed:free:2: who deploys that plan with its usual settings and region is given one that serves already. Each takes the memory and disk of its plan."),
    key("services.egress", Kind::Choice(&["none", "open"]), Some("none"), "Whether deployments reach the internet; with none they reach those of their own account alone. With open, private and link-local addresses stay closed as far as the machine's packet filter can be set, and each deployment moves over when it is next looked at."),
    key("services.relay", Kind::Choice(&["detached", "embedded"]), Some("detached"), "Whether connections to deployments go through a process of its own, which goes on while the server is started again, or through the server itself."),
    key("services.relay_idle", Kind::Duration, Some("10m"), "How long that process goes on without deployments and without a server."),
    key("payments.sandbox", Kind::Flag, Some("false"), "Whether test cards are taken: payments in which no money moves, clearly marked as such. On in a demo without Stripe."),
    key("payments.stripe_key", Kind::Secret, None, "Stripe's secret key (sk_ or rk_): with it, payments go through Stripe.").alias(&["STRIPE_API_KEY"]),
    key("payments.stripe_publishable_key", Kind::Text, None, "Stripe's publishable key (pk_), which the pay page needs in the browser."),
    key("payments.stripe_webhook_secret", Kind::Secret, None, "The secret (whsec_) of the webhook endpoint /api/payments/webhook at Stripe; several with a comma between, while one is replaced."),
    key("payments.stripe_url", Kind::Url, None, "Where Stripe is, for emulators. Its own address where unset."),
    key("wallet.currencies", Kind::List, Some("USD,EUR"), "The currencies in which there are wallets, the usual one first. Money in one that is taken off the list stays where it is."),
    key("wallet.min_top_up", Kind::Count(1, 1_000_000), Some("5"), "The smallest top-up of a wallet, in whole units of its currency."),
    key("wallet.max_top_up", Kind::Count(1, 1_000_000), Some("2000"), "The largest top-up of a wallet, in whole units of its currency."),
    key("wallet.max_balance", Kind::Count(1, 100_000_000), Some("10000"), "The most that a wallet may be topped up to, in whole units of its currency."),
    key("orders.hold_seconds", Kind::Count(1, 86_400), Some("900"), "How long an order is held until it must be paid, in seconds, where the seller did not say."),
    key("orders.extension_seconds", Kind::Count(0, 86_400), Some("300"), "By how much a buyer can prolong that once, in seconds, where the seller did not say; 0 forbids it."),
    key("orders.fee_basis_points", Kind::Count(0, 10_000), Some("1000"), "The market's part of sales, in hundredths of a percent, where no rule at /operator/fees says otherwise."),
    key("billing.retry_days", Kind::List, Some("1,3,5,7"), "How many days after an invoice of a subscription was made its payment is tried again: 1 to 27 each."),
    key("billing.grace_days", Kind::Count(1, 27), Some("10"), "For how many days a subscription goes on that is not paid; then it ends."),
    key("billing.refund_unused", Kind::Flag, Some("false"), "Whether a buyer who leaves at once gets the unused part of the period back, where the seller did not say."),
    key("billing.usage_late", Kind::Duration, Some("1d"), "How old a usage record may be that a seller reports."),
    key("settlement.maturity", Kind::Duration, Some("7d"), "How long after a sale its money can be paid out to the seller: the time for refunds and disputes."),
    key("payouts.minimum", Kind::Count(0, 1_000_000), Some("10"), "The least that is paid out to a seller at once, in whole units of each currency."),
    key("limits.rates", Kind::Choice(&["on", "off"]), Some("on"), "Whether the requests of one client address are limited at all."),
    key("limits.api_per_minute", Kind::Count(1, ANY), Some("1200"), "Requests to the API."),
    key("limits.registry_per_minute", Kind::Count(1, ANY), Some("30000"), "Requests to the registries; one install makes hundreds."),
    key("limits.web_per_minute", Kind::Count(1, ANY), Some("1200"), "Requests to the web interface."),
    key("log.format", Kind::Choice(&["auto", "text", "json"]), Some("auto"), "auto is text on a terminal and JSON lines elsewhere."),
    key("log.level", Kind::Text, Some("info"), "error, warn, info, debug or trace; also per module: info,registry=debug."),
    key("branding.name", Kind::Text, Some("Fondaco"), "What this instance calls itself on pages and in mails."),
];

/// Names of the seed that are accepted although nothing in this version uses them, with why.
pub(super) const UNUSED: &[(&str, &str)] = &[
    ("REGISTRY_DATABASE_PATH", "one database is used for everything; this one is not opened"),
    ("BILLING_EMAIL", "this version sends no invoices"),
];

impl Kind {
    /// Reads a value as it stands in the environment or behind a flag.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Flag => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
                _ => Err("write true or false".to_owned()),
            },
            Self::Count(..) => {
                let number = text.parse().map_err(|_| format!("`{text}` is no whole number"))?;
                self.accept(Value::Integer(number))
            }
            Self::List | Self::Choices(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                self.accept(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
            Self::Tables => {
                let value: Value =
                    serde_json::from_str(text).map_err(|error| format!("this is no JSON list: {error}"))?;
                self.accept(value)
            }
            _ => self.accept(Value::String(text.to_owned())),
        }
    }

    /// Checks a value as it stands in the file.
    ///
    /// # Errors
    /// What to write instead.
    pub fn accept(self, value: Value) -> Result<Value, String> {
        match (self, &value) {
            (Self::Count(least, most), Value::Integer(number)) if (least..=most).contains(number) => {
                Ok(value)
            }
            (Self::Count(least, ANY), Value::Integer(_)) => Err(format!("write {least} or more")),
            (Self::Count(least, most), _) => Err(format!("write a whole number from {least} to {most}")),
            (Self::Flag, Value::Boolean(_)) => Ok(value),
            (Self::Flag, _) => Err("write true or false".to_owned()),
            (Self::List, Value::Array(items)) if items.iter().all(Value::is_str) => Ok(value),
            (Self::Choices(words), Value::Array(items)) if !items.is_empty() => items
                .iter()
                .try_for_each(|item| choice(words, item.as_str().unwrap_or_default()))
                .map(|()| value),
            (Self::List | Self::Choices(_), _) => Err("write a list of texts: [\"one\", \"two\"]".to_owned()),
            (Self::Tables, Value::Array(items)) if items.iter().all(Value::is_table) => Ok(value),
            (Self::Tables, _) => Err("write a list of tables".to_owned()),
            // A bare number of seconds or bytes may stand without quotes.
            (Self::Duration | Self::Size, Value::Integer(number)) => {
                self.accept(Value::String(number.to_string()))
            }
            (_, Value::String(text)) => self.accept_text(text).map(|()| value),
            _ => Err("write a text in quotes".to_owned()),
        }
    }

    fn accept_text(self, text: &str) -> Result<(), String> {
        match self {
            Self::Choice(words) => choice(words, text),
            Self::Duration => parse_duration(text).map(|_| ()),
            Self::Size => parse_size(text).map(|_| ()),
            Self::Address => match text.parse::<IpAddr>() {
                Ok(_) => Ok(()),
                Err(_) => Err(format!("`{text}` is no IP address: write 127.0.0.1, 0.0.0.0 or ::1")),
            },
            Self::Url => web_address(text),
            _ => Ok(()),
        }
    }
}

fn choice(words: &[&str], word: &str) -> Result<(), String> {
    if words.contains(&word) { Ok(()) } else { Err(format!("`{word}` is none of {}", words.join(", "))) }
}

/// Checks an address that links are made from: scheme and host, no query.
pub(super) fn web_address(text: &str) -> Result<(), String> {
    let plain = url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if plain {
        Ok(())
    } else {
        Err(format!("`{text}` is no address: write https://host or https://host/path"))
    }
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The candidate that `name` was most likely meant to be, if one is near.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = candidates.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.8).then_some(best.1)
}
