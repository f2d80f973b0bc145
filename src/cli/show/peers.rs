//! The peers of one torrent, as rows of the live screen.
//!
//! Floor 4. Pure: this does not touch the terminal.

use super::layout::{Look, Row, ellipsis, plain, shown};
use crate::base::units::rate;
use crate::base::width::{pad, shorten_end, shorten_middle};
use crate::proto::krpc;
use crate::proto::peer::mse::Cover;
use crate::swarm::figures::PeerStatus;
use crate::swarm::meeting::source::Source;

/// What the flags mean, in one row of the screen. (The letters are transmission's, which many users know.)
pub const FLAGS: &str = if krpc::IS_BUILT_IN {
    "D/d sends/chokes, U/u we do, K idle, S mute, E RC4, T/H/X/L tracker/DHT/PEX/LAN"
} else {
    "D/d sends/chokes, U/u we do, K idle, S mute, E RC4, T/X/L/I tracker/PEX/LAN/in"
};
/// The same, for the help.
pub const FLAGS_HELP: &str = "Flags in the peers view: D it sends to us, d it chokes us, U we send to it, u we choke \
                              it, K it unchokes us but has nothing we want, S snubbed: it stopped sending, E the \
                              connection is encrypted (RC4), e only its handshake is. Its \
                              address came from: T a tracker, H the DHT, X another peer (PEX), L the local network \
                              (LSD), M a magnet link. I it connected to us, W it is a web seed (a web server).";

/// Columns of the client's name.
const CLIENT: usize = 18;
/// Columns of the flags. In a narrow row they are fewer, if there are fewer flags.
const FLAG_COLUMNS: usize = 5;
/// Columns of `1000 KiB/s`.
const RATE: usize = 10;
/// Columns of `100 %`.
const PERCENT: usize = 5;
/// With at least this many columns, a row also has the client and the upload rate.
const WIDE: usize = 74;
/// With at least this many, a row has the progress and the download rate; otherwise only the address and the flags.
const NARROW: usize = 36;

/// At most `room` rows: one for each peer, and one with the number of the others.
pub fn draw(peers: &[PeerStatus], look: Look, room: usize) -> Vec<Row> {
    if peers.is_empty() {
        return vec![plain("  no peers".into(), look)];
    }
    let most = if peers.len() <= room { room } else { room.saturating_sub(1) };
    let mut rows: Vec<Row> = peers.iter().take(most).map(|peer| plain(row(peer, look), look)).collect();
    if peers.len() > most {
        rows.push(plain(format!("  ... and {} more", peers.len() - most), look));
    }
    rows
}

fn row(peer: &PeerStatus, look: Look) -> String {
    let place = peer.web_host.clone().unwrap_or_else(|| peer.addr.to_string().into());
    let client = if peer.web_host.is_some() { "web seed".into() } else { peer.id.client() };
    let (per_mille, down_rate, up_rate) = (peer.per_mille.into(), peer.down_rate, peer.up_rate);
    line(&Line { place: &place, client: &client, flags: &flags(peer), per_mille, down_rate, up_rate }, look)
}

/// What a row says of a peer. The texts need not be safe for a terminal.
pub struct Line<'a> {
    /// Its address.
    pub place: &'a str,
    /// The name of its client.
    pub client: &'a str,
    /// What it does, in letters.
    pub flags: &'a str,
    /// The part of the content that it has, in thousandths.
    pub per_mille: u64,
    /// Bytes per second.
    pub down_rate: u64,
    /// Bytes per second.
    pub up_rate: u64,
}

