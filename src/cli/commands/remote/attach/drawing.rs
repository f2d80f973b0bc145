//! The screen of `attach` as rows of text, for a given number of columns and rows.
//!
//! Floor 4. Pure: this does not touch the terminal. The last rows are about the connection and the keys, so they stay
//! in place while the rest changes.

use super::news::Torrent;
use super::state::{Input, Line, Question, State, View};
use super::views;
use super::words::{state_of, why};
use crate::base::units::{count, duration, rate, sum};
use crate::base::width::{columns, shorten_end, shorten_middle, wrap};
use crate::cli::commands::remote::limits::Limits;
use crate::cli::show::layout::{Look, Row, ellipsis, plain, shown};
use crate::cli::show::table::{Cells, line, titles};
use std::time::{Duration, Instant};

/// Most rows of a message.
const MESSAGE_ROWS: usize = 3;
/// After this time, the screen says that it waits for an answer. (A slow line has a round trip of a second.)
const SLOW: Duration = Duration::from_secs(5);

/// The keys in one line: for wide and for narrow terminals.
const LIST_KEYS: [&str; 2] = [
    "q quit, ? all keys, v details, p pause, n add, r remove, s sort, / filter",
    "q ?:keys v p:pause n:add r:remove s /",
];
const VIEW_KEYS: [&str; 2] = [
    "Esc list, v next view, arrows scroll, p pause, t ask, r remove, ? all keys",
    "Esc:list v:next arrows p:pause ?:keys",
];
const FILE_KEYS: [&str; 2] = [
    "Esc list, v next view, arrows select, space want or skip, +/- priority, ?",
    "Esc:list v space:want +-:priority ?",
];
const HELP_KEYS: [&str; 2] = ["Esc back, arrows scroll, q quit"; 2];

/// A picture of the whole terminal.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// As many as the terminal has.
    pub rows: Vec<Row>,
    /// How many of the first rows are old, and drawn pale.
    pub pale: usize,
    /// Where a text is being typed: row and column, from 0.
    pub cursor: Option<(usize, usize)>,
}

/// Draws the state.
pub fn frame(state: &mut State, look: Look, now: Instant) -> Frame {
    let mut below = Vec::new();
    if state.view == View::List {
        below.extend(below_list(state, look));
    }
    let message = trouble(state, now).map_or(Vec::new(), |text| message(&text, look));
    let (bottom, cursor) = bottom(state, look);
    below.extend(message.into_iter().map(|row| Row { strong: row.text.len(), ..row }));
    below.extend(bottom);
    // A terminal with few rows shows those at the bottom.
    below.drain(..below.len().saturating_sub(look.rows));
    let room = Look { rows: look.rows - below.len(), ..look };
    let mut rows = match &state.view {
        View::List => list(state, room),
        View::Help => views::help(&mut state.scroll, room),
        View::Torrent(..) => views::torrent(state, room),
    };
    rows.resize(room.rows, Row::default());
    let pale = if matches!(state.line, Line::Gone(..)) && state.view != View::Help { room.rows } else { 0 };
    rows.extend(below);
    let row = look.rows.saturating_sub(1);
    Frame { rows, pale, cursor: cursor.map(|column| (row, column)) }
}

/// Why the list is not up to date.
fn trouble(state: &State, now: Instant) -> Option<String> {
    match &state.line {
        Line::Gone(why, again) => {
            // Rounded up: nothing is tried in 0 s.
            let left = again.saturating_duration_since(now) + Duration::from_millis(999);
            let left = Duration::from_secs(left.as_secs());
            let soon = if left.is_zero() { "now".into() } else { format!("in {}", duration(left)) };
            Some(format!("{why}; next try {soon}"))
        }
        Line::Up | Line::Connecting => {
            let silent = now.saturating_duration_since(state.asked?);
            let silent = Duration::from_secs(silent.as_secs());
            (silent >= SLOW).then(|| format!("{}: no answer for {}", state.server, duration(silent)))
        }
    }
}

/// A text in a few rows.
fn message(text: &str, look: Look) -> Vec<Row> {
    wrap(&shown(text, look), look.columns, MESSAGE_ROWS, ellipsis(look))
        .into_iter()
        .map(|text| plain(text, look))
        .collect()
}

/// The last rows: what is typed or asked, a note, or the keys. Returns also the column of the cursor.
fn bottom(state: &State, look: Look) -> (Vec<Row>, Option<usize>) {
    let is_wide = look.columns >= LIST_KEYS[0].len();
    let text = match &state.input {
        Input::Add(text) => return typed(if is_wide { "add a link, a URL or a file: " } else { "add: " }, text, look),
        Input::Filter(text) => return typed("filter: ", text, look),
        Input::Question(question) => ask(state, question, look),
        Input::None if !state.note.is_empty() => state.note.clone(),
        Input::None => {
            let keys = match &state.view {
                View::List => LIST_KEYS,
                View::Help => HELP_KEYS,
                View::Torrent(..) if views::is_files(state) => FILE_KEYS,
                View::Torrent(..) => VIEW_KEYS,
            };
            keys[usize::from(!is_wide)].into()
        }
    };
    (message(&text, look), None)
}

