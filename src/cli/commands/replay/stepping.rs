//! The replay on a terminal: the screen of `get` as it was at each moment, one decision after another by key.
//!
//! Floor 4, part of [`replay`](super). The whole terminal is drawn after each key. Nothing moves by itself.

use super::lines::Lines;
use super::machine::Replay;
use super::{Shown, Step, next};
use crate::base::time::Time;
use crate::base::units;
use crate::base::width::wrap;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::entry::Entry;
use crate::cli::run::keys as terminal_keys;
use crate::cli::run::request::{Move, Press, UserRequest};
use crate::cli::run::session::Session;
use crate::cli::run::{signals, terminal};
use crate::cli::show::layout::{Look, Row, draw, map_columns, plain, shown};
use crate::cli::show::{live, peers};
use crate::engine::{Phase, TorrentId};
use crate::swarm::event::Decision;
use crossbeam_channel::{Receiver, unbounded};
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The keys, each with its meaning.
pub const KEYS: &[(&str, &str)] = &[
    ("space, Enter", "go on to the next decision; so does the arrow down"),
    ("1 to 9", "go on for this number of seconds of the recorded run"),
    ("g", "go on to the end; any key stops before"),
    ("q", "quit"),
];
/// The same in one line of the screen.
const KEY_LINE: &str = "space next decision, 1-9 seconds, g to the end, q quit";
/// Rows for the line of a decision.
const DECISION_ROWS: usize = 3;
/// On the way, the keyboard is looked at each time that so much time has passed: a person may not want to wait for the
/// end, and one line may take a tenth of a second.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The replay, and what the terminal shows of it.
struct Stepping {
    lines: Lines,
    replay: Replay,
    subjects: Shown,
    /// Decisions of the last line that were not shown yet.
    ahead: VecDeque<(Arc<str>, Decision)>,
    /// The line of the decision that is shown.
    decision: String,
    /// Why the replay is over, for people.
    over: Option<String>,
    failure: Option<Failure>,
    keys: Receiver<UserRequest>,
}

/// Where the replay stops.
#[derive(Clone, Copy)]
enum Until {
    /// At the next decision.
    Decision,
    /// Before what happens later than this.
    Time(Time),
    /// At the end.
    End,
}

/// Whether the replay can be shown step by step.
pub fn is_possible() -> bool {
    live::is_there() && terminal::has_keys() && io::stdout().is_terminal()
}

/// Shows the replay until the person quits.
pub fn run(lines: Lines, subjects: Shown) -> Result<Exit, Failure> {
    let (sender, keys) = unbounded();
    signals::listen(&sender, true, false, false)?;
    terminal::begin(true);
    terminal_keys::listen(&sender, true);
    let replay = Replay::default();
    let (ahead, decision) = (VecDeque::new(), String::new());
    let mut stepping = Stepping { lines, replay, subjects, ahead, decision, over: None, failure: None, keys };
    stepping.go();
    terminal::release();
    stepping.failure.map_or(Ok(Exit::Success), Err)
}

impl Stepping {
    fn go(&mut self) {
        self.step(Until::Decision);
        loop {
            self.draw();
            let until = match self.keys.recv() {
                Err(_) | Ok(UserRequest::Interrupt) => return,
                Ok(UserRequest::Press(Press::Byte(b'q'))) => return,
                Ok(UserRequest::Press(Press::Byte(b' ' | b'\n' | b'\r') | Press::Move(Move::Down))) => Until::Decision,
                Ok(UserRequest::Press(Press::Byte(digit @ b'1'..=b'9'))) => {
                    Until::Time(self.replay.now + Time::from_secs(u64::from(digit - b'0')))
                }
                Ok(UserRequest::Press(Press::Byte(b'g'))) => Until::End,
                Ok(_) => continue,
            };
            self.step(until);
        }
    }

