//! Tests of pausing and of the limit of downloads at once, with an engine that has no peers.

use super::super::super::testkit::{PATIENCE, torrent};
use super::super::super::{
    Command, Config, Engine, Job, Notice, Phase, Report, Settings, Subscription, TorrentId, Watch,
};
use super::super::{Input, prepare};
use crate::base::time::Time;
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
        max_downloads: Some(1),
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

/// Nobody has the content of the first torrent, and the time is what the test says.
#[test]
fn a_download_that_stalls_does_not_keep_the_next_one_from_its_turn() {
    let config = Config { max_downloads: Some(1), ..Config::default() };
    let (notices, _told) = super::super::super::notice::Notices::new();
    let (mut manager, _sender) = prepare(config, Settings::default(), Vec::new(), notices).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for number in 0..3 {
        let (metainfo, _) = torrent(20_000 + number as usize, &[], 16_384, &[]);
        let dir = dir.path().join(number.to_string());
        std::fs::create_dir(&dir).unwrap();
        let job = Box::new(Job::new(metainfo, dir));
        manager.step(Some(Input::Add(TorrentId(number), job)), Time::ZERO);
        while !manager.is_running(TorrentId(number)) {
            let checked = manager.inbox.recv_timeout(PATIENCE).unwrap();
            manager.step(Some(checked), Time::ZERO);
        }
    }
    let mut after = |seconds: u64, press: Option<u64>| {
        let command = press.map(|torrent| Input::Command(Command::PauseOrResume(Some(TorrentId(torrent)))));
        let now = Time::from_secs(seconds);
        manager.step(command, now);
        let slots = manager.torrents.iter();
        slots.map(|(id, slot)| standing(&slot.report(*id, now, Watch::default()))).collect::<Vec<_>>()
    };
    assert_eq!(after(179, None), ["downloads", "turn", "turn"]);
    assert_eq!(after(180, None), ["downloads", "downloads", "turn"]);
    assert_eq!(after(300, Some(0)), ["paused", "downloads", "turn"]);
    assert_eq!(after(355, Some(0)), ["turn", "downloads", "turn"], "it begins again, as the others do");
    assert_eq!(after(360, None), ["downloads", "downloads", "turn"]);
    assert_eq!(after(540, None), ["downloads"; 3]);
}
