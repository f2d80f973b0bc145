//! Man pages, from the descriptions of the commands.
//!
//! Floor 4. The language is that of man(7), which groff, mandoc and others read. A page has the sections that
//! man-pages(7) wants, in its order.

use super::command::{Command, Part};
use super::flags::Flag;
use crate::base::width::wrap;

/// The page of one command, `swarmlet-NAME(1)`. `date`: of the page, such as `2026-11-28`.
pub fn of(command: &Command, date: &str) -> String {
    let name = format!("swarmlet-{}", command.name);
    let mut page = head(&name, command.summary, date);
    page += &format!("{}{} {}\n", SYNOPSIS, bold(&format!("swarmlet {}", command.name)), text(command.usage));
    page += ".SH DESCRIPTION\n";
    page += &paragraphs(command.about, true);
    page += ".SH OPTIONS\n";
    for group in command.options.iter().filter(|group| !group.flags.is_empty()) {
        if command.options.len() > 1 {
            page += &format!(".SS {}\n", text(group.title));
        }
        group.flags.iter().for_each(|flag| page += &term(&option(flag), &flag.help_and_default()));
    }
    for section in command.sections {
        page += &format!(".SH {}\n", text(&section.title.to_ascii_uppercase()));
        for (at, part) in section.parts.iter().enumerate() {
            match part {
                Part::Text(paragraph) => page += &paragraphs(&[paragraph], at == 0),
                Part::Terms(terms) => terms.iter().for_each(|(word, meaning)| page += &term(&bold(word), meaning)),
            }
        }
    }
    if !command.exits.is_empty() {
        page += ".SH EXIT STATUS\n";
        command.exits.iter().for_each(|(exit, meaning)| page += &term(&exit.code().to_string(), meaning));
        let note = Some(command.exit_note).filter(|note| !note.is_empty());
        page += &note.map_or(String::new(), |note| paragraphs(&[note], false));
    }
    if !command.examples.is_empty() {
        page += ".SH EXAMPLES\n.EX\n";
        command.examples.iter().for_each(|line| page += &format!("{}\n", text(line)));
        page += ".EE\n";
    }
    page + ".SH SEE ALSO\n.BR swarmlet (1)\n"
}

/// The page of the whole program, `swarmlet(1)`.
pub fn of_all(commands: &[Command], date: &str) -> String {
    let mut page = head("swarmlet", "BitTorrent in one small binary", date);
    page += &format!("{SYNOPSIS}{} COMMAND [OPTION]... [ARGUMENT]...\n", bold("swarmlet"));
    page += ".SH DESCRIPTION\n";
    page += &prose("The first argument is a command. `swarmlet COMMAND --help` prints the help of a command.");
    page += ".SH COMMANDS\n";
    commands.iter().for_each(|command| page += &term(&bold(command.name), command.summary));
    page += ".SH SEE ALSO\n";
    let pages: Vec<String> = commands.iter().map(|command| format!(".BR swarmlet\\-{} (1)", command.name)).collect();
    page + &pages.join(",\n") + "\n"
}

const SYNOPSIS: &str = ".SH SYNOPSIS\n";
/// Columns of the page's source: mandoc -Tlint wants no more.
const MOST_COLUMNS: usize = 78;

fn head(name: &str, summary: &str, date: &str) -> String {
    let (name, version) = (text(name), env!("CARGO_PKG_VERSION"));
    let title = name.to_ascii_uppercase();
    let head = format!(".TH {title} 1 {date} \"swarmlet {version}\" \"User Commands\"\n");
    // Without hyphenation and with a ragged margin, so that options are not broken in two.
    head + &format!(".nh\n.ad l\n.SH NAME\n{name} \\- {}\n", text(summary))
}

fn option(flag: &Flag) -> String {
    let short = if flag.short.is_empty() { String::new() } else { format!("{}, ", bold(&format!("-{}", flag.short))) };
    let before = if flag.is_optional() { "" } else { " " };
    let value = flag.value.map_or(String::new(), |value| format!("{before}\\fI{}\\fR", text(value)));
    format!("{short}{}{value}", bold(&format!("--{}", flag.long)))
}

/// `head` is in the language of the page already.
fn term(head: &str, meaning: &str) -> String {
    format!(".TP\n{head}\n{}", prose(meaning))
}

/// Paragraphs. The first one of a section needs no macro before it, and mandoc warns if there is one.
fn paragraphs(texts: &[&str], section_begins: bool) -> String {
    let one = |(at, text): (usize, &&str)| {
        let begins = section_begins && at == 0;
        [if begins { "" } else { ".PP\n" }, &prose(text)].concat()
    };
    texts.iter().enumerate().map(one).collect()
}

fn bold(word: &str) -> String {
    format!("\\fB{}\\fR", text(word))
}

/// Text in which words between backticks are bold, in lines. No line begins with a `.`, which would be a macro.
fn prose(words: &str) -> String {
    let bold_or_not = |(at, part)| if at % 2 == 1 { bold(part) } else { text(part) };
    let escaped: String = words.split('`').enumerate().map(bold_or_not).collect();
    let lines = wrap(&escaped, MOST_COLUMNS, usize::MAX, "");
    lines.iter().map(|line| format!("{}{line}\n", if line.starts_with('.') { "\\&" } else { "" })).collect()
}

/// Text as it is: no character of it means anything to the formatter.
fn text(words: &str) -> String {
    words.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('~', "\\(ti")
}
