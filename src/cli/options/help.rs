//! `--help`, from the description of a command.
//!
//! Floor 4.

use super::command::{Command, Part};
use super::flags::Flag;
use crate::base::width::{columns, pad, wrap};

/// Columns of the help: as many as the smallest usual terminal has.
const COLUMNS: usize = 80;
/// The widest column of terms: a longer term has its meaning below it.
const MOST_TERM: usize = 33;

/// The help of a command.
pub fn of(command: &Command) -> String {
    let [first, more @ ..] = command.about else { return String::new() };
    let mut out = paragraph(first, 0);
    out += &format!("\nUsage: swarmlet {}\n", [command.name, command.usage].join(" ").trim_end());
    more.iter().for_each(|text| out += &format!("\n{}", paragraph(text, 0)));
    let left = command.flags().map(|flag| columns(&option(flag))).max().unwrap_or(0);
    for group in command.options.iter().filter(|group| !group.flags.is_empty()) {
        let rows = group.flags.iter().map(|flag| (option(flag), flag.help_and_default()));
        out += &format!("\n{}:\n{}", group.title, table(rows, left));
    }
    for section in command.sections {
        out += &format!("\n{}:\n", section.title);
        for part in section.parts {
            out += &match part {
                Part::Text(text) => paragraph(text, 2),
                Part::Terms(terms) => {
                    let left = terms.iter().map(|(term, _)| columns(term)).max().unwrap_or(0);
                    table(terms.iter().map(|(term, meaning)| (term.to_string(), meaning.to_string())), left)
                }
            };
        }
    }
    if !command.exits.is_empty() {
        let rows = command.exits.iter().map(|(exit, meaning)| (format!("{:2}", exit.code()), meaning.to_string()));
        out += &format!("\nExit codes:\n{}", table(rows, 2));
    }
    if !command.exit_note.is_empty() {
        out += &paragraph(command.exit_note, 2);
    }
    if !command.examples.is_empty() {
        out += &format!("\nExamples:\n  {}\n", command.examples.join("\n  "));
    }
    out
}

/// The help of the whole program.
pub fn of_all(commands: &[Command]) -> String {
    let width = commands.iter().map(|command| command.name.len()).max().unwrap_or(0);
    let rows = commands.iter().map(|command| (command.name.to_string(), command.summary.to_string()));
    format!(
        "swarmlet {}: BitTorrent in one small binary

Usage: swarmlet COMMAND [OPTION]... [ARGUMENT]...
       swarmlet COMMAND --help
       swarmlet --help | --version

Commands:
{}
Example: swarmlet get --dir /srv/iso debian.torrent
",
        env!("CARGO_PKG_VERSION"),
        table(rows, width),
    )
}

/// `-d, --dir DIR`.
fn option(flag: &Flag) -> String {
    let short = if flag.short.is_empty() { "    ".to_string() } else { format!("-{}, ", flag.short) };
    let before = if flag.is_optional() { "" } else { " " };
    format!("{short}--{}{}", flag.long, flag.value.map_or(String::new(), |value| format!("{before}{value}")))
}

/// Rows of a term and its meaning, the meanings below each other. `width`: columns of the widest term.
fn table(rows: impl Iterator<Item = (String, String)>, width: usize) -> String {
    let width = width.min(MOST_TERM);
    let mut out = String::new();
    for (term, meaning) in rows {
        let mut lines = wrap(&meaning, COLUMNS.saturating_sub(width + 4), usize::MAX, "");
        if columns(&term) > width || lines.is_empty() {
            out += &format!("  {term}\n");
        } else {
            out += &format!("  {}  {}\n", pad(&term, width), lines.remove(0));
        }
        lines.iter().for_each(|line| out += &format!("  {:width$}  {line}\n", ""));
    }
    out
}

/// A paragraph, indented.
fn paragraph(text: &str, indent: usize) -> String {
    let lines = wrap(text, COLUMNS - indent, usize::MAX, "");
    lines.iter().map(|line| format!("{:indent$}{line}\n", "")).collect()
}
