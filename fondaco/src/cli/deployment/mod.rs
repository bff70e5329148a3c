//! `deploy`, and `deployment list`, `show`, `stop`, `start` and the rest: what runs, and what is done with it.

mod backups;
mod connect;
mod deploy;
mod logs;
mod pay;
mod schedule;
mod settings;
mod wait;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::{list, money, number, text, time, time_left};
use super::args::{Deployment, Global, Part, Wait};
use super::client::{Client, Query, checked_id};
use super::failure::{Failure, code};
use super::terminal::{Terminal, plain};

pub(crate) use deploy::deploy;

/// How many deployments are looked through for a name.
const MOST: u32 = 100;

/// Runs a command about deployments.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Deployment) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    let on = Commands { terminal, client: &client };
    match command {
        Deployment::List { status, part } => on.list(status.as_deref(), *part).await,
        Deployment::Show { deployment } => on.show(deployment).await,
        Deployment::Stop(which) => {
            on.change(&which.deployment, "stop", json!({}), which.wait, "stopped").await
        }
        Deployment::Start(which) => {
            on.change(&which.deployment, "start", json!({}), which.wait, "running").await
        }
        Deployment::Restart(which) => {
            on.change(&which.deployment, "restart", json!({}), which.wait, "running").await
        }
        Deployment::Scale { which, plan } => {
            on.change(&which.deployment, "scale", json!({"tier": plan}), which.wait, "").await
        }
        Deployment::Configure { which, settings } => {
            on.configure(&which.deployment, settings::read(settings)?, which.wait).await
        }
        Deployment::Rename { deployment, name } => on.rename(deployment, name).await,
        Deployment::Rotate { deployment } => on.rotate(deployment).await,
        Deployment::Credentials { deployment, reveal } => on.credentials(deployment, *reveal).await,
        Deployment::Logs(args) => logs::logs(terminal, &client, args).await,
        Deployment::Metrics { deployment, hours } => {
            logs::metrics(terminal, &client, deployment, *hours).await
        }
        Deployment::Backups { deployment, part } => {
            backups::list_all(terminal, &client, deployment, *part).await
        }
        Deployment::Schedule(args) => schedule::run(terminal, &client, args).await,
        Deployment::Backup(which) => backups::make(terminal, &client, which).await,
        Deployment::Restore { deployment, backup, to } => {
            backups::restore(terminal, &client, deployment, backup, to.as_deref()).await
        }
        Deployment::Delete { deployment, now } => on.delete(deployment, *now).await,
        Deployment::Undelete { deployment } => on.undelete(deployment).await,
        Deployment::Connect { deployment, arguments } => {
            connect::connect(terminal, &client, deployment, arguments).await
        }
    }
}

/// The id of a deployment that is named by its id or its name.
async fn id_of(client: &Client, which: &str) -> Result<String, Failure> {
    if checked_id("deploy", which).is_ok() {
        return Ok(which.to_owned());
    }
    let answer = client.get("/api/deployments", Query::default().and("limit", MOST)).await?;
    let found = list(&answer, "deployments").iter().find(|known| text(known, "name") == which);
    found.map(|known| text(known, "id")).ok_or_else(|| {
        let which = plain(which);
        Failure::new(
            code::NOT_FOUND,
            "cli.no_deployment",
            "There is no such deployment",
            format!("None of yours is called `{which}`."),
        )
        .next("fondaco deployment list")
    })
}

/// The path of a deployment that is named by its id or its name.
async fn path(client: &Client, which: &str) -> Result<String, Failure> {
    Ok(format!("/api/deployments/{}", id_of(client, which).await?))
}

struct Commands<'a> {
    terminal: &'a Terminal,
    client: &'a Client,
}

