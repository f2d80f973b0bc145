//! Web seeds that send too little.

use super::*;

#[test]
fn a_slow_server_gives_its_pieces_back() {
    let mut stage = stage(1);
    assert_eq!(stage.take_asked(web(0))[0].piece, 0);
    stage.seed_comes(2, 2, true);
    stage.pass(Time::from_secs(21));
    assert!(stage.closed.contains(&(web(0), "it is too slow")), "{:?}", stage.closed);
    stage.brings_all(key(2), |_| true);
    assert!(stage.torrent.is_seeding());
    assert_eq!(stage.why()[0].1, "it is too slow");
}

/// The server ignores ranges, and sends 16 KiB of the rest of the file `count` times, one each `pause`. Returns whether
/// it is left alone for that, and after how many seconds.
fn skips(count: u64, pause: Time) -> Option<u64> {
    let mut stage = stage(1);
    let began = stage.now;
    for _ in 0..count {
        stage.web_seed(0, WebEvent::Skipped { bytes: 16 * 1024 });
        stage.pass(pause);
        if !stage.closed.is_empty() {
            assert_eq!(stage.closed, [(web(0), "it is too slow")]);
            return Some((stage.now - began).as_secs());
        }
    }
    // A block ends the skip.
    let block = stage.take_asked(web(0))[0];
    stage.comes(web(0), block);
    stage.pass(Time::from_secs(15));
    stage.web_seed(0, WebEvent::Skipped { bytes: 16 * 1024 });
    stage.pass(Time::from_secs(15));
    assert_eq!(stage.closed, [], "another skip");
    None
}

#[test]
fn a_server_that_sends_a_whole_file_must_be_fast() {
    assert_eq!(skips(256, Time::from_millis(900)), None, "4 minutes");
    assert_eq!(skips(256, Time::from_secs(19)), Some(38), "not for an hour");
    let slower = skips(256, Time::from_millis(1200));
    assert!(slower.is_some_and(|seconds| seconds < 60), "{slower:?}");
}
