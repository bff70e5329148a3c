//! `completion`, `version`, `commands`.

use clap::CommandFactory;
use serde_json::{Value, json};

use super::args::Cli;
use super::terminal::Terminal;

/// Prints the completion script of a shell.
pub(crate) fn completion(terminal: &Terminal, shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fondaco", &mut script);
    terminal.data(String::from_utf8_lossy(&script).trim_end());
}

/// Prints the version.
pub(crate) fn version(terminal: &Terminal) {
    let version = env!("CARGO_PKG_VERSION");
    if terminal.json {
        terminal.data_json(
            &json!({"version": version, "os": std::env::consts::OS, "arch": std::env::consts::ARCH}),
        );
    } else {
        terminal.data(format!("fondaco {version}"));
    }
}

/// Lists every command, for programs that drive this one.
pub(crate) fn commands(terminal: &Terminal) {
    let mut root = Cli::command();
    root.build();
    if terminal.json {
        terminal.data_json(&describe(&root, ""));
        return;
    }
    let mut rows = Vec::new();
    list(&root, "", &mut rows);
    terminal.table(&["command", "does"], rows);
}

fn path(command: &clap::Command, above: &str) -> String {
    if above.is_empty() { command.get_name().to_owned() } else { format!("{above} {}", command.get_name()) }
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn list(command: &clap::Command, above: &str, rows: &mut Vec<Vec<String>>) {
    let path = path(command, above);
    if !command.has_subcommands() {
        rows.push(vec![path.clone(), about(command)]);
    }
    command.get_subcommands().for_each(|below| list(below, &path, rows));
}

fn describe(command: &clap::Command, above: &str) -> Value {
    let path = path(command, above);
    let argument = |argument: &clap::Arg| {
        let choices = argument.get_possible_values();
        json!({
            "name": argument.get_id().as_str(),
            "flag": argument.get_long().map(|long| format!("--{long}")),
            "short": argument.get_short().map(|short| format!("-{short}")),
            "help": argument.get_help().map(ToString::to_string),
            "required": argument.is_required_set(),
            "takesValue": argument.get_action().takes_values(),
            "choices": choices.iter().map(|choice| choice.get_name().to_owned()).collect::<Vec<_>>(),
            "default": argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            "global": argument.is_global_set(),
        })
    };
    // Global flags stand at the root once, not at each command again.
    let own = command.get_arguments().filter(|argument| above.is_empty() || !argument.is_global_set());
    let below = command.get_subcommands().map(|below| describe(below, &path));
    json!({
        "command": path,
        "about": about(command),
        "arguments": own.filter(|own| !matches!(own.get_id().as_str(), "help" | "version")).map(argument).collect::<Vec<_>>(),
        "commands": below.collect::<Vec<_>>(),
    })
}