/// The row of a peer.
pub fn line(peer: &Line, look: Look) -> String {
    let flags = peer.flags;
    let percent = format!("{} %", peer.per_mille / 10);
    let down = if peer.down_rate > 0 { rate(peer.down_rate) } else { String::new() };
    let up = if peer.up_rate > 0 { rate(peer.up_rate) } else { String::new() };
    let wide = look.columns >= WIDE;
    let flag_columns = flags.len().max(FLAG_COLUMNS - 1);
    let behind = match look.columns {
        WIDE.. => CLIENT + FLAG_COLUMNS + PERCENT + 2 * RATE + 12,
        NARROW.. => flag_columns + PERCENT + RATE + 5,
        _ => flags.len() + 3,
    };
    let room = look.columns.saturating_sub(behind);
    let addr = pad(&shorten_middle(&shown(peer.place, look), room, ellipsis(look)), room);
    if look.columns < NARROW {
        return format!("  {addr} {flags}");
    }
    if !wide {
        return format!("  {addr} {flags:<flag_columns$} {percent:>PERCENT$} {down:>RATE$}");
    }
    let client = pad(&shorten_end(&shown(peer.client, look), CLIENT, ellipsis(look)), CLIENT);
    format!("  {addr}  {client}  {flags:<FLAG_COLUMNS$}  {percent:>PERCENT$}  {down:>RATE$}  {up:>RATE$}")
}

fn flags(peer: &PeerStatus) -> String {
    let down = match (peer.we_are_interested, peer.chokes_us) {
        (true, false) => "D",
        (true, true) => "d",
        (false, false) => "K",
        (false, true) => "",
    };
    let up = match (peer.is_interested, peer.we_choke) {
        (true, false) => "U",
        (true, true) => "u",
        (false, _) => "",
    };
    let source = match peer.source {
        Source::Tracker => "T",
        Source::Dht => "H",
        Source::Pex => "X",
        Source::Lsd => "L",
        Source::Link => "M",
        Source::Incoming => "I",
        Source::WebSeed => "W",
    };
    let cover = match peer.cover {
        Cover::Plain => "",
        Cover::Handshake => "e",
        Cover::Rc4 => "E",
    };
    [down, up, if peer.snubbed { "S" } else { "" }, cover, source].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::width::columns;
    use crate::cli::run::session::tests::peer;

    #[test]
    fn a_peer_is_a_row_at_80_columns_and_at_40() {
        let look = |columns| Look { columns, rows: 23, utf8: true };
        let row = |addr: &str, columns| draw(&[peer(addr)], look(columns), 9)[0].text.clone();
        assert_eq!(row("10.0.0.1:6881", 79), "  10.0.0.1:6881        Transmission 4.0.6  DuI     62 %  5.21 MiB/s");
        assert_eq!(row("10.0.0.1:6881", 39), "  10.0.0.1:6881   DuI   62 % 5.21 MiB/s");
        assert_eq!(row("10.0.0.1:6881", 20), "  10.0.0.1:6881  DuI");
        assert!(columns(&row("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535", 79)) <= 79);
    }

    #[test]
    fn a_web_seed_is_shown_by_its_host() {
        let look = Look { columns: 79, rows: 23, utf8: true };
        let mut it = peer("0.0.0.0:0");
        (it.web_host, it.source, it.is_interested) = (Some("mirror.example:8080".into()), Source::WebSeed, false);
        let row = draw(&[it], look, 9)[0].text.clone();
        assert_eq!(row, "  mirror.example:8080  web seed            DW      62 %  5.21 MiB/s");
    }

    #[test]
    fn peers_without_room_are_counted() {
        let look = Look { columns: 79, rows: 23, utf8: false };
        let peers: Vec<PeerStatus> = (0..5).map(|_| peer("10.0.0.1:1")).collect();
        let rows = draw(&peers, look, 3);
        assert_eq!((rows.len(), rows[2].text.as_str()), (3, "  ... and 3 more"));
        assert_eq!(draw(&peers, look, 5).len(), 5);
        assert_eq!(draw(&[], look, 3)[0].text, "  no peers");
    }

    #[test]
    fn flags_show_interest_and_choking() {
        let mut it = peer("10.0.0.1:1");
        (it.snubbed, it.we_choke, it.source) = (true, false, Source::Tracker);
        assert_eq!(flags(&it), "DUST");
        (it.we_are_interested, it.is_interested, it.snubbed) = (false, false, false);
        assert_eq!(flags(&it), "KT");
        it.chokes_us = true;
        assert_eq!(flags(&it), "T");
        it.cover = Cover::Rc4;
        assert_eq!(flags(&it), "ET");
        it.cover = Cover::Handshake;
        assert_eq!(flags(&it), "eT");
    }
}
