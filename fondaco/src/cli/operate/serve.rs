//! `serve`: settings, log, then the server itself.

use std::io::IsTerminal;

use super::super::args::Serve;
use super::super::failure::{Failure, sentence};
use super::super::terminal::Terminal;
use super::settings;
use crate::config::{Log, LogFormat};

/// Runs the server until it is told to end.
pub(crate) async fn serve(terminal: &Terminal, args: &Serve) -> Result<(), Failure> {
    let mut flags = Vec::new();
    if let Some(address) = &args.listen {
        flags.push(("server.listen", "--listen", address.clone()));
    }
    if !args.roles.is_empty() {
        flags.push(("server.roles", "--role", args.roles.join(",")));
    }
    if let Some(word) = &args.rate_limits {
        flags.push(("limits.rates", "--rate-limits", word.clone()));
    }
    let loaded = settings(&args.place, flags)?;
    start_log(&loaded.config.log);
    for warning in &loaded.warnings {
        terminal.warn(warning);
    }
    // The future of the whole server is large; on the heap it does not weigh on this one.
    Box::pin(crate::serve::run(&loaded.config, args.demo)).await.map_err(|error| stopped(&error))
}

/// A chain of causes as one sentence.
pub(super) fn stopped(error: &anyhow::Error) -> Failure {
    Failure::local("The server stopped", sentence(&format!("{error:#}"))).next("fondaco doctor")
}

fn start_log(log: &Log) {
    let is_json = match log.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // The filter was tried when the settings were read.
    let filter = tracing_subscriber::EnvFilter::new(&log.level);
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let _ = if is_json {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
    } else {
        builder.try_init()
    };
}
