//! Stories of `swarmlet remote` with a real daemon: transmission's.

use crate::common::content::Content;
use crate::common::daemon::Daemon;
use crate::common::http::{self, Server};
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::{Ran, run};
use crate::common::swarmlet::program;
use crate::common::tmux::Tmux;
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Maker, Torrent};
use crate::common::wait::{PATIENCE, wait_until};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

const PASSWORD: &str = "pa:ss@w/ord";
const LINK: &str = "magnet:?xt=urn:btih:0123456789012345678901234567890123456789&dn=Link";

/// A daemon in a folder of its own, and a person who controls it.
pub struct Stage {
    scratch: tempfile::TempDir,
    pub url: String,
    daemon: Process,
}

impl Stage {
    /// Starts a daemon that listens on loopback only, and waits for it.
    pub fn start(password: bool) -> Stage {
        let (scratch, port) = (tempfile::tempdir().unwrap(), free_port());
        let (home, content) = (scratch.path().join("home"), scratch.path().join("content"));
        [&home, &content].iter().for_each(|folder| fs::create_dir(folder).unwrap());
        let settings = json!({
            "download-dir": content, "peer-port": free_port(), "rpc-port": port, "rpc-bind-address": "127.0.0.1",
            "bind-address-ipv4": "127.0.0.1", "rpc-whitelist-enabled": false,
            "rpc-authentication-required": password, "rpc-username": "me", "rpc-password": PASSWORD,
            "dht-enabled": false, "lpd-enabled": false, "utp-enabled": false, "port-forwarding-enabled": false,
        });
        fs::write(home.join("settings.json"), settings.to_string()).unwrap();
        let mut command = Command::new("transmission-daemon");
        let daemon = Process::start("transmission", command.arg("-f").arg("-g").arg(&home), scratch.path());
        let mut stage = Stage { scratch, url: format!("127.0.0.1:{port}"), daemon };
        let address = stage.url.parse().unwrap();
        wait_until("transmission answers", PATIENCE, || {
            stage.daemon.must_run();
            http::request(address, "/transmission/rpc", "", None).is_ok()
        });
        stage
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn content(&self) -> PathBuf {
        self.path().join("content")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("remote").args(args).current_dir(self.path());
        command.env("SWARMLET_REMOTE", &self.url).env_remove("TR_AUTH").env_remove("http_proxy");
        command
    }

    fn remote(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args), b"")
    }

    /// The objects of a command that succeeds.
    fn objects(&self, args: &[&str]) -> Vec<Value> {
        self.remote(&[args, &["--json"]].concat()).code(0).objects()
    }

    /// The first of them.
    fn object(&self, args: &[&str]) -> Value {
        self.objects(args).swap_remove(0)
    }

    /// A torrent whose content the daemon has not.
    fn torrent(&self, name: &str) -> Torrent {
        let content = Content::one_file(name, 300_000);
        Maker::Ours.make(&content, &self.path().join(format!("source of {name}")), 1 << 14, "http://127.0.0.1:1/KEY/a")
    }

    fn wait_for_state(&self, id: &str, state: &str) {
        wait_until(&format!("torrent {id} is {state}"), PATIENCE, || self.object(&["info", id])["state"] == state);
    }
}

fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    path.as_ref().to_str().unwrap()
}

