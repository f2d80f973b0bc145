//! The web page of transmission 3.00, unchanged, in Chromium. The page and the daemon both say that a button worked.

use crate::common::browser::Browser;
use crate::common::content::Content;
use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::tools::{TRANSMISSION_PAGE, Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::json;
use std::fs;

const SIZE: usize = 2_000_000;

#[test]
fn a_person_controls_the_daemon_on_the_web_page_of_transmission() {
    if !cfg!(all(feature = "daemon", feature = "magnet")) || !here(&[Tool::Browser, Tool::TransmissionPage]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", SIZE), ("b", SIZE)]);
    let torrent = folder.make_of(&content, "two");
    let (one, other) = folder.make("one", SIZE);
    let mut seeds = [folder.seed("two", &torrent, &[]), folder.seed("one", &other, &[])];
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seeds[0].must_run());
    folder.tracker.wait_for_a_seed(&other.info_hash, || seeds[1].must_run());
    let mut daemon = Daemon::start(folder.path(), &["--web-home", TRANSMISSION_PAGE]);
    let mut page = Browser::start(folder.path(), &[]);
    let url = format!("http://{}/", daemon.rpc);
    page.open(&url);
    // It asks again each second then, and not each fifth.
    page.run("document.cookie = 'refresh_rate=1'");
    page.open(&url);
    page.see("#filter-count", "0 Transfers");

    set_preferences(&mut page, &daemon);
    page.click("#toolbar-open");
    page.see("#add-dialog-folder-label", "Free)");
    page.file("#torrent_upload_file", &torrent.file);
    page.click("#upload_confirm_button");
    page.see(".torrent_name", "two");
    page.see(".torrent_peer_details", "of 1 peer");
    daemon.wait_for("status", &json!(4));
    let link = torrent.link("");
    let info_hash = link.rsplit(':').next().expect("a link has a hash");
    inspect(&mut page, info_hash, &folder.tracker.url());
    choose_files(&mut page, &mut daemon);

    page.click("#toolbar-pause");
    page.see(".torrent_peer_details", "Paused");
    daemon.wait_for("status", &json!(0));
    page.click("#toolbar-start");
    page.see(".torrent_peer_details", "Downloading");
    daemon.wait_for("status", &json!(4));
    page.click("#turtle-button");
    page.see("#turtle-button.selected", "");
    daemon.wait_for_setting("alt-speed-enabled", &json!(true));
    page.click("#turtle-button");
    page.see("#turtle-button:not(.selected)", "");
    daemon.wait_for_setting("alt-speed-enabled", &json!(false));
    page.click("#prefs-button");
    page.click("#speed-limit-down-enabled");
    daemon.wait_for_setting("speed-limit-down-enabled", &json!(false));
    page.click(".ui-tab-dialog-close button, .ui-dialog-titlebar-close");
    page.see(".torrent_peer_details", "Seeding to");
    daemon.wait_for("leftUntilDone", &json!(0));
    assert!(!daemon.dir.join("two/b").exists());

    page.click("#toolbar-open");
    let tracker = folder.tracker.url().replace(':', "%3A").replace('/', "%2F");
    page.fill("#torrent_upload_url", &other.link(&format!("&tr={tracker}")));
    let elsewhere = daemon.dir.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    page.fill("#add-dialog-folder-input", &elsewhere.to_string_lossy());
    page.click("#upload_confirm_button");
    page.see("li:has(.torrent_name:text-is('one')) .torrent_progress_details", "2.00 MB, uploaded");
    one.assert_same_in(&elsewhere);
    change_and_remove(&mut page, &daemon);
    assert_eq!(page.faults(), json!([]));
}

/// Types a number until the daemon has it. The page writes the daemon's value into the field whenever it asks for the
/// settings, also while somebody types.
fn set_number(page: &mut Browser, daemon: &Daemon, setting: &str, text: &str, number: f64) {
    wait_until(&format!("{setting} is {text}"), PATIENCE, || {
        page.fill(&format!("#{setting}"), text);
        page.press("Tab");
        daemon.ask("session-get", &json!({ "fields": [setting] }))[setting].as_f64() == Some(number)
    });
}

fn set_preferences(page: &mut Browser, daemon: &Daemon) {
    page.click("#prefs-button");
    page.click("#prefs-tab-speed a");
    page.click("#speed-limit-down-enabled");
    daemon.wait_for_setting("speed-limit-down-enabled", &json!(true));
    set_number(page, daemon, "speed-limit-down", "20", 20.0);
    set_number(page, daemon, "alt-speed-down", "25", 25.0);
    page.click("#prefs-tab-peers a");
    page.choose("#encryption", "tolerated");
    daemon.wait_for_setting("encryption", &json!("tolerated"));
    set_number(page, daemon, "peer-limit-per-torrent", "30", 30.0);
    page.click("#prefs-tab-general a");
    page.click("#seedRatioLimited");
    daemon.wait_for_setting("seedRatioLimited", &json!(true));
    set_number(page, daemon, "seedRatioLimit", "1.5", 1.5);
    page.click("#prefs-tab-network a");
    page.see("#port-label", "Port is");
    page.click("#prefs-tab-speed a");
    page.click(".ui-tab-dialog-close button, .ui-dialog-titlebar-close");
}

fn inspect(page: &mut Browser, info_hash: &str, tracker: &str) {
    page.click(".torrent_name");
    page.click("#toolbar-inspector");
    page.see("#inspector-info-hash", info_hash);
    page.see("#inspector-info-state", "Downloading");
    page.see("#inspector-info-size", "4.00 MB (245 pieces @ 16.0 KiB)");
    page.click("#inspector-tab-peers");
    page.see("#inspector_peers_list td", "127.0.0.1");
    page.see("#inspector_peers_list td", "swarmlet");
    page.click("#inspector-tab-trackers");
    let host = tracker.trim_start_matches("http://").split('/').next().unwrap_or_default();
    page.see(".tracker_host", host);
    page.see(".tracker_activity", "Next announce in");
    page.click("#inspector-tab-files");
    page.see(".inspector_torrent_file_list_entry_name", "a");
}

fn choose_files(page: &mut Browser, daemon: &mut Daemon) {
    page.click(&format!("{} .file_wanted_control", row("b")));
    page.see(&format!("{}.skip", row("b")), "");
    daemon.wait_for("wanted", &json!([1, 0]));
    page.click(&format!("{} .high", row("a")));
    page.see(&format!("{} .high.selected", row("a")), "");
    daemon.wait_for("priorities", &json!([1, 0]));
}

/// The row of a file.
fn row(name: &str) -> String {
    format!("#inspector_file_list li:has(.inspector_torrent_file_list_entry_name:text-is('{name}'))")
}

fn change_and_remove(page: &mut Browser, daemon: &Daemon) {
    let two = ".torrent_name:text-is('two')";
    page.menu(two);
    page.click("[data-command=move_bottom]");
    let places = || daemon.torrents(&["name", "queuePosition"]);
    let expected = [json!({ "name": "two", "queuePosition": 1 }), json!({ "name": "one", "queuePosition": 0 })];
    wait_until("it is the last of the queue", PATIENCE, || places() == expected);
    page.menu(two);
    page.click("[data-command=rename]");
    page.fill("#torrent_rename_name", "deux");
    page.click("#rename_confirm_button");
    page.see(".torrent_name", "deux");
    assert!(daemon.dir.join("deux/a").is_file());
    page.menu(".torrent_name:text-is('deux')");
    page.click("[data-command=move]");
    let elsewhere = daemon.dir.join("elsewhere");
    page.fill("#torrent_path", &elsewhere.to_string_lossy());
    page.click("#move_confirm_button");
    wait_until("it is moved", PATIENCE, || elsewhere.join("deux/a").is_file());
    page.menu(".torrent_name:text-is('deux')");
    page.click("[data-command=remove_data]");
    page.see("#dialog_heading", "Remove deux and delete data?");
    page.click("#dialog_confirm_button");
    page.see_no(".torrent_name", "deux");
    assert_eq!(daemon.torrents(&["name"]), [json!({ "name": "one" })]);
    wait_until("its content is deleted", PATIENCE, || !elsewhere.join("deux").exists());
}
