//! The rooms of the market on one database: what the server serves and what the commands of the operator use.

use anyhow::Context;
use billing::Billing;
use blobs::Blobs;
use catalog::Catalog;
use events::Log;
use identity::Identity;
use kernel::{Clock, Secret};
use ledger::Ledger;
use mail::{MailConfig, Mailer, SmtpConfig, SmtpTls};
use orders::Orders;
use payments::Payments;
use payments::stripe::StripeSettings;
use payouts::Payouts;
use registry::Registry;
use services::Services;
use store::{Migrations, Store};
use tickets::Tickets;
use vault::Vault;
use wallet::Wallets;
use webhooks::Webhooks;

use crate::config::{self, Config, Registration};
use crate::data::DataDir;

/// Every room's tables, in the order in which they may refer to each other.
pub const MIGRATIONS: &[Migrations] = &[
    web::MIGRATIONS,
    jobs::MIGRATIONS,
    blobs::MIGRATIONS,
    events::MIGRATIONS,
    identity::MIGRATIONS,
    ledger::MIGRATIONS,
    payments::MIGRATIONS,
    payouts::MIGRATIONS,
    wallet::MIGRATIONS,
    registry::MIGRATIONS,
    catalog::MIGRATIONS,
    orders::MIGRATIONS,
    tickets::MIGRATIONS,
    billing::MIGRATIONS,
    webhooks::MIGRATIONS,
    services::MIGRATIONS,
    crate::demo::MIGRATIONS,
];

/// The rooms. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    /// The database.
    pub store: Store,
    /// Where `now` comes from.
    pub clock: Clock,
    /// Files.
    pub blobs: Blobs,
    /// Messages.
    pub mailer: Mailer,
    /// What seals the secrets that are kept.
    pub vault: Vault,
    /// What happened.
    pub log: Log,
    /// Accounts.
    pub identity: Identity,
    /// Packages.
    pub registry: Registry,
    /// What is for sale.
    pub catalog: Catalog,
    /// The books.
    pub ledger: Ledger,
    /// Money that comes in and goes back.
    pub payments: Payments,
    /// Balances to pay from.
    pub wallets: Wallets,
    /// What is ordered, held and paid.
    pub orders: Orders,
    /// Events, their tickets, the door.
    pub tickets: Tickets,
    /// Subscriptions, usage, invoices, receipts.
    pub billing: Billing,
    /// What sellers earned, on its way to them.
    pub payouts: Payouts,
    /// Telling other programs what happened.
    pub webhooks: Webhooks,
    /// What is deployed.
    pub services: Services,
}

/// Where people and package clients reach this instance.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The web interface.
    pub web: String,
    /// The registry listener.
    pub registry: String,
}

impl Addresses {
    /// The configured addresses; where there are none, those of the ports on this machine.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let local = |port| format!("http://{}", config.address(port));
        let or = |url: &Option<String>, port| url.clone().unwrap_or_else(|| local(port));
        Self {
            web: or(&config.server.public_url, config.server.web_port),
            registry: or(&config.registry.public_url, config.server.registry_port),
        }
    }
}

