//! The tree of commands. Each doc comment is what `--help` says.

mod admin;
mod deploy;
mod market;
mod sell;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::client::Query;

pub(crate) use admin::{
    Admin, AdminAudit, AdminJob, AdminJobList, AdminJobs, AdminToken, AdminUser, AdminUserCreate,
    AdminUserList, AdminUserName,
};
pub(crate) use deploy::{Deploy, Deployment, Logs, Offered, Scheduled, Services, Settings, Wait, Waited};
pub(crate) use market::{
    Browse, CheckIn, Download, Format, Line, Market, NewOrder, Order, Orders, Pay, Refund, Saved, Side, Sort,
    Ticket, Transfer, Units,
};
pub(crate) use sell::{
    Earned, Every, Listing, ListingOffer, Listings, NewListing, Payout, Sales, Versioned, Webhook,
};

const EXAMPLES: &str = "\
Examples:
  fondaco serve --demo                  start everything with demo data
  fondaco login --server https://…      sign in
  fondaco publish ./my-package          publish an npm package
  fondaco search http                   find packages
  fondaco market list                   look at what is for sale
  fondaco order place --offer offer-…   order some of it
  fondaco deploy postgres-managed       run a database of your own
  fondaco admin user list               manage users on the server's machine

Exit codes: 0 done, 1 failed, 2 wrong usage or cancelled, 4 sign in first, 5 not found, 6 conflict,
  7 payment needed, 8 refused by policy, 75 try again later.";

/// One marketplace for software: packages, and what comes next.
#[derive(Debug, Parser)]
#[command(name = "fondaco", version, after_help = EXAMPLES, arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but data and errors.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more; twice for every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Whether to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    /// The same as --color never.
    #[arg(long, global = true, overrides_with = "color")]
    pub(crate) no_color: bool,
    /// The server to talk to; else FONDACO_SERVER, FONDACO_URL, or the one signed in to.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Which stored sign-in to use; else the one that `fondaco profile use` chose.
    #[arg(long, global = true, value_name = "NAME", env = "FONDACO_PROFILE")]
    pub(crate) profile: Option<String>,
    /// Answer every question with yes.
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Never ask; fail where an answer is missing.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// How long to wait for an answer of the server.
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = crate::config::parse_duration)]
    pub(crate) timeout: std::time::Duration,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set; or where CLICOLOR_FORCE is.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in to a server.
    #[command(
        after_help = "Examples:\n  fondaco login --server https://market.example.com\n  fondaco login --username ada --password-stdin < password.txt\n  printenv TOKEN | fondaco login --with-token"
    )]
    Login(Login),
    /// Sign out and forget the token.
    Logout,
    /// Show who is signed in, and where.
    Whoami,
    /// Find packages.
    #[command(after_help = "Examples:\n  fondaco search http\n  fondaco search http --limit 50 --json")]
    Search(Search),
    /// Show a package, or one release of it.
    #[command(after_help = "Examples:\n  fondaco info @elide/http\n  fondaco info @elide/http@2.0.0 --json")]
    Info(Info),
    /// Publish an npm package: a folder, or a file made by `npm pack`.
    #[command(
        after_help = "Examples:\n  fondaco publish\n  fondaco publish ./my-package --dry-run\n  fondaco publish my-package-1.0.0.tgz --tag next --access private"
    )]
    Publish(Publish),
    /// Look at what is for sale.
    #[command(subcommand)]
    Market(Market),
    /// Order what is for sale, pay for it, and what comes after.
    #[command(subcommand)]
    Order(Order),
    /// Show, save and hand on tickets, and check them in at the door.
    #[command(subcommand)]
    Ticket(Ticket),
    /// List the services that can be deployed.
    #[command(
        after_help = "Examples:\n  fondaco services\n  fondaco services --category database\n  fondaco services --json"
    )]
    Services(Services),
    /// Show one service, its plans and its prices.
    #[command(subcommand)]
    Service(Offered),
    /// Deploy a service: it answers in seconds, and its password is printed once.
    #[command(
        after_help = "Examples:\n  fondaco deploy postgres-managed\n  fondaco deploy postgres-managed --name orders-db --plan pro --region eu-central-1\n  fondaco deploy redis-managed --dry-run"
    )]
    Deploy(Deploy),
    /// See what you deployed, connect to it, change it, save it.
    #[command(subcommand)]
    Deployment(Deployment),
    /// List what you sell, and put it on and off sale.
    #[command(subcommand)]
    Listing(Listing),
    /// See what was sold, and what it brought.
    #[command(subcommand)]
    Sales(Sales),
    /// Have what you earned paid out.
    #[command(subcommand)]
    Payout(Payout),
    /// Manage addresses that are told what happens.
    #[command(subcommand)]
    Webhook(Webhook),
    /// See the servers that you are signed in to, and choose the one in use.
    #[command(subcommand)]
    Profile(Profile),
    /// Manage API tokens of your account.
    #[command(subcommand)]
    Token(Token),
    /// Show and top up the money that you pay orders from.
    #[command(subcommand)]
    Wallet(Wallet),
    /// Show or write the settings of a package client.
    #[command(subcommand)]
    Config(ClientConfig),
    /// Start the server.
    #[command(
        after_help = "Examples:\n  fondaco serve\n  fondaco serve --demo --data-dir /tmp/try\n  fondaco serve --listen 0.0.0.0 --role registry,web"
    )]
    Serve(Serve),
    /// Carry connections to deployments. The server starts this by itself, as a process that outlives it.
    #[command(
        after_help = "Examples:\n  fondaco relay --status\n  fondaco relay --stop --data-dir /var/lib/fondaco\n  fondaco relay --data-dir /var/lib/fondaco --listen 0.0.0.0"
    )]
    Relay(Relay),
    /// Fill an empty database with demo data.
    Demo(Place),
    /// Show all settings, where each comes from, and what is wrong with them.
    Check(Place),
    /// Bring the database to this version's schema.
    Migrate(Migrate),
    /// Make, check and read back backups of everything.
    #[command(subcommand)]
    Backup(Backup),
    /// Manage accounts on the server's machine, without signing in.
    #[command(subcommand)]
    Admin(Admin),
    /// Look for what would keep the server from working well.
    #[command(after_help = "Examples:\n  fondaco doctor\n  fondaco doctor --fix --data-dir /var/lib/fondaco")]
    Doctor(Doctor),
    /// Print the completion script of a shell.
    #[command(after_help = "Examples:\n  fondaco completion bash > /etc/bash_completion.d/fondaco")]
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
    /// List every command and flag, for programs with --json.
    Commands,
}