    /// Goes on.
    fn step(&mut self, until: Until) {
        let mut looked = Instant::now();
        loop {
            while let Some((decided, torrent)) = self.ahead.pop_front().zip(self.replay.info_hash()) {
                if let Some(line) = self.subjects.line(&self.replay, &torrent, &decided) {
                    self.decision = line.trim_end().into();
                    if let Until::Decision = until {
                        return;
                    }
                }
            }
            let is_later = matches!(until, Until::Time(end) if self.replay.now >= end);
            if self.over.is_some() || is_later || self.is_stopped(&mut looked) {
                return;
            }
            match next(&mut self.lines, &mut self.replay) {
                Ok(Step::Decided(decided)) => self.ahead.extend(decided),
                Ok(Step::Over(why)) => self.over = Some(why.unwrap_or_else(|| "the record ends here".into())),
                Err(failure) => {
                    self.over = Some(failure.text.clone());
                    self.failure = Some(failure);
                }
            }
        }
    }

    /// Whether a person has pressed a key, if it is time to look, after a look at that time.
    fn is_stopped(&self, looked: &mut Instant) -> bool {
        if looked.elapsed() < LOOK_EVERY {
            return false;
        }
        *looked = Instant::now();
        !self.keys.is_empty()
    }

    fn draw(&self) {
        // A job in the background draws nothing.
        if terminal::in_background() {
            return;
        }
        terminal::take();
        let (columns, rows) = terminal::size();
        // The last column stays free, because terminals wrap there.
        let look = Look { columns: columns.saturating_sub(1), rows, utf8: live::is_utf8() };
        let mut text = String::from("\x1b[?25l\x1b[H");
        let all = self.rows(look);
        text += &all.iter().map(|row| format!("{}\x1b[K", row.text)).collect::<Vec<_>>().join("\r\n");
        text += "\x1b[J";
        // If the terminal is gone, SIGHUP ends the program.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// What is shown: the torrent, its peers, and at the bottom the decision with its reason, and the keys.
    fn rows(&self, look: Look) -> Vec<Row> {
        let mut below = wrap(&shown(&self.decision, look), look.columns, DECISION_ROWS, "");
        if let Some(why) = &self.over {
            below.extend(wrap(&shown(why, look), look.columns, DECISION_ROWS, ""));
        }
        let now = units::duration(self.replay.now);
        below.push(format!("after {now}, line {}: {KEY_LINE}", self.lines.number));
        let room = Look { rows: look.rows.saturating_sub(below.len() + 1), ..look };
        let mut rows = Vec::new();
        if let Some((info_hash, wanted, status)) = self.replay.status(map_columns(look)) {
            let mut session = Session::new(0);
            let status = Arc::new(status);
            let name = info_hash.to_string().into();
            let phase = Phase::Running(Arc::clone(&status));
            let completed_at = (status.left == 0).then_some(session.began);
            let known = Some(Arc::clone(&status));
            let entry = Entry { phase, status: known, completed_at, ..Entry::new(name, info_hash, wanted, wanted) };
            session.entries.insert(TorrentId(0), Box::new(entry));
            rows = draw(&session, room, false);
            rows.extend(peers::draw(&status.peer_list, room, room.rows.saturating_sub(rows.len())));
        }
        rows.truncate(room.rows);
        rows.resize_with(room.rows + 1, Row::default);
        rows.extend(below.into_iter().map(|text| plain(text, look)));
        rows.truncate(look.rows);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::trace::record::FIRST_LINE;
    use std::{fs, thread};

    #[test]
    fn a_key_stops_the_way_to_the_end_after_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record");
        fs::write(&path, format!("{FIRST_LINE}\nversion 1\n")).unwrap();
        let (sender, keys) = unbounded();
        let lines = Lines::open(path.as_os_str()).ok().unwrap();
        let (replay, subjects) = (Replay::default(), Shown { is_json: false, subjects: Vec::new() });
        let (ahead, decision) = (VecDeque::new(), String::new());
        let stepping = Stepping { lines, replay, subjects, ahead, decision, over: None, failure: None, keys };
        sender.send(UserRequest::Press(Press::Byte(b' '))).unwrap();
        let began = Instant::now();
        let mut looked = began;
        while !stepping.is_stopped(&mut looked) {
            thread::sleep(LOOK_EVERY / 10);
        }
        assert!(began.elapsed() >= LOOK_EVERY && looked > began, "not before it is time");
        stepping.keys.recv().unwrap();
        thread::sleep(LOOK_EVERY);
        assert!(!stepping.is_stopped(&mut looked), "no key, no stop");
    }
}