impl Rooms {
    /// Opens the database and the rooms on it. Tables are made and brought up to date first.
    ///
    /// # Errors
    /// When the database or the file storage cannot be opened, or the database was written by a newer program.
    pub async fn open(config: &Config, data: &DataDir, addresses: &Addresses) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let store = Store::open(&config.store()).await?;
        for file in store.migrate(MIGRATIONS, clock.now()).await? {
            tracing::debug!(file, "migrated");
        }
        let blobs = Blobs::open(config.blobs()).await.context("the file storage cannot be opened")?;
        let mailer = Mailer::new(&mail_config(config)).context("mail cannot be set up")?;
        let identity =
            Identity::new(store.clone(), clock.clone(), identity_settings(config, data, addresses)?);
        let vault = vault(config, data)?;
        let log = Log::new(store.clone());
        let catalog = Catalog::new(store.clone(), identity.clone());
        let ledger = Ledger::new(store.clone(), identity.clone());
        let settings = payment_settings(config, addresses);
        let payments = Payments::new(store.clone(), clock.clone(), identity.clone(), settings)
            .context("payments cannot be set up")?;
        let settings = wallet_settings(config, addresses);
        let wallets =
            Wallets::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), settings);
        let settings = order_settings(config);
        let orders = Orders::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), settings);
        let tickets =
            Tickets::new(store.clone(), identity.clone(), orders.clone(), mailer.clone(), vault.clone());
        let settings = billing_settings(config, addresses);
        let (s, c, i) = (store.clone(), clock.clone(), identity.clone());
        let billing = Billing::new(s, c, i, orders.clone(), payments.clone(), settings);
        let settings =
            payouts::Settings { minimum: config.payouts.minimum, public_url: addresses.web.clone() };
        let payouts =
            Payouts::new(store.clone(), clock.clone(), identity.clone(), payments.clone(), settings);
        let registry =
            Registry::new(store.clone(), blobs.clone(), identity.clone(), registry_settings(config))
                .with_uplinks(&uplink_settings(config))
                .context("the uplinks cannot be set up")?;
        let heard = webhooks::Settings { private_hosts: config.webhooks.private_hosts.clone() };
        let webhooks = Webhooks::new(store.clone(), clock.clone(), identity.clone(), vault.clone(), &heard)
            .context("webhooks cannot be set up")?;
        let engine = crate::engine::open(config, data).await.context("the engine's folder cannot be made")?;
        let (s, c, i) = (store.clone(), clock.clone(), identity.clone());
        let (v, b, wanted) = (vault.clone(), blobs.clone(), crate::engine::settings(config, addresses)?);
        let services = Services::new(s, c, i, v, b, engine, wanted).sold_by(orders.clone(), billing.clone());
        services.check_warm().map_err(|why| anyhow::anyhow!("services.warm: {why}"))?;
        Ok(Self {
            store,
            clock,
            blobs,
            mailer,
            vault,
            log,
            identity,
            registry,
            catalog,
            ledger,
            payments,
            wallets,
            orders,
            tickets,
            billing,
            payouts,
            webhooks,
            services,
        })
    }
}

fn identity_settings(
    config: &Config,
    data: &DataDir,
    addresses: &Addresses,
) -> anyhow::Result<identity::Settings> {
    let secret = match &config.auth.jwt_secret {
        Some(secret) => secret.clone(),
        None => {
            if config.database.url.is_some() {
                tracing::warn!(
                    "auth.jwt_secret is unset: other processes on this database will not know our JWTs"
                );
            }
            data.secrets()?.jwt_secret
        }
    };
    let mut settings = identity::Settings::new(&addresses.web, secret);
    settings.token_expiry = config.auth.token_expiry;
    settings.registration_open = config.auth.registration == Registration::Open;
    Ok(settings)
}

fn vault(config: &Config, data: &DataDir) -> anyhow::Result<Vault> {
    let keys = match &config.auth.encryption_keys {
        Some(keys) => keys.clone(),
        None => {
            if config.database.url.is_some() {
                tracing::warn!(
                    "auth.encryption_keys is unset: other processes cannot open what this one seals"
                );
            }
            data.secrets()?.encryption_key
        }
    };
    Vault::new(&keys).context("auth.encryption_keys has no key")
}

