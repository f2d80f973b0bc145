//! How the program ends: its exit codes, and the error that carries one.
//!
//! Floor 4. The codes are those of sysexits.h (4.3BSD), so that a script can tell what to do next: mend the command,
//! mend the file, or try again.

use std::fmt;
use std::process::ExitCode;

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked for is done.
    Whole,
    /// Content is not whole: what `check` was asked to find out. Not of sysexits.h, which has no code for an answer "no".
    NotWhole,
    /// EX_USAGE.
    Usage,
    /// EX_DATAERR.
    BadTorrent,
    /// EX_NOINPUT.
    NoInput,
    /// EX_UNAVAILABLE.
    Unavailable,
    /// EX_CANTCREAT.
    CantCreate,
    /// EX_IOERR.
    Io,
    /// EX_TEMPFAIL.
    Interrupted,
}

/// Those that `get`, `seed` and `many` can have, in the order of their numbers.
pub const EXITS: [Exit; 8] = [
    Exit::Whole,
    Exit::Usage,
    Exit::BadTorrent,
    Exit::NoInput,
    Exit::Unavailable,
    Exit::CantCreate,
    Exit::Io,
    Exit::Interrupted,
];

/// A line of `--help` for each of `exits`.
pub fn describe(exits: &[Exit]) -> String {
    exits.iter().map(|exit| format!("  {:2}  {}\n", exit.code(), exit.meaning())).collect()
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Whole => 0,
            Exit::NotWhole => 1,
            Exit::Usage => 64,
            Exit::BadTorrent => 65,
            Exit::NoInput => 66,
            Exit::Unavailable => 69,
            Exit::CantCreate => 73,
            Exit::Io => 74,
            Exit::Interrupted => 75,
        }
    }

    /// What `--help` says about it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Whole => "all torrents are whole",
            Exit::NotWhole => "content is not whole",
            Exit::Usage => "the command line is wrong",
            Exit::BadTorrent => "not a torrent, or a bad one",
            Exit::NoInput => "a torrent file is not there or can't be read",
            Exit::Unavailable => "a server does not give the torrent, or no port is free",
            Exit::CantCreate => "files or folders can't be made",
            Exit::Io => "reading or writing failed",
            Exit::Interrupted => "interrupted or given up before all was whole: the same command goes on",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// What went wrong on this floor: the exit code, and the words for the person, of one or two lines.
#[derive(Debug)]
pub struct Failure {
    /// With which code the program ends.
    pub exit: Exit,
    /// Which file, URL or option; what is wrong; what was expected.
    pub text: String,
}

impl Failure {
    /// A failure with these words.
    pub fn new(exit: Exit, text: impl Into<String>) -> Failure {
        Failure { exit, text: text.into() }
    }

    /// The command line is wrong.
    pub fn usage(text: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_sysexits() {
        assert_eq!(EXITS.map(Exit::code), [0, 64, 65, 66, 69, 73, 74, 75]);
    }
}
