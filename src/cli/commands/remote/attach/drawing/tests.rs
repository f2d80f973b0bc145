//! Tests of the pictures of the screen of `attach`, and of the bytes that draw them. Floor 4.

use super::*;
use crate::base::json::read::read;
use crate::cli::commands::remote::attach::news::{Details, News, Tab, files, peers, trackers};
use crate::cli::commands::remote::attach::painter::Painter;
use crate::cli::commands::remote::attach::state::tests::{all, three, torrent};
use crate::cli::run::request::Move;
use crate::cli::run::request::Press;

fn look(columns: usize, rows: usize) -> Look {
    Look { columns, rows, utf8: true }
}

/// The rows, without those that are empty.
fn texts(state: &mut State, columns: usize, rows: usize) -> Vec<String> {
    let frame = frame(state, look(columns, rows), Instant::now());
    assert_eq!(frame.rows.len(), rows);
    let texts = frame.rows.iter().map(|row| row.text.trim_end().to_string());
    texts.filter(|text| !text.is_empty()).collect()
}

#[test]
fn three_torrents_at_80_columns_and_at_40() {
    let mut state = three();
    state.pressed(Press::Move(Move::Down));
    state.pressed(Press::Move(Move::Down));
    state.pressed(Press::Byte(b'p'));
    let expected = [
        " [name] 3 of 3                               done       down         up   peers",
        " a failed                     failed        0.0 %",
        " b comes                      downloading  40.0 % 5.00 MiB/s                  3",
        ">東京 seeds                   stopping…   100.0 %            1.00 MiB/s       7",
        "sending to 2 of 7 peers, 150 MiB sent, ratio 1.50",
        "3 torrents, 1 complete, 1 failed  5.00 MiB/s down  1.00 MiB/s up  nas",
        "q quit, ? all keys, v details, p pause, n add, r remove, s sort, / filter",
    ];
    assert_eq!(texts(&mut state, 79, 24), expected);
    let expected = [
        " [name] 3 of 3",
        " a failed             0.0 %      failed",
        " b comes             40.0 %  5.00 MiB/s",
        ">東京 seeds         100.0 %  1.00 MiB/s",
        "sending to 2 of 7 peers, 150 MiB sent,…",
        "3 torrents, 1 complete, 1 failed",
        "q ?:keys v p:pause n:add r:remove s /",
    ];
    assert_eq!(texts(&mut state, 39, 10), expected);
}

