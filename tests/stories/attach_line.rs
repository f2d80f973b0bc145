//! Stories of `swarmlet attach` over a slow line: a relay delays everything by 300 ms in each direction. Keys answer at
//! once, nothing flickers, and a screen on which nothing changes costs no bytes.

use crate::attach::{NARROW, WIDE, attach, selected, wait_for_selected};
use crate::common::daemon::Daemon;
use crate::common::relay::Relay;
use crate::common::tools::{Tool, here};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::json;
use std::fs;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(300);
/// The end of each picture: the terminal may show it.
const END_OF_PICTURE: &[u8] = b"\x1b[?2026l";

fn link(number: usize, name: &str) -> String {
    format!("magnet:?xt=urn:btih:{number:040x}&dn={name}")
}

#[test]
fn on_a_slow_line_keys_answer_at_once_and_nothing_flickers() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(scratch.path(), &[]);
    for (number, name) in (1..).zip(["Aishah", "%E6%9D%B1%E4%BA%AC", "Siti"]) {
        daemon.ask("torrent-add", &json!({ "filename": link(number, name), "paused": true }));
    }
    for size in [WIDE, NARROW] {
        let relay = Relay::before(daemon.rpc, DELAY);
        let tmux = attach(scratch.path(), size, &[&relay.address.to_string()]);
        wait_for_selected(&tmux, "Aishah ", "stopped");
        let recorded = scratch.path().join(format!("recorded {}", size.0));
        tmux.record(&recorded);

        // While nothing changes, the daemon is asked, and nothing is written.
        tmux.press("j");
        wait_for_selected(&tmux, "Siti ", "");
        tmux.press("k");
        wait_for_selected(&tmux, "Aishah ", "");
        let written = || fs::read(&recorded).unwrap_or_default();
        let ask_again = |times| {
            let asked = relay.connections();
            wait_until("the daemon was asked again", PATIENCE, || relay.connections() >= asked + times);
        };
        let mut before = Vec::new();
        wait_until("the picture is whole and recorded", PATIENCE, || {
            before = written();
            ask_again(1);
            before.ends_with(END_OF_PICTURE) && written().len() == before.len()
        });
        ask_again(3);
        let more = written().len() - before.len();
        assert!(more < 50, "{more} bytes were written for nothing");

        // No answer comes through, and every key has its effect.
        relay.hold(true);
        tmux.press("j");
        wait_for_selected(&tmux, "Siti ", "stopped");
        tmux.press("p");
        wait_for_selected(&tmux, "Siti ", "starting…");
        tmux.press("j");
        wait_for_selected(&tmux, "東京", "stopped");
        tmux.press("-");
        tmux.wait_for_text("limits: 488 MiB/s down, no limit up…");
        tmux.press("-");
        tmux.wait_for_text("limits: 195 MiB/s down, no limit up…");
        tmux.press("s");
        tmux.wait_for("another order", |rows| rows[0].contains("[done]"));
        tmux.press("?");
        tmux.wait_for_text("keys of swarmlet attach");
        tmux.press("Escape");
        tmux.wait_for("the list", |rows| rows[0].contains("[done]"));
        tmux.press("v");
        tmux.wait_for_text("waiting for the daemon");
        tmux.press("Escape");
        tmux.wait_for("the list again", |rows| rows[0].contains("[done]"));
        tmux.wait_for("the order is not answered", |rows| {
            rows.iter().any(|row| row.contains("Siti") && row.contains("starting…"))
        });
        // A daemon that says nothing is told from one that is slow.
        tmux.wait_for_text("no answer");

        // Then everything is answered.
        relay.hold(false);
        tmux.wait_for("no mark is left", |rows| !rows.iter().any(|row| row.contains('…') && row.contains("Siti")));
        tmux.wait_for("it was started", |rows| rows.iter().any(|row| row.contains("Siti") && row.contains("learning")));
        tmux.wait_for("the limit is in force", |rows| {
            rows.iter().any(|row| row.trim_end() == "limits: 195 MiB/s down, no limit up")
        });
        daemon.wait_for_setting("speed-limit-down", &json!(204_800));
        assert!(!selected(&tmux.rows()).is_empty());
        tmux.assert_nothing_wraps();

        // Nothing was cleared, and the page was not changed.
        let bytes = fs::read(&recorded).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        for clears in [&b"\x1b[2J"[..], b"\x1b[J", b"\x1b[0J", b"\x1b[3J", b"\x1bc", b"\x1b[?1049h", b"\x1b[2K"] {
            assert!(!has(clears), "{clears:?}");
        }
        tmux.press("q");
        tmux.wait_for_text("code 0");
        daemon.ask("torrent-stop", &json!({}));
        daemon.ask("session-set", &json!({ "speed-limit-down-enabled": false }));
    }
}
