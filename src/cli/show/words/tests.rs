use super::*;
use crate::cli::run::session::tests::{session, status, trackers};
use crate::engine::{Phase, Problem, TorrentId};

/// Figures of a torrent that gets nothing.
pub fn idle() -> Status {
    Status { useful: 0, askable: 0, unchoking: 0, peers: 0, seeds: 0, known: 0, down_rate: 0, ..status(100) }
}

#[test]
fn the_wait_for_a_description_has_a_reason() {
    let told = |change: fn(&mut LearningStatus)| {
        let mut status = LearningStatus { peers: 4, offering: 3, asked: 3, ..LearningStatus::default() };
        (status.bytes, status.size) = (34 << 10, Some(61 << 10));
        change(&mut status);
        learning(&status)
    };
    assert_eq!(told(|_| {}), "asking 3 peers for the torrent's description, 34.0 of 61.0 KiB");
    assert_eq!(told(|status| status.size = None), "asking 3 peers for the torrent's description");
    assert_eq!(told(|status| status.paused = true), "paused: nothing is requested or sent");
    let nobody = |status: &mut LearningStatus| (status.asked, status.offering, status.peers) = (0, 0, 4);
    assert_eq!(told(nobody), "connected to 4 peers, none offers the torrent's description");
    let silent = |status: &mut LearningStatus| (status.asked, status.resting) = (0, 3);
    assert_eq!(told(silent), "connected to 4 peers; 3 refused to send the torrent's description or did not answer");
    let wrong = |status: &mut LearningStatus| (status.asked, status.wrong) = (0, 2);
    assert_eq!(told(wrong), "connected to 4 peers; 2 wrong descriptions of the torrent came");
    let alone = |status: &mut LearningStatus| *status = LearningStatus::default();
    assert_eq!(told(alone), "no peers: the link names no tracker, so peers must connect to us");
    let local = |status: &mut LearningStatus| *status = LearningStatus { asked_locally: true, ..Default::default() };
    assert_eq!(told(local), "no peers: none in the local network, and the link names no tracker");
    let known = |status: &mut LearningStatus| *status = LearningStatus { known: 2, ..Default::default() };
    assert_eq!(told(known), "none of 2 known peers can be reached now");
}

#[test]
fn the_reason_may_be_the_peers() {
    for (useful, askable, snubbed, peers, reason) in [
        (2, 1, 0, 3, "requested from 1 peer, nothing has arrived yet"),
        (2, 2, 2, 3, "requested from 2 peers, nothing has arrived for a while"),
        (2, 2, 1, 3, "requested from 2 peers, nothing has arrived yet"),
        (3, 0, 0, 3, "connected to 3 peers, all choke us"),
        (1, 0, 0, 1, "connected to 1 peer, which chokes us"),
        (2, 0, 0, 3, "connected to 3 peers; the 2 that have missing pieces choke us"),
        (0, 0, 0, 3, "connected to 3 peers, none has any of the 4 missing pieces"),
    ] {
        let asked = askable;
        let status = Status { useful, askable, asked, snubbed, peers, pieces: 10, pieces_missing: 4, ..idle() };
        assert_eq!(why_waiting(&status), reason);
    }
    let silent = Status { useful: 3, askable: 2, peers: 3, asked: 0, ..idle() };
    assert_eq!(why_waiting(&silent), "nothing can be requested for the moment from 2 peers");
    let limited = Status { limited: true, ..silent };
    assert_eq!(why_waiting(&limited), "nothing is requested for the moment, because of the download limit");
    let last = Status { peers: 3, pieces: 10, pieces_missing: 1, last_piece: Some(7), ..idle() };
    assert_eq!(why_waiting(&last), "connected to 3 peers, none has piece 7");
    let nothing = Status { peers: 1, pieces: 10, pieces_missing: 10, ..idle() };
    assert_eq!(why_waiting(&nothing), "connected to 1 peer, which does not have any piece");
    assert_eq!(why_waiting(&Status { connecting: 2, ..idle() }), "2 connections are being opened");
    assert_eq!(why_waiting(&Status { known: 40, ..idle() }), "none of 40 known peers can be reached now");
    assert!(why_waiting(&Status { paused: true, ..status(100) }).starts_with("paused"));
    let only_liars = Status { liars: 2, trackers: trackers(&["http://a.example/x"]).into(), ..idle() };
    assert_eq!(why_waiting(&only_liars), "no peers except 2 that sent corrupt data");
}

