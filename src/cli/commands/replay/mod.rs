//! `swarmlet replay`: a recorded run goes through the same machine again, in virtual time, and shows what it decided
//! and why.
//!
//! Floor 4. [`lines`] reads the file, [`reading`] and [`header`] understand a line, and [`machine`] hands it to the
//! torrent. [`stepping`] is the screen. The book's chapter `replay` describes the file.

mod fields;
mod header;
mod lines;
mod machine;
mod reading;
mod stepping;

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::HELP;
use crate::cli::say;
use crate::cli::trace::subjects;
use crate::engine::trace::{other_decision, subject_of};
use crate::proto::id::InfoHash;
use crate::swarm::event::Decision;
use crate::sys::trace::Subject;
use crate::sys::trace::record::FIRST_LINE;
use lines::Lines;
use machine::{Done, Replay};
use std::sync::Arc;

/// `replay`, described.
pub const COMMAND: Command = Command {
    name: "replay",
    summary: "replay a recorded run, decision by decision",
    usage: "[OPTION]... FILE",
    completes: Completes::Paths,
    about: &[
        "Replay a run that `get --record FILE` or `seed --record FILE` recorded: the same events go through the same \
         machine in virtual time. The same file gives the same decisions. No connection is opened and no file is \
         changed.",
        "On a terminal, the screen of `get` is shown as it was, and the replay stops at each decision. Elsewhere, or \
         with --plain, the decisions are written to standard output, in the format of --trace, with the times of the \
         recorded run. FILE may be - for standard input.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[
            Flag::with("trace-only", "LIST", "Show only decisions of these subjects: pick, choke").default("both"),
            Flag::switch("plain", "Write all decisions as lines, also on a terminal"),
            Flag::switch("json", "Write one JSON object per decision"),
            HELP,
        ],
    }],
    exits: &[
        (Exit::Success, "the record was replayed to its end, or to where it was cut"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::BadTorrent, "the file is not a record, or it is damaged"),
        (Exit::NoInput, "the file does not exist or cannot be read"),
        (Exit::Io, "standard output cannot be written"),
    ],
    exit_note: "",
    sections: &[
        Section { title: "Keys on the screen", parts: &[Part::Terms(stepping::KEYS)] },
        Section {
            title: "Records that are not whole",
            parts: &[Part::Text(
                "If the recorded run was killed, the record ends early: it is replayed up to there, and a warning says \
                 so. If lines are missing in the middle, the replay ends there, because the rest would not be true.",
            )],
        },
    ],
    examples: &[
        "swarmlet get --record debian.record debian.torrent",
        "swarmlet replay debian.record",
        "swarmlet replay --trace-only choke --json debian.record | jq -r .why",
    ],
    run,
};

/// Which decisions are shown, and how.
struct Shown {
    is_json: bool,
    subjects: Vec<Subject>,
}

impl Shown {
    /// The line about a decision; `None`: it is not shown.
    fn line(&self, replay: &Replay, torrent: &InfoHash, (peer, decision): &(Arc<str>, Decision)) -> Option<String> {
        let is_wanted = self.subjects.contains(&subject_of(decision));
        is_wanted.then(|| other_decision(self.is_json, torrent, peer, decision).stamped(replay.now))
    }
}

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let arguments = given.arguments();
    let [path] = arguments.as_slice() else {
        return Err(Failure::usage("expected one record: swarmlet replay FILE"));
    };
    let subjects = match given.text("trace-only")? {
        Some(list) => subjects(&list)?,
        None => vec![Subject::Pick, Subject::Choke],
    };
    if let Some(other) = subjects.iter().find(|subject| !matches!(subject, Subject::Pick | Subject::Choke)) {
        return Err(Failure::usage(format!("--trace-only: a record has no {}; expected pick, choke", other.name())));
    }
    let shown = Shown { is_json: given.has("json"), subjects };
    let mut lines = Lines::open(path)?;
    if !shown.is_json && !given.has("plain") && path != "-" && stepping::is_possible() {
        return stepping::run(lines, shown);
    }
    let mut replay = Replay::default();
    loop {
        match next(&mut lines, &mut replay)? {
            Step::Decided(decided) => {
                let Some(torrent) = replay.info_hash() else { continue };
                let text: String = decided.iter().filter_map(|one| shown.line(&replay, &torrent, one)).collect();
                if !text.is_empty() {
                    say::write_out(&text)?;
                }
            }
            Step::Over(why) => {
                why.iter().for_each(|why| say::problem(&say::warning(why)));
                return Ok(Exit::Success);
            }
        }
    }
}

/// What the next line of a record led to.
enum Step {
    /// These decisions, each with the name of the peer.
    Decided(Vec<(Arc<str>, Decision)>),
    /// The replay is over. If the recorded run went on, this is why its end is not there.
    Over(Option<String>),
}

/// Replays the next line.
fn next(lines: &mut Lines, replay: &mut Replay) -> Result<Step, Failure> {
    let Some(line) = lines.next()? else {
        if lines.number == 1 {
            return Err(lines.wrong(&format!("expected '{FIRST_LINE}' as the first line, and the file ends")));
        }
        let why = ": the record ends here although the run went on: it was cut, or is still being written";
        return Ok(Step::Over(Some(lines.at(why))));
    };
    match replay.take(line) {
        Ok(Done::Decided(decided)) => Ok(Step::Decided(decided)),
        Ok(Done::Ended) => Ok(Step::Over(None)),
        Ok(Done::Over(why)) => Ok(Step::Over(Some(lines.at(&format!(": the replay ends here: {why}"))))),
        Err(why) => Err(lines.wrong(&why)),
    }
}

#[cfg(test)]
mod tests;