#[test]
fn a_file_a_link_and_a_url_are_added_listed_and_removed() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(false);
    assert_eq!(stage.remote(&["list"]).code(0).text(), "no torrents\n");
    let (file, other) = (stage.torrent("Aishah.bin"), stage.torrent("Siti.bin"));
    let bytes = fs::read(&other.file).unwrap();
    let server = Server::start(Ipv4Addr::LOCALHOST.into(), move |_, _| Some(bytes.clone()));
    let url = format!("http://{}/Siti.torrent?passkey=KEY", server.address());
    let dir = stage.path().join("elsewhere");
    let options = ["--dir", text(&dir), "--paused", "--label", "one", "--label", "zwei ü"];
    let added = stage.objects(&[&["add", text(&file.file), LINK, &url][..], &options].concat());
    let names: Vec<&str> = added.iter().map(|object| object["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), names[0], names[1], names[2]), (3, "Aishah.bin", "Link", "Siti.bin"));
    assert!(added.iter().all(|object| object["event"] == "added" && object["new"] == true), "{added:?}");
    assert_eq!(added[2]["source"], format!("http://{}/…", server.address()));

    // transmission first looks whether the content is there.
    ["1", "2", "3"].iter().for_each(|id| stage.wait_for_state(id, "stopped"));
    let list = stage.objects(&["list"]);
    assert_eq!(list.len(), 3);
    for torrent in &list {
        assert_eq!((&torrent["state"], &torrent["problem"]), (&json!("stopped"), &Value::Null), "{torrent}");
        assert_eq!((&torrent["labels"], &torrent["folder"]), (&json!(["one", "zwei ü"]), &json!(dir)), "{torrent}");
    }
    assert_eq!((&list[0]["size"], &list[0]["left"]), (&json!(300_000), &json!(300_000)));
    let table = stage.remote(&["list"]).code(0).text();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["1", "stopped", "0.0", "%", "293", "KiB", "0", "Aishah.bin"]);
    assert_eq!((rows.len(), rows[4][..2].concat()), (5, "3torrents,".to_string()), "{table}");

    // The same again is no error.
    let again = stage.remote(&["add", text(&file.file)]).code(0).text();
    assert_eq!(again, "Aishah.bin is already there (id 1)\n");
    // Others are added if one is none.
    let ran = stage.remote(&["add", "no such file", text(&file.file)]);
    assert_eq!(ran.code(66).text(), again);
    let input = fs::read(&file.file).unwrap();
    assert_eq!(run(&mut stage.command(&["add", "-"]), &input).code(0).text(), again);
    stage.remote(&["add", "magnet:?dn=x"]).refused(65, "xt=urn:btih:HASH");

    let removed = stage.remote(&["remove", "2", list[0]["info_hash"].as_str().unwrap()]).code(0).text();
    assert_eq!(removed, "removed Link\nremoved Aishah.bin\n");
    assert_eq!(stage.remote(&["remove", "all"]).code(0).text(), "removed Siti.bin\n");
    assert_eq!(stage.remote(&["list"]).code(0).text(), "no torrents\n");
    assert_eq!(stage.remote(&["remove", "all"]).code(0).text(), "no torrents\n");
}

#[test]
fn content_stays_unless_delete_is_given() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(false);
    let torrent = stage.torrent("Aishah.bin");
    let place = stage.content().join("Aishah.bin");
    fs::copy(stage.path().join("source of Aishah.bin/Aishah.bin"), &place).unwrap();
    for delete in [false, true] {
        stage.remote(&["add", text(&torrent.file)]).code(0);
        let id = stage.object(&["list"])["id"].to_string();
        stage.wait_for_state(&id, "seeding");
        let said =
            stage.remote(if delete { &["remove", "all", "--delete"] } else { &["remove", "all"] }).code(0).text();
        assert_eq!(said, if delete { "removed Aishah.bin and its content\n" } else { "removed Aishah.bin\n" });
        if delete {
            wait_until("the content is deleted", PATIENCE, || !place.exists());
        } else {
            assert!(place.exists());
        }
    }
}

#[test]
fn torrents_are_started_stopped_verified_and_shown() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(false);
    let (torrent, empty) = (stage.torrent("Aishah.bin"), stage.torrent("Siti.bin"));
    fs::copy(stage.path().join("source of Aishah.bin/Aishah.bin"), stage.content().join("Aishah.bin")).unwrap();
    stage.remote(&["add", "--paused", text(&torrent.file), text(&empty.file)]).code(0);
    assert_eq!(stage.remote(&["start", "1", "2"]).code(0).text(), "started Aishah.bin\nstarted Siti.bin\n");
    stage.wait_for_state("1", "seeding");
    stage.wait_for_state("2", "downloading");
    // Its tracker is dead.
    wait_until("the tracker's failure is shown", PATIENCE, || {
        stage.object(&["info", "2"])["trackers"][0]["problem"].is_string()
    });
    let info = stage.remote(&["info", "1", "2"]).code(0).text();
    for line in [
        "name       Aishah.bin\n",
        "state      seeding\n",
        "done       100.0 % of 293 KiB\n",
        "limits     no limit down, no limit up\n",
        "*     1  100.0 %   293 KiB  Aishah.bin\n",
        "\n\nname       Siti.bin\n",
        "*     1    0.0 %   293 KiB  Siti.bin\n",
        "tracker    http://127.0.0.1:1/…",
    ] {
        assert!(info.contains(line), "{line:?} is not in\n{info}");
    }
    assert!(!info.contains("KEY"), "{info}");
    let info = stage.object(&["info", "1"]);
    assert_eq!(
        info["files"],
        json!([
            { "number": 1, "path": "Aishah.bin", "size": 300_000, "had": 300_000, "wanted": true, "priority": "normal" }
        ])
    );
    assert!(info["added"].as_u64().is_some_and(|seconds| seconds > 1_600_000_000), "{info}");

    assert_eq!(stage.objects(&["stop", "all"])[0]["event"], "stopped");
    stage.wait_for_state("1", "stopped");
    // Verifying finds what was lost meanwhile.
    fs::write(stage.content().join("Aishah.bin"), vec![0; 300_000]).unwrap();
    assert_eq!(stage.remote(&["verify", "1"]).code(0).text(), "verifying Aishah.bin\n");
    wait_until("the loss is found", PATIENCE, || stage.object(&["info", "1"])["left"] == 300_000);

    // If one torrent does not exist, nothing is done to the other.
    let before = stage.object(&["info", "1"])["state"].clone();
    stage.remote(&["remove", "1", "77"]).refused(1, "the daemon has no torrent 77");
    stage.remote(&["info", &"b".repeat(40)]).refused(1, &format!("the daemon has no torrent {}", "b".repeat(40)));
    assert_eq!((stage.objects(&["list"]).len(), &stage.object(&["info", "1"])["state"]), (2, &before));
}

