//! What people and programs see: data on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use super::args::{Color, Global};
use super::failure::Failure;

/// The widest column of a table that is never broken, in cells.
const MAX_WORD: u16 = 12;

/// The terminal, or what stands in for it.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) yes: bool,
    /// Somebody can answer questions.
    pub(crate) interactive: bool,
    /// Colours are wanted.
    pub(crate) colored: bool,
}

/// A colour of standard error; standard output stays plain text.
#[derive(Clone, Copy)]
enum Ink {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Dim = 2,
    Bold = 1,
}

/// What a check found, for [`Terminal::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Ok,
    Warn,
    Fail,
}

impl Terminal {
    pub(crate) fn new(global: &Global) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let colored = match global.color {
            _ if global.no_color => false,
            Color::Always => true,
            Color::Never => false,
            // https://no-color.org and https://bixense.com/clicolors
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto => set("CLICOLOR_FORCE") || io::stderr().is_terminal(),
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            yes: global.yes,
            interactive: !global.no_input && io::stdin().is_terminal() && io::stderr().is_terminal(),
            colored,
        }
    }

    /// Prints data. A reader that went away is no error.
    pub(crate) fn data(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
    }

    /// Prints data as JSON.
    pub(crate) fn data_json(&self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string_pretty(value) {
            self.data(text);
        }
    }

    /// Prints rows below a head; only the rows where nobody looks, so that tools can take them apart.
    pub(crate) fn table(&self, head: &[&str], rows: Vec<Vec<String>>) {
        if !io::stdout().is_terminal() {
            for row in rows {
                self.data(row.iter().map(|cell| plain(cell)).collect::<Vec<_>>().join("\t"));
            }
            return;
        }
        if rows.is_empty() {
            return;
        }
        // A column in which nothing stands says nothing to people.
        let filled =
            |index: usize| rows.iter().any(|row| row.get(index).is_some_and(|cell| !cell.is_empty()));
        let columns: Vec<usize> = (0..head.len()).filter(|index| filled(*index)).collect();
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        // A terminal that does not know its width says 0.
        let width = console::Term::stdout().size().1;
        table.set_width(if width < 40 { 100 } else { width });
        table.set_header(columns.iter().map(|index| head[*index].to_uppercase()));
        for row in &rows {
            table.add_row(
                columns.iter().map(|index| row.get(*index).map(|cell| plain(cell)).unwrap_or_default()),
            );
        }
        let widths = table.column_max_content_widths();
        for (place, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
            column.set_padding((0, 2));
            // The first column is what the next command takes: it is never cut. Neither are words and amounts, so
            // that longer texts give way.
            if place == 0 || width <= MAX_WORD {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        self.data(table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    }

    /// Prints what there is to say of one thing: values below each other, those without a label first in their line.
    pub(crate) fn details(&self, lines: &[(&str, String)]) {
        for (label, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            let value = plain(value);
            self.data(if label.is_empty() { value } else { format!("  {label:<12} {value}") });
        }
    }

    /// Says how much of a list was shown, where its `total` is more.
    pub(crate) fn more(&self, shown: usize, offset: u32, answer: &Value) {
        let (shown, offset) = (shown as u64, u64::from(offset));
        let total = answer.get("total").and_then(Value::as_u64).unwrap_or_default();
        if total > shown + offset && shown > 0 {
            self.say(format!("  {shown} of {total}; more with --offset {}", offset + shown));
        }
    }

    /// A bar that fills up to `size_bytes`, or turns where the size is not known; where nobody looks, nothing.
    pub(crate) fn progress(&self, size_bytes: Option<u64>) -> ProgressBar {
        if self.quiet || !self.interactive {
            return ProgressBar::hidden();
        }
        let Some(size_bytes) = size_bytes else { return ProgressBar::new_spinner() };
        let bar = ProgressBar::new(size_bytes);
        match ProgressStyle::with_template("  {bar:30} {bytes}/{total_bytes} {bytes_per_sec}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Says what was done or is going on.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
        }
    }

    /// Says what was done, with a mark.
    pub(crate) fn done(&self, text: impl AsRef<str>) {
        self.say(format!("{} {}", self.ink("✓", Ink::Green), text.as_ref()));
    }

    /// Says what somebody should look at.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.say(format!("{} {}", self.ink("warning:", Ink::Yellow), text.as_ref()));
    }

    /// Suggests the next command.
    pub(crate) fn hint(&self, command: impl AsRef<str>) {
        if !self.json {
            self.say(format!("  {} {}", self.ink("next:", Ink::Dim), command.as_ref()));
        }
    }

    /// A word for what a check found.
    pub(crate) fn mark(&self, mark: Mark) -> String {
        match mark {
            Mark::Ok => self.ink("ok  ", Ink::Green),
            Mark::Warn => self.ink("warn", Ink::Yellow),
            Mark::Fail => self.ink("fail", Ink::Red),
        }
    }

    /// Shows why a command failed, whatever else is silent.
    pub(crate) fn fail(&self, failure: &Failure) {
        let mut text = String::new();
        if self.json {
            text = serde_json::to_string_pretty(&failure.to_json()).unwrap_or_default();
        } else {
            let title = self.ink(&format!("error: {}", failure.title), Ink::Red);
            text.push_str(&format!("{title}\n  {}", failure.detail));
            for (pointer, detail) in &failure.fields {
                let place = if pointer.is_empty() {
                    "-".to_owned()
                } else {
                    format!("{}:", pointer.trim_start_matches('/'))
                };
                text.push_str(&format!("\n  {} {detail}", self.ink(&place, Ink::Bold)));
            }
            if let Some(next) = &failure.next {
                text.push_str(&format!("\n  {} {next}", self.ink("next:", Ink::Dim)));
            }
            if let Some(id) = &failure.request_id {
                text.push_str(&format!("\n  {} {id}", self.ink("request:", Ink::Dim)));
            }
        }
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn ink(&self, text: &str, ink: Ink) -> String {
        if self.colored { format!("\x1b[{}m{text}\x1b[0m", ink as u8) } else { text.to_owned() }
    }

    /// Asks for a password without showing it.
    ///
    /// # Errors
    /// A usage failure that names the flag to use, where nobody can answer.
    pub(crate) fn ask_secret(&self, question: &str, flag: &str) -> Result<String, Failure> {
        if !self.interactive {
            return Err(Failure::usage(format!("{question} is needed and nobody can be asked. Use {flag}.")));
        }
        let _ = write!(io::stderr().lock(), "{question}: ");
        let answer = console::Term::stderr().read_secure_line()?;
        if answer.is_empty() {
            return Err(Failure::usage("Nothing was entered, so nothing was done."));
        }
        Ok(answer)
    }

    /// Asks whether to go on, where somebody is there to be asked; `--yes` and `--no-input` answer with yes.
    ///
    /// # Errors
    /// That the command was cancelled, when the answer is no.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes || !self.interactive {
            return Ok(());
        }
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            Ok(())
        } else {
            Err(Failure::new(super::failure::code::USAGE, "cli.cancelled", "Cancelled", "Nothing was done."))
        }
    }
}

/// A cell without what could move the cursor or break the row: names and texts come from others.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// One line of standard input, at most 4 KB, without its end.
///
/// # Errors
/// When nothing can be read.
pub(crate) fn read_secret_line() -> Result<kernel::Secret, Failure> {
    use std::io::{BufRead, Read};
    let mut line = String::new();
    io::stdin().lock().take(4096).read_line(&mut line)?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(Failure::usage("Standard input was empty."));
    }
    Ok(kernel::Secret::new(line))
}
