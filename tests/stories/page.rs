//! The daemon's own web page, in Chromium: with a mouse and with a keyboard alone, on a wide screen and on a phone.
//! axe-core finds no barrier on it, and the text of strangers is only text.

use crate::common::browser::{Browser, SHAPES};
use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::http::Server;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::json;
use std::fs;
use std::net::Ipv4Addr;

const SIZE: usize = 2_000_000;
/// This text would run a script if the page took it for HTML.
const HOSTILE_NAME: &str = "<img src=x onerror=alert(1)>";

#[test]
fn a_person_adds_a_link_and_chooses_files_and_limits_and_removes_it_with_a_mouse() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", SIZE), ("b", SIZE)]);
    let torrent = folder.make_of(&content, "two");
    let mut seed = folder.seed("two", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let mut daemon = Daemon::start(folder.path(), &[]);
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{}/", daemon.rpc));
    for shape in SHAPES {
        page.shape(shape, "light");
        // It is so slow that there is time to look at it.
        daemon.ask("session-set", &json!({ "speed-limit-down": 5, "speed-limit-down-enabled": true }));
        page.see("#empty", "No torrents yet");
        page.look(shape, "empty");

        page.click("#add");
        page.look(shape, "add");
        page.click("#add-dialog button[value=yes]");
        page.see("#problem", "Nothing was added");
        page.click("#add");
        page.fill("#link", "magnet:?xt=nonsense");
        page.click("#add-dialog button[value=yes]");
        page.see("#problem", "a magnet link without the info-hash of a torrent");
        page.look(shape, "error");
        page.click("#add");
        page.fill("#link", &torrent.link(&tracker_of(&folder)));
        page.click("#add-dialog button[value=yes]");
        page.see("#choose-name", "two");
        // Nothing arrives before the files are chosen.
        daemon.wait_for("status", &json!(0));
        daemon.wait_for("have-valid", &json!(0));
        page.click("#choose-files li:nth-child(2) input");
        page.see("#choose-files", "2.0\u{a0}MB are chosen");
        page.look(shape, "choose");
        page.click("#choose-dialog button[value=yes]");
        page.see(".torrent .state", "downloading from 1 of 1 peer");
        daemon.wait_for("wanted", &json!([1, 0]));
        page.click(".torrent");
        page.look(shape, "list");
        page.click("#show");
        page.see("#detail-name", "two");
        page.see("#figures", "; info-hash ");
        page.see("#trackers li", "; is asked next in");
        page.see("#peers li", "swarmlet");
        page.see("#hour[aria-label*='Download: ']:not([aria-label*='Download: 0'])", "");
        page.look(shape, "details");
        page.fill("#own [name=down]", "5000");
        page.click("#own button");
        daemon.wait_for("downloadLimit", &json!(5000));
        daemon.wait_for("downloadLimited", &json!(true));
        page.choose("#files li:nth-child(1) select", "1");
        daemon.wait_for("priorities", &json!([1, 0]));
        for (is_slow, pressed) in [(true, "true"), (false, "false")] {
            page.click("#slow");
            page.see(&format!("#slow[aria-pressed={pressed}]"), "");
            daemon.wait_for_setting("alt-speed-enabled", &json!(is_slow));
        }
        page.click("#settings");
        page.look(shape, "limits");
        // A wrong number costs nothing that was typed.
        page.fill("#all-down", "1.5");
        page.click("#limits-dialog button[value=yes]");
        page.see("#limits-dialog[open] #all-down:invalid", "");
        page.fill("#all-down", "");
        page.fill("#all-up", "70");
        page.fill("#queue-seed", "3");
        page.click("#limits-dialog button[value=yes]");
        daemon.wait_for_setting("speed-limit-up", &json!(70));
        daemon.wait_for_setting("speed-limit-down-enabled", &json!(false));
        daemon.wait_for_setting("seed-queue-size", &json!(3));
        page.see("#why", "seeding");
        assert!(!daemon.dir.join("two/b").exists());
        page.click("[data-call=torrent-stop]");
        daemon.wait_for("status", &json!(0));
        page.see("#why", "stopped, complete");

        page.click("#settings");
        page.click("#clock");
        page.fill("#clock-begin", "22:30");
        page.fill("#clock-end", "06:05");
        page.click("#clock-days label:nth-child(6) input"); // Saturday
        page.look(shape, "clock");
        page.click("#limits-dialog button[value=yes]");
        daemon.wait_for_setting("alt-speed-time-enabled", &json!(true));
        daemon.wait_for_setting("alt-speed-time-begin", &json!(22 * 60 + 30));
        daemon.wait_for_setting("alt-speed-time-end", &json!(6 * 60 + 5));
        daemon.wait_for_setting("alt-speed-time-day", &json!(127 - 64));
        // The clock changes nothing of the next round, at whatever time of the day that is.
        daemon.ask("session-set", &json!({ "alt-speed-time-enabled": false, "alt-speed-time-day": 127 }));
        daemon.ask("session-set", &json!({ "alt-speed-enabled": false }));

        page.click("#remove");
        page.look(shape, "remove");
        page.click("#remove-dialog button[value=files]");
        page.see("#empty", "No torrents yet");
        wait_until("the content is gone", PATIENCE, || !daemon.dir.join("two").exists());
    }
    assert_eq!(page.faults(), json!([]));
}

