//! How the program ends: its exit codes, and the error that carries one.
//!
//! Floor 4. The codes are those of sysexits.h (4.3BSD), so that a script can tell what to do next: correct the command,
//! replace the file, or try again.

use std::fmt;
use std::process::ExitCode;

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Success,
    /// `check` found missing or corrupt content. This is not in sysexits.h, which has no code for the answer "no".
    Incomplete,
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

/// The exit codes of `get`, `seed` and `many`, and what they mean there.
pub const RUN_EXITS: &[(Exit, &str)] = &[
    (Exit::Success, "every torrent is complete"),
    (Exit::Usage, "the command line is wrong"),
    (Exit::BadTorrent, "a file is not a torrent, or an invalid one"),
    (Exit::NoInput, "a file does not exist or cannot be read"),
    (Exit::Unavailable, "a server does not deliver the torrent, or no port is free"),
    (Exit::CantCreate, "files or folders cannot be created, or a file of yours is in the way"),
    (Exit::Io, "reading or writing failed"),
    (Exit::Interrupted, "interrupted or given up before every torrent was complete; the same command resumes"),
];

/// The exit codes of commands that read torrents, and what they mean there.
pub const READ_EXITS: &[(Exit, &str)] = &[
    (Exit::Success, "success"),
    (Exit::Usage, "the command line is wrong"),
    (Exit::BadTorrent, "a file is not a torrent, or an invalid one"),
    (Exit::NoInput, "a file does not exist or cannot be read"),
    (Exit::Unavailable, "a server does not deliver the torrent"),
];

/// A note about the exit codes of `get` and `seed`.
pub const RUN_SEVERAL: &str = "With several torrents, the exit code is that of the first failure, and the other torrents go on. But if a torrent \
     cannot be read, the run ends before any torrent begins.";

/// A note about exit codes, for commands that take several torrents.
pub const SEVERAL: &str =
    "With several torrents, the exit code is that of the first failure, and the other torrents go on.";

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Incomplete => 1,
            Exit::Usage => 64,
            Exit::BadTorrent => 65,
            Exit::NoInput => 66,
            Exit::Unavailable => 69,
            Exit::CantCreate => 73,
            Exit::Io => 74,
            Exit::Interrupted => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// An error of this floor: the exit code, and a message of one or two lines.
#[derive(Debug)]
pub struct Failure {
    /// The code with which the program ends.
    pub exit: Exit,
    /// Names the file, URL or option, says what is wrong, and what was expected.
    pub text: String,
}

impl Failure {
    /// A failure with this message.
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
        let codes: Vec<u8> = RUN_EXITS.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, [0, 64, 65, 66, 69, 73, 74, 75]);
    }
}
