//! Stories of `swarmlet attach`, the live screen of a daemon, in a real terminal (tmux): with our own daemon, and with
//! transmission's.

use crate::common::content::Content;
use crate::common::daemon::{Daemon, base64};
use crate::common::ran::run;
use crate::common::swarmlet::program;
use crate::common::tmux::{PROMPT, Tmux, pid_with};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Maker, Torrent};
use crate::common::transmission::ask;
use crate::common::wait::{PATIENCE, wait_until};
use crate::remote::Stage;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

pub const WIDE: (usize, usize) = (80, 24);
pub const NARROW: (usize, usize) = (40, 10);
const LINK: &str = "magnet:?xt=urn:btih:0123456789012345678901234567890123456789&dn=Link";
const KEYS: &str = "q quit, ? all keys";

/// `attach` in a terminal.
pub fn attach(scratch: &Path, size: (usize, usize), arguments: &[&str]) -> Tmux {
    let terminal = scratch.join(format!("terminal {}", size.0));
    fs::create_dir(&terminal).unwrap();
    let tmux = Tmux::start(&terminal, size, "C.UTF-8");
    tmux.run_there(&command(arguments), "; echo code $?");
    tmux
}

pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("attach").args(arguments).env_remove("TR_AUTH").env("no_proxy", "*");
    command
}

/// The row of the selected torrent or file.
pub fn selected(rows: &[String]) -> &str {
    rows.iter().find(|row| row.starts_with('>')).map_or("", |row| row)
}

pub fn wait_for_selected(tmux: &Tmux, begin: &str, text: &str) -> Vec<String> {
    tmux.wait_for(&format!("{begin} is selected, {text}"), |rows| {
        selected(rows).starts_with(&format!(">{begin}")) && selected(rows).contains(text)
    })
}

/// Waits until the program has ended with this code, and the terminal is as it was.
fn wait_for_end(tmux: &Tmux, code: i32) {
    let rows = tmux.wait_for("the shell", |rows| {
        let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).filter(|row| !row.is_empty()).collect();
        rows.contains(&format!("code {code}").as_str()) && rows.last() == Some(&PROMPT)
    });
    assert!(!rows.iter().any(|row| row.contains(KEYS)), "{rows:#?}");
    let modes = tmux.ask("stty -a").join(" ");
    assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
}

fn torrent(scratch: &Path, content: &Content, name: &str) -> Torrent {
    Maker::Ours.make(content, &scratch.join(format!("source of {name}")), 1 << 14, "http://127.0.0.1:1/KEY/a")
}

