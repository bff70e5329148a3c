//! What `fondaco admin` is asked to do.

use clap::{Args, Subcommand};

use super::{NewToken, Place};

/// Work of the operator on the server's machine.
#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    /// Users.
    #[command(subcommand)]
    User(AdminUser),
    /// API tokens of any user.
    #[command(subcommand)]
    Token(AdminToken),
    /// Who did what.
    Audit(AdminAudit),
    /// Background work.
    #[command(subcommand)]
    Jobs(AdminJobs),
    /// What all accounts of the ledger add up to, by currency.
    TrialBalance(Place),
    /// Read the whole ledger and fail where it is wrong.
    #[command(after_help = "Examples:\n  fondaco admin audit-ledger --json")]
    AuditLedger(Place),
}

/// Users.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminUser {
    /// Make a user; a token of it is printed once, alone on standard output.
    #[command(
        after_help = "Examples:\n  fondaco admin user create --username ada --email ada@example.com --password-stdin --role admin < password.txt"
    )]
    Create(AdminUserCreate),
    /// List users.
    #[command(visible_alias = "ls")]
    List(AdminUserList),
    /// Keep a user from signing in; sessions and tokens stop working.
    Disable(AdminUserName),
    /// Let a disabled user in again.
    Enable(AdminUserName),
    /// Replace the roles of a user.
    SetRoles {
        /// Which user.
        #[command(flatten)]
        user: AdminUserName,
        /// The roles from now on: user, publisher, admin, cloud-user, cloud-provider, cloud-operator.
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', required = true)]
        roles: Vec<String>,
    },
    /// Set another password.
    ResetPassword {
        /// Which user.
        #[command(flatten)]
        user: AdminUserName,
        /// Read the password from standard input; without this one is made and printed.
        #[arg(long)]
        password_stdin: bool,
    },
}

/// A user to make.
#[derive(Debug, Args)]
pub(crate) struct AdminUserCreate {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// The name to sign in with.
    #[arg(long)]
    pub(crate) username: String,
    /// The e-mail address.
    #[arg(long)]
    pub(crate) email: String,
    /// Read the password from standard input; without this one is made and printed.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// A role; user and publisher where absent.
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
}

/// Which users to list.
#[derive(Debug, Args)]
pub(crate) struct AdminUserList {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Part of a name or address.
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// How many to show.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) offset: u32,
}

/// One user.
#[derive(Debug, Args)]
pub(crate) struct AdminUserName {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// The user's name.
    #[arg(id = "user", long, visible_alias = "username", value_name = "NAME")]
    pub(crate) name: String,
}

/// Tokens of any user.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminToken {
    /// Make a token; it is printed once, alone on standard output.
    Create {
        /// Whose.
        #[command(flatten)]
        user: AdminUserName,
        /// The token.
        #[command(flatten)]
        token: NewToken,
    },
    /// List the tokens of a user.
    #[command(visible_alias = "ls")]
    List(AdminUserName),
    /// Make a token useless from now on.
    Revoke {
        /// Which data.
        #[command(flatten)]
        place: Place,
        /// The token's id.
        id: String,
    },
}

/// Background work.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminJobs {
    /// List jobs, the newest first.
    #[command(visible_alias = "ls", after_help = "Examples:\n  fondaco admin jobs list --state dead --json")]
    List(AdminJobList),
    /// Try a dead or cancelled job again, now.
    Retry(AdminJob),
    /// Stop a job that waits or runs.
    Cancel(AdminJob),
}

/// Which jobs.
#[derive(Debug, Args)]
pub(crate) struct AdminJobList {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only in this state: waiting, running, done, dead, cancelled.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only of this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// How many to show.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) offset: u32,
}

/// One job.
#[derive(Debug, Args)]
pub(crate) struct AdminJob {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// The job's id.
    pub(crate) id: String,
}

/// Which part of the trail.
#[derive(Debug, Args)]
pub(crate) struct AdminAudit {
    /// Which data.
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only by this user.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only this action, or actions that start so: token, token.created.
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only to this thing.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Only since this time (RFC 3339) or this long ago (7d).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// How many to show.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) offset: u32,
}