/// Where there is no mail server, messages become files that the operator can read.
fn mail_config(config: &Config) -> MailConfig {
    let mail = &config.mail;
    let Some(host) = &mail.smtp_host else {
        return MailConfig::Folder { folder: config.in_data_dir("mail"), from: mail.from.clone() };
    };
    MailConfig::Smtp(SmtpConfig {
        host: host.clone(),
        port: mail.smtp_port,
        tls: match mail.smtp_tls {
            config::SmtpTls::Auto => SmtpTls::Auto,
            config::SmtpTls::Implicit => SmtpTls::Implicit,
            config::SmtpTls::Starttls => SmtpTls::StartTls,
            config::SmtpTls::Plain => SmtpTls::Plain,
        },
        user: mail.smtp_user.clone(),
        password: mail.smtp_password.clone(),
        authority_file: mail.smtp_authority_file.clone(),
        from: mail.from.clone(),
        timeout: SmtpConfig::TIMEOUT,
    })
}

/// How long orders are held, what the market takes, and when the rest is the seller's.
fn order_settings(config: &Config) -> orders::Settings {
    let settings = &config.orders;
    orders::Settings {
        terms: catalog::HoldTerms {
            hold_seconds: settings.hold_seconds,
            extension_seconds: settings.extension_seconds,
        },
        fee_basis_points: settings.fee_basis_points,
        maturity: config.settlement.maturity,
    }
}

/// When subscriptions are charged again, and how long they go on unpaid.
fn billing_settings(config: &Config, addresses: &Addresses) -> billing::Settings {
    let settings = &config.billing;
    billing::Settings {
        retry_days: settings.retry_days.clone(),
        grace_days: settings.grace_days,
        refund_unused: settings.refund_unused,
        usage_late: settings.usage_late,
        market: config.branding.name.clone(),
        ..billing::Settings::new(&addresses.web)
    }
}

/// In which currencies there are wallets, and how much they take.
fn wallet_settings(config: &Config, addresses: &Addresses) -> wallet::Settings {
    let settings = &config.wallet;
    wallet::Settings {
        currencies: settings.currencies.clone(),
        min_top_up: settings.min_top_up,
        max_top_up: settings.max_top_up,
        max_balance: settings.max_balance,
        ..wallet::Settings::new(&addresses.web)
    }
}

/// Without a key of Stripe and without the sandbox only wallets can pay.
fn payment_settings(config: &Config, addresses: &Addresses) -> payments::Settings {
    let payments = &config.payments;
    let secrets = payments.stripe_webhook_secret.iter().flat_map(|secrets| secrets.expose().split(','));
    let secrets = secrets.map(str::trim).filter(|secret| !secret.is_empty()).map(Secret::new).collect();
    let stripe = payments.stripe_key.clone().map(|key| StripeSettings {
        key,
        publishable_key: payments.stripe_publishable_key.clone(),
        webhook_secrets: secrets,
        url: payments.stripe_url.clone(),
    });
    let settings = payments::Settings::new(&addresses.web);
    payments::Settings { sandbox: payments.sandbox, stripe, ..settings }
}

/// The registry answers each client with the host that it asked, unless an address is configured.
fn registry_settings(config: &Config) -> registry::Settings {
    let settings = &config.registry;
    registry::Settings {
        public_url: settings.public_url.clone(),
        cdn_url: settings.cdn_url.clone(),
        unpublish_window: settings.unpublish_window,
        max_publish_bytes: settings.max_upload,
        ..registry::Settings::default()
    }
}

/// Where nothing is configured, nobody is asked.
fn uplink_settings(config: &Config) -> registry::uplink::Settings {
    let settings = &config.registry;
    let uplinks = settings.uplinks.iter().map(|uplink| registry::uplink::Upstream {
        name: uplink.name.clone(),
        url: uplink.url.clone(),
        patterns: uplink.patterns.clone(),
        token: uplink.token.clone(),
        ttl: uplink.ttl,
        timeout: uplink.timeout,
    });
    registry::uplink::Settings {
        uplinks: uplinks.collect(),
        local_only: settings.local_only.clone(),
        allow: settings.allow.clone(),
        block: settings.block.clone(),
        minimum_release_age: settings.minimum_release_age,
        limits: registry::uplink::Limits {
            stored_bytes: settings.uplink_cache,
            ..registry::uplink::Limits::default()
        },
    }
}