#[test]
fn details_of_a_link_show_its_files_as_soon_as_they_are_known() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let torrent = folder.make_of(&Content::folder("two", &[("a", 20_000), ("b", 30_000)]), "two");
    let mut seed = folder.seed("two", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let daemon = Daemon::start(folder.path(), &[]);
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{}/", daemon.rpc));
    let id = daemon.ask("torrent-add", &json!({ "filename": torrent.link(&tracker_of(&folder)), "paused": true }))
        ["torrent-added"]["id"]
        .clone();
    page.double_click(".torrent");
    page.see("#files", "The files are not known yet.");
    daemon.ask("torrent-start", &json!({ "ids": [id] }));
    page.see("#files li:nth-child(2)", "100 % of 30.0\u{a0}kB");
    assert_eq!(page.faults(), json!([]));
}

/// What a link says of the tracker.
fn tracker_of(folder: &Folder) -> String {
    format!("&tr={}", folder.tracker.url().replace(':', "%3A").replace('/', "%2F"))
}

/// The daemon numbers all torrents again when it is started again. A page that is open must not mean another one then.
#[test]
fn a_torrent_that_is_selected_stays_the_same_when_the_daemon_is_started_again() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let mut daemon = Daemon::start(folder.path(), &[]);
    for name in ["alpha", "beta", "gamma"] {
        let file = folder.make(name, 30_000).1.file;
        let metainfo = base64(&fs::read(file).unwrap());
        daemon.ask("torrent-add", &json!({ "metainfo": metainfo, "paused": true }));
    }
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{}/", daemon.rpc));
    page.click(".torrent[title^=beta]");
    page.click("#remove");
    page.see("#remove-words", "beta");
    daemon.ask("torrent-remove", &json!({ "ids": [1] }));
    daemon.kill_and_start();
    page.click("#remove-dialog button[value=files]");
    wait_until("a torrent is removed", PATIENCE, || daemon.torrents(&["name"]).len() == 1);
    assert_eq!(daemon.torrents(&["name"]), [json!({ "name": "gamma" })]);
}

#[test]
fn a_person_does_the_same_with_a_keyboard_alone() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder(HOSTILE_NAME, &[("a", SIZE), ("b", SIZE)]);
    let torrent = folder.make_of(&content, HOSTILE_NAME);
    let mut seed = folder.seed(HOSTILE_NAME, &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let mut daemon = Daemon::start(folder.path(), &[]);
    let mut page = Browser::start(folder.path(), &[]);
    // The daemon has names that all file systems take.
    let shown = HOSTILE_NAME.replace(['<', '>'], "_");
    for shape in SHAPES {
        page.shape(shape, "light");
        page.open(&format!("http://{}/", daemon.rpc));
        page.see("#empty", "No torrents yet");

        tab_to(&mut page, "#add");
        page.press("Enter");
        for part in torrent.link(&tracker_of(&folder)).chars() {
            page.press(&part.to_string());
        }
        page.press("Enter");
        page.see("#choose-name", &shown);
        // The first file has the keyboard.
        page.press("Tab");
        page.press(" ");
        page.see("#choose-files", "2.0\u{a0}MB are chosen");
        tab_to(&mut page, "#choose-dialog button[value=yes]");
        page.press("Enter");
        page.see(".torrent .state", "seeding");
        page.see(".torrent .name", &shown);
        assert_eq!(fs::metadata(daemon.dir.join(&shown).join("a")).unwrap().len(), SIZE as u64);
        assert!(!daemon.dir.join(&shown).join("b").exists());

        tab_to(&mut page, "#list");
        page.press("ArrowDown");
        page.see(".torrent[aria-selected=true].current", &shown);
        page.press("Enter");
        page.see("#detail-name", &shown);
        tab_to(&mut page, "#own [name=up]");
        page.press("9");
        page.press("Enter");
        daemon.wait_for("uploadLimit", &json!(9));
        assert_eq!(page.run("document.documentElement.scrollWidth"), shape[0]);
        page.press("Escape");
        page.press("Delete");
        page.see("#remove-words", &shown);
        tab_to(&mut page, "#remove-dialog button[value=files]");
        page.press("Enter");
        page.see("#empty", "No torrents yet");
        wait_until("the content is gone", PATIENCE, || !daemon.dir.join(&shown).exists());
    }
    assert_eq!(page.run("document.querySelectorAll('img').length"), 0);
    assert_eq!(page.faults(), json!([]));
}

#[test]
fn text_of_strangers_is_shown_as_text() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let refusal = format!("d14:failure reason{}:{HOSTILE_NAME}e", HOSTILE_NAME.len());
    let tracker = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(refusal.clone().into()));
    let daemon = Daemon::start(folder.path(), &[]);
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{}/", daemon.rpc));
    let link = format!("magnet:?xt=urn:btih:{:040}&dn={HOSTILE_NAME}&tr=http://{}/announce", 1, tracker.address());
    daemon.ask("torrent-add", &json!({ "filename": link }));
    page.see(".torrent .state", HOSTILE_NAME);
    page.double_click(".torrent");
    page.see("#trackers li", HOSTILE_NAME);
    page.see("#why", HOSTILE_NAME);
    assert_eq!(page.run("document.querySelectorAll('img').length"), 0);
    assert_eq!(page.faults(), json!([]));
}

/// Presses the tab key until this element has the keyboard.
fn tab_to(page: &mut Browser, at: &str) {
    for _ in 0..40 {
        if page.run(&format!("document.activeElement.matches('{at}')")) == true {
            return;
        }
        page.press("Tab");
    }
    panic!("the tab key does not lead to {at}");
}
