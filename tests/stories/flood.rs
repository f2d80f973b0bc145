//! Flood, unchanged, in Chromium: a web page for many clients, which speaks transmission's RPC with the daemon. The page
//! and the daemon both say that a button worked.

use crate::common::browser::Browser;
use crate::common::content::Content;
use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::http::request;
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::tools::{Tool, here, say};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const SIZE: usize = 4_000_000;

#[test]
fn a_person_controls_the_daemon_with_flood() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser, Tool::Flood]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", SIZE), ("b", SIZE)]);
    let torrent = folder.make_of(&content, "two");
    let (_, other) = folder.make("one", SIZE);
    let mut seed = folder.seed("two", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let mut daemon = Daemon::start(folder.path(), &[]);
    let (_flood, address) = flood(folder.path(), daemon.rpc);
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{address}/"));
    page.see("body", "No torrents to display.");

    page.click("[aria-label='Speed Limits']");
    page.click(".dropdown__item:has-text('100kB/s') >> nth=0");
    daemon.wait_for_setting("speed-limit-down-enabled", &json!(true));
    daemon.wait_for_setting("speed-limit-down", &json!(100));
    page.click("[aria-label='Speed Limits']");
    page.click("[aria-label='Add Torrent']");
    let tracker = folder.tracker.url().replace(':', "%3A").replace('/', "%2F");
    page.fill(".modal input[name=urls-0]", &torrent.link(&format!("&tr={tracker}")));
    page.fill(".modal input[name=tags]", "films");
    page.click(".modal button[type=submit]");
    page.see(".torrent--is-downloading .torrent__detail--name", "two");
    page.see(".torrent__tags", "films");
    daemon.wait_for("labels", &json!(["films"]));
    choose(&mut page, "two", "Stop");
    page.see(".torrent--is-stopped", "two");
    daemon.wait_for("status", &json!(0));
    choose(&mut page, "two", "Start");
    page.see(".torrent--is-downloading", "two");
    daemon.wait_for("status", &json!(4));

    choose(&mut page, "two", "Torrent Details");
    page.see(".modal", torrent.link("").rsplit(':').next().expect("a link has a hash"));
    page.click(".modal__tab >> text='Peers'");
    page.see(".modal table", "127.0.0.1");
    page.see(".modal table", "swarmlet");
    page.click(".modal__tab >> text='Trackers'");
    page.see(".modal table", &folder.tracker.url());
    page.click(".modal__tab >> text='Files'");
    page.click(".directory-tree button[title=two]");
    page.click("[title=a] .priority-meter__wrapper");
    daemon.wait_for("priorities", &json!([1, 0]));
    // High, and then not at all.
    page.click("[title=b] .priority-meter__wrapper");
    daemon.wait_for("priorities", &json!([1, 1]));
    page.click("[title=b] .priority-meter__wrapper");
    daemon.wait_for("wanted", &json!([1, 0]));
    page.see("[title=b] .priority-meter--level-0", "");
    page.press("Escape");

    page.click("[aria-label='Speed Limits']");
    page.click(".dropdown__item:has-text('Unlimited') >> nth=0");
    daemon.wait_for_setting("speed-limit-down-enabled", &json!(false));
    page.click("[aria-label='Speed Limits']");
    page.see(".torrent--is-seeding", "two");
    daemon.wait_for("leftUntilDone", &json!(0));
    choose(&mut page, "two", "Set Tags");
    page.fill(".modal input[name=tags]", "old");
    page.click(".modal button >> text='Set Tags'");
    page.see(".torrent__tags", "old");
    daemon.wait_for("labels", &json!(["old"]));
    choose(&mut page, "two", "Set Torrent Location");
    let elsewhere = daemon.dir.join("elsewhere");
    page.fill(".modal input[name=destination]", &elsewhere.to_string_lossy());
    page.click(".modal button >> text='Set Location'");
    daemon.wait_for("downloadDir", &json!(elsewhere));
    wait_until("it is moved", PATIENCE, || elsewhere.join("two/a").is_file());
    choose(&mut page, "two", "Check Hash");
    page.see(".torrent--is-seeding", "two");

    page.click("[aria-label='Add Torrent']");
    page.click(".modal__tab >> text='By File'");
    page.file(".modal input[type=file]", &other.file);
    page.click(".modal label:has(input[name=start])");
    page.click(".modal button[type=submit]");
    page.see(".torrent--is-stopped", "one");
    for name in ["two", "one"] {
        choose(&mut page, name, "Remove");
        page.see(".modal", "Are you sure you want to remove 1 torrent?");
        page.click(".modal button[type=submit]");
        page.see_no(".torrent", name);
    }
    assert!(daemon.torrents(&["id"]).is_empty());
    wait_until("the content is deleted", PATIENCE, || !elsewhere.join("two").exists());
    page.click("[aria-label='Settings']");
    page.click(".modal__tab >> text='Resources'");
    page.fill(".modal input[name=directoryDefault]", &elsewhere.to_string_lossy());
    page.click(".modal button >> text='Save Settings'");
    daemon.wait_for_setting("download-dir", &json!(elsewhere));
    assert_eq!(page.faults(), json!([]));
    say(&format!("Flood {} works", Tool::Flood.version()));
}

/// Starts Flood for the daemon at `rpc`. Returns where it answers.
fn flood(scratch: &Path, rpc: SocketAddr) -> (Process, SocketAddr) {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = Command::new("flood");
    command.args(["--auth", "none", "--port", &address.port().to_string(), "--truser", "", "--trpass", ""]);
    command.arg("--trurl").arg(format!("http://{rpc}/transmission/rpc"));
    command.arg("--rundir").arg(scratch.join("flood")).env("HOME", scratch);
    let mut process = Process::start("flood", &mut command, scratch);
    wait_until("Flood answers", PATIENCE, || {
        process.must_run();
        request(address, "/", "", None).is_ok()
    });
    (process, address)
}

/// Chooses from the menu of a torrent.
fn choose(page: &mut Browser, torrent: &str, item: &str) {
    page.menu(&format!(".torrent:has-text('{torrent}')"));
    page.click(&format!(".context-menu >> text='{item}'"));
}
