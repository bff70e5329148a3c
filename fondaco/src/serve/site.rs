//! What is the same on all pages of this instance: its name and its navigation.

use web::face::{Audience, Place, Site};

use crate::config::{Config, Registration};

const ADMINS: Audience = Audience::Roles(&["admin"]);
const SELLERS: Audience = Audience::Roles(&["publisher", "admin"]);

/// The site of this configuration.
pub(super) fn site(config: &Config, demo: bool) -> Site {
    let mut site = Site::new(&config.branding.name);
    site.demo = demo;
    site.search_hint = "Search packages and more".to_owned();
    if config.auth.registration != Registration::Open {
        site.sign_up = None;
    }
    let site = operate(account(sell(build(site))));
    site.with_public(Place::new("packages", "Packages", "/packages", "package").with_shortcut('p'))
        .with_public(Place::new("market", "Market", "/market", "store").with_shortcut('m'))
        .with_public(Place::new("services", "Services", "/services", "server").with_shortcut('s'))
        .with_public(Place::new("events", "Events", "/events", "calendar").with_shortcut('e'))
        .with_public(Place::new("api", "API", "/docs/api", "code"))
        .with_foot(Place::new("foot-api", "API", "/docs/api", "code"))
        .with_foot(Place::new("foot-openapi", "OpenAPI", "/openapi.json", "code"))
}

/// What somebody runs.
fn build(site: Site) -> Site {
    site.with_console(
        "Build",
        own("deployments", "Deployments", "/deployments", "server").in_menu().with_shortcut('d'),
    )
}

/// What somebody has.
fn account(site: Site) -> Site {
    site.with_console("Account", own("account", "Profile", "/account", "user").in_menu().with_shortcut('a'))
        .with_console("Account", own("tokens", "API tokens", "/account/tokens", "key-round").in_menu())
        .with_console("Account", own("sessions", "Sessions", "/account/sessions", "laptop"))
        .with_console(
            "Account",
            own("organisations", "Organisations", "/account/organisations", "users").in_menu(),
        )
        .with_console("Account", own("tickets", "Tickets", "/tickets", "calendar").in_menu())
        .with_console("Account", own("orders", "Orders", "/orders", "package").in_menu().with_shortcut('o'))
        .with_console("Account", own("billing", "Billing", "/billing", "file-text").in_menu())
        .with_console(
            "Account",
            own("payment-methods", "Payment methods", "/account/payment-methods", "badge-check"),
        )
        .with_console("Account", own("wallet", "Wallet", "/wallet", "wallet").in_menu().with_shortcut('w'))
        .with_console("Account", own("webhooks", "Webhooks", "/account/webhooks", "webhook"))
        .with_console("Account", own("activity", "Activity", "/account/activity", "activity"))
}

/// What sellers do.
fn sell(site: Site) -> Site {
    site.with_console(
        "Sell",
        Place::new("sell-listings", "Listings", "/sell/listings", "tag").for_audience(SELLERS),
    )
    .with_console(
        "Sell",
        Place::new("sell-events", "Events", "/sell/events", "calendar").for_audience(SELLERS),
    )
    .with_console("Sell", own("sales", "Sales", "/sell/orders", "store"))
    .with_console(
        "Sell",
        Place::new("sell-subscriptions", "Subscriptions", "/sell/subscriptions", "refresh-cw")
            .for_audience(SELLERS),
    )
    .with_console(
        "Sell",
        Place::new("promos", "Promo codes", "/sell/promos", "badge-check").for_audience(SELLERS),
    )
    .with_console("Sell", own("sell-money", "Money", "/sell/money", "chart-line"))
    .with_console("Sell", own("payouts", "Payouts", "/sell/payouts", "building-2"))
}

/// What operators do.
fn operate(site: Site) -> Site {
    site.with_console(
        "Operate",
        Place::new("users", "Users", "/operator/users", "users").for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("audit", "Audit trail", "/operator/audit", "scroll-text").for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("all-orders", "Orders", "/operator/orders", "package").for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("all-subscriptions", "Subscriptions", "/operator/subscriptions", "refresh-cw")
            .for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("categories", "Categories", "/operator/categories", "folder").for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("fees", "Fees and taxes", "/operator/fees", "scale").for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("operator-payments", "Payments", "/operator/payments", "activity").for_audience(ADMINS),
    )
    .with_console(
        "Operate",
        Place::new("operator-payouts", "Payouts", "/operator/payouts", "building-2").for_audience(ADMINS),
    )
    .with_console("Operate", Place::new("ledger", "Ledger", "/operator/ledger", "scale").for_audience(ADMINS))
    .with_console("Operate", Place::new("jobs", "Jobs", "/operator/jobs", "list").for_audience(ADMINS))
}

fn own(key: &'static str, label: &'static str, href: &'static str, icon: &'static str) -> Place {
    Place::new(key, label, href, icon).for_audience(Audience::SignedIn)
}
