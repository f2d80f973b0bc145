//! `--trace`: its options, and the start of the trace that they describe.
//!
//! Floor 4. [`crate::sys::trace`] writes it. The book's chapter `trace` describes the format.

use super::exit::{Exit, Failure};
use super::options::command::Group;
use super::options::flags::{Flag, Parsed};
use super::options::typed;
use super::say;
use crate::base::path::for_terminal;
use crate::sys::in_words;
use crate::sys::trace::{self, Subject};
use std::io;
use std::time::Duration;

/// The options of every command that talks to peers, trackers or nodes.
pub const TRACE: Group = Group {
    title: "Trace",
    flags: &[
        Flag::with(
            "trace",
            "[=FILE]",
            "Write a line for each message and packet, in and out, and for each decision with its reason: to FILE, \
             or to standard error. Passkeys and passwords are hidden",
        ),
        Flag::with(
            "trace-only",
            "LIST",
            "Trace only these subjects, separated by commas: peer, pick, choke, tracker, dht, pex, lsd, web",
        ),
        Flag::with("trace-format", "FORMAT", "text, or json: one object per line").default("text"),
    ],
};

/// How long the end of a command waits until the trace is written.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a person who asks for the end once more.
pub const LITTLE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the trace goes to standard error, where a live screen would disturb it.
pub fn is_on_screen(given: &Parsed) -> bool {
    is_wanted(given) && given.value("trace").is_none()
}

fn is_wanted(given: &Parsed) -> bool {
    given.knows("trace") && TRACE.flags.iter().any(|flag| given.has(flag.long))
}

/// Begins the trace, if it is wanted.
pub fn begin(given: &Parsed) -> Result<(), Failure> {
    if !is_wanted(given) {
        return Ok(());
    }
    let subjects = match given.text("trace-only")? {
        Some(list) => subjects(&list)?,
        None => Subject::ALL.to_vec(),
    };
    let is_json = match given.text("trace-format")?.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Failure::usage(format!("--trace-format {}: expected text or json", for_terminal(other))));
        }
    };
    let path = given.path("trace", "a file")?;
    let shown = path.as_ref().map_or("standard error".into(), typed::shown);
    let cant_write = move |error: &io::Error| format!("can't write the trace to {shown}: {}", in_words(error));
    let why = cant_write.clone();
    let failed = move |error: &io::Error| {
        say::problem(&say::warning(&format!("{}; it ends here, and everything else goes on", why(error))));
    };
    let begun = trace::begin(path.as_deref(), is_json, &subjects, Box::new(failed));
    begun.map_err(|error| Failure::new(Exit::CantCreate, cant_write(&error)))
}

/// Reads `peer,choke`.
fn subjects(list: &str) -> Result<Vec<Subject>, Failure> {
    let named = |word: &str| Subject::ALL.into_iter().find(|subject| subject.name() == word);
    let one = |word: &str| {
        let expected = || Subject::ALL.map(Subject::name).join(", ");
        named(word).ok_or_else(|| {
            Failure::usage(format!("--trace-only: '{}' is not one of {}", for_terminal(word), expected()))
        })
    };
    let mut subjects: Vec<Subject> = list.split(',').map(|word| one(word.trim())).collect::<Result<_, _>>()?;
    subjects.sort_by_key(|subject| *subject as u8);
    subjects.dedup();
    Ok(subjects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_with_commas() {
        assert_eq!(subjects("choke, peer,choke").unwrap(), [Subject::Peer, Subject::Choke]);
        let wrong = "--trace-only: 'choking' is not one of peer, pick, choke, tracker, dht, pex, lsd, web";
        assert_eq!(subjects("peer,choking").unwrap_err().text, wrong);
        assert!(subjects("").is_err());
    }

    #[test]
    fn the_help_names_every_subject() {
        let help = TRACE.flags.iter().map(|flag| flag.help).collect::<String>();
        assert!(help.contains(&Subject::ALL.map(Subject::name).join(", ")), "{help}");
    }
}
