//! The description of a command: written once, read by the parser, `--help`, the man pages and the completions.
//!
//! Floor 4. A description is plain data. Its texts are plain English, in which words between backticks are typed or
//! read literally.

use super::flags::{self, Flag, Parsed};
use crate::cli::exit::{Exit, Failure};
use std::ffi::OsString;

/// A command, with everything that its help says.
pub struct Command {
    /// The word that calls it.
    pub name: &'static str,
    /// One line, for the list of commands.
    pub summary: &'static str,
    /// What follows the name on the command line.
    pub usage: &'static str,
    /// What the shell completes where no option is typed.
    pub completes: Completes,
    /// What it does, in paragraphs.
    pub about: &'static [&'static str],
    /// The options, by subject.
    pub options: &'static [Group],
    /// The exit codes that it can end with, and what they mean here.
    pub exits: &'static [(Exit, &'static str)],
    /// More about the exit codes.
    pub exit_note: &'static str,
    /// What else there is to know.
    pub sections: &'static [Section],
    /// Command lines that work.
    pub examples: &'static [&'static str],
    /// Does the work.
    pub run: fn(&Parsed) -> Result<Exit, Failure>,
}

/// Options that belong together.
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// The options, in the order in which they are shown.
    pub flags: &'static [Flag],
}

/// A part of the help below the options.
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// What it says.
    pub parts: &'static [Part],
}

/// A part of a section.
pub enum Part {
    /// A paragraph.
    Text(&'static str),
    /// Words, each with its meaning.
    Terms(&'static [(&'static str, &'static str)]),
}

/// What a shell can offer in some place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    /// Nothing that a shell could know.
    Nothing,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Folders.
    Folders,
    /// Files and folders.
    Paths,
    /// .torrent files, and folders that may hold some.
    Torrents,
}

impl Command {
    /// All options.
    pub fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.options.iter().flat_map(|group| group.flags)
    }

    /// Reads what was typed after the name.
    pub fn parse(&self, arguments: &[OsString]) -> Result<Parsed, Failure> {
        flags::parse(self.name, &self.flags().collect::<Vec<_>>(), arguments)
    }
}

/// What a shell can offer for the value of an option: its placeholder in the help says what it is.
pub fn value_completes(flag: &Flag) -> Completes {
    match flag.value {
        Some("DIR") => Completes::Folders,
        Some("FILE") => Completes::Paths,
        _ => Completes::Nothing,
    }
}
