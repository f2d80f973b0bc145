//! The views of `attach` besides the list: facts, peers, trackers and files of a torrent, and the keys.
//!
//! Floor 4. Pure. Only visible rows are made, because a torrent may have a hundred thousand files.

use super::keys::KEYS;
use super::news::{Details, File, Peer, Tab, Tracker};
use super::state::{Scroll, State, View};
use super::words::{head, why};
use crate::base::units::{duration, percent, size};
use crate::base::width::{columns, pad, shorten_end, shorten_middle, wrap};
use crate::cli::show::layout::{Look, Row, ellipsis, plain, shown};
use crate::cli::show::peers;

/// The views in their order.
const TABS: [(Tab, &str); 4] =
    [(Tab::Facts, "facts"), (Tab::Peers, "peers"), (Tab::Trackers, "trackers"), (Tab::Files, "files")];
/// Columns of the name of a fact, and of a key in the help, with the space behind it.
const NAME: usize = 11;
const KEY: usize = 9;
/// With at least this many columns, a file has its size too.
const WIDE: usize = 60;
/// Rows that one line may take.
const MOST_ROWS: usize = 9;

/// Whether the files are shown.
pub fn is_files(state: &State) -> bool {
    matches!(state.view, View::Torrent(_, Tab::Files))
}

/// A view of a torrent.
pub fn torrent(state: &mut State, look: Look) -> Vec<Row> {
    let View::Torrent(hash, tab) = &state.view else { return Vec::new() };
    let (tab, Some(torrent)) = (*tab, state.by_hash(hash)) else { return Vec::new() };
    let (head, why) = (head(state, torrent, look), why(torrent));
    let mut rows = vec![head, plain(shorten_end(&shown(&why, look), look.columns, ellipsis(look)), look)];
    let tabs = TABS.map(|(other, name)| if other == tab { format!("[{name}]") } else { format!(" {name} ") });
    let room = look.rows.saturating_sub(rows.len() + 1);
    let details = state.details.take();
    let lines = match &details {
        None => text(vec!["waiting for the daemon".into()], &mut state.scroll, room, look),
        Some(Details::Facts(facts)) => {
            let lines = facts.iter().flat_map(|fact| hanging(fact, NAME, look)).collect();
            text(lines, &mut state.scroll, room, look)
        }
        Some(Details::Peers(all)) if all.is_empty() => text(vec!["no peers".into()], &mut state.scroll, room, look),
        Some(Details::Peers(all)) => window(all.len(), &mut state.scroll, room, |at| peer(&all[at], look)),
        Some(Details::Trackers(all)) if all.is_empty() => {
            text(vec!["no trackers".into()], &mut state.scroll, room, look)
        }
        Some(Details::Trackers(all)) => {
            let lines = all.iter().flat_map(|one| tracker(one, look)).collect();
            text(lines, &mut state.scroll, room, look)
        }
        Some(Details::Files(files)) if files.is_empty() => {
            text(vec!["no files are known yet".into()], &mut state.scroll, room, look)
        }
        Some(Details::Files(files)) => {
            let open = if state.files_order.is_some() { ellipsis(look) } else { "" };
            select(files, &mut state.scroll, room, look, open)
        }
        Some(Details::Unreadable(_, why)) => {
            text(wrap(&shown(why, look), look.columns, MOST_ROWS, ellipsis(look)), &mut state.scroll, room, look)
        }
        Some(Details::Figures(_)) => Vec::new(),
    };
    state.details = details;
    let scroll = &state.scroll;
    let place = match tab {
        Tab::Files => scroll.place.of(scroll.count),
        _ if scroll.count > room => format!("{}/{}", (scroll.place.at + room).min(scroll.count), scroll.count),
        _ => String::new(),
    };
    let tabs = tabs.concat();
    let tabs = pad(&tabs, look.columns.saturating_sub(columns(&place))) + &place;
    rows.push(plain(tabs, look));
    rows.extend(lines);
    rows.truncate(look.rows);
    rows
}