#[test]
fn torrents_change_their_place_in_the_queue_their_files_and_their_folder() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(false);
    rearrange(&stage.url, stage.path(), &stage.content());
    if cfg!(feature = "daemon") {
        let scratch = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(scratch.path(), &[]);
        rearrange(&daemon.rpc.to_string(), scratch.path(), &daemon.dir);
    }
}

/// The daemon at `url` keeps content in the folder `dir`.
fn rearrange(url: &str, scratch: &Path, dir: &Path) {
    let remote = |args: &[&str]| {
        let mut command = Command::new(program());
        run(command.arg("remote").args(args).env("SWARMLET_REMOTE", url).env_remove("TR_AUTH"), b"")
    };
    let content = Content::folder("three", &[("a", 100_000), ("b", 100_000), ("c", 100_000)]);
    let torrent = Maker::Ours.make(&content, &scratch.join("source"), 1 << 14, "http://127.0.0.1:1/announce");
    content.write_to(dir);
    remote(&["add", text(&torrent.file), LINK]).code(0);
    let info = |id: &str| remote(&["info", id, "--json"]).code(0).objects().swap_remove(0);
    wait_until("the content is complete", PATIENCE, || info("1")["left"] == 0 && info("1")["state"] == "seeding");

    assert_eq!(remote(&["queue", "top", "2"]).code(0).text(), "moved Link to the top of the queue\n");
    assert_eq!(remote(&["queue", "down", "2", "--json"]).code(0).objects()[0]["event"], "moved");
    remote(&["queue", "sideways", "2"]).refused(64, "expected up, down, top or bottom");
    remote(&["queue", "up"]).refused(64, "expected torrents: swarmlet remote queue up ID..., or all");

    let files = ["files", "1", "--get", "all", "--skip", "3", "--high", "1", "--low", "2"];
    let lines = remote(&files).code(0).text();
    let marks: Vec<String> = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let [a, b, c] = &marks[..] else { panic!("{lines}") };
    assert!(a.starts_with("*+ 1 100.0 % 97.7 KiB three/a") && b.starts_with("*- 2 ") && c.starts_with("3 "), "{lines}");
    let objects = remote(&["files", "1", "--json"]).code(0).objects();
    assert_eq!((&objects[2]["wanted"], &objects[1]["priority"]), (&json!(false), &json!("low")));
    remote(&["files", "1", "--get", "4"]).refused(64, "--get: there is no file 4, the torrent has 3 files");
    assert_eq!(remote(&["files", "2"]).code(0).text(), "the files are not known yet\n");
    remote(&["files", "2", "--get", "all"]).refused(1, "the files of Link are not known yet, because it is a link");
    remote(&["files", "all"]).refused(64, "takes one torrent, but 2 torrents are named");

    let there = dir.join("elsewhere");
    let said = remote(&["move", "--dir", text(&there), "1"]).code(0).text();
    assert_eq!(said, format!("moving three to {}\n", there.display()));
    wait_until("the content has moved", PATIENCE, || there.join("three/a").exists() && !dir.join("three/a").exists());
    remote(&["move", "1"]).refused(64, "expected a folder");
    remote(&["move", "--dir", "/x"]).refused(64, "expected torrents: swarmlet remote move --dir DIR ID..., or all");
}