#[test]
fn programs_get_the_reason_of_a_wait_as_one_word() {
    let trouble = DiskTrouble { text: "full".into(), short_bytes: 0 };
    let disk = Status { standing: Standing::WaitingForDisk(Box::new(trouble)), peers: 3, ..idle() };
    for (status, word) in [
        (disk.clone(), "disk"),
        (Status { useful: 2, askable: 1, peers: 3, ..idle() }, "blocks"),
        (Status { useful: 2, peers: 3, ..idle() }, "unchoke"),
        (Status { peers: 3, ..idle() }, "pieces"),
        (Status { known: 9, ..idle() }, "peers"),
    ] {
        let run = session(vec![("a", 100, Phase::Running(status.into()))]);
        assert_eq!(
            (Doing::of(&run.entries[&TorrentId(0)]), waits_for(&run.entries[&TorrentId(0)])),
            (Doing::Waiting, Some(word))
        );
    }
    let mut run = session(vec![("a", 100, Phase::Running(Status { paused: true, ..idle() }.into()))]);
    let (began, entry) = (run.began, run.at(0));
    assert_eq!((Doing::of(entry), waits_for(entry)), (Doing::Paused, None));
    entry.phase = Phase::Running(Status { queued: true, ..idle() }.into());
    assert_eq!((Doing::of(entry), waits_for(entry)), (Doing::Waiting, Some("turn")));
    assert_eq!(why(entry).as_deref(), Some("queued: the maximum number of torrents is downloading (--max-downloads)"));
    // No peer is connected, whatever the rate of the last seconds was.
    entry.phase = Phase::Running(Status { down_rate: 9, ..idle() }.into());
    assert_eq!((Doing::of(entry), waits_for(entry), time_left(entry)), (Doing::Waiting, Some("peers"), None));
    // A seed does not seed if its disk is gone.
    entry.completed_at = Some(began);
    entry.phase = Phase::Running(disk.into());
    assert_eq!((Doing::of(entry), waits_for(entry)), (Doing::Waiting, Some("disk")));
}

#[test]
fn a_torrent_that_was_given_up_says_why_nothing_came() {
    let text = "given up, no progress for 60 s".into();
    let gave_up = Problem { kind: ProblemKind::GaveUp, text };
    let mut run = session(vec![("a", 100, Phase::Failed(gave_up.into()))]);
    let trouble = DiskTrouble { text: "no space left on /srv".into(), short_bytes: 1_288_490_189 };
    let waiting = Status { standing: Standing::WaitingForDisk(Box::new(trouble)), ..status(50) };
    run.at(0).status = Some(waiting.into());
    let words = "given up, no progress for 60 s: waiting for disk: no space left on /srv, 1.20 GiB short";
    assert_eq!(problem(run.at(0)).as_deref(), Some(words));
}

#[test]
fn torrents_that_were_given_up_can_be_resumed() {
    let given_up = |kind| Phase::Failed(Problem { kind, text: "no progress".into() }.into());
    let mut one = session(vec![("a", 100 << 20, given_up(ProblemKind::GaveUp))]);
    one.at(0).status = Some(status(60 << 20).into());
    let told = "given up at 40.0 % (40.0 of 100 MiB); the same command resumes from here";
    assert_eq!(closing(&one, one.began), told);
    let many = |second| session(vec![("a", 1, given_up(ProblemKind::Io)), ("b", 1, given_up(second))]);
    let told = |run: Session| closing(&run, run.began);
    assert_eq!(told(many(ProblemKind::Io)), "0 of 2 torrents are complete, 2 failed");
    let goes_on = "0 of 2 torrents are complete, 1 failed, 1 given up; the same command resumes from here";
    assert_eq!(told(many(ProblemKind::GaveUp)), goes_on);
}

#[test]
fn content_that_is_not_complete_enough_to_seed_says_how_much_there_is() {
    let incomplete = |bytes| Problem { kind: ProblemKind::Incomplete(bytes), text: "it has 3 of 8 pieces".into() };
    let mut some = session(vec![("a", 80 << 20, Phase::Failed(incomplete(30 << 20).into()))]);
    assert_eq!(closing(&some, some.began), "failed at 37.5 % (30.0 of 80.0 MiB)");
    assert_eq!(problem(some.at(0)).as_deref(), Some("it has 3 of 8 pieces"));
    let unknown = session(vec![("a", 80 << 20, Phase::Failed(Problem::io("too long").into()))]);
    assert_eq!(closing(&unknown, unknown.began), "failed before the content was checked");
    let mut none = session(vec![("a", 80 << 20, Phase::Failed(incomplete(0).into()))]);
    assert!(problem(none.at(0)).is_some_and(|words| words.ends_with("; --dir names the folder that contains a")));
}

#[test]
fn the_closing_line_sums_up_the_run() {
    let mut run = session(vec![("a", 100 << 20, Phase::Running(status(60 << 20).into()))]);
    let begin = run.began;
    let end = begin + Duration::from_secs(10);
    let interrupted = "interrupted at 40.0 % (40.0 of 100 MiB); the same command resumes from here";
    assert_eq!(closing(&run, end), interrupted);
    (run.at(0).completed_at, run.settled) = (Some(end), Some(end));
    run.at(0).status = None;
    assert_eq!(closing(&run, end), "done: 100 MiB in 10 s, 10.0 MiB/s on average");
    run.at(0).joined = Some((begin, 80 << 20));
    assert_eq!(closing(&run, end), "done: the missing 20.0 of 100 MiB in 10 s, 2.00 MiB/s on average");
    run.at(0).joined = Some((begin, 100 << 20));
    assert_eq!(closing(&run, end), "done: all 100 MiB were present");
}
