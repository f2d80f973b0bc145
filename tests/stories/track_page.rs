//! The web page of `swarmlet track`, in Chromium: people see how busy the tracker is, and search without a script.

use crate::common::browser::{Browser, SHAPES};
use crate::common::content::Content;
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Maker, Torrent};
use crate::common::track::{Track, query};
use serde_json::json;
use std::fs;

/// A browser must take this for text.
const HOSTILE_NAME: &str = "<b>\"'&";

#[test]
fn a_person_searches_the_page_of_the_tracker() {
    if !cfg!(feature = "tracker") || !here(&[Tool::Browser]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("torrents");
    fs::create_dir(&folder).unwrap();
    let track = Track::on_free_port(scratch.path()).arg("--allowed-dir").arg(&folder).start();
    let long = "a.long.name.of.a.torrent.that.does.not.fit.into.one.line.of.a.phone";
    let torrents: Vec<Torrent> = ["Big Buck", HOSTILE_NAME, "\u{627}\u{644}\u{635}\u{648}\u{631}", long]
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let source = scratch.path().join(format!("source {number}"));
            let torrent = Maker::Ours.make(&Content::one_file(name, 50_000), &source, 32 << 10, &track.url());
            fs::copy(&torrent.file, folder.join(format!("{number}.torrent"))).unwrap();
            torrent
        })
        .collect();
    let mut page = Browser::start(scratch.path(), &[]);
    let url = format!("http://{}/", track.address());
    for torrent in &torrents {
        track.get(&query(torrent.info_hash, 1, 0, ""));
    }
    for shape in SHAPES {
        page.open(&url);
        page.see("p", "Peers: 4");
        page.see("figure:has(svg[aria-label='Announces per minute in the last hour: 4 now, at most 4'])", "");
        page.see("figure:has(svg[aria-label='Peers in the last hour: 4 now, at most 4'])", "Peers in the last hour");
        page.look(shape, "tracker");
        page.fill("[name=search]", "bUCK");
        page.press("Enter");
        page.see("[role=status]", "1 torrent was found");
        page.becomes("document.querySelector('tbody').rows.length", &json!(1));
        page.see("tbody a", "Big Buck");
        page.look(shape, "tracker search");
        page.fill("[name=search]", HOSTILE_NAME);
        page.click("form button");
        page.see("tbody a", HOSTILE_NAME);
        assert_eq!(page.run("document.querySelector('[name=search]').value"), HOSTILE_NAME);
        let hash: String = torrents[2].info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        page.fill("[name=search]", &hash[..10]);
        page.press("Enter");
        page.see("[role=status]", "1 torrent was found");
        page.fill("[name=search]", "no such torrent");
        page.press("Enter");
        page.see("[role=status]", "No torrent has this name");
        page.look(shape, "tracker nothing");
        page.click("[role=status] a");
        page.becomes("document.querySelector('tbody').rows.length", &json!(4));
    }
    assert_eq!(page.faults(), json!([]));
}
