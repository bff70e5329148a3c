//! `login`, `logout`, `whoami`.

use std::time::{Duration, Instant};

use kernel::Secret;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::args::{Global, Login};
use super::client::Client;
use super::failure::{Failure, code};
use super::profile::{Credentials, Session, Stored, profile_in_use};
use super::terminal::{Terminal, read_secret_line};

/// How long somebody may take to approve a sign-in in the browser.
const APPROVAL: Duration = Duration::from_secs(600);

/// Signs in and keeps the token.
pub(crate) async fn login(terminal: &Terminal, global: &Global, args: &Login) -> Result<(), Failure> {
    let mut session = Session::find(global)?;
    session.token = None;
    let client = Client::with(global, session)?;
    let token = match &args.username {
        _ if args.with_token => read_secret_line()?,
        Some(username) => by_password(terminal, &client, username, args.password_stdin).await?,
        None if terminal.interactive => by_browser(terminal, &client).await?,
        None => {
            return Err(Failure::usage("Nobody is at the terminal, so the browser cannot be used.")
                .next("use --username NAME --password-stdin, or --with-token"));
        }
    };
    let session = Session { token: Some(token.clone()), ..client.session };
    let client = Client::with(global, session)?;
    let username = who(&client).await?;
    let stored = Stored {
        server: client.session.server.clone(),
        registry: client.session.registry.clone(),
        username: username.clone(),
        token,
    };
    let profile = profile_in_use(global)?;
    let path = Credentials::load()?.set(&profile, stored)?;
    if terminal.json {
        terminal.data_json(&json!({"server": client.session.server, "username": username}));
    }
    terminal.done(format!("Signed in to {} as {username}.", client.session.server));
    terminal.say(format!("  The token is kept in {}, which only you can read.", path.display()));
    terminal.hint("fondaco config npm --write");
    Ok(())
}

async fn by_password(
    terminal: &Terminal,
    client: &Client,
    username: &str,
    stdin: bool,
) -> Result<Secret, Failure> {
    let password = if stdin {
        read_secret_line()?
    } else {
        Secret::new(terminal.ask_secret("Password", "--password-stdin")?)
    };
    let body = json!({"username": username, "password": password.expose()});
    let answer = client
        .json(client.anonymous(Method::POST, &client.session.api("/api/auth/login")).json(&body))
        .await?;
    token_of(&answer)
}

/// The web login of the npm protocol: the server gives one address to approve at and one to ask whether that
/// happened.
async fn by_browser(terminal: &Terminal, client: &Client) -> Result<Secret, Failure> {
    let start = client.anonymous(Method::POST, &client.session.npm("-/v1/login")).json(&json!({}));
    let start = client.json(start).await?;
    let address = |name: &str| start.get(name).and_then(Value::as_str).filter(|url| url.starts_with("http"));
    let (Some(login), Some(done)) = (address("loginUrl"), address("doneUrl")) else {
        return Err(Failure::local("No sign-in by browser", "The server offers none.")
            .next("fondaco login --username NAME"));
    };
    terminal
        .say(format!("Open this address and approve the sign-in:\n\n  {}\n", super::terminal::plain(login)));
    let began = Instant::now();
    while began.elapsed() < APPROVAL {
        let answer = client.ask(client.anonymous(Method::GET, done)).await?;
        if answer.status() == StatusCode::OK {
            let answer: Value = answer.json().await.unwrap_or_default();
            return token_of(&answer);
        }
        if answer.status() != StatusCode::ACCEPTED {
            let status = answer.status().as_u16();
            let body = answer.json().await.unwrap_or_default();
            return Err(Failure::answered(status, &body, None));
        }
        let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1).clamp(1, 30))).await;
    }
    Err(Failure::new(124, "cli.not_approved", "Not approved", "Nobody approved the sign-in in ten minutes.")
        .next("fondaco login"))
}

fn token_of(answer: &Value) -> Result<Secret, Failure> {
    let token = answer.get("token").and_then(Value::as_str);
    token
        .map(Secret::new)
        .ok_or_else(|| Failure::local("No token", "The server's answer has no token in it."))
}

/// The name of the account that the token belongs to.
async fn who(client: &Client) -> Result<String, Failure> {
    let answer = client.json(client.request(Method::GET, &client.session.npm("-/whoami"))).await?;
    let name = answer.get("username").and_then(Value::as_str);
    name.map(str::to_owned)
        .ok_or_else(|| Failure::local("No name", "The server's answer has no user name in it."))
}

/// Ends the sign-in on the server and forgets it here, also when the server does not know it any more.
pub(crate) async fn logout(terminal: &Terminal, global: &Global) -> Result<(), Failure> {
    let profile = profile_in_use(global)?;
    let credentials = Credentials::load()?;
    let Some(stored) = credentials.get(&profile) else {
        terminal.say("Nobody was signed in.");
        return Ok(());
    };
    let server = stored.server.clone();
    let session = Session {
        server: server.clone(),
        registry: stored.registry.clone(),
        token: Some(stored.token.clone()),
        token_from: "the stored sign-in",
    };
    let client = Client::with(global, session)?;
    let revoked = client.send(client.request(Method::POST, &client.session.api("/api/auth/logout"))).await;
    credentials.remove(&profile)?;
    match revoked {
        Ok(_) => terminal.done(format!("Signed out of {server}. The token is of no use any more.")),
        Err(failure) if failure.exit == code::SIGN_IN => {
            terminal.done(format!("Signed out of {server}. The token was of no use any more already."));
        }
        Err(failure) => {
            terminal.warn(format!(
                "The token was forgotten here, but {server} could not be told: {}",
                failure.detail
            ));
        }
    }
    Ok(())
}

/// Shows who is signed in. The name alone on standard output.
pub(crate) async fn whoami(terminal: &Terminal, global: &Global) -> Result<(), Failure> {
    let client = Client::new(global)?;
    if client.session.token.is_none() {
        let detail = format!("Nobody is signed in to {}.", client.session.server);
        return Err(Failure::sign_in(detail));
    }
    let username = who(&client).await?;
    if terminal.json {
        terminal.data_json(&json!({"username": username, "server": client.session.server}));
    } else {
        terminal.data(&username);
        terminal.say(format!("  on {}, with {}", client.session.server, client.session.token_from));
    }
    Ok(())
}