impl Commands<'_> {
    async fn list(&self, status: Option<&str>, part: Part) -> Result<(), Failure> {
        let answer = self.client.get("/api/deployments", part.query().maybe("status", status)).await?;
        if self.terminal.json {
            self.terminal.data_json(&answer);
            return Ok(());
        }
        let found = list(&answer, "deployments");
        let row = |known: &Value| {
            vec![
                text(known, "id"),
                text(known, "name"),
                text(known, "status"),
                text(known, "service"),
                text(known, "tier"),
                text(known, "region"),
                text(known, "endpoint"),
            ]
        };
        let head = ["id", "name", "status", "service", "plan", "region", "address"];
        self.terminal.table(&head, found.iter().map(row).collect());
        self.terminal.more(found.len(), part.offset, &answer);
        match found.first() {
            Some(known) => self.terminal.hint(format!("fondaco deployment show {}", text(known, "id"))),
            None => {
                self.terminal.say("Nothing is deployed.");
                self.terminal.hint("fondaco services");
            }
        }
        Ok(())
    }

    async fn show(&self, which: &str) -> Result<(), Failure> {
        let known = self.client.get(&path(self.client, which).await?, Query::default()).await?;
        if self.terminal.json {
            self.terminal.data_json(&known);
            return Ok(());
        }
        let (metrics, billing) =
            (known.get("metrics").unwrap_or(&Value::Null), known.get("billing").unwrap_or(&Value::Null));
        let undo = time_left(&known, "undoUntil", kernel::Clock::system().now());
        self.terminal.details(&[
            ("", text(&known, "name")),
            ("id", text(&known, "id")),
            ("status", text(&known, "status")),
            ("why", text(&known, "reason")),
            ("service", text(&known, "service")),
            ("plan", text(&known, "tier")),
            ("region", text(&known, "region")),
            ("address", text(&known, "endpoint")),
            ("inside", text(&known, "internalEndpoint")),
            ("made", time(&known, "createdAt")),
            ("undo within", undo.unwrap_or_default()),
            ("requests", measured(metrics, "requests", "")),
            ("errors", measured(metrics, "errors", "")),
            ("answers in", measured(metrics, "avgResponseTime", "ms")),
            ("uptime", measured(metrics, "uptime", "%")),
            ("cost so far", money(billing, "currentCostMinor")),
            ("projected", money(billing, "projectedCostMinor")),
            ("version", number(&known, "version")),
            ("page", self.client.session.api(&format!("/deployments/{}", text(&known, "id")))),
        ]);
        self.terminal.hint(match text(&known, "status").as_str() {
            "failed" => format!("fondaco deployment logs {}", text(&known, "id")),
            "stopped" => format!("fondaco deployment start {}", text(&known, "id")),
            "deleting" => format!("fondaco deployment undelete {}", text(&known, "id")),
            _ => format!("fondaco deployment connect {}", text(&known, "id")),
        });
        Ok(())
    }

    /// Asks for something, and waits until the status is `goal`, or any at which it rests where that is empty.
    async fn change(
        &self,
        which: &str,
        verb: &str,
        body: Value,
        wait: Wait,
        goal: &str,
    ) -> Result<(), Failure> {
        let path = path(self.client, which).await?;
        let mut known = self.client.post(&format!("{path}/{verb}"), None, &body).await?;
        if pay::is_needed(&known) {
            pay::lead_to_the_page(self.terminal, &known);
            return Ok(());
        }
        let (later, confirm) = (time(&known, "changesAt"), text(&known, "confirmUrl"));
        if !wait.detach && later.is_empty() && confirm.is_empty() {
            known = wait::until(self.terminal, self.client, &path, wait.wait, goal).await?;
        }
        if self.terminal.json {
            self.terminal.data_json(&known);
        }
        if !confirm.is_empty() {
            self.terminal.say("Your bank wants you to confirm the payment; it gets the plan then.");
            self.terminal.hint(format!("open {confirm}"));
        } else if !later.is_empty() {
            self.terminal.done(format!("{which} gets the plan at {later}, when what is paid for is used."));
        } else {
            self.terminal.done(format!("{which} is {}.", text(&known, "status")));
        }
        Ok(())
    }

    async fn configure(&self, which: &str, config: Map<String, Value>, wait: Wait) -> Result<(), Failure> {
        if config.is_empty() {
            return Err(Failure::usage("Say what to change: --set NAME=VALUE or --set-file NAME=PATH.")
                .next("fondaco service show SERVICE"));
        }
        let path = path(self.client, which).await?;
        let request = self.client.request(Method::PATCH, &self.client.session.api(&path));
        let mut known = self.client.json(request.json(&json!({"config": config}))).await?;
        if !wait.detach {
            known = wait::until(self.terminal, self.client, &path, wait.wait, "").await?;
        }
        if self.terminal.json {
            self.terminal.data_json(&known);
        }
        self.terminal.done(format!("{which} is {}.", text(&known, "status")));
        Ok(())
    }

    async fn rename(&self, which: &str, name: &str) -> Result<(), Failure> {
        let path = path(self.client, which).await?;
        let request = self.client.request(Method::PATCH, &self.client.session.api(&path));
        let known = self.client.json(request.json(&json!({"name": name}))).await?;
        if self.terminal.json {
            self.terminal.data_json(&known);
        }
        self.terminal.done(format!("{which} is called {name} now."));
        Ok(())
    }

    async fn rotate(&self, which: &str) -> Result<(), Failure> {
        let path = path(self.client, which).await?;
        self.terminal
            .confirm("Replace the password? Programs that have the present one need the new one.")?;
        let address = self.client.session.api(&format!("{path}/rotate"));
        let answer = self.client.send(self.client.request(Method::POST, &address)).await?;
        if answer.status() == StatusCode::ACCEPTED {
            self.terminal.done("The new password is on its way; the present one holds until then.");
            self.terminal.hint(format!("fondaco deployment credentials {which} --reveal"));
            return Ok(());
        }
        let made: Value =
            answer.json().await.map_err(|error| Failure::local("The answer is cut off", error))?;
        show_credentials(self.terminal, &made);
        self.terminal.done("The earlier password does not hold any more. This one is not shown again.");
        Ok(())
    }

    async fn credentials(&self, which: &str, reveal: bool) -> Result<(), Failure> {
        let path = format!("{}/credentials", path(self.client, which).await?);
        let query = if reveal { Query::default().and("reveal", "true") } else { Query::default() };
        let shown = self.client.get(&path, query).await?;
        show_credentials(self.terminal, &shown);
        if !reveal {
            self.terminal.hint(format!("fondaco deployment credentials {which} --reveal"));
        }
        Ok(())
    }

    async fn delete(&self, which: &str, now: bool) -> Result<(), Failure> {
        let path = path(self.client, which).await?;
        self.terminal.confirm(&if now {
            format!("Delete {which} with everything it keeps? This cannot be undone.")
        } else {
            format!("Delete {which}? It stops at once; for a day this can be undone.")
        })?;
        let query = if now { Query::default().and("now", "true") } else { Query::default() };
        let known = self
            .client
            .json(self.client.request(Method::DELETE, &self.client.address(&path, query)?))
            .await?;
        if self.terminal.json {
            self.terminal.data_json(&known);
        }
        if now {
            self.terminal.done(format!("{which} is gone for good."));
        } else {
            self.terminal.done(format!("{which} is being deleted."));
            self.terminal
                .hint(format!("fondaco deployment undelete {}", path.rsplit('/').next().unwrap_or(which)));
        }
        Ok(())
    }

    async fn undelete(&self, which: &str) -> Result<(), Failure> {
        let path = path(self.client, which).await?;
        let known = self.client.post(&format!("{path}/undelete"), None, &json!({})).await?;
        if pay::is_needed(&known) {
            pay::lead_to_the_page(self.terminal, &known);
            return Ok(());
        }
        if self.terminal.json {
            self.terminal.data_json(&known);
        }
        self.terminal.done(format!("{which} stays."));
        self.terminal.hint(format!("fondaco deployment start {which}"));
        Ok(())
    }
}

/// A figure with its unit, to the hundredth; empty where there is none, or nothing was measured.
fn measured(value: &Value, name: &str, unit: &str) -> String {
    let number = value.get(name).and_then(Value::as_f64).filter(|number| *number > 0.0);
    let rounded = number.map(|number| (number * 100.0).round() / 100.0);
    rounded.map_or_else(String::new, |number| format!("{number} {unit}").trim_end().to_owned())
}

/// Prints how to connect: the address alone on standard output, so that it can be piped; its parts beside it.
fn show_credentials(terminal: &Terminal, made: &Value) {
    if terminal.json {
        terminal.data_json(made);
        return;
    }
    let shown = made.get("credentials").unwrap_or(made);
    let parts = shown.as_object().map(|parts| parts.iter()).into_iter().flatten();
    for (name, value) in parts.filter(|(name, value)| *name != "connectionString" && !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        terminal.say(format!("  {name:<12} {}", plain(&value)));
    }
    terminal.data(plain(&text(shown, "connectionString")));
}