/// The keys, with their meaning.
pub fn help(scroll: &mut Scroll, look: Look) -> Vec<Row> {
    let lines = KEYS.iter().flat_map(|(key, meaning)| hanging(&format!("{} {meaning}", pad(key, KEY)), KEY + 1, look));
    let mut rows = vec![Row { text: shorten_end("keys of swarmlet attach", look.columns, ""), ..Row::default() }];
    rows[0].strong = rows[0].text.len();
    rows.extend(text(lines.collect(), scroll, look.rows.saturating_sub(1), look));
    rows.truncate(look.rows);
    rows
}

/// A line of which the first columns are a name. If it is too long, the rest stands below its value.
fn hanging(line: &str, name: usize, look: Look) -> Vec<String> {
    let line = shown(line, look);
    // Names of facts and keys are ASCII.
    let (head, value) = line.split_at_checked(name).unwrap_or((&line, ""));
    let rows = wrap(value, look.columns.saturating_sub(name), MOST_ROWS, ellipsis(look));
    if rows.is_empty() {
        return vec![head.into()];
    }
    let indent = " ".repeat(name);
    rows.iter().enumerate().map(|(at, row)| format!("{}{row}", if at == 0 { head } else { &indent })).collect()
}

fn text(lines: Vec<String>, scroll: &mut Scroll, room: usize, look: Look) -> Vec<Row> {
    window(lines.len(), scroll, room, |at| plain(shorten_end(&lines[at], look.columns, ellipsis(look)), look))
}

/// The visible ones of `count` rows.
fn window(count: usize, scroll: &mut Scroll, room: usize, row: impl Fn(usize) -> Row) -> Vec<Row> {
    scroll.count = count;
    scroll.place.height = room;
    scroll.place.at = scroll.place.at.min(count.saturating_sub(room));
    (scroll.place.at..count.min(scroll.place.at + room)).map(row).collect()
}

/// The visible files, one of which is selected.
fn select(files: &[File], scroll: &mut Scroll, room: usize, look: Look, open: &str) -> Vec<Row> {
    scroll.count = files.len();
    scroll.place.at = scroll.place.at.min(files.len().saturating_sub(1));
    let selected = scroll.place.at;
    scroll.place.seen(room, files.len()).map(|at| file(&files[at], at == selected, look, open)).collect()
}

fn peer(peer: &Peer, look: Look) -> Row {
    let (place, client, flags) = (&*peer.place, &*peer.client, &*peer.flags);
    let (per_mille, down_rate, up_rate) = (peer.per_mille.min(1000), peer.down_rate, peer.up_rate);
    plain(peers::line(&peers::Line { place, client, flags, per_mille, down_rate, up_rate }, look), look)
}

/// A tracker, and below it what it said and when it is asked.
fn tracker(tracker: &Tracker, look: Look) -> Vec<String> {
    let next = match tracker.is_asked {
        true => "it is being asked".into(),
        false if tracker.next.is_zero() => String::new(),
        false => format!("next announce in {}", duration(tracker.next)),
    };
    let known: Vec<&str> = [&*tracker.said, &*next].into_iter().filter(|text| !text.is_empty()).collect();
    let known = if known.is_empty() { "not asked yet".into() } else { known.join("; ") };
    let known = wrap(&shown(&known, look), look.columns.saturating_sub(2), MOST_ROWS, ellipsis(look));
    let mut lines = wrap(&shown(&tracker.host, look), look.columns, MOST_ROWS, ellipsis(look));
    lines.extend(known.iter().map(|text| format!("  {text}")));
    lines
}

fn file(file: &File, selected: bool, look: Look, open: &str) -> Row {
    let want = match (file.wanted, file.priority) {
        (false, _) => "skip",
        (true, ..0) => "low",
        (true, 0) => "",
        (true, _) => "high",
    };
    let open = if selected { open } else { "" };
    let (done, size) = (percent(file.had, file.size), size(file.size));
    let right = match look.columns {
        WIDE.. => format!("  {done:>7}  {size:>8}  {:<6}", format!("{want}{open}")),
        _ => format!(" {done:>7} {:<5}", format!("{want}{open}")),
    };
    let room = look.columns.saturating_sub(columns(&right) + 1);
    let path = shorten_middle(&shown(&file.path, look), room, ellipsis(look));
    let text = format!("{}{}{right}", if selected { '>' } else { ' ' }, pad(&path, room));
    let row = plain(text, look);
    if selected { Row { text: pad(&row.text, look.columns), selected, ..row } } else { row }
}
