//! `admin`: accounts, tokens and the trail, on the server's machine. Whoever can read the data folder may do it; the
//! trail names `system`.

use std::time::Duration;

use identity::audit::Entry;
use identity::tokens::{CreatedToken, NewToken, Token};
use identity::{Caller, IdentityError, NewAccount, Role, Roles, Scopes, Terms, TokenId, User, UserId, audit};
use kernel::{Paging, Problem, Secret, Timestamp};
use serde_json::{Value, json};

use super::super::args::{
    Admin, AdminAudit, AdminToken, AdminUser, AdminUserCreate, AdminUserList, AdminUserName,
    NewToken as NewTokenArgs, Place,
};
use super::super::failure::Failure;
use super::super::terminal::{Terminal, read_secret_line};
use super::super::token::HEAD;
use super::open;
use crate::config::parse_duration;
use crate::rooms::Rooms;

impl From<ledger::LedgerError> for Failure {
    fn from(error: ledger::LedgerError) -> Self {
        Problem::from(error).into()
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Problem::from(error).into()
    }
}

/// What every command here works with.
pub(super) struct Desk {
    pub(super) rooms: Rooms,
    pub(super) by: Caller,
}

impl Desk {
    pub(super) async fn open(terminal: &Terminal, place: &Place) -> Result<Self, Failure> {
        let rooms = open(terminal, place).await?.rooms;
        let by = Caller::system(rooms.clock.now());
        Ok(Self { rooms, by })
    }

    async fn user(&self, name: &str) -> Result<UserId, Failure> {
        let found = self.rooms.identity.user_named(&self.by, name).await;
        found.map_err(|error| match error {
            IdentityError::NotFound(_) => Failure::from(Problem::not_found(
                "identity.not_found",
                format!("There is no user called {}.", super::super::terminal::plain(name)),
            ))
            .next("fondaco admin user list"),
            error => error.into(),
        })
    }
}

/// Runs a command of the operator.
pub(crate) async fn run(terminal: &Terminal, command: &Admin) -> Result<(), Failure> {
    match command {
        Admin::User(command) => user(terminal, command).await,
        Admin::Token(command) => token(terminal, command).await,
        Admin::Audit(args) => trail(terminal, args).await,
        Admin::Jobs(command) => super::jobs::run(terminal, command).await,
        Admin::TrialBalance(place) => super::ledger::trial_balance(terminal, place).await,
        Admin::AuditLedger(place) => super::ledger::audit(terminal, place).await,
    }
}

async fn user(terminal: &Terminal, command: &AdminUser) -> Result<(), Failure> {
    match command {
        AdminUser::Create(args) => create_user(terminal, args).await,
        AdminUser::List(args) => list_users(terminal, args).await,
        AdminUser::Disable(name) => set_disabled(terminal, name, true).await,
        AdminUser::Enable(name) => set_disabled(terminal, name, false).await,
        AdminUser::SetRoles { user, roles } => {
            let roles = parse_roles(roles)?;
            let desk = Desk::open(terminal, &user.place).await?;
            let profile =
                desk.rooms.identity.set_roles(&desk.by, desk.user(&user.name).await?, roles).await?;
            show_user(terminal, &profile.user, Some(profile.roles));
            let names = profile.roles.iter().map(Role::name).collect::<Vec<_>>().join(", ");
            terminal.done(format!("{} has the roles {names} now.", profile.user.username));
            Ok(())
        }
        AdminUser::ResetPassword { user, password_stdin } => {
            let (password, made) = password(*password_stdin)?;
            let desk = Desk::open(terminal, &user.place).await?;
            let id = desk.user(&user.name).await?;
            desk.rooms.identity.set_password_for(&desk.by, id, password.clone()).await?;
            if terminal.json {
                let shown = made.then(|| password.expose());
                terminal.data_json(&json!({"username": user.name, "password": shown}));
            } else if made {
                terminal.data(password.expose());
            }
            terminal.done(format!("{} has another password now; all sessions have ended.", user.name));
            Ok(())
        }
    }
}

/// The password from standard input, or one that is made; and whether it was made.
fn password(stdin: bool) -> Result<(Secret, bool), Failure> {
    if stdin {
        return Ok((read_secret_line()?, false));
    }
    Ok((Secret::new(kernel::random_text::<15>()), true))
}

