//! Files that are no record, and records that were changed.

use super::recorded::Recorded;
use super::*;
use crate::base::rng::Rng;
use proptest::prelude::*;

/// The beginning of a record, up to the line at which the torrent begins.
fn head() -> String {
    let text = Recorded::run(1, 0).text;
    text.trim_end_matches("end\n").into()
}

#[test]
fn an_error_names_the_line_and_what_was_expected() {
    let head = head();
    let after = head.lines().count() + 1;
    let connected =
        "5.000000000 peer 1 connected 10.0.0.1:1 in none 0000000000000000 0202020202020202020202020202020202020202";
    for (text, wrong) in [
        ("a letter", "1: expected 'swarmlet record 1' as the first line, found 'a letter'"),
        ("swarmlet record 2", "1: expected 'swarmlet record 1' as the first line, found 'swarmlet record 2'"),
        ("swarmlet record 1\nfish", "2: expected a line of the header, or a time, found 'fish'"),
        ("swarmlet record 1\n0.000000000 begin 0000000000000001", "2: expected a line 'torrent' before this one"),
        ("swarmlet record 1\n0.000000000 timer", "2: expected what happens before the torrent begins, found 'timer'"),
        ("swarmlet record 1\nfile 2000000000000000000", "2: expected bytes of a file from 0 to 1125899906842624"),
        ("swarmlet record 1\nlost 5", "2: over: 5 lines are missing here"),
    ] {
        let error = replay(text).unwrap_err();
        assert!(error.starts_with(wrong), "{error}");
    }
    for (line, wrong) in [
        ("timer", "expected a time, found 'timer'"),
        ("5.0 timer", "expected a time, found '5.0'"),
        ("0.000000000 fish", "expected what happened, found 'fish'"),
        ("5.000000000 checked 40 yes", "expected a piece from 0 to 39, found '40'"),
        ("5.000000000 checked 4 yes", "expected that a piece is checked after all of it was written, found piece 4"),
        (
            "5.000000000 checked-again none",
            "expected that the content is checked again only while the torrent waits for that",
        ),
        ("5.000000000 checked 4", "expected yes or no (the hash is right), and the line ends"),
        ("5.000000000 peer 0 gone", "expected the number of a peer from 1 to 4294967295, found '0'"),
        ("5.000000000 peer 1 message 00", "expected the length of a message in four bytes"),
        ("5.000000000 peer 1 message 0000000107", "piece with a body of 0 bytes, expected 9 to 16392"),
        ("5.000000000 peer 1 message 0x", "expected pairs of hex digits, found '0x'"),
        ("5.000000000 peer 1 block 0 0 16385", "expected bytes of a block from 1 to 16384, found '16385'"),
        ("5.000000000 timer timer", "expected the end of the line, found 'timer'"),
        ("5.000000000 check 0000000000000000", "expected the random numbers of the recorded run"),
        ("5.000000000 over # it ended", "over: it ended"),
    ] {
        let error = replay(&format!("{head}{line}\n")).unwrap_err();
        assert!(error.starts_with(&format!("{after}: {wrong}")), "{line}: {error}");
    }
    let again = replay(&format!("{head}{connected}\n{connected}\n")).unwrap_err();
    assert!(again.contains("expected a new peer, found the number 1"), "{again}");
    let back = replay(&format!("{head}{connected}\n4.000000000 timer\n")).unwrap_err();
    assert!(back.contains("expected a time that is not before that of the line above"), "{back}");
}

#[test]
fn the_content_is_checked_again_once_for_each_doubt() {
    let head = head();
    let doubt = "5.000000000 doubted\n5.000000000 checked-again none\n";
    assert_eq!(replay(&format!("{head}{doubt}{doubt}")), Ok(Vec::new()));
    let error = replay(&format!("{head}{doubt}5.000000000 checked-again all\n")).unwrap_err();
    assert!(error.contains("expected that the content is checked again only while"), "{error}");
}

