//! The command line: client commands talk to a server over HTTP, operator commands work on its data.

mod account;
mod answer;
mod args;
mod client;
mod deployment;
mod download;
mod failure;
mod listing;
mod market;
mod npmrc;
mod operate;
mod order;
mod packages;
mod payout;
mod profile;
mod profiles;
mod publish;
mod sales;
mod service;
mod terminal;
mod ticket;
mod token;
mod tools;
mod wallet;
mod webhook;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, ClientConfig, Command};
use failure::Failure;
use terminal::Terminal;

/// Runs the command that the arguments name and gives its exit code.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Also --help and --version, which end with code 0; wrong usage ends with 2.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::code::USAGE));
        }
    };
    let terminal = Terminal::new(&cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Failure::local("The program cannot start", error);
            terminal.fail(&failure);
            return failure.exit_code();
        }
    };
    match runtime.block_on(dispatch(&terminal, &cli)) {
        Ok(code) => code,
        Err(failure) => {
            terminal.fail(&failure);
            failure.exit_code()
        }
    }
}

async fn dispatch(terminal: &Terminal, cli: &Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    if !matches!(cli.command, Command::Serve(_)) {
        log_to_stderr(global.verbose);
    }
    match &cli.command {
        Command::Login(args) => account::login(terminal, global, args).await?,
        Command::Logout => account::logout(terminal, global).await?,
        Command::Whoami => account::whoami(terminal, global).await?,
        Command::Search(args) => packages::search(terminal, global, args).await?,
        Command::Info(args) => packages::info(terminal, global, args).await?,
        Command::Publish(args) => publish::publish(terminal, global, args).await?,
        Command::Market(command) => market::run(terminal, global, command).await?,
        Command::Order(command) => order::run(terminal, global, command).await?,
        Command::Ticket(command) => ticket::run(terminal, global, command).await?,
        Command::Services(args) => service::services(terminal, global, args).await?,
        Command::Service(command) => service::run(terminal, global, command).await?,
        Command::Deploy(args) => deployment::deploy(terminal, global, args).await?,
        Command::Deployment(command) => deployment::run(terminal, global, command).await?,
        Command::Listing(command) => listing::run(terminal, global, command).await?,
        Command::Sales(command) => sales::run(terminal, global, command).await?,
        Command::Payout(command) => payout::run(terminal, global, command).await?,
        Command::Webhook(command) => webhook::run(terminal, global, command).await?,
        Command::Profile(command) => profiles::run(terminal, global, command)?,
        Command::Token(command) => token::run(terminal, global, command).await?,
        Command::Wallet(command) => wallet::run(terminal, global, command).await?,
        Command::Config(ClientConfig::Npm(args)) => npmrc::npm(terminal, global, args)?,
        Command::Serve(args) => operate::serve::serve(terminal, args).await?,
        Command::Relay(args) => operate::relay::relay(terminal, args).await?,
        Command::Demo(place) => operate::demo::demo(terminal, place).await?,
        Command::Check(place) => operate::check::check(terminal, place)?,
        Command::Migrate(args) => operate::migrate::migrate(terminal, args).await?,
        Command::Backup(command) => operate::backup::run(terminal, command).await?,
        Command::Admin(command) => operate::admin::run(terminal, command).await?,
        Command::Doctor(args) => return operate::doctor::doctor(terminal, global, args).await,
        Command::Completion { shell } => tools::completion(terminal, *shell),
        Command::Version => tools::version(terminal),
        Command::Commands => tools::commands(terminal),
    }
    Ok(ExitCode::SUCCESS)
}

/// What the program itself notices goes to standard error: warnings, and with `-v` more.
fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 | 2 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_target(false)
        .without_time()
        .try_init();
}
