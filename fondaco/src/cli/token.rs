//! `token create`, `list`, `revoke`: API tokens of the account that is signed in.

use kernel::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::answer::{list as listed, text, time};
use super::args::{Global, NewToken, Token};
use super::client::{Client, checked_id};
use super::failure::Failure;
use super::terminal::Terminal;

const PATH: &str = "/api/tokens";
/// What a token may do where nobody says: all but operating the market.
const DEFAULT_SCOPES: [&str; 3] = ["read", "publish", "account"];

/// Runs a command about tokens.
pub(crate) async fn run(terminal: &Terminal, global: &Global, command: &Token) -> Result<(), Failure> {
    let client = Client::signed_in(global)?;
    match command {
        Token::Create(new) => create(terminal, &client, new).await,
        Token::List => list(terminal, &client).await,
        Token::Revoke { id } => revoke(terminal, &client, id).await,
    }
}

async fn create(terminal: &Terminal, client: &Client, new: &NewToken) -> Result<(), Failure> {
    let scopes =
        if new.scopes.is_empty() { DEFAULT_SCOPES.map(str::to_owned).to_vec() } else { new.scopes.clone() };
    let expires_at = new.expires.map(|life| Clock::system().now().after(life));
    let body = json!({"name": new.name, "scopes": scopes, "expiresAt": expires_at});
    let answer = client.json(client.request(Method::POST, &client.session.api(PATH)).json(&body)).await?;
    if terminal.json {
        terminal.data_json(&answer);
    } else {
        terminal.data(text(&answer, "token"));
    }
    terminal.done(format!("Made the token `{}`. It is not shown again.", new.name));
    Ok(())
}

async fn list(terminal: &Terminal, client: &Client) -> Result<(), Failure> {
    let answer = client.json(client.request(Method::GET, &client.session.api(PATH))).await?;
    if terminal.json {
        terminal.data_json(&answer);
        return Ok(());
    }
    let tokens = listed(&answer, "items");
    terminal.table(&HEAD, tokens.iter().map(row).collect());
    if tokens.is_empty() {
        terminal.say("There is no token.");
        terminal.hint("fondaco token create --name ci --scopes publish --expires 90d");
    }
    Ok(())
}

/// The columns of a list of tokens.
pub(super) const HEAD: [&str; 6] = ["id", "name", "starts with", "scopes", "expires", "last used"];

fn row(token: &Value) -> Vec<String> {
    let scopes = listed(token, "scopes").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let or_never =
        |name: &str| Some(time(token, name)).filter(|time| !time.is_empty()).unwrap_or("never".to_owned());
    vec![
        text(token, "id"),
        text(token, "name"),
        text(token, "hint"),
        scopes,
        or_never("expiresAt"),
        or_never("lastUsedAt"),
    ]
}

async fn revoke(terminal: &Terminal, client: &Client, id: &str) -> Result<(), Failure> {
    let id = checked_id("token", id)?;
    client.send(client.request(Method::DELETE, &client.session.api(&format!("{PATH}/{id}")))).await?;
    terminal.done(format!("The token {id} is of no use any more."));
    Ok(())
}
