//! `swarmlet completions`: prints what a shell reads to complete the commands and options.
//!
//! Floor 4.

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group};
use crate::cli::options::completion::{self, SHELLS};
use crate::cli::options::flags::Parsed;
use crate::cli::options::run::HELP;
use crate::cli::say;

/// `completions`, described. The table of commands adds what it does.
pub const COMMAND: Command = Command {
    name: "completions",
    summary: "print completions for bash, zsh or fish",
    usage: "bash|zsh|fish",
    completes: Completes::Words(SHELLS),
    about: &[
        "Print the script with which a shell completes the commands and options of swarmlet.",
        "`make install` installs these scripts. After `cargo install`, write the script for your shell to the place \
         from which it reads completions.",
    ],
    options: &[Group { title: "Options", flags: &[HELP] }],
    exits: &[(Exit::Success, "success"), (Exit::Usage, "the command line is wrong")],
    exit_note: "",
    sections: &[],
    examples: &[
        "swarmlet completions bash > ~/.local/share/bash-completion/completions/swarmlet",
        "swarmlet completions zsh > ~/.zfunc/_swarmlet",
        "swarmlet completions fish > ~/.config/fish/completions/swarmlet.fish",
    ],
    run: |_| Ok(Exit::Success),
};

/// Prints the script for the shell that is named.
pub fn run(given: &Parsed, commands: &[Command]) -> Result<Exit, Failure> {
    let arguments = given.arguments();
    let script = match arguments.as_slice() {
        [shell] => shell.to_str().and_then(|shell| completion::of(shell, commands)),
        _ => None,
    };
    match script {
        Some(script) => say::write_out(&script).map(|()| Exit::Success),
        None => Err(Failure::usage("expected a shell: swarmlet completions bash, zsh or fish")),
    }
}
