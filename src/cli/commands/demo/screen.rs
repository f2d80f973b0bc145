//! The live picture of the swarm: which peer has which pieces, and which peers it unchokes.
//!
//! Floor 4, part of [`demo`](super). Pure: this makes rows, and [`Canvas`](crate::cli::show::live::canvas::Canvas)
//! draws them.

use super::figures::{Kind, Peer, Swarm, label, tenths};
use crate::base::units::{count, duration, percent, rate, size};
use crate::base::width::{pad, shorten_end};
use crate::cli::show::layout::{Look, Row};
use crate::cli::show::pieces::map;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::figures::Share;

/// Columns of a peer's number.
const LABEL: usize = 5;
/// Columns right of the map: a percentage, two rates, and the numbers of four peers.
const FIGURES: usize = 45;
/// The narrowest and the widest map.
const MAP: [usize; 2] = [10, 64];
/// Rows besides those of the peers: two above and three below.
const OTHERS: usize = 5;

/// The rows of the picture.
pub fn draw(swarm: &Swarm, look: Look) -> Vec<Row> {
    let cells = look.columns.saturating_sub(LABEL + FIGURES).clamp(MAP[0], MAP[1]);
    let mut rows = vec![(head(swarm), true)];
    let titles = format!("{:LABEL$}{:cells$} {:>7} {:>10} {:>10}  unchokes", "peer", "pieces", "has", "takes", "gives");
    rows.push((titles, false));
    let room = look.rows.saturating_sub(OTHERS);
    let hidden = swarm.peers.len().saturating_sub(room);
    let shown = swarm.peers.len() - hidden;
    rows.extend(swarm.peers.iter().enumerate().take(shown).map(|(at, peer)| (line(at, peer, cells, look.utf8), false)));
    rows.push((format!("{:LABEL$}{}  copies of the rarest piece there", "", copies(swarm, cells)), false));
    rows.push((state(swarm), false));
    let riders = swarm.peers.iter().any(|peer| peer.kind == Kind::FreeRider);
    let notes = [
        riders.then(|| "* a free-rider: it unchokes nobody".to_string()),
        (hidden > 0).then(|| format!("{} not shown", count(hidden, "peer"))),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    if !notes.is_empty() {
        rows.push((notes.join("; "), false));
    }
    let row = |(text, is_strong): (String, bool)| {
        let text = shorten_end(&text, look.columns, "");
        Row { strong: if is_strong { text.len() } else { 0 }, text, selected: false }
    };
    let mut rows: Vec<Row> = rows.into_iter().map(row).collect();
    rows.truncate(look.rows);
    rows
}

/// `1 seed and 8 leechers, 8.00 MiB in 256 pieces; each gives up to 512 KiB/s`
pub fn head(swarm: &Swarm) -> String {
    let leechers = count(swarm.leechers().count(), "leecher");
    let pieces = count(swarm.pieces as usize, "piece");
    format!("1 seed and {leechers}, {} in {pieces}; each gives up to {}", size(swarm.size), rate(swarm.rate))
}

/// `12.3 s: 41.2 % done, 0 complete; rarest piece: 2 copies; fluid limit 16 s`
pub fn state(swarm: &Swarm) -> String {
    let had: u64 = swarm.leechers().map(|peer| u64::from(peer.have.count())).sum();
    let wanted = u64::from(swarm.pieces) * swarm.leechers().count() as u64;
    let complete = swarm.leechers().filter(|peer| peer.complete_at.is_some()).count();
    let rarest = match swarm.copies().into_iter().min().unwrap_or(0) {
        1 => "1 copy".into(),
        copies => format!("{copies} copies"),
    };
    let limit = swarm.fluid_limit().map_or(String::new(), |limit| format!("; fluid limit {}", duration(limit)));
    let (time, share) = (tenths(swarm.time), percent(had, wanted));
    format!("{time} s: {share} done, {complete} complete; rarest piece: {rarest}{limit}")
}

fn line(at: usize, peer: &Peer, cells: usize, utf8: bool) -> String {
    let flow = |now: u64| if now > 0 && !peer.is_gone { rate(now) } else { String::new() };
    let name = label(at, peer.kind);
    let share = percent(peer.have.count().into(), peer.have.len().max(1).into());
    let serves = peer.serves.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    let serves = if peer.is_gone { "has left".into() } else { serves };
    let map = map(&shares(&peer.have, cells), utf8);
    format!("{}{map} {share:>7} {:>10} {:>10}  {serves}", pad(&name, LABEL), flow(peer.down_rate), flow(peer.up_rate))
}

/// The pieces of cell `at` of `cells`.
fn cell(at: usize, cells: usize, pieces: u32) -> std::ops::Range<u32> {
    let edge = |at: usize| (at as u64 * u64::from(pieces) / cells.max(1) as u64) as u32;
    let begin = edge(at).min(pieces.saturating_sub(1));
    begin..edge(at + 1).clamp(begin + 1, pieces.max(begin + 1))
}

/// How much of each cell there is.
fn shares(have: &Bitfield, cells: usize) -> Vec<Share> {
    let share = |at| {
        let pieces = cell(at, cells, have.len());
        let all = pieces.len();
        match pieces.filter(|piece| *piece < have.len() && have.get(*piece)).count() {
            0 => Share::Missing,
            had if had == all => Share::Had,
            had if 2 * had >= all => Share::Most,
            _ => Share::Few,
        }
    };
    (0..cells).map(share).collect()
}

/// A digit for each cell: how many copies there are of its rarest piece; `+`: ten or more.
fn copies(swarm: &Swarm, cells: usize) -> String {
    let copies = swarm.copies();
    let digit = |at| {
        let pieces = cell(at, cells, swarm.pieces);
        let least = pieces.filter_map(|piece| copies.get(piece as usize)).min();
        least.map_or(' ', |least| char::from_digit(*least, 10).unwrap_or('+'))
    };
    (0..cells).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::swarm;
    use super::*;
    use crate::base::width::columns;

    const PEERS: [(Kind, &[u32]); 3] =
        [(Kind::Seed, &[0, 1, 2, 3]), (Kind::Leecher, &[0, 1]), (Kind::FreeRider, &[0, 2, 3])];

    #[test]
    fn each_peer_has_a_row_with_its_pieces_and_the_peers_that_it_unchokes() {
        let mut swarm = swarm(&PEERS);
        (swarm.peers[0].serves, swarm.peers[0].up_rate) = (vec![1, 2], 512 << 10);
        let rows = draw(&swarm, Look { columns: 62, rows: 23, utf8: false });
        let text: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(
            text,
            [
                "1 seed and 2 leechers, 3.91 KiB in 4 pieces; each gives up to ",
                "peer pieces           has      takes      gives  unchokes",
                "seed ############ 100.0 %             512 KiB/s  1 2",
                " 1   ######------  50.0 %                        ",
                " 2*  ###---######  75.0 %                        ",
                "     333222222222  copies of the rarest piece there",
                "3.0 s: 62.5 % done, 0 complete; rarest piece: 2 copies; fluid ",
                "* a free-rider: it unchokes nobody",
            ]
        );
    }

    #[test]
    fn it_fits_every_terminal() {
        let swarm = swarm(&PEERS);
        for (columns, rows) in (0..100).flat_map(|columns| (0..12).map(move |rows| (columns, rows))) {
            let drawn = draw(&swarm, Look { columns, rows, utf8: true });
            assert!(drawn.len() <= rows && drawn.iter().all(|row| self::columns(&row.text) <= columns), "{drawn:#?}");
        }
    }

    #[test]
    fn a_cell_that_is_narrower_than_a_piece_shows_that_piece() {
        assert_eq!((0..4).map(|at| cell(at, 4, 2)).collect::<Vec<_>>(), [0..1, 0..1, 1..2, 1..2]);
        assert_eq!((0..2).map(|at| cell(at, 2, 5)).collect::<Vec<_>>(), [0..2, 2..5]);
        assert!(shares(&Bitfield::new(0), 3).iter().all(|share| *share == Share::Missing));
    }
}