#[test]
fn why_nothing_moves_is_said_in_words() {
    let said = |fields: &str| why(&torrent(1, "", fields));
    for (fields, words) in [
        (r#","status":4,"metadataPercentComplete":1,"peersConnected":1"#, "1 peer, but none sends"),
        (r#","status":4,"metadataPercentComplete":0"#, "no peers yet that could send the torrent's description"),
        (r#","status":3"#, "it waits until fewer torrents are active"),
        (r#","status":0,"isFinished":true"#, "stopped: it was seeded as much as it should be"),
        (r#","status":6"#, "no peers are connected"),
        (r#","status":6,"error":2,"errorString":"unregistered"#, "unregistered"),
    ] {
        let fields = if fields.ends_with("unregistered") { format!("{fields}\"") } else { fields.into() };
        assert_eq!(said(&fields), words, "{fields}");
    }
    let downloads = r#","status":4,"metadataPercentComplete":1,"peersConnected":5,"peersSendingToUs":2,"eta":90,
        "sizeWhenDone":1048576,"leftUntilDone":1"#;
    assert_eq!(said(downloads), "2 of 5 peers send, 1 min 30 s left, 1.00 MiB");
}

#[test]
fn a_connection_that_is_gone_makes_the_list_pale() {
    let (mut state, now) = (three(), Instant::now());
    state.take(News::Gone("http://nas/…: Connection refused".into(), now + Duration::from_secs(4)), now);
    let gone = frame(&mut state, look(79, 24), now);
    let rows: Vec<&str> = gone.rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(rows[22], "http://nas/…: Connection refused; next try in 4 s");
    assert!(gone.pale > 15 && rows[1].starts_with(">a failed"), "{gone:?}");
    let gone = frame(&mut state, look(79, 24), now + Duration::from_secs(9));
    assert!(gone.rows[22].text.ends_with("; next try now"));
    // A slow answer is told from none.
    state.take(all(Vec::new()), now);
    state.take(News::Asks, now);
    let slow = |state: &mut State, seconds| texts_at(state, now + Duration::from_secs(seconds));
    assert!(!slow(&mut state, 4).contains("no answer"));
    assert!(slow(&mut state, 8).contains("http://nas/…: no answer for 8 s"));
}

fn texts_at(state: &mut State, now: Instant) -> String {
    frame(state, look(79, 24), now).rows.iter().map(|row| row.text.clone() + "\n").collect()
}

#[test]
fn an_empty_list_says_what_to_do() {
    let mut state = State::new("http://nas/…".into());
    assert_eq!(texts(&mut state, 79, 24)[1], " connecting to http://nas/…");
    state.take(all(Vec::new()), Instant::now());
    assert_eq!(texts(&mut state, 79, 24)[1], " no torrents: press n to add one, or paste a magnet link");
    assert!(texts(&mut state, 39, 10).concat().contains("press n to add one"));
}

#[test]
fn of_a_long_line_the_end_is_seen_with_the_cursor() {
    let mut state = three();
    state.input = Input::Add(format!("magnet:{}東京", "x".repeat(500)));
    let typed = frame(&mut state, look(39, 10), Instant::now());
    assert!(typed.rows[9].text.starts_with("add: xxx") && typed.rows[9].text.ends_with("x東京"), "{typed:?}");
    assert_eq!(typed.cursor, Some((9, columns(&typed.rows[9].text))));
    assert!(columns(&typed.rows[9].text) < 39);
}

/// Each view, with everything that it can show.
fn views() -> Vec<State> {
    let answer = r#"{"name":"東京","peers":[{"address":"2001:db8::1","port":6881,"clientName":"東京 1.0","flagStr":"DUEX"}],
        "trackerStats":[{"announce":"http://t.example/KEY","hasAnnounced":true,"lastAnnounceResult":"no \u001b"}],
        "files":[{"name":"東京/a very long name of a file that does not fit.txt","length":9}],"priorities":[1]}"#;
    let answer = read(answer).unwrap();
    let facts = vec!["name       東京".to_string(), "info-hash  0123456789012345678901234567890123456789".into()];
    let details = [
        (Tab::Facts, Details::Facts(facts)),
        (Tab::Peers, Details::Peers(peers(&answer))),
        (Tab::Trackers, Details::Trackers(trackers(&answer, 0))),
        (Tab::Files, Details::Files(files(&answer))),
    ];
    let mut states: Vec<State> = details
        .into_iter()
        .map(|(tab, details)| {
            let mut state = three();
            state.view = View::Torrent(state.torrents[&2].hash().into(), tab);
            state.details = Some(details);
            state
        })
        .collect();
    states.extend((0..6).map(|_| three()));
    states[4].view = View::Help;
    states[5].input = Input::Question(Question::Remove(states[5].torrents[&2].hash().into()));
    states[6].input = Input::Add("magnet:?xt=urn:btih:".repeat(9));
    states[7].note = "a long note of the daemon: ".repeat(9);
    states[8].list.filter = "e".into();
    (states[8].limits.down, states[8].limits_order) = (Some(1), Some(1));
    states[9].line = Line::Gone("http://nas.example/…: no answer in time".into(), Instant::now());
    states
}

#[test]
fn every_view_fits_every_terminal() {
    for (number, mut state) in views().into_iter().enumerate() {
        for (columns_of, rows, utf8) in
            (0..100).step_by(3).flat_map(|columns| (0..26).map(move |rows| (columns, rows, rows % 2 == 0)))
        {
            let frame = frame(&mut state, Look { columns: columns_of, rows, utf8 }, Instant::now());
            let fits = |row: &Row| columns(&row.text) <= columns_of && row.strong <= row.text.len();
            assert_eq!(frame.rows.len(), rows, "view {number}: {columns_of}x{rows}");
            assert!(frame.rows.iter().all(fits), "view {number}: {columns_of}x{rows}: {frame:#?}");
            let is_safe = |c: char| !c.is_control() && (utf8 || c.is_ascii());
            assert!(frame.rows.iter().all(|row| row.text.chars().all(is_safe)), "view {number}: {frame:#?}");
        }
    }
}

#[test]
fn the_views_of_a_torrent() {
    let mut states = views();
    let texts = |state: &mut State| texts(state, 79, 24);
    let head = "東京 seeds                                                     100.0 %  seeding";
    assert_eq!(texts(&mut states[0])[..2], [head, "sending to 2 of 7 peers, 150 MiB sent, ratio 1.50"]);
    assert_eq!(texts(&mut states[0])[2..4], ["[facts] peers  trackers  files", "name       東京"]);
    assert_eq!(texts(&mut states[1])[3], "  [2001:db8::1]:6881   東京 1.0            DUEX     0 %");
    assert_eq!(texts(&mut states[2])[3..5], ["http://t.example/…", "  no \\x1b"]);
    let file = ">東京/a very long name of …ile that does not fit.txt    0.0 %       9 B  high";
    assert_eq!(texts(&mut states[3])[3], file);
    assert!(texts(&mut states[3])[2].ends_with(" 1 of 1"));
    assert_eq!(texts(&mut states[4])[..2], ["keys of swarmlet attach", "q         quit; the daemon goes on"]);
    // The help scrolls to its end, and not beyond.
    super::tests::texts(&mut states[4], 39, 10);
    (0..99).for_each(|_| drop(states[4].pressed(Press::Move(Move::Down))));
    let rows = super::tests::texts(&mut states[4], 39, 10);
    assert_eq!(rows[8], "? h       show all keys");
}

#[test]
fn only_what_has_changed_is_written_and_nothing_is_cleared() {
    let (mut painter, mut state, now) = (Painter::new(true), three(), Instant::now());
    let mut paint = |state: &mut State, columns| painter.paint(&frame(state, look(columns, 24), now));
    let first = paint(&mut state, 79);
    assert!((1..=24).all(|row| first.contains(&format!("\x1b[{row};1H"))) && first.contains("\x1b[?25l"), "{first:?}");
    assert_eq!(paint(&mut state, 79), "");
    state.pressed(Press::Move(Move::Down));
    let moved = paint(&mut state, 79);
    // The titles with the position, two torrents, and the line about the selected one.
    assert_eq!(moved.matches(";1H").count(), 4, "{moved:?}");
    assert!(moved.contains("\x1b[3;1H\x1b[7m>b comes "), "{moved:?}");
    state.input = Input::Filter(String::new());
    assert!(paint(&mut state, 79).contains("\x1b[24;1Hfilter: \x1b[K\x1b[24;9H\x1b[?25h"));
    let narrow = paint(&mut state, 39);
    assert!(![first, moved, narrow].concat().contains("J"), "something is cleared");
    painter.forget();
    assert!(painter.paint(&frame(&mut state, look(39, 24), now)).matches(";1H").count() >= 24);
}
