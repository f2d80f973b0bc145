//! The list of the daemon's own web page, in Chromium: torrents come by all ways, and are found, sorted, selected and
//! moved in the queue.

use crate::common::browser::Browser;
use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::folder::Folder;
use crate::common::http::Server;
use crate::common::tools::{Tool, here};
use serde_json::{Value, json};
use std::fs;
use std::net::Ipv4Addr;

/// So many files that only some of them are drawn.
const MANY_FILES: usize = 1000;

#[test]
fn torrents_come_by_drag_and_drop_and_by_url_and_are_found_sorted_and_selected() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let bytes = |name: &str, size: usize| fs::read(folder.make(name, size).1.file).unwrap();
    let beta = bytes("beta", 20_000);
    let server = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(beta.clone()));
    let daemon = Daemon::start(folder.path(), &[]);
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{}/", daemon.rpc));
    page.see("#empty", "No torrents yet");

    page.drop_file("alpha.torrent", &base64(&bytes("alpha", 40_000)));
    page.see("#choose-name", "alpha");
    page.click("#choose-dialog button[value=no]");
    page.click("#add");
    page.fill("#link", &format!("http://{}/a.torrent", server.address()));
    page.click("#choose");
    page.click("#add-dialog button[value=yes]");
    page.see(".torrent .name", "beta");
    page.drop_file("gamma.torrent", &base64(&bytes("gamma", 30_000)));
    page.see(".torrent .name", "gamma");
    page.drop_file("beta.torrent", &base64(&bytes("beta", 20_000)));
    page.see("#said", "is there already");
    page.drop_file("wrong.torrent", &base64(b"no torrent"));
    page.see("#problem", "invalid or corrupt torrent file");

    sees_in_order(&mut page, &["alpha", "beta", "gamma"]);
    page.choose("#order", "size");
    sees_in_order(&mut page, &["alpha", "gamma", "beta"]);
    page.choose("#order", "queue");
    page.choose("#state", "stopped");
    sees_in_order(&mut page, &["alpha"]);
    page.see("#count", "1 of 3 torrents");
    page.choose("#state", "all");
    page.fill("#text", "A");
    sees_in_order(&mut page, &["alpha", "beta", "gamma"]);
    page.fill("#text", "GAM");
    sees_in_order(&mut page, &["gamma"]);
    page.fill("#text", "nothing");
    page.see("#empty", "No torrent has");
    page.fill("#text", "");

    page.click(".torrent[title^=gamma]");
    page.click("[data-call=queue-move-up]");
    sees_in_order(&mut page, &["alpha", "gamma", "beta"]);
    page.click("[data-call=queue-move-down]");
    sees_in_order(&mut page, &["alpha", "beta", "gamma"]);

    // With a mouse, with a finger, and with the keyboard.
    page.click_with(".torrent[title^=alpha]", "Control");
    sees_selected(&mut page, &["alpha", "gamma"]);
    page.click(".torrent[title^=alpha]");
    page.click_with(".torrent[title^=gamma]", "Shift");
    sees_selected(&mut page, &["alpha", "beta", "gamma"]);
    page.click("#several");
    page.click(".torrent[title^=beta]");
    sees_selected(&mut page, &["alpha", "gamma"]);
    page.click("#several");
    page.click(".torrent[title^=alpha]");
    page.press("Control+ArrowDown");
    page.press("Control+ArrowDown");
    page.press(" ");
    sees_selected(&mut page, &["alpha", "gamma"]);
    page.press("Shift+ArrowUp");
    sees_selected(&mut page, &["beta", "gamma"]);
    page.press("Control+a");
    page.see("#said", "3 torrents selected");
    page.click("[data-call=torrent-stop]");
    page.see("#said", "Stop: 3 torrents");
    page.click(".torrent[title^=alpha]");
    page.press("Delete");
    page.see("#remove-words", "alpha");
    page.click("#remove-dialog button[value=list]");
    sees_in_order(&mut page, &["beta", "gamma"]);
    assert_eq!(
        daemon.torrents(&["name", "status"]),
        ["beta", "gamma"].map(|name| json!({ "name": name, "status": 0 }))
    );
    assert_eq!(page.faults(), json!([]));
}

#[test]
fn files_of_a_large_torrent_are_found_and_chosen() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Browser]) {
        return;
    }
    let folder = Folder::new();
    let names: Vec<String> = (0..MANY_FILES).map(|number| format!("file {number:04}")).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1000)).collect();
    let torrent = folder.make_of(&Content::folder("large", &files), "large");
    let mut daemon = Daemon::start(folder.path(), &[]);
    let mut page = Browser::start(folder.path(), &[]);
    page.open(&format!("http://{}/", daemon.rpc));
    page.drop_file("large.torrent", &base64(&fs::read(torrent.file).unwrap()));
    page.see("#choose-name", "large");
    page.see("#choose-files", "The first 200 of 1,000 files are shown");
    assert_eq!(page.run("document.querySelectorAll('#choose-files li').length"), 200);
    page.click("#choose-files button:text('None')");
    page.fill("#choose-files [type=search]", "FILE 099");
    page.see("#choose-files li", "file 0999");
    page.click("#choose-files button:text('All')");
    page.see("#choose-files", "10.0\u{a0}kB are chosen");
    page.click("#choose-dialog button[value=no]");
    let wanted = |from: usize| -> Value { (0..MANY_FILES).map(|number| u8::from(number >= from)).collect() };
    daemon.wait_for("wanted", &wanted(990));
    page.click(".torrent");
    page.click("#show");
    // A search that finds nothing means no file, and not all of them.
    page.fill("#files [type=search]", "nothing");
    page.see("#files", "No file has such a name");
    page.click("#files button:text('None')");
    page.fill("#files [type=search]", "file 098");
    page.click("#files button:text('All')");
    daemon.wait_for("wanted", &wanted(980));
    assert_eq!(page.faults(), json!([]));
}

/// Waits until the list has these names, from top to bottom.
#[track_caller]
fn sees_in_order(page: &mut Browser, names: &[&str]) {
    sees(page, names, "");
}

/// Waits until these are selected, in the order of the list.
#[track_caller]
fn sees_selected(page: &mut Browser, names: &[&str]) {
    sees(page, names, "[aria-selected=true]");
}

#[track_caller]
fn sees(page: &mut Browser, names: &[&str], which: &str) {
    let script = format!(
        "[...document.querySelectorAll('.torrent{which}')].sort((a, b) => a.offsetTop - b.offsetTop)
            .map(row => row.firstChild.textContent)"
    );
    page.becomes(&script, &json!(names));
}
