//! `deploy`: from a service to something that answers.

use serde_json::{Value, json};

use super::super::answer::{list, text};
use super::super::args::{Deploy, Global};
use super::super::client::Client;
use super::super::failure::Failure;
use super::super::service;
use super::super::terminal::Terminal;
use super::{pay, settings, show_credentials, wait};

/// Deploys a service, says each step, and prints how to connect.
pub(crate) async fn deploy(terminal: &Terminal, global: &Global, args: &Deploy) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    let offered = service::find(&client, &args.service).await?;
    let tiers = offered.get("pricing").map(|pricing| list(pricing, "tiers")).unwrap_or_default();
    let chosen = match &args.plan {
        Some(plan) => tiers.iter().find(|tier| text(tier, "id") == *plan),
        None => tiers.first(),
    };
    let Some(tier) = chosen else {
        let plans: Vec<String> = tiers.iter().map(|tier| text(tier, "id")).collect();
        return Err(Failure::usage(format!("This service has the plans {}.", plans.join(", ")))
            .next(format!("fondaco service show {}", args.service)));
    };
    let name = args.name.clone().unwrap_or_else(|| format!("{}-{}", args.service, short()));
    terminal.say(format!("{}, {}: {}", text(&offered, "name"), text(tier, "name"), service::price(tier)));
    if args.dry_run {
        if terminal.json {
            terminal.data_json(&json!({"name": name, "service": args.service, "plan": tier}));
        }
        return Ok(());
    }
    let body = request(args, &offered, &name, tier)?;
    // With a key the answer after the payment is the deployment that was asked for before.
    let key = args.key.clone().unwrap_or_else(kernel::random_text::<16>);
    let mut made = client.post("/api/deployments", Some(&key), &body).await?;
    if pay::is_needed(&made) {
        let Some(way) = &args.pay else {
            pay::lead_to_the_page(terminal, &made);
            return Ok(());
        };
        pay::pay(terminal, &client, &made, way, args.org.as_ref()).await?;
        made = client.post("/api/deployments", Some(&key), &body).await?;
    }
    let id = text(&made, "deploymentId");
    terminal.say(format!("Made {id}"));
    if !args.wait.detach {
        let path = format!("/api/deployments/{id}");
        if let Err(failure) = wait::until(terminal, &client, &path, args.wait.wait, "running").await {
            // The credentials are shown this once, also where it is not there yet.
            show_credentials(terminal, &made);
            return Err(failure);
        }
    }
    show_credentials(terminal, &made);
    terminal.done(if args.wait.detach {
        format!("{name} is starting. Its password is not shown again.")
    } else {
        format!("{name} answers. Its password is not shown again.")
    });
    terminal.hint(format!("fondaco deployment connect {id}"));
    Ok(())
}

fn request(args: &Deploy, offered: &Value, name: &str, tier: &Value) -> Result<Value, Failure> {
    let mut config = settings::read(&args.settings)?;
    config.insert("tier".to_owned(), text(tier, "id").into());
    if let Some(region) = &args.region {
        config.insert("region".to_owned(), region.as_str().into());
    }
    let mut body = json!({"serviceId": text(offered, "id"), "name": name, "config": config});
    if let Some(org) = &args.org {
        body["organisation"] = json!(org);
    }
    Ok(body)
}

/// A few letters that tell two deployments of one service apart.
fn short() -> String {
    kernel::random_text::<8>()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(5)
        .collect::<String>()
        .to_lowercase()
}