#[test]
fn trackers_and_web_seeds_are_bounded() {
    let mut header = Header::default();
    assert_eq!(take(&mut header, "tier"), Err("expected a tracker, and the line ends".into()));
    let long = format!("http://{}/", "a".repeat(8300));
    for line in [format!("tier http://a/ {long}"), format!("web-seed {long}")] {
        let error = take(&mut header, &line).unwrap_err();
        assert!(error.starts_with("expected a URL of at most 8196 bytes, found 'http://aaa"), "{error}");
    }
    let mut header = Header::default();
    for _ in 0..2000 {
        take(&mut header, "tier http://a/…").unwrap();
        take(&mut header, "web-seed http://a/…").unwrap();
    }
    assert_eq!(take(&mut header, "tier http://a/…"), Err("expected at most 2000 trackers".into()));
    assert!(take(&mut header, "web-seed http://a/…").is_err());
}

/// Each peer of a large torrent needs a bitfield.
#[test]
fn the_memory_for_peers_is_bounded() {
    // 2^21 pieces: each bitfield has 256 KiB.
    let large = "file 137438953472\n";
    let mut text = head().replace("file 2621440\n", large).replace(" 50 no ", " 100000 no ");
    assert!(text.contains(large) && text.contains(" 100000 no "), "{text}");
    for peer in 1..2100 {
        let addr = format!("10.0.{}.{}:1", peer / 250, peer % 250);
        text += &format!("5.000000000 peer {peer} connected {addr} in none 0000000000000004 {peer:040}\n");
    }
    let error = replay(&text).unwrap_err();
    assert!(error.contains("expected fewer peers of a torrent of 2097152 pieces"), "{error}");
    let line: usize = error.split(':').next().and_then(|line| line.parse().ok()).expect("the number of a line");
    let peers = line - head().lines().count() - 1;
    assert!(peers > 2000, "a large swarm is replayed, not only {peers} peers");
}

/// Takes in all lines, also those after a wrong one.
fn replay_on(text: &str) {
    let mut replay = Replay::default();
    text.lines().for_each(|line| drop(replay.take(line)));
}

/// Changes the text in some way.
fn mutate(text: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    for _ in 0..=rng.below(8) {
        let (at, other) = (rng.below(lines.len()), rng.below(lines.len()));
        match rng.below(8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            3 => lines.truncate(lines.len().max(2) - rng.below(lines.len() / 4 + 1)),
            // A word of another line stands in the place of one of this line.
            4 | 5 => {
                let theirs: Vec<&str> = lines[other].split(' ').collect();
                let word = theirs[rng.below(theirs.len())].to_string();
                let mut words: Vec<&str> = lines[at].split(' ').collect();
                let place = rng.below(words.len());
                words[place] = &word;
                lines[at] = words.join(" ");
            }
            // A line happens at the time of another, so that it is not refused for its time.
            6 => {
                let (time, what) = (lines[at].split(' ').next().unwrap_or_default(), lines[other].split_once(' '));
                let moved = format!("{time} {}", what.map_or("", |(_, what)| what));
                lines.insert(at, moved);
            }
            _ => {
                let mut bytes = lines[at].clone().into_bytes();
                if !bytes.is_empty() {
                    let place = rng.below(bytes.len());
                    bytes[place] = b"0123456789abcdef -.#:yn\xff"[rng.below(24)];
                }
                lines[at] = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

/// A record with all kinds of lines.
fn everything() -> String {
    let mut text = Recorded::run(3, 250).text.replace("end\n", "");
    let last = text.lines().last().and_then(|line| line.split(' ').next()).unwrap_or_default().to_string();
    for event in events() {
        let mut line = String::new();
        if words::event(&mut line, &event, &shape().trackers) {
            text += &format!("{last} {line}\n");
        }
    }
    text.replace("have none", "tier udp://b:1/…\ntier http://c/…\nweb-seed http://d/…\nhave none")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_change_of_a_record_breaks_the_replay(seed: u64) {
        let mut rng = Rng::new(seed);
        let text = mutate(&everything(), &mut rng);
        let _ = replay(&text);
        replay_on(&text);
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = format!("{}{}", head(), String::from_utf8_lossy(&bytes));
        let _ = replay(&text);
    }
}