/// Everything that a person does with keys, with any daemon that has `two`, complete, in this folder.
fn walk(scratch: &Path, url: &str, content_folder: &Path) {
    let rpc: SocketAddr = url.parse().unwrap();
    let get = |method: &str, arguments: &Value| ask(rpc, method, arguments).expect("the daemon answers");
    let field = |name: &str| {
        let answer = get("torrent-get", &json!({ "fields": ["name", name] }));
        let two = answer["torrents"].as_array().unwrap().iter().find(|torrent| torrent["name"] == "two").cloned();
        two.map_or(Value::Null, |two| two[name].clone())
    };
    let is = |name: &str, value: Value| wait_until(&format!("{name} is {value}"), PATIENCE, || field(name) == value);
    let setting = |name: &str| get("session-get", &json!({}))[name].clone();
    let tmux = attach(scratch, WIDE, &[url]);
    wait_for_selected(&tmux, "two ", " seeding");
    tmux.wait_for("the whole screen", |rows| {
        rows[0].starts_with(" [name] 1 of 1 ")
            && rows[0].trim_end().ends_with("peers")
            && rows[22].starts_with("1 torrent, 1 complete  0 B/s down  0 B/s up")
            && rows[23].starts_with(KEYS)
    });
    tmux.assert_nothing_wraps();

    // One torrent is stopped and started, and another one added: by typing, and by a paste.
    tmux.press("p");
    wait_for_selected(&tmux, "two ", " stopped");
    is("status", json!(0));
    tmux.press("p");
    wait_for_selected(&tmux, "two ", " seeding");
    tmux.press("n");
    tmux.wait_for_text("add a link, a URL or a file:");
    tmux.type_line("/no such file.torrent");
    tmux.wait_for_text("/no such file.torrent: ");
    tmux.paste(LINK);
    tmux.wait_for_text("dn=Link");
    tmux.press("Enter");
    tmux.wait_for("the link is listed", |rows| {
        rows.iter().any(|row| row.starts_with(" Link ")) && selected(rows).starts_with(">two ")
    });
    // A filter, and the end of it.
    tmux.press("/");
    tmux.wait_for_text("filter:");
    tmux.type_line("LIN");
    wait_for_selected(&tmux, "Link ", "");
    tmux.wait_for("the filter", |rows| {
        rows[0].contains(" 1 of 1 ") && rows.iter().any(|row| row.starts_with("filter: lin"))
    });
    // A question is answered with no, and with yes.
    tmux.press("r");
    tmux.wait_for_text("remove Link? y: yes, X: and delete its content, other keys: no");
    tmux.press("n");
    tmux.wait_for_text(KEYS);
    tmux.press("r");
    tmux.wait_for_text("remove Link?");
    tmux.press("y");
    tmux.wait_for_text("no name and no state has this in it");
    tmux.press("Escape");
    wait_for_selected(&tmux, "two ", "");

    // Limits, and the alternative ones.
    tmux.press("-");
    tmux.wait_for_text("limits: 488 MiB/s down, no limit up");
    // transmission 4.1 says it as a number with a fraction.
    wait_until("there is a limit", PATIENCE, || setting("speed-limit-down").as_f64() == Some(512_000.0));
    assert_eq!(setting("speed-limit-down-enabled"), true);
    tmux.press("m");
    tmux.wait_for_text("alternative limits: ");
    wait_until("they are in use", PATIENCE, || setting("alt-speed-enabled") == true);
    tmux.press("+");
    tmux.wait_for_text("the alternative limits are in use; m ends that");
    tmux.press("m");
    tmux.wait_for_text("limits: 488 MiB/s down, no limit up");
    tmux.press("+");
    tmux.wait_for("there is no limit", |rows| !rows.iter().any(|row| row.contains("limits")));

    // The views of the torrent. Of two files, one is not wanted.
    tmux.press("Enter");
    tmux.wait_for_text("[facts] peers  trackers  files");
    tmux.wait_for_text("info-hash  ");
    tmux.press("v");
    tmux.wait_for_text("no peers");
    tmux.press("v");
    tmux.wait_for_text("http://127.0.0.1:1/…");
    tmux.press("v");
    wait_for_selected(&tmux, "two/a ", "100.0 %");
    tmux.press("j");
    tmux.press("Space");
    wait_for_selected(&tmux, "two/b ", "skip");
    is("wanted", json!([1, 0]));
    tmux.press("Space");
    tmux.press("+");
    wait_for_selected(&tmux, "two/b ", "high");
    is("priorities", json!([0, 1]));
    is("wanted", json!([1, 1]));
    tmux.press("?");
    tmux.wait_for_text("keys of swarmlet attach");
    tmux.press("Escape");
    wait_for_selected(&tmux, "two ", "");

    // Verified, and in another size of the terminal.
    tmux.press("c");
    tmux.wait_for_text("verify two, which is complete? y: yes, other keys: no");
    tmux.press("y");
    tmux.resize(NARROW);
    let rows = tmux.wait_for("a narrow screen", |rows| rows.len() == 10 && rows[9].starts_with("q ?:keys"));
    assert!(rows[0].starts_with(" [name] 1 of 1"), "{rows:#?}");
    tmux.resize(WIDE);
    wait_for_selected(&tmux, "two ", " seeding");

    // With its content.
    assert!(content_folder.join("two/a").exists());
    tmux.press("a");
    tmux.wait_for_text("stop all torrents (1)? y: yes, other keys: no");
    tmux.press("y");
    wait_for_selected(&tmux, "two ", " stopped");
    tmux.press("r");
    tmux.wait_for_text("remove two?");
    tmux.press("X");
    tmux.wait_for_text("no torrents: press n to add one");
    wait_until("the content is deleted", PATIENCE, || !content_folder.join("two/a").exists());
    tmux.press("q");
    wait_for_end(&tmux, 0);
}

fn two() -> Content {
    Content::folder("two", &[("a", 300_000), ("b", 30_000)])
}

#[test]
fn the_torrents_of_our_daemon_are_seen_and_changed_on_a_screen() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (content, daemon) = (two(), Daemon::start(scratch.path(), &[]));
    content.write_to(&daemon.dir);
    let bytes = fs::read(&torrent(scratch.path(), &content, "two").file).unwrap();
    daemon.ask("torrent-add", &json!({ "metainfo": base64(&bytes) }));
    walk(scratch.path(), &daemon.rpc.to_string(), &daemon.dir);
}