/// How long the token that comes with a new account works, as one that comes with a registration.
const FIRST_TOKEN_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// Prints the token of the new account alone, so that a script can go on with it.
async fn create_user(terminal: &Terminal, args: &AdminUserCreate) -> Result<(), Failure> {
    let roles = match args.roles.as_slice() {
        [] => Roles::of(&[Role::User, Role::Publisher]),
        words => parse_roles(words)?,
    };
    let (password, made) = password(args.password_stdin)?;
    let desk = Desk::open(terminal, &args.place).await?;
    let new = NewAccount {
        username: args.username.clone(),
        email: args.email.clone(),
        password: password.clone(),
        display_name: String::new(),
    };
    let terms = Terms { roles, verified: true, easy_password: false };
    let id = desk.rooms.identity.create_user(&desk.by, new, terms).await?;
    let token = NewToken::full("made with the account", desk.by.now(), FIRST_TOKEN_LIFE);
    let token = desk.rooms.identity.create_token_for(&desk.by, id.clone(), token).await?.secret;
    let shown = made.then(|| password.expose());
    if terminal.json {
        let mut answer =
            json!({"userId": id, "username": args.username, "roles": roles, "token": token.expose()});
        if let (Some(password), Value::Object(answer)) = (shown, &mut answer) {
            answer.insert("password".to_owned(), json!(password));
        }
        terminal.data_json(&answer);
    } else {
        terminal.data(token.expose());
    }
    terminal.done(format!("Made the user {}. The token is not shown again.", args.username));
    if let Some(password) = shown {
        terminal.done(format!("The password is {password} and is not shown again."));
    }
    terminal.hint(format!("fondaco admin token create --user {}", args.username));
    Ok(())
}

fn parse_roles(words: &[String]) -> Result<Roles, Failure> {
    let roles = words.iter().map(|word| word.parse::<Role>());
    roles
        .collect::<Result<Roles, _>>()
        .map_err(|error| Failure::usage(super::super::failure::sentence(&error.to_string())))
}

async fn list_users(terminal: &Terminal, args: &AdminUserList) -> Result<(), Failure> {
    let desk = Desk::open(terminal, &args.place).await?;
    let paging = Paging { limit: args.limit, offset: args.offset };
    let search = args.search.as_deref().unwrap_or_default();
    let page = desk.rooms.identity.users(&desk.by, search, paging).await?;
    if terminal.json {
        let users: Vec<Value> = page.items.iter().map(|user| user_json(user, None)).collect();
        terminal.data_json(&json!({"users": users, "total": page.total}));
        return Ok(());
    }
    terminal.table(&["username", "e-mail", "state", "made", "id"], page.items.iter().map(user_row).collect());
    let shown = page.items.len() as u64;
    if page.total > shown + u64::from(args.offset) {
        terminal.say(format!(
            "  {shown} of {}; more with --offset {}",
            page.total,
            u64::from(args.offset) + shown
        ));
    }
    Ok(())
}

fn state(user: &User) -> &'static str {
    if user.disabled_at.is_some() { "disabled" } else { "active" }
}

fn user_row(user: &User) -> Vec<String> {
    vec![
        user.username.to_string(),
        user.email.clone(),
        state(user).to_owned(),
        user.created_at.date(),
        user.id.to_string(),
    ]
}

fn user_json(user: &User, roles: Option<Roles>) -> Value {
    let mut value = json!({
        "userId": user.id,
        "username": &*user.username,
        "email": user.email,
        "state": state(user),
        "createdAt": user.created_at,
    });
    if let (Some(roles), Value::Object(value)) = (roles, &mut value) {
        value.insert("roles".to_owned(), json!(roles));
    }
    value
}

fn show_user(terminal: &Terminal, user: &User, roles: Option<Roles>) {
    if terminal.json {
        terminal.data_json(&user_json(user, roles));
    }
}

async fn set_disabled(terminal: &Terminal, name: &AdminUserName, disabled: bool) -> Result<(), Failure> {
    let desk = Desk::open(terminal, &name.place).await?;
    let profile = desk.rooms.identity.set_disabled(&desk.by, desk.user(&name.name).await?, disabled).await?;
    show_user(terminal, &profile.user, Some(profile.roles));
    terminal.done(if disabled {
        format!("{} cannot sign in any more; sessions and tokens do not work.", name.name)
    } else {
        format!("{} can sign in again.", name.name)
    });
    Ok(())
}