/// A line that is being typed. Of a long one, the end is shown.
fn typed(prompt: &str, text: &str, look: Look) -> (Vec<Row>, Option<usize>) {
    let (text, room) = (shown(text, look), look.columns.saturating_sub(prompt.len() + 1));
    let mut taken = 0;
    let begin = text.char_indices().rev().take_while(|(at, _)| {
        taken = columns(&text[*at..]);
        taken <= room
    });
    let begin = begin.last().map_or(text.len(), |(at, _)| at);
    let text = shorten_end(&format!("{prompt}{}", &text[begin..]), look.columns, "");
    let cursor = columns(&text);
    (vec![Row { text, ..Row::default() }], Some(cursor))
}

fn ask(state: &State, question: &Question, look: Look) -> String {
    let name = |hash: &str| {
        let name = state.by_hash(hash).map_or("it", Torrent::name);
        shorten_middle(&shown(name, look), look.columns / 3, ellipsis(look))
    };
    match question {
        Question::Remove(hash) => {
            format!("remove {}? y: yes, X: and delete its content, other keys: no", name(hash))
        }
        Question::Verify(hash) => format!("verify {}, which is complete? y: yes, other keys: no", name(hash)),
        Question::All { stop } => {
            let verb = if *stop { "stop" } else { "start" };
            format!("{verb} all torrents ({})? y: yes, other keys: no", state.torrents.len())
        }
    }
}

/// The list of torrents.
fn list(state: &mut State, look: Look) -> Vec<Row> {
    let number = state.list.sorted.len();
    let mut rows = vec![titles(state.list.order(), &state.list.place.of(number), look)];
    let seen = state.list.place.seen(look.rows.saturating_sub(1), number);
    for at in seen {
        let Some(torrent) = state.list.sorted.get(at).and_then(|id| state.torrents.get(id)) else { continue };
        rows.push(line(&cells(state, torrent, look), look, at == state.list.place.at));
    }
    let empty = match (&state.line, state.torrents.is_empty()) {
        (Line::Connecting, _) => format!(" connecting to {}", state.server),
        (_, true) => " no torrents: press n to add one, or paste a magnet link".into(),
        (_, false) => " no name and no state has this in it".into(),
    };
    if number == 0 {
        rows.extend(message(&empty, look).into_iter().map(|row| Row { text: format!(" {}", row.text), ..row }));
    }
    rows.truncate(look.rows);
    rows
}

fn cells<'a>(state: &State, torrent: &'a Torrent, look: Look) -> Cells<'a> {
    let figures = &torrent.figures;
    Cells {
        name: torrent.name(),
        state: state_of(state, torrent, look),
        done: figures.done.clone(),
        down: figures.down_rate,
        up: figures.up_rate,
        peers: figures.peers,
    }
}

/// The rows below the list: why the selected torrent does what it does, limits, the filter, and the sum.
fn below_list(state: &State, look: Look) -> Vec<Row> {
    let cut = |text: &str| plain(shorten_end(&shown(text, look), look.columns, ellipsis(look)), look);
    let mut rows = vec![cut(&state.torrent().map_or(String::new(), why))];
    let open = if state.limits_order.is_some() { ellipsis(look) } else { "" };
    match state.alternative {
        Some(Limits { down: None, .. }) => rows.push(cut(&format!("alternative limits{open}"))),
        Some(limits) => rows.push(cut(&format!("alternative limits: {}{open}", limits.in_words()))),
        None if state.limits != Limits::default() || !open.is_empty() => {
            rows.push(cut(&format!("limits: {}{open}", state.limits.in_words())));
        }
        None => {}
    }
    if !state.list.filter.is_empty() && !matches!(state.input, Input::Filter(_)) {
        rows.push(cut(&format!("filter: {} (Esc: all)", state.list.filter)));
    }
    rows.push(cut(&total(state, look)));
    rows
}

/// The sum of all torrents, as much as there is room for.
fn total(state: &State, look: Look) -> String {
    let of = |figure: fn(&Torrent) -> u64| sum(state.torrents.values().map(figure));
    let complete = state.torrents.values().filter(|torrent| torrent.is_complete()).count();
    let failed = state.torrents.values().filter(|torrent| torrent.figures.state == "failed").count();
    let mut text = format!("{}, {complete} complete", count(state.torrents.len(), "torrent"));
    if state.has_more {
        text = format!("the first {text}");
    }
    if failed > 0 {
        text += &format!(", {failed} failed");
    }
    let rates = [(of(|torrent| torrent.figures.down_rate), "down"), (of(|torrent| torrent.figures.up_rate), "up")];
    let server = state.server.trim_start_matches("http://").trim_end_matches("/…");
    for part in rates.map(|(now, way)| format!("  {} {way}", rate(now))).into_iter().chain([format!("  {server}")]) {
        if columns(&text) + columns(&part) > look.columns {
            break;
        }
        text += &part;
    }
    text
}

#[cfg(test)]
mod tests;
