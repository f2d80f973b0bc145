//! Tests of pausing and of the limit of downloads at once, with an engine that has no peers.

mod real;
mod virtual_time;

use super::super::super::testkit::{PATIENCE, torrent};
use super::super::super::{Command, Config, Engine, Job, Notice, Phase, Places, Report, Subscription, TorrentId};
use std::time::{Duration, Instant};

/// What a torrent is doing: it is `checked`, is `paused`, waits for its `turn`, or `downloads`.
fn standing(report: &Report) -> &'static str {
    match &report.phase {
        Phase::Running(status) if status.paused => "paused",
        Phase::Running(status) if status.queued => "turn",
        Phase::Running(_) => "downloads",
        _ => "checked",
    }
}

fn wait_for(notices: &Subscription, wanted: &[&str]) {
    let (end, mut last) = (Instant::now() + PATIENCE, Vec::new());
    while last != wanted {
        let notice = notices.recv_deadline(end).unwrap_or_else(|_| panic!("{last:?} instead of {wanted:?}"));
        if let Notice::Status { reports, .. } = notice {
            last = reports.iter().map(standing).collect();
        }
    }
}

#[test]
fn a_paused_torrent_gives_its_turn_to_another_and_pausing_all_includes_later_ones() {
    let config = Config {
        ports: 0..=0,
        places: Places { downloads: Some(1), ..Places::default() },
        status_every: Some(Duration::from_secs(1)),
        ..Config::default()
    };
    let (engine, notices) = Engine::start(config).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    let mut add = |wanted: &[&str]| {
        count += 1;
        let (metainfo, _) = torrent(20_000 + count, &[], 16_384, &[]);
        let dir = dir.path().join(count.to_string());
        std::fs::create_dir(&dir).unwrap();
        engine.add(Job::new(metainfo, dir));
        wait_for(&notices, wanted);
    };
    add(&["downloads"]);
    add(&["downloads", "turn"]);
    add(&["downloads", "turn", "turn"]);
    let press = |torrent: u64, wanted: &[&str]| {
        engine.send(Command::PauseOrResume(Some(TorrentId(torrent))));
        wait_for(&notices, wanted);
    };
    press(0, &["paused", "downloads", "turn"]);
    press(0, &["turn", "downloads", "turn"]);
    press(2, &["turn", "downloads", "paused"]);
    press(1, &["downloads", "paused", "paused"]);
    engine.send(Command::PauseOrResume(None));
    wait_for(&notices, &["paused"; 3]);
    add(&["paused"; 4]);
    press(3, &["paused", "paused", "paused", "downloads"]);
    // There is no such torrent.
    engine.send(Command::PauseOrResume(Some(TorrentId(9))));
    engine.send(Command::PauseOrResume(None));
    wait_for(&notices, &["paused"; 4]);
    engine.send(Command::PauseOrResume(None));
    wait_for(&notices, &["downloads", "turn", "turn", "turn"]);
    engine.send(Command::Remove(TorrentId(0)));
    wait_for(&notices, &["downloads", "turn", "turn"]);
}