async fn token(terminal: &Terminal, command: &AdminToken) -> Result<(), Failure> {
    match command {
        AdminToken::Create { user, token } => create_token(terminal, user, token).await,
        AdminToken::List(user) => {
            let desk = Desk::open(terminal, &user.place).await?;
            let (tokens, _) = desk.rooms.identity.access_of(&desk.by, desk.user(&user.name).await?).await?;
            if terminal.json {
                terminal.data_json(&json!({"tokens": tokens.iter().map(token_json).collect::<Vec<_>>()}));
            } else {
                terminal.table(&HEAD, tokens.iter().map(token_row).collect());
            }
            Ok(())
        }
        AdminToken::Revoke { place, id } => {
            let id: TokenId = id.parse().map_err(|_| {
                Failure::usage("A token's id looks like token-0193….")
                    .next("fondaco admin token list --user NAME")
            })?;
            let desk = Desk::open(terminal, place).await?;
            desk.rooms.identity.revoke_token(&desk.by, id.clone()).await?;
            terminal.done(format!("The token {id} is of no use any more."));
            Ok(())
        }
    }
}

async fn create_token(terminal: &Terminal, user: &AdminUserName, args: &NewTokenArgs) -> Result<(), Failure> {
    let scopes = match args.scopes.join(" ") {
        words if words.is_empty() => Scopes::all(),
        words => words.parse().map_err(|reason: &str| Failure::usage(reason))?,
    };
    let desk = Desk::open(terminal, &user.place).await?;
    let expires_at = args.expires.map(|life| desk.by.now().after(life));
    let new = NewToken { name: args.name.clone(), scopes, cidrs: Vec::new(), expires_at };
    let id = desk.user(&user.name).await?;
    let CreatedToken { token, secret } = desk.rooms.identity.create_token_for(&desk.by, id, new).await?;
    if terminal.json {
        let mut answer = token_json(&token);
        if let Value::Object(answer) = &mut answer {
            answer.insert("token".to_owned(), json!(secret.expose()));
            answer.insert("username".to_owned(), json!(user.name));
        }
        terminal.data_json(&answer);
    } else {
        terminal.data(secret.expose());
    }
    terminal.done(format!("Made a token for {}. It is not shown again.", user.name));
    Ok(())
}

fn token_json(token: &Token) -> Value {
    json!({
        "tokenId": token.id,
        "userId": token.user,
        "name": token.name,
        "hint": token.hint,
        "scopes": token.scopes.words(),
        "createdAt": token.created_at,
        "expiresAt": token.expires_at,
        "lastUsedAt": token.last_used_at,
    })
}

fn token_row(token: &Token) -> Vec<String> {
    let or_never = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), seconds);
    vec![
        token.id.to_string(),
        token.name.clone(),
        token.hint.clone(),
        token.scopes.to_string(),
        or_never(token.expires_at),
        or_never(token.last_used_at),
    ]
}

async fn trail(terminal: &Terminal, args: &AdminAudit) -> Result<(), Failure> {
    let desk = Desk::open(terminal, &args.place).await?;
    let since = args.since.as_deref().map(|text| since(text, desk.by.now())).transpose()?;
    let filter = audit::Filter {
        actor: args.actor.clone(),
        action: args.action.clone(),
        subject: args.subject.clone(),
        since,
        ..audit::Filter::default()
    };
    let paging = Paging { limit: args.limit, offset: args.offset };
    let page = desk.rooms.identity.audit(&desk.by, filter, paging).await?;
    if terminal.json {
        terminal.data_json(&json!({"entries": page.items, "total": page.total}));
        return Ok(());
    }
    let row = |entry: &Entry| {
        let who = entry.actor_name.clone().unwrap_or_else(|| "-".to_owned());
        let Entry { client, action, outcome, subject, .. } = entry.clone();
        vec![seconds(entry.at), who, client, action, outcome, subject]
    };
    terminal.table(&["time", "who", "from", "did", "outcome", "to"], page.items.iter().map(row).collect());
    Ok(())
}

/// A time without its milliseconds.
pub(super) fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// A point in time, or how long ago.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let ago = parse_duration(text).map(|ago: Duration| now.before(ago)).ok();
    ago.or_else(|| text.parse().ok())
        .ok_or_else(|| Failure::usage(format!("`{text}` is no time: write 7d or 2026-01-15T10:30:00Z.")))
}