#[test]
fn one_torrent_and_all_together_are_limited() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(false);
    stage.remote(&["add", "--paused", LINK]).code(0);
    assert_eq!(stage.remote(&["limit"]).code(0).text(), "all torrents together: no limit down, no limit up\n");
    let said = stage.remote(&["limit", "--down", "500"]).code(0).text();
    assert_eq!(said, "all torrents together: 500 KiB/s down, no limit up\n");
    let said = stage.remote(&["limit", "1", "--up", "125", "--down", "250"]).code(0).text();
    assert_eq!(said, "Link: 250 KiB/s down, 125 KiB/s up\n");
    assert_eq!(stage.remote(&["limit", "1", "--up", "0"]).code(0).text(), "Link: 250 KiB/s down, no limit up\n");
    let limits = stage.object(&["limit"]);
    assert_eq!((&limits["id"], &limits["down"], &limits["up"]), (&Value::Null, &json!(512_000), &Value::Null));
    let limits = stage.object(&["limit", "all"]);
    assert_eq!((&limits["id"], &limits["down"], &limits["up"]), (&json!(1), &json!(256_000), &Value::Null));
    let said = stage.remote(&["limit", "--down", "0"]).code(0).text();
    assert_eq!(said, "all torrents together: no limit down, no limit up\n");
    stage.remote(&["limit", "--down", "fast"]).refused(64, "expected a number");
}

#[test]
fn a_password_is_needed_and_never_shown() {
    if !here(&[Tool::Transmission]) {
        return;
    }
    let stage = Stage::start(true);
    let (right, wrong) = (format!("me:{PASSWORD}"), format!("me:{PASSWORD}!"));
    let encoded = "me:pa%3Ass%40w%2Ford";
    let hidden = |ran: Ran| {
        let said = ran.text() + &ran.stderr;
        ["pa:ss", "w/ord", "pa%3A", "w%2F"].iter().for_each(|part| assert!(!said.contains(part), "{said}"));
        ran
    };
    hidden(stage.remote(&["list"])).refused(69, "the daemon wants a user and a password (--user)");
    hidden(stage.remote(&["list", "--user", &wrong])).refused(69, "user or password are wrong");
    hidden(stage.remote(&["list", "--user", &right])).code(0);
    hidden(stage.remote(&["list", "--url", &format!("http://{encoded}@{}", stage.url)])).code(0);
    let by_variable = |auth: &str, args: &[&str]| hidden(run(stage.command(args).env("TR_AUTH", auth), b""));
    by_variable(&right, &["list"]).code(0);
    by_variable(&wrong, &["list"]).refused(69, "user or password are wrong");
    // Options go before variables.
    by_variable(&wrong, &["list", "--user", &right]).code(0);
    by_variable(&wrong, &["list", "--url", &format!("http://{encoded}@{}", stage.url)]).code(0);
    hidden(stage.remote(&["list", "--user", PASSWORD.split(':').next().unwrap()]))
        .refused(64, "expected USER:PASSWORD");
    by_variable("password", &["list"]).refused(64, "swarmlet: TR_AUTH: expected USER:PASSWORD\n");
    let wrong_port = format!("http://{encoded}@127.0.0.1:99999/x");
    hidden(stage.remote(&["list", "--url", &wrong_port])).refused(64, "expected a port up to 65535");
    hidden(stage.remote(&["list", "--url", &format!("http://{encoded}@127.0.0.1:1")])).refused(69, "refused");
}

#[test]
fn the_list_fits_a_narrow_terminal() {
    if !here(&[Tool::Transmission, Tool::Tmux]) {
        return;
    }
    let stage = Stage::start(false);
    let name = "A name that is much longer than a line of this terminal, 日本語の名前.iso";
    stage.remote(&["add", "--paused", &format!("{LINK}%20{}", name.replace(' ', "%20"))]).code(0);
    let tmux = Tmux::start(stage.path(), (60, 10), "C.UTF-8");
    tmux.run_there(&stage.command(&["list"]), "");
    let rows = tmux.wait_for("the sum", |rows| rows.iter().any(|row| row.starts_with("1 torrent,")));
    let rows: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
    assert_eq!(rows[0], "   id state           done  name");
    assert!(rows[1].starts_with("    1 stopped        0.0 %  Link A name") && rows[1].ends_with("前.iso"), "{rows:?}");
    assert!(rows[1].contains('…') && rows[2].starts_with("1 torrent,"), "{rows:?}");
}
