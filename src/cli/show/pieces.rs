//! The progress bar of a torrent, and the map of its pieces.
//!
//! Floor 4. Pure. If the terminal shows only ASCII, other characters are used.

use crate::swarm::figures::Share;

/// A bar of `width` columns, of which `full` thousandths are full and `half` more are half full.
pub fn bar(full: u64, half: u64, width: usize, utf8: bool) -> String {
    let cells = if utf8 { width } else { width.saturating_sub(2) };
    let upto = |per_mille: u64| cells * per_mille.min(1000) as usize / 1000;
    let full_cells = upto(full);
    let half_cells = upto(full + half) - full_cells;
    let part = |fancy: &str, plain: &str, count: usize| if utf8 { fancy.repeat(count) } else { plain.repeat(count) };
    let (begin, end) = if utf8 { ("", "") } else { ("[", "]") };
    let rest = cells - full_cells - half_cells;
    [begin, &part("█", "#", full_cells), &part("▒", "+", half_cells), &part("░", "-", rest), end].concat()
}

/// The map, with one column per cell.
pub fn map(shares: &[Share], utf8: bool) -> String {
    let cell = |share: &Share| match (share, utf8) {
        (Share::Had, true) => '█',
        (Share::Had, false) => '#',
        (Share::LeftOut, _) => ' ',
        (Share::Most, true) => '▓',
        (Share::Most, false) => '*',
        (Share::Few, true) => '▒',
        (Share::Few, false) => '+',
        (Share::Missing, true) => '░',
        (Share::Missing, false) => '-',
        (Share::Rare, true) => '·',
        (Share::Rare, false) => '.',
        (Share::Nobody, _) => '!',
    };
    shares.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_their_width() {
        assert_eq!(bar(0, 0, 4, true), "░░░░");
        assert_eq!(bar(999, 0, 4, true), "███░");
        assert_eq!(bar(500, 260, 4, true), "██▒░");
        assert_eq!(bar(5000, 9, 4, true), "████");
        assert_eq!(bar(500, 250, 6, false), "[##+-]");
        assert_eq!(bar(500, 500, 0, false), "[]");
    }

    #[test]
    fn each_share_has_a_character() {
        let shares = [Share::Had, Share::LeftOut, Share::Most, Share::Few, Share::Missing, Share::Rare, Share::Nobody];
        assert_eq!(map(&shares, true), "█ ▓▒░·!");
        assert_eq!(map(&shares, false), "# *+-.!");
    }
}
