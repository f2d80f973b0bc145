//! What a torrent does, in words: for its row in the list of `attach`, and above its views.
//!
//! Floor 4. Pure.

use super::news::Torrent;
use super::state::State;
use crate::base::units::{count, duration, ratio, size};
use crate::base::width::{columns, pad, shorten_middle};
use crate::cli::show::layout::{Look, Row, ellipsis, plain, shown};
use std::time::Duration;

/// What a torrent does, or what it was told to do.
pub fn state_of(state: &State, torrent: &Torrent, look: Look) -> String {
    let is_wrong = !torrent.figures.problem.is_empty() && torrent.figures.state != "failed";
    let now = || format!("{}{}", torrent.figures.state, if is_wrong { "*" } else { "" });
    state.marks.get(torrent.hash()).map_or_else(now, |mark| format!("{}{}", mark.word, ellipsis(look)))
}

/// Why a torrent does what it does.
pub fn why(torrent: &Torrent) -> String {
    let figures = &torrent.figures;
    let peers = count(usize::try_from(figures.peers).unwrap_or(usize::MAX), "peer");
    let of_peers = |some: u64| if some > 0 { format!("{some} of {peers}") } else { String::new() };
    if !figures.problem.is_empty() {
        return figures.problem.clone();
    }
    match figures.state {
        "stopped" if torrent.is_complete() => "stopped, complete".into(),
        "finished" => "stopped: it was seeded as much as it should be".into(),
        "queued" => "it waits until fewer torrents are active".into(),
        "learning" if figures.peers > 0 => format!("{peers}: asking for the torrent's description"),
        "learning" => "no peers yet that could send the torrent's description".into(),
        "downloading" | "seeding" if figures.peers == 0 => "no peers are connected".into(),
        "downloading" if torrent.sending == 0 => format!("{peers}, but none sends"),
        "downloading" => {
            let left =
                figures.eta.map_or(String::new(), |eta| format!(", {} left", duration(Duration::from_secs(eta))));
            let size = size(figures.size);
            format!("{} send{}{left}, {size}", of_peers(torrent.sending), if torrent.sending == 1 { "s" } else { "" })
        }
        "seeding" => {
            let to = if torrent.getting > 0 { format!("sending to {}", of_peers(torrent.getting)) } else { peers };
            format!("{to}, {} sent, ratio {}", size(figures.uploaded), ratio(figures.uploaded, figures.size))
        }
        _ => String::new(),
    }
}

/// The name of a torrent and its state, in the first row of its views.
pub fn head(state: &State, torrent: &Torrent, look: Look) -> Row {
    let now = format!("{}  {}", torrent.figures.done, state_of(state, torrent, look));
    let room = look.columns.saturating_sub(columns(&now) + 2);
    let name = shorten_middle(&shown(torrent.name(), look), room, ellipsis(look));
    let row = plain(format!("{}  {now}", pad(&name, room)), look);
    Row { strong: if row.text.starts_with(&name) { name.len() } else { 0 }, ..row }
}
