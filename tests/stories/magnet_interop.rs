//! Stories of magnet links that name a tracker and nothing else, with seeds by other people. (For the other direction
//! see `serving_info`, for links without trackers `lsd_links`.)

use crate::common::content::Content;
use crate::common::json;
use crate::common::peers::{Plan, Program};
use crate::common::stage::Stage;
use crate::common::swarmlet::Get;
use crate::common::tools::{here, say};

const KIB: usize = 1024;

/// Downloads from `program` by a link that names the tracker of both.
fn from(program: Program) {
    if !here(&[program.tool()]) {
        return;
    }
    // Its description has two blocks. (rtorrent has to be asked for one at a time.)
    let stage = Stage::new(Content::one_file("a file.bin", 14_000 * KIB + 1), 16 * KIB);
    assert!(stage.torrent.info_block(2).is_empty() && !stage.torrent.info_block(1).is_empty());
    let plan = Plan::seed(program, &stage.torrent, &stage.source, stage.path());
    let mut seed = plan.start();
    stage.tracker.wait_for_a_seed(&stage.torrent.info_hash, || seed.must_run());
    let link = stage.torrent.link(&format!("&tr={}", stage.tracker.url()));
    let get = Get::new("leecher", stage.path()).arg(link).arg("--json");
    let ran = get.run();
    seed.must_run();
    ran.assert_code(0);
    stage.content.assert_same_in(&get.dir);
    assert_eq!(ran.json("metadata")["name"], "a file.bin");
    // It had nothing when it began, so all came from that seed.
    let sources = json::objects(&ran.stdout).into_iter().filter(|object| object["event"] == "status");
    let others = sources.filter_map(|status| status["sources"].as_object().cloned()).flatten();
    let others: Vec<String> = others.map(|(source, _)| source).filter(|source| source != "tracker").collect();
    assert!(others.is_empty(), "{others:?}");
    say(&format!("fetched by a link with a tracker from {}", program.version()));
}

#[test]
fn from_libtorrent_by_a_link_with_a_tracker() {
    from(Program::Libtorrent);
}

#[test]
fn from_aria2_by_a_link_with_a_tracker() {
    from(Program::Aria2);
}

#[test]
fn from_transmission_by_a_link_with_a_tracker() {
    from(Program::Transmission);
}

#[test]
fn from_rtorrent_by_a_link_with_a_tracker() {
    from(Program::Rtorrent);
}
