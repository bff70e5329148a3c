//! The commands of who deploys services: `services`, `service`, `deploy`, `deployment`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::Part;
use crate::config::parse_duration;

/// What can be deployed.
#[derive(Debug, Subcommand)]
pub(crate) enum Offered {
    /// List the services; the same as `fondaco services`.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco service list\n  fondaco service list --category database --json"
    )]
    List(Services),
    /// Show one service with its plans and prices.
    #[command(
        visible_alias = "info",
        after_help = "Examples:\n  fondaco service show postgres-managed\n  fondaco service show postgres-managed --json"
    )]
    Show {
        /// The service's short name, as `fondaco services` shows it.
        service: String,
    },
}

/// Which services.
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Only these: database, ml, api, storage, compute.
    #[arg(long)]
    pub(crate) category: Option<String>,
    /// Which of them.
    #[command(flatten)]
    pub(crate) part: Part,
}

/// What to deploy.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The service's short name, as `fondaco services` shows it.
    pub(crate) service: String,
    /// What you call it; the service's short name and a number where absent.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How large; the service's first plan where absent.
    #[arg(long)]
    pub(crate) plan: Option<String>,
    /// Where; the service's first region where absent.
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// What is chosen besides.
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Make it an organisation's.
    #[arg(long, value_name = "NAME")]
    pub(crate) org: Option<String>,
    /// Show what it would be and cost, and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Pay the plan, where it has a price: `wallet`, `default` for the saved card, the id of a saved card, or a token of the
    /// payment gateway. Without it the page is named on which you can pay.
    #[arg(long, value_name = "WAY")]
    pub(crate) pay: Option<String>,
    /// How long to wait.
    #[command(flatten)]
    pub(crate) wait: Wait,
    /// Names this deployment: said again, it is the same one.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// The service's own settings, as `fondaco service show` lists them.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Set one of the service's own settings. Nothing behind the `=` stands for its default.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) values: Vec<String>,
    /// Set one of them to what a file has, such as a list of routes in JSON or YAML.
    #[arg(long = "set-file", value_name = "NAME=PATH")]
    pub(crate) files: Vec<String>,
}

/// How long to wait for what was asked to come true.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Wait {
    /// Wait so long at most until it is so; ends with code 124 after that.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub(crate) wait: Duration,
    /// Do not wait.
    #[arg(long, conflicts_with = "wait")]
    pub(crate) detach: bool,
}

/// Which deployment, and how long to wait.
#[derive(Debug, Args)]
pub(crate) struct Waited {
    /// Its id or its name.
    pub(crate) deployment: String,
    /// How long to wait.
    #[command(flatten)]
    pub(crate) wait: Wait,
}

/// When backups are made by themselves.
#[derive(Debug, Args)]
pub(crate) struct Scheduled {
    /// Its id or its name.
    pub(crate) deployment: String,
    /// How often; without it the schedule is shown.
    #[arg(long, value_parser = ["hour", "day", "week", "never"])]
    pub(crate) every: Option<String>,
    /// At which time, in UTC; where it is hourly the minute counts.
    #[arg(long, value_name = "HH:MM", default_value = "03:00")]
    pub(crate) at: String,
    /// On which day, where it is weekly: 0 is Monday.
    #[arg(long, default_value_t = 0)]
    pub(crate) weekday: u32,
    /// How many of those that it made are kept.
    #[arg(long, default_value_t = 7)]
    pub(crate) keep: u32,
}

