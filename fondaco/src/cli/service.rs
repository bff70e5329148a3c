//! `services`, `service show`: what can be deployed.

use serde_json::Value;

use super::answer::{list, money, number, text};
use super::args::{Global, Offered, Services};
use super::client::{Client, Query};
use super::failure::{Failure, code};
use super::terminal::{Terminal, plain};

/// Runs a command about services.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Offered) -> Result<(), Failure> {
    match command {
        Offered::List(args) => services(terminal, global, args).await,
        Offered::Show { service } => show(terminal, &Client::new(global)?, service).await,
    }
}

/// Lists what can be deployed.
pub(crate) async fn services(terminal: &Terminal, global: &Global, args: &Services) -> Result<(), Failure> {
    let client = Client::new(global)?;
    let answer =
        client.get("/api/services", args.part.query().maybe("category", args.category.as_ref())).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let found = list(&answer, "services");
    let row = |service: &Value| {
        vec![
            text(service, "slug"),
            text(service, "name"),
            text(service, "category"),
            number(service, "activeDeployments"),
            state(service).to_owned(),
        ]
    };
    let head = ["service", "name", "category", "running", ""];
    terminal.table(&head, found.iter().map(row).collect());
    terminal.more(found.len(), args.part.offset, &answer);
    match found.first() {
        Some(service) => terminal.hint(format!("fondaco service show {}", text(service, "slug"))),
        None => terminal.say("There is no such service."),
    }
    Ok(())
}

/// Whether the machine that runs services has what it needs for this one.
fn state(service: &Value) -> &'static str {
    let is_there = service.get("available").and_then(Value::as_bool).unwrap_or(true);
    if is_there { "" } else { "not available here" }
}

fn tiers(service: &Value) -> &[Value] {
    service.get("pricing").map(|pricing| list(pricing, "tiers")).unwrap_or_default()
}

/// What a plan costs: `free`, `$19.00 a month`, `$0.03 an hour`.
pub(super) fn price(tier: &Value) -> String {
    match (tier.get("priceMinor").and_then(Value::as_i64), text(tier, "period").as_str()) {
        (Some(0), _) => "free".to_owned(),
        (_, "hour") => format!("{} {} an hour", decimal(tier, "price"), text(tier, "currency")),
        (_, period) if !period.is_empty() => format!("{} a {period}", money(tier, "priceMinor")),
        _ => money(tier, "priceMinor"),
    }
}

/// A number as it stands in the answer: an hour may cost less than a cent.
fn decimal(value: &Value, name: &str) -> String {
    value.get(name).filter(|number| number.is_number()).map(ToString::to_string).unwrap_or_default()
}

/// One service by its short name.
pub(super) async fn find(client: &Client, service: &str) -> Result<Value, Failure> {
    let is_name =
        !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_name {
        let service = plain(service);
        return Err(Failure::usage(format!("`{service}` is no service.")).next("fondaco services"));
    }
    let found = client.get(&format!("/api/services/{service}"), Query::default()).await;
    found.map_err(|failure| match failure.exit {
        code::NOT_FOUND => failure.next("fondaco services"),
        _ => failure,
    })
}

/// A setting as a row: what stands where nothing is chosen, and what it does.
fn setting(setting: &Value) -> Vec<String> {
    let default = match setting.get("default") {
        _ if setting.get("required") == Some(&Value::Bool(true)) => "required".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(value) => value.to_string(),
    };
    let does = format!("{}. {}", text(setting, "title"), text(setting, "help"));
    vec![text(setting, "name"), text(setting, "kind"), default, does.trim().to_owned()]
}

async fn show(terminal: &Terminal, client: &Client, service: &str) -> Result<(), Failure> {
    let service = find(client, service).await?;
    if terminal.json {
        terminal.data_json(&service);
        return Ok(());
    }
    let specifications = service.get("specifications").unwrap_or(&Value::Null);
    let sla = specifications.get("sla").unwrap_or(&Value::Null);
    let regions = list(specifications, "regions").iter().filter_map(Value::as_str).collect::<Vec<_>>();
    let uptime = decimal(sla, "uptime");
    terminal.details(&[
        ("", text(&service, "name")),
        ("", text(&service, "description")),
        ("service", text(&service, "slug")),
        ("id", text(&service, "id")),
        ("category", text(&service, "category")),
        ("regions", regions.join(", ")),
        ("uptime", if uptime.is_empty() { uptime } else { format!("{uptime} %") }),
        ("support", text(sla, "support")),
        ("running", number(&service, "activeDeployments")),
        ("state", state(&service).to_owned()),
        ("why", text(&service, "unavailableBecause")),
        ("page", client.session.api(&format!("/services/{}", text(&service, "slug")))),
    ]);
    let row = |tier: &Value| {
        let features = list(tier, "features").iter().filter_map(Value::as_str).collect::<Vec<_>>();
        vec![text(tier, "id"), text(tier, "name"), price(tier), features.join(", ")]
    };
    terminal.data("");
    terminal.table(&["plan", "name", "price", "with"], tiers(&service).iter().map(row).collect());
    let settings = list(specifications, "settings");
    if !settings.is_empty() {
        terminal.data("");
        terminal.table(&["setting", "kind", "default", "is"], settings.iter().map(setting).collect());
    }
    terminal.hint(format!("fondaco deploy {}", text(&service, "slug")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prices_have_the_time_they_are_for() {
        let month = json!({"priceMinor": 1900, "price": 19, "currency": "USD", "period": "month"});
        let hour = json!({"priceMinor": 3, "price": 0.025, "currency": "USD", "period": "hour"});
        let free = json!({"priceMinor": 0, "price": 0, "currency": "USD"});
        assert_eq!(price(&month), "$19.00 a month");
        assert_eq!(price(&hour), "0.025 USD an hour");
        assert_eq!(price(&free), "free");
    }
}