/// How to sign in.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Sign in with this name and a password instead of the browser.
    #[arg(long, value_name = "NAME", conflicts_with = "with_token")]
    pub(crate) username: Option<String>,
    /// Read the password from standard input.
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,
    /// Read an API token from standard input.
    #[arg(long)]
    pub(crate) with_token: bool,
}

/// What to look for.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Words of the name, description or keywords.
    #[arg(required = true)]
    pub(crate) words: Vec<String>,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Part {
    /// How many to show.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) offset: u32,
}

impl Part {
    /// As the API is asked for it.
    pub(crate) fn query(self) -> Query {
        Query::default().and("limit", self.limit).and("offset", self.offset)
    }
}

/// Which package.
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// NAME or NAME@VERSION.
    pub(crate) name: String,
}

/// What to publish.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// A folder with a package.json, or a .tgz file. Folders are packed by npm itself.
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Show what would be published and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The dist-tag that this release gets.
    #[arg(long, default_value = "latest")]
    pub(crate) tag: String,
    /// Who may read a package that is published for the first time.
    #[arg(long, value_enum)]
    pub(crate) access: Option<Access>,
}

/// Who may read a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Everybody.
    Public,
    /// Its maintainers and whom they let in.
    Private,
}

/// Stored sign-ins.
#[derive(Debug, Subcommand)]
pub(crate) enum Profile {
    /// List the stored sign-ins; the one in use is marked.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco profile list\n  fondaco profile list --json"
    )]
    List,
    /// Use this sign-in from now on, where no other is named.
    #[command(
        after_help = "Examples:\n  fondaco login --profile work --server https://market.example.com\n  fondaco profile use work"
    )]
    Use {
        /// The profile's name, as `fondaco profile list` shows it.
        name: String,
    },
}

/// API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token; it is printed once, alone on standard output.
    #[command(after_help = "Examples:\n  fondaco token create --name ci --scopes publish --expires 90d")]
    Create(NewToken),
    /// List your tokens.
    #[command(visible_alias = "ls")]
    List,
    /// Make a token useless from now on.
    Revoke {
        /// The token's id, as `fondaco token list` shows it.
        id: String,
    },
}

/// A token to make.
#[derive(Debug, Args)]
pub(crate) struct NewToken {
    /// What it is for.
    #[arg(long, default_value = "command line")]
    pub(crate) name: String,
    /// What it may do: read, publish, buy, account, admin, and packages:@scope/* to restrict it. Where absent all of
    /// them; a token of one's own then lacks buy and admin.
    #[arg(long, value_delimiter = ',')]
    pub(crate) scopes: Vec<String>,
    /// How long it is valid.
    #[arg(long, value_name = "DURATION", value_parser = crate::config::parse_duration)]
    pub(crate) expires: Option<std::time::Duration>,
}