/// What runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Deployment {
    /// List your deployments, the newest first.
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  fondaco deployment list\n  fondaco deployment list --status failed --json"
    )]
    List {
        /// Only those of this status: provisioning, running, degraded, stopping, stopped, failed, deleting.
        #[arg(long)]
        status: Option<String>,
        /// Which of them.
        #[command(flatten)]
        part: Part,
    },
    /// Show one deployment: how it is, what it does, what it costs.
    #[command(
        visible_alias = "status",
        after_help = "Examples:\n  fondaco deployment show my-database\n  fondaco deployment show deploy-0193… --json"
    )]
    Show {
        /// Its id or its name.
        deployment: String,
    },
    /// Stop it; what it keeps stays.
    #[command(after_help = "Examples:\n  fondaco deployment stop my-database")]
    Stop(Waited),
    /// Start it again.
    #[command(after_help = "Examples:\n  fondaco deployment start my-database")]
    Start(Waited),
    /// Start it anew; what it keeps stays.
    #[command(after_help = "Examples:\n  fondaco deployment restart my-database")]
    Restart(Waited),
    /// Give it another plan.
    #[command(after_help = "Examples:\n  fondaco deployment scale my-database --plan pro")]
    Scale {
        /// Which, and how long to wait.
        #[command(flatten)]
        which: Waited,
        /// The plan, as `fondaco service show` shows it.
        #[arg(long)]
        plan: String,
    },
    /// Change its service's own settings. It starts anew with them; what it keeps stays.
    #[command(
        after_help = "Examples:\n  fondaco deployment configure my-api --set upstream=http://orders:8080\n  fondaco deployment configure my-api --set-file routes=routes.json"
    )]
    Configure {
        /// Which, and how long to wait.
        #[command(flatten)]
        which: Waited,
        /// Which of them.
        #[command(flatten)]
        settings: Settings,
    },
    /// Call it something else. Its address stays the same.
    #[command(after_help = "Examples:\n  fondaco deployment rename my-database orders-db")]
    Rename {
        /// Its id or its name.
        deployment: String,
        /// The new name.
        name: String,
    },
    /// Replace its password; the new one is printed once.
    #[command(after_help = "Examples:\n  fondaco deployment rotate my-database --yes")]
    Rotate {
        /// Its id or its name.
        deployment: String,
    },
    /// Show how to connect; the password only with --reveal, which is written down.
    #[command(
        after_help = "Examples:\n  fondaco deployment credentials my-database\n  fondaco deployment credentials my-database --reveal --json"
    )]
    Credentials {
        /// Its id or its name.
        deployment: String,
        /// Show what is secret too.
        #[arg(long)]
        reveal: bool,
    },
    /// Show what it wrote.
    #[command(
        after_help = "Examples:\n  fondaco deployment logs my-database --tail 50\n  fondaco deployment logs my-database -f\n  fondaco deployment logs my-database --search error"
    )]
    Logs(Logs),
    /// Show its figures over time.
    #[command(
        after_help = "Examples:\n  fondaco deployment metrics my-database\n  fondaco deployment metrics my-database --hours 24 --json"
    )]
    Metrics {
        /// Its id or its name.
        deployment: String,
        /// How many hours back, up to sixty days.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_440))]
        hours: u32,
    },
    /// List its backups, the newest first.
    #[command(after_help = "Examples:\n  fondaco deployment backups my-database")]
    Backups {
        /// Its id or its name.
        deployment: String,
        /// Which of them.
        #[command(flatten)]
        part: Part,
    },
    /// Show or change when backups are made by themselves.
    #[command(
        after_help = "Examples:\n  fondaco deployment schedule my-database\n  fondaco deployment schedule my-database --every day --at 03:30 --keep 14\n  fondaco deployment schedule my-database --every never"
    )]
    Schedule(Scheduled),
    /// Make a backup, and check it by reading it back.
    #[command(after_help = "Examples:\n  fondaco deployment backup my-database")]
    Backup(Waited),
    /// Read a backup back, into the same deployment or into a new one.
    #[command(
        after_help = "Examples:\n  fondaco deployment restore my-database backup-0193… --yes\n  fondaco deployment restore my-database backup-0193… --to my-database-2"
    )]
    Restore {
        /// Its id or its name.
        deployment: String,
        /// The backup, as `fondaco deployment backups` shows it.
        backup: String,
        /// Make a new deployment of this name from it, and leave the present one alone.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
    },
    /// Delete it. For a day this can be undone.
    #[command(
        after_help = "Examples:\n  fondaco deployment delete my-database\n  fondaco deployment delete my-database --now --yes"
    )]
    Delete {
        /// Its id or its name.
        deployment: String,
        /// At once and for good, with everything it keeps.
        #[arg(long)]
        now: bool,
    },
    /// Call back one that is being deleted.
    #[command(after_help = "Examples:\n  fondaco deployment undelete deploy-0193…")]
    Undelete {
        /// Its id or its name.
        deployment: String,
    },
    /// Start its client here, signed in: psql, redis-cli, mariadb.
    #[command(
        after_help = "Examples:\n  fondaco deployment connect my-database\n  fondaco deployment connect my-database -- -c 'select 1'"
    )]
    Connect {
        /// Its id or its name.
        deployment: String,
        /// What the client is told besides.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

/// Which lines.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Its id or its name.
    pub(crate) deployment: String,
    /// Go on as it writes more.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines with this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// How many of the last lines.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) tail: u32,
}
