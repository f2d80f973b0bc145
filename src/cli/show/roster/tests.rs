//! Tests of the list of torrents. Floor 4.

use super::*;
use crate::base::width::columns;
use crate::cli::run::session::tests::{session, status};
use crate::engine::{Phase, Problem, ProblemKind};
use crate::swarm::figures::Status;
use proptest::prelude::*;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

fn look(columns: usize, rows: usize) -> Look {
    Look { columns, rows, utf8: true }
}

fn texts(list: &mut Roster, session: &Session, columns: usize, rows: usize) -> Vec<String> {
    list.draw(session, look(columns, rows), false).into_iter().map(|row| row.text.trim_end().to_string()).collect()
}

/// The first words of the rows between the titles and the last two.
fn names(rows: &[String]) -> Vec<String> {
    rows[1..rows.len() - 2].iter().map(|row| row.split_whitespace().next().unwrap().to_string()).collect()
}

fn running(left: u64, down_rate: u64, peers: u32) -> Phase {
    Phase::Running(Arc::new(Status { down_rate, peers, up_rate: left / 100, ..status(left) }))
}

fn three() -> Session {
    let problem = Problem { kind: ProblemKind::Io, text: "disk full".into() };
    session(vec![
        ("b", 100 * MIB, running(60 * MIB, 5 * MIB, 2)),
        ("c", 100 * MIB, running(10 * MIB, MIB, 7)),
        ("a", 100 * MIB, Phase::Failed(problem.into())),
    ])
}

#[test]
fn three_torrents_at_80_columns() {
    let rows = texts(&mut Roster::default(), &three(), 79, 23);
    let expected = [
        " [name] 1 of 3                           done       down         up   peers",
        ">a                        failed        0.0 %",
        " b                        downloading  40.0 % 5.00 MiB/s  614 KiB/s       2",
        " c                        downloading  90.0 % 1.00 MiB/s  102 KiB/s       7",
        "disk full",
        "3 torrents, 0 complete, 1 failed  6.00 MiB/s down  717 KiB/s up  12 s left",
    ];
    let squeezed = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(rows.iter().map(|row| squeezed(row)).collect::<Vec<_>>(), expected.map(squeezed));
    // The figures stand below their titles.
    let end = |row: &str, text: &str| row.find(text).map(|at| at + text.len());
    assert_eq!(end(&rows[0], "down"), end(&rows[2], "5.00 MiB/s"));
    assert_eq!(end(&rows[0], "peers"), end(&rows[3], "  7"));
}

#[test]
fn a_torrent_that_waits_for_its_turn_is_told_from_one_that_waits_for_peers() {
    let waits = |queued| Phase::Running(Arc::new(Status { queued, down_rate: 0, peers: 0, ..status(MIB) }));
    let run = session(vec![("a", MIB, waits(true)), ("b", MIB, waits(false))]);
    let rows = texts(&mut Roster::default(), &run, 79, 23);
    assert!(rows[1].contains(" queued ") && rows[2].contains(" waiting "), "{rows:?}");
}

#[test]
fn three_torrents_at_40_columns() {
    let rows = texts(&mut Roster::default(), &three(), 39, 7);
    assert_eq!(rows[1], ">a                    0.0 %      failed");
    assert_eq!(rows[2], " b                   40.0 %  5.00 MiB/s");
    assert_eq!(rows.len(), 6);
}

#[test]
fn each_sort_uses_the_next_column() {
    let (mut list, session) = (Roster::default(), three());
    let mut seen = Vec::new();
    for _ in 0..6 {
        let rows = texts(&mut list, &session, 79, 23);
        let title = rows[0].split(['[', ']']).nth(1).unwrap().to_string();
        seen.push((title, names(&rows).concat().replace('>', "")));
        list.sort_by_next_column();
    }
    let expected =
        [("name", "abc"), ("done", "abc"), ("down", "bca"), ("up", "bca"), ("peers", "cba"), ("name", "abc")];
    assert_eq!(seen, expected.map(|(title, order)| (title.to_string(), order.to_string())));
}

#[test]
fn the_selected_torrent_stays_selected_and_visible() {
    let names: Vec<String> = (0..60).map(|number| format!("t{number:02}")).collect();
    let mut session = session(names.iter().map(|name| (name.as_str(), MIB, running(0, 0, 0))).collect());
    let mut list = Roster::default();
    let marked = |list: &mut Roster, session: &Session| {
        let rows = texts(list, session, 39, 9);
        let (first, last) = (rows[1].clone(), rows[rows.len() - 3].clone());
        let word = |row: &str| row[1..4].to_string();
        let of = rows[0].split_whitespace().skip(1).take(3).collect::<Vec<_>>().join(" ");
        let marked: Vec<String> = rows.iter().filter(|row| row.starts_with('>')).map(|row| word(row)).collect();
        (marked.concat(), of, word(&first), word(&last))
    };
    let is = |marked: (String, String, String, String), expected: [&str; 4]| {
        assert_eq!([marked.0, marked.1, marked.2, marked.3], expected);
    };
    is(marked(&mut list, &session), ["t00", "1 of 60", "t00", "t05"]);
    (0..7).for_each(|_| list.go(Move::Down));
    is(marked(&mut list, &session), ["t07", "8 of 60", "t02", "t07"]);
    list.go(Move::PageDown);
    is(marked(&mut list, &session), ["t12", "13 of 60", "t07", "t12"]);
    list.go(Move::Up);
    is(marked(&mut list, &session), ["t11", "12 of 60", "t07", "t12"]);
    list.go(Move::Last);
    is(marked(&mut list, &session), ["t59", "60 of 60", "t54", "t59"]);
    list.go(Move::Down);
    is(marked(&mut list, &session), ["t59", "60 of 60", "t54", "t59"]);
    // A torrent before it goes.
    session.forget(TorrentId(3));
    is(marked(&mut list, &session), ["t59", "59 of 59", "t54", "t59"]);
    // The selected torrent goes: the torrent in its place is selected.
    session.forget(TorrentId(59));
    is(marked(&mut list, &session), ["t58", "58 of 58", "t53", "t58"]);
    assert_eq!(list.selected(), Some(TorrentId(58)));
    list.go(Move::First);
    is(marked(&mut list, &session), ["t00", "1 of 58", "t00", "t06"]);
    session.entries.clear();
    texts(&mut list, &session, 39, 9);
    list.go(Move::PageDown);
    assert_eq!(list.selected(), None);
}

proptest! {
    #[test]
    fn rows_fit_every_size(
        names in prop::collection::vec(".{0,60}", 0..8),
        width in 0usize..130,
        height in 0usize..30,
        left in any::<u64>(),
        downs in 0usize..9,
    ) {
        let all = names.iter().map(|name| (name.as_str(), 700 * MIB, running(left, left, 9999))).collect();
        let (session, mut list) = (session(all), Roster::default());
        for _ in 0..=downs {
            list.sort_by_next_column();
            let rows = list.draw(&session, look(width, height), false);
            prop_assert!(rows.len() <= height);
            let selected = rows.iter().filter(|row| row.selected).count();
            prop_assert_eq!(selected, usize::from(height > OTHERS && !names.is_empty()));
            for row in rows {
                prop_assert!(columns(&row.text) <= width);
                prop_assert_eq!(crate::base::path::for_terminal(&row.text), row.text);
            }
            list.go(Move::Down);
        }
    }
}
