//! The story of tremc, which controls the daemon on a terminal: a person presses its keys and looks at its screen.

use crate::common::content::{Content, damage};
use crate::common::daemon::Daemon;
use crate::common::folder::Folder;
use crate::common::tmux::Tmux;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// How long a person waits at least between two keys.
const A_MOMENT: Duration = Duration::from_millis(400);

#[test]
fn tremc_shows_and_changes_torrents_by_its_keys() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tremc, Tool::Tmux]) {
        return;
    }
    let folder = Folder::new();
    let content = Content::folder("two", &[("a", 300_000), ("b", 30_000)]);
    let torrent = folder.make_of(&content, "two");
    let mut seed = folder.seed("two", &torrent, &[]);
    folder.tracker.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let daemon = Daemon::start(folder.path(), &[]);
    let tmux = Tmux::start(folder.path(), (120, 40), "C.UTF-8");
    let mut tremc = Command::new("tremcf");
    tremc.arg("-c").arg(daemon.rpc.to_string()).env("HOME", folder.path());
    tmux.run_there(&tremc, "");
    // It would complain about a version that it does not know.
    tmux.wait_for_text(&format!("Transmission 4.0.6@{}", daemon.rpc));
    tmux.wait_for_text("Torrents:0");

    // tremc reads one answer with two threads, and ends, if a key comes before it has the answer to the last one.
    let press = |key: &str| {
        sleep(A_MOMENT);
        tmux.press(key);
    };
    // The keys that ask something. (Some fields are not empty.)
    let answers = |key: &str, asked: &str, answer: &str| {
        press(key);
        tmux.wait_for_text(asked);
        press("C-u");
        tmux.type_line(answer);
    };
    let is = |field: &str, value: Value| {
        wait_until(&format!("{field} is {value}"), PATIENCE, || {
            daemon.torrents(&[field]).first().is_some_and(|torrent| torrent[field] == value)
        });
    };
    for is_slow in [true, false] {
        press("t");
        tmux.wait_for("the turtle", |rows| rows.iter().any(|row| row.contains("Turtle mode")) == is_slow);
        assert_eq!(daemon.ask("session-get", &json!({}))["alt-speed-enabled"], is_slow);
    }
    let limit = || daemon.ask("session-get", &json!({}))["speed-limit-down-enabled"] == true;
    answers("d", "lobal download limit", "20");
    wait_until("downloads are slow", PATIENCE, limit);
    answers("a", "Add torrent from file", torrent.file.to_str().unwrap());
    tmux.wait_for_text("downloading");
    press("j");
    tmux.wait_for_text("p:Pause/Unpause");

    // The pages of a torrent.
    press("l");
    tmux.wait_for_text("Size: 330,000 [322.3K];  everything wanted;");
    tmux.wait_for_text("Public torrent");
    press("e");
    tmux.wait_for_text("swarmlet 0.");
    answers("d", "lobal download limit", "-1");
    wait_until("downloads are fast", PATIENCE, || !limit());
    is("leftUntilDone", json!(0));
    press("f");
    tmux.wait_for_text("100.00%   293.0K   normal    | a");
    press("j");
    press("Right");
    tmux.wait_for_text("high     | a");
    is("priorities", json!([1, 0]));
    press("t");
    let rows = tmux.wait_for_text("Last announce: ");
    assert!(rows.iter().any(|row| row.contains(&folder.tracker.url())), "{rows:?}");
    press("c");
    tmux.wait_for_text("---------------------");
    press("q");

    // Changes. Each is seen by the daemon.
    press("p");
    is("status", json!(0));
    tmux.wait_for_text("paused");
    damage(&daemon.dir.join("two/a"), 100_000, 10);
    press("v");
    // The second command says that the damage is not the user's work. (tremc would end if this key came before it has an
    // answer, and nothing on its screen tells when that is.)
    is("error", json!(3));
    daemon.ask("torrent-verify", &json!({ "ids": 1 }));
    wait_until("the damage is found", PATIENCE, || daemon.torrents(&["leftUntilDone"])[0]["leftUntilDone"] != 0);
    // The key pauses or resumes, as the screen has it.
    tmux.wait_for_text("(Paused:1 Size:322.3K[95.04%])");
    press("p");
    let announces = || folder.tracker.announces(&torrent.info_hash).len();
    let before = announces();
    press("n");
    wait_until("the tracker is asked", PATIENCE, || announces() > before);
    is("leftUntilDone", json!(0));
    content.assert_same_in(&daemon.dir);
    answers("U", "Upload limit in kilobytes", "55");
    is("uploadLimited", json!(true));
    answers("L", "Seed ratio limit for", "1.5");
    is("seedRatioLimit", json!(1.5));
    answers("b", "Label to add", "tv");
    is("labels", json!(["tv"]));
    press("+");
    is("bandwidthPriority", json!(1));
    press("*");
    is("honorsSessionLimits", json!(false));
    let elsewhere = daemon.dir.join("elsewhere");
    answers("m", "Move ", elsewhere.to_str().unwrap());
    is("downloadDir", json!(elsewhere));
    content.assert_same_in(&elsewhere);

    // What is deleted is asked for first.
    press("R");
    tmux.wait_for_text("Remove AND DELETE two?");
    press("n");
    tmux.wait_for("the question is gone", |rows| !rows.iter().any(|row| row.contains("DELETE")));
    assert_eq!(daemon.torrents(&["id"]).len(), 1);
    press("R");
    tmux.wait_for_text("Remove AND DELETE two?");
    press("y");
    tmux.wait_for_text("Torrents:0");
    wait_until("the content is deleted", PATIENCE, || !elsewhere.join("two").exists());
    press("X");
    tmux.wait_for_text("Ask daemon to shut down?");
    press("y");
    assert_eq!(daemon.wait(), Some(0));
}