#[test]
fn the_torrents_of_transmission_are_seen_and_changed_on_a_screen() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux, Tool::Transmission]) {
        return;
    }
    let (content, stage) = (two(), Stage::start(false));
    let folder = stage.path().join("content");
    content.write_to(&folder);
    let file = torrent(stage.path(), &content, "two").file;
    ask(stage.url.parse().unwrap(), "torrent-add", &json!({ "filename": file })).unwrap();
    walk(stage.path(), &stage.url, &folder);
}

#[test]
fn a_daemon_that_is_gone_is_missed_until_it_is_back() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(scratch.path(), &[]);
    daemon.ask("torrent-add", &json!({ "filename": LINK }));
    // The daemon's own command line has its address.
    let url = format!("localhost:{}", daemon.rpc.port());
    let tmux = attach(scratch.path(), NARROW, &[&url]);
    wait_for_selected(&tmux, "Link ", "");
    // (A terminal that was made narrow keeps in mind which rows it wrapped itself, so this is no question for one.)
    tmux.assert_nothing_wraps();
    daemon.kill();
    let rows = tmux.wait_for_text("next try");
    let rows = rows.iter().map(|row| row.trim_end()).collect::<Vec<_>>().join(" ");
    assert!(rows.contains(&format!("http://{url}/…: Connection refused; next try")), "{rows}");
    // The list is still there, and the screen says that a key has no effect.
    assert!(rows.contains(">Link "), "{rows}");
    tmux.press("p");
    tmux.wait_for_text("not sent: there is no connection");
    daemon.start_again();
    tmux.wait_for("all is well again", |rows| {
        !rows.iter().any(|row| row.contains("next try") || row.contains("not sent"))
    });
    tmux.press("p");
    wait_for_selected(&tmux, "Link ", "stopped");
    daemon.wait_for("status", &json!(0));

    // Signals end the screen, too, and ^Z leaves it for a while.
    for (signal, code) in [(Signal::TERM, 0), (Signal::INT, 0), (Signal::HUP, 0)] {
        let pid = Pid::from_raw(pid_with(&url).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        wait_for_end(&tmux, code);
        tmux.run_there(&command(&[&url]), "; echo code $?");
        wait_for_selected(&tmux, "Link ", "stopped");
    }
    tmux.press("C-z");
    tmux.wait_for_text("Stopped");
    tmux.type_line("clear; fg; echo code $?");
    wait_for_selected(&tmux, "Link ", "stopped");
    tmux.press("q");
    wait_for_end(&tmux, 0);
}

#[test]
fn a_wrong_password_ends_the_screen_and_is_not_shown() {
    if !cfg!(feature = "daemon") || !here(&[Tool::Tmux, Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(true);
    let tmux = attach(stage.path(), WIDE, &[&format!("http://me:secret@{}", stage.url)]);
    tmux.wait_for_text(&format!("swarmlet: http://{}/…: user or password are wrong", stage.url));
    wait_for_end(&tmux, 69);
    tmux.run_there(command(&[&stage.url]).env("TR_AUTH", "me:pa:ss@w/ord"), "; echo code $?");
    let rows = tmux.wait_for_text("no torrents: press n to add one");
    assert!(!rows.iter().any(|row| row.contains("secret") || row.contains("pa:ss")), "{rows:#?}");
    tmux.press("C-c");
    wait_for_end(&tmux, 0);
    // No server listens on this port.
    tmux.run_there(&command(&["127.0.0.1:1"]), "; echo code $?");
    tmux.wait_for_text("swarmlet: http://127.0.0.1:1/…: Connection refused");
    wait_for_end(&tmux, 69);
}

#[test]
fn without_a_terminal_there_is_no_screen() {
    if !cfg!(feature = "daemon") {
        return;
    }
    let words = "swarmlet: attach needs a terminal; `swarmlet remote list` writes to files and pipes\n";
    run(&mut command(&["127.0.0.1:1"]), b"").refused(64, words);
    run(&mut command(&["ftp://nas"]), b"").refused(64, "URL ftp://nas: expected http://HOST:PORT or HOST:PORT");
    run(&mut command(&["a", "b"]), b"").refused(64, "expected one URL");
}