/// The money that an account pays orders from.
#[derive(Debug, Subcommand)]
pub(crate) enum Wallet {
    /// Show what there is.
    #[command(after_help = "Examples:\n  fondaco wallet balance\n  fondaco wallet balance --org acme --json")]
    Balance(Whose),
    /// Charge a saved card and put the money into the wallet.
    #[command(
        after_help = "Examples:\n  fondaco wallet topup 25\n  fondaco wallet topup 25.50 --currency EUR --yes"
    )]
    Topup(TopUp),
    /// List the saved cards that orders can be paid with.
    #[command(after_help = "Examples:\n  fondaco wallet methods\n  fondaco wallet methods --org acme --json")]
    Methods {
        /// Those of an organisation which you administer.
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
    },
    /// Show what happened to the balance, the newest first.
    #[command(
        after_help = "Examples:\n  fondaco wallet history --limit 50\n  fondaco wallet history --from 2026-01-01T00:00:00Z --json"
    )]
    History(History),
}

/// Whose wallet, and which of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Whose {
    /// That of an organisation which you administer.
    #[arg(long, value_name = "NAME")]
    pub(crate) org: Option<String>,
    /// In this currency; the server's usual one where absent.
    #[arg(long, value_name = "CODE")]
    pub(crate) currency: Option<String>,
}

/// A top-up.
#[derive(Debug, Args)]
pub(crate) struct TopUp {
    /// How much, such as 25 or 25.50.
    pub(crate) amount: String,
    /// The saved card to charge; the default one where absent.
    #[arg(long, value_name = "ID", conflicts_with = "token")]
    pub(crate) card: Option<String>,
    /// A token of the payment gateway instead, such as tok_visa of the sandbox.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Names this top-up: said again, it is the same one and charges nothing more.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
}

/// Which part of the history.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// How many entries.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Not before this time, as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Where to go on, as the part before said.
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<i64>,
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
}

/// Settings of package clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientConfig {
    /// The lines that point npm, pnpm, yarn and bun at this server.
    #[command(after_help = "Examples:\n  fondaco config npm\n  fondaco config npm --scope @acme --write")]
    Npm(NpmConfig),
}

/// Lines of an .npmrc.
#[derive(Debug, Args)]
pub(crate) struct NpmConfig {
    /// Only for packages of this scope.
    #[arg(long, value_name = "@SCOPE")]
    pub(crate) scope: Option<String>,
    /// Write them into this file, .npmrc where no name is given; other lines of it stay.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".npmrc")]
    pub(crate) write: Option<PathBuf>,
    /// Put the stored token in, instead of a reference to the variable FONDACO_TOKEN.
    #[arg(long)]
    pub(crate) with_token: bool,
}

/// Which server's data a command works on.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Place {
    /// The settings file; ./fondaco.toml where absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// What this process does: api, registry, web, orchestrator, worker.
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
    /// Fill an empty database with demo data first.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Whether the requests of one address are limited.
    #[arg(long, value_name = "on|off")]
    pub(crate) rate_limits: Option<String>,
}

/// How to be the relay, or what to do with the one that runs.
#[derive(Debug, Args)]
pub(crate) struct Relay {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// The address at which ports of deployments are opened.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: std::net::IpAddr,
    /// End after this time without deployments, and without a server that asks.
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = crate::config::parse_duration)]
    pub(crate) idle: std::time::Duration,
    /// Let go of the terminal and the session.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
    /// Show what the relay that runs does.
    #[arg(long, conflicts_with = "stop")]
    pub(crate) status: bool,
    /// Have the relay that runs let nobody in any more, and end with its last connection.
    #[arg(long)]
    pub(crate) stop: bool,
}

/// How to migrate.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Show what would be applied and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Backups.
#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Copy the database and all files into a new folder, while the server runs.
    #[command(after_help = "Examples:\n  fondaco backup create /backups/monday")]
    Create {
        /// Which data.
        #[command(flatten)]
        place: Place,
        /// The folder to make.
        to: PathBuf,
    },
    /// Read a whole backup and compare it with its sums.
    Verify {
        /// The backup.
        from: PathBuf,
    },
    /// Read a backup into an empty database, of the same or the other kind.
    #[command(
        after_help = "Examples:\n  fondaco backup restore /backups/monday --data-dir /var/lib/fondaco\n  DATABASE_URL=postgres://… fondaco backup restore /backups/monday"
    )]
    Restore {
        /// Where to.
        #[command(flatten)]
        place: Place,
        /// The backup.
        from: PathBuf,
    },
}

/// How to look.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Mend what can be mended safely.
    #[arg(long)]
    pub(crate) fix: bool,
}
