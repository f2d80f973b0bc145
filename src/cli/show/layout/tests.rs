//! Tests of the screen's rows. Floor 4.

use super::*;
use crate::cli::run::session::tests::{session, status, trackers};
use crate::engine::{Phase, Problem, ProblemKind};
use crate::swarm::meeting::portmap;
use crate::swarm::standing::DiskTrouble;
use crate::swarm::standing::Standing;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn texts(session: &Session, columns: usize, rows: usize, utf8: bool) -> Vec<String> {
    draw(session, Look { columns, rows, utf8 }, false).into_iter().map(|row| row.text).collect()
}

fn running(name: &str) -> (&str, u64, Phase) {
    (name, 659 * MIB, Phase::Running(status(247 * MIB).into()))
}

#[test]
fn one_torrent_at_80_columns() {
    let one = session(vec![running("debian-12.5.0-amd64-netinst.iso")]);
    let expected = [
        "debian-12.5.0-amd64-netinst.iso                                    downloading",
        "  █████████████████░░░░░░░░░░░   62.5 %  412 of 659 MiB       48 s left",
        "  5.21 MiB/s down    120 KiB/s up       12 peers, 8 seeds",
        "  tracker.example: 12 seeds, 3 leechers",
    ];
    assert_eq!(texts(&one, 78, 23, true), expected);
}

#[test]
fn one_torrent_at_40_columns_in_ascii_with_a_wide_name() {
    let one = session(vec![running("日本語のファイル名はとても長いことがある.mkv")]);
    let expected = [
        "????????????????????.mkv    downloading",
        "  [################----------]   62.5 %",
        "  412 of 659 MiB  48 s left",
        "  5.21 MiB/s down    120 KiB/s up",
        "  12 peers, 8 seeds",
        "  tracker.example: 12 seeds, 3 leechers",
    ];
    assert_eq!(texts(&one, 39, 9, false), expected);
    let title = &texts(&one, 39, 9, true)[0];
    assert!(title.starts_with("日本語のファ…") && title.ends_with("がある.mkv   downloading"), "{title}");
    assert!(columns(title) <= 39);
}

#[test]
fn a_router_that_lets_nobody_in_is_shown_below_the_torrents() {
    let mut one = session(vec![running("a")]);
    one.router.ip = Some([192, 168, 1, 1].into());
    let why = "the router refuses UPnP: it does not allow that (error 606 Action\x1b[31m not authorized)";
    one.router.v4 = portmap::Standing::Closed(why.into());
    let rows = texts(&one, 78, 23, true);
    let expected = [
        "  nobody has connected to us from elsewhere: the router 192.168.1.1 refuses",
        "  UPnP: it does not allow that (error 606 Action\\x1b[31m not authorized)",
    ];
    assert_eq!(rows[rows.len() - 2..], expected);
    assert_eq!(texts(&one, 78, 4, true).len(), 4, "only if there is room");
    one.router.reached = true;
    assert_eq!(texts(&one, 78, 23, true).len(), rows.len() - 2);
}

#[test]
fn a_wait_for_the_disk_has_no_remaining_time() {
    let trouble = DiskTrouble { text: "no space left on /srv".into(), short_bytes: 0 };
    let full = Status { standing: Standing::WaitingForDisk(Box::new(trouble)), ..status(247 * MIB) };
    let rows = texts(&session(vec![("a", 659 * MIB, Phase::Running(full.into()))]), 78, 23, true);
    assert_eq!(
        rows[1], "  █████████████████░░░░░░░░░░░   62.5 %  412 of 659 MiB",
        "what came before says nothing of it"
    );
}

#[test]
fn the_rate_of_a_complete_torrent_does_not_count_for_the_others() {
    let whole = Status { down_rate: 5_460_000, ..status(0) };
    let waits = Status { down_rate: 0, ..status(247 * MIB) };
    let phases = [("a", whole), ("b", waits)].map(|(name, status)| (name, 659 * MIB, Phase::Running(status.into())));
    let mut run = session(phases.to_vec());
    run.at(0).completed_at = Some(run.began);
    let total = texts(&run, 79, 9, true).pop().unwrap();
    assert!(total.starts_with("2 torrents, 1 complete  5.21 MiB/s down") && !total.contains("left"), "{total}");
}

#[test]
fn of_many_torrents_some_have_a_row_and_the_rest_are_counted() {
    let mut many: Vec<(&str, u64, Phase)> = (0..20).map(|_| ("idle", MIB, Phase::Running(status(0).into()))).collect();
    many.push(running("busy"));
    let mut many = session(many);
    many.entries.values_mut().take(20).for_each(|entry| entry.completed_at = Some(many.began));
    let rows = texts(&many, 79, 9, true);
    assert_eq!(rows.len(), 9);
    assert!(rows[6].starts_with("busy ") && rows[6].contains("62.5 %  5.21 MiB/s   48 s"), "{rows:?}");
    assert_eq!(rows[7], "... and 14 more: 14 seeding");
    assert!(rows[8].starts_with("21 torrents, 20 complete  5.21 MiB/s down"), "{}", rows[8]);
}

#[test]
fn downloading_torrents_have_blocks_if_there_is_room() {
    let mut three =
        session(vec![("whole", MIB, Phase::Running(status(0).into())), running("first"), running("second")]);
    three.at(0).completed_at = Some(three.began);
    let beginnings = |rows: Vec<String>| -> Vec<String> {
        rows.iter().map(|row| row.split(' ').next().unwrap_or("").to_string()).collect()
    };
    assert_eq!(beginnings(texts(&three, 79, 7, true)), ["whole", "first", "", "", "", "second", "3"]);
    assert_eq!(beginnings(texts(&three, 79, 4, true)), ["whole", "first", "second", "3"]);
    assert_eq!(texts(&three, 79, 13, true).len(), 13);
}

#[test]
fn a_failure_says_why() {
    let problem = Problem { kind: ProblemKind::Io, text: "can't write \x1b[2Jfile: no space left on device".into() };
    let failed = session(vec![("file", MIB, Phase::Failed(problem.into()))]);
    let rows = texts(&failed, 40, 9, true);
    assert_eq!(rows[3..], ["  can't write \\x1b[2Jfile: no space left", "  on device"]);
}

#[test]
fn many_trackers_are_summed_up() {
    let mut numbers = status(MIB);
    numbers.trackers = trackers(&["http://a/x", "http://b/x", "http://c/x", "http://d/x", "udp://e:1"]).into();
    numbers.trackers[4].problem = Some("timed out".into());
    let one = session(vec![("a", 2 * MIB, Phase::Running(numbers.into()))]);
    assert_eq!(texts(&one, 79, 23, true)[3], "  4 of 5 trackers answer: 12 seeds, 3 leechers");
}

proptest! {
    #[test]
    fn rows_fit_every_size(
        names in prop::collection::vec(".{0,60}", 1..8),
        width in 0usize..130,
        height in 0usize..30,
        left in any::<u64>(),
        utf8 in any::<bool>(),
        ended in any::<bool>(),
    ) {
        let all = names.iter().map(|name| (name.as_str(), 700 * MIB, Phase::Running(status(left).into()))).collect();
        let rows = draw(&session(all), Look { columns: width, rows: height, utf8 }, ended);
        prop_assert!(rows.len() <= height);
        for row in rows {
            prop_assert!(columns(&row.text) <= width);
            prop_assert!(row.strong <= row.text.len() && row.text.is_char_boundary(row.strong));
            prop_assert_eq!(for_terminal(&row.text), row.text);
        }
    }
}
