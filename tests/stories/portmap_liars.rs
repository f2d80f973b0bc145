//! Stories of routers, and of neighbours that pretend to be one, which swarmlet has to bear.

use crate::common::content::Content;
use crate::common::home::{At, Home, OUTER, PORT, ROUTER};
use crate::common::process::Process;
use crate::common::swarmlet::{Get, Swarmlet};
use crate::common::torrent::make_with_tiers;
use crate::common::wait::{PATIENCE, wait_until};
use crate::portmap::{is_checked, mapping};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Another machine at home, which no request must reach.
const NEIGHBOUR: &str = "192.168.77.21";

/// A home whose router is a script.
struct Stage {
    home: Home,
    scratch: TempDir,
    seed: Get,
}

impl Stage {
    fn new() -> Option<Stage> {
        let (home, scratch) = (Home::new()?, tempfile::tempdir().unwrap());
        let content = Content::one_file("a file.bin", 40_000);
        let source = scratch.path().join("source");
        content.write_to(&source);
        let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 16_384, &[]);
        let mut seed = Get::seed("seed", scratch.path(), &source).torrent(&torrent).with_port_mapping().arg("--json");
        seed.port = PORT;
        home.run(At::Inside, &format!("ip addr add {NEIGHBOUR}/24 dev eth0"));
        Some(Stage { home, scratch, seed })
    }

    /// Starts the script (see `router.py`).
    fn script(&self, at: At, args: &[&str]) -> Process {
        let mut command = Command::new("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/router.py")).args(args);
        let mut process = Process::start("router.py", &mut self.home.command(at, &command), self.scratch.path());
        wait_until("the script is ready", PATIENCE, || {
            process.must_run();
            process.stdout().starts_with("ready\n")
        });
        process
    }

    /// Runs a seed until the router has said yes or no. Returns the field `port_mapping` and the seed.
    fn settled(&self) -> (Value, Swarmlet) {
        let mut seed = self.seed.start_after(&self.home.on(At::Inside));
        let mut field = Value::Null;
        wait_until("the router has said yes or no", PATIENCE, || {
            seed.must_run();
            field = mapping(&seed);
            let has_answered = field["state"] == "open" || field["state"] == "closed";
            has_answered && is_checked(&seed)
        });
        (field, seed)
    }

    /// Why the router of these arguments lets nobody in, and what it was asked.
    fn refusal(&self, args: &[&str]) -> (String, Vec<String>) {
        let router = self.script(At::Router, &[&["upnp"], args].concat());
        let (field, seed) = self.settled();
        assert_eq!(field["state"], "closed", "{args:?}: {field}");
        seed.interrupt().assert_code(0);
        (field["why"].as_str().unwrap().to_string(), calls(&router))
    }
}

/// The calls to a script, in order.
fn calls(router: &Process) -> Vec<String> {
    router.stdout().lines().filter_map(|line| line.strip_prefix("call ")).map(String::from).collect()
}

#[test]
fn a_refusal_of_upnp_is_shown_in_words() {
    let Some(stage) = Stage::new() else { return };
    for (error, words) in [
        ("606", "it does not allow that"),
        ("714", "there is no such mapping"),
        ("715", "it maps only for one remote host"),
        ("716", "it does not choose the outer port"),
        ("724", "outer and inner port must be the same"),
        ("402", "it takes the arguments for wrong"),
    ] {
        let (why, _) = stage.refusal(&[&format!("error={error}")]);
        assert_eq!(why, format!("the router refuses UPnP: {words} (error {error} No\u{1b}[31mWay)"));
    }
    // A person reads it in a line, where nothing can deceive the terminal.
    let _router = stage.script(At::Router, &["upnp", "error=606"]);
    let mut plain = stage.seed.command();
    plain.arg("--plain");
    let args: Vec<_> = plain.get_args().filter(|arg| *arg != "--json").map(|arg| arg.to_os_string()).collect();
    let mut command = Command::new(plain.get_program());
    command.args(args).env("XDG_STATE_HOME", stage.scratch.path().join("state"));
    let mut seed = Process::start("plain", &mut stage.home.command(At::Inside, &command), stage.scratch.path());
    let line = format!(
        "nobody has connected to us from elsewhere: the router {ROUTER} refuses UPnP: it does not allow that (error 606 "
    );
    wait_until("it says why", PATIENCE, || {
        seed.must_run();
        seed.stderr().contains(&line) || seed.stdout().contains(&line)
    });
    assert!(!(seed.stderr() + &seed.stdout()).contains('\u{1b}'));
}

#[test]
fn a_router_that_has_only_permanent_mappings_gets_them_removed_at_the_end() {
    let Some(stage) = Stage::new() else { return };
    let router = stage.script(At::Router, &["upnp", "error=725", "only=lease"]);
    let (field, seed) = stage.settled();
    assert_eq!((&field["state"], &field["tcp"], &field["outer_ip"]), (&"open".into(), &PORT.into(), &OUTER.into()));
    seed.interrupt().assert_code(0);
    let expected = [
        "GetExternalIPAddress",
        "AddPortMapping TCP 7881 3600",
        "AddPortMapping TCP 7881 0",
        "AddPortMapping UDP 7881 0",
        "DeletePortMapping TCP 7881",
        "DeletePortMapping UDP 7881",
    ];
    assert_eq!(calls(&router), expected);
}

#[test]
fn a_port_that_is_always_taken_is_tried_four_times() {
    let Some(stage) = Stage::new() else { return };
    for error in ["718", "501"] {
        let (why, calls) = stage.refusal(&[&format!("error={error}")]);
        assert!(why.starts_with("the router refuses UPnP: "), "{why}");
        let tries: Vec<&String> = calls.iter().filter(|call| call.starts_with("AddPortMapping TCP")).collect();
        assert_eq!((tries.len(), calls.len()), (4, 5), "{calls:?}");
    }
    let _router = stage.script(At::Router, &["upnp", "error=718", "only=port"]);
    let (field, seed) = stage.settled();
    assert!(field["tcp"].as_u64().is_some_and(|port| (40_000..50_000).contains(&port)), "{field}");
    assert_eq!(field["tcp"], field["udp"]);
    seed.interrupt().assert_code(0);
}

#[test]
fn the_second_version_of_upnp_chooses_a_port() {
    let Some(stage) = Stage::new() else { return };
    let router = stage.script(At::Router, &["upnp", "error=718", "only=port", "version=2"]);
    let (field, seed) = stage.settled();
    assert_eq!((&field["tcp"], &field["udp"]), (&5555.into(), &5555.into()));
    seed.interrupt().assert_code(0);
    assert!(calls(&router).contains(&"AddAnyPortMapping TCP 7881 3600".to_string()));
}

#[test]
fn only_the_router_itself_is_asked() {
    let Some(stage) = Stage::new() else { return };
    let listens = stage.script(At::Inside, &["listen", NEIGHBOUR, "8080"]);
    let elsewhere = format!("http://{NEIGHBOUR}:8080/x.xml");
    for (name, words) in [
        ("location", "its description is elsewhere: at 192.168.77.21, and not at 192.168.77.1"),
        ("control", "its service is elsewhere: at 192.168.77.21, and not at 192.168.77.1"),
        ("redirect", "its description has HTTP status 302"),
    ] {
        let (why, calls) = stage.refusal(&[&format!("{name}={elsewhere}")]);
        assert_eq!((why, calls.len()), (format!("the router's UPnP can't be used: {words}"), 0));
    }
    for other in ["http://127.0.0.1:8080/", "http://router.example/", "http://169.254.169.254/", "file:///etc/passwd"] {
        let (why, _) = stage.refusal(&[&format!("location={other}")]);
        assert!(why.contains("its description is elsewhere"), "{why}");
    }
    assert_eq!(listens.stdout(), "ready\n", "nobody connects to the neighbour");
}

/// A neighbour answers the search, and offers to map ports.
#[test]
fn an_answer_from_a_neighbour_is_ignored() {
    let Some(stage) = Stage::new() else { return };
    let neighbour = stage.script(At::Inside, &["upnp", &format!("at={NEIGHBOUR}")]);
    let (field, seed) = stage.settled();
    assert_eq!(field["why"], "the router answers neither PCP, NAT-PMP nor UPnP");
    seed.interrupt().assert_code(0);
    let said = neighbour.stdout();
    assert!(said.contains("search") && !said.contains("get") && !said.contains("call"), "{said}");
}

#[test]
fn a_description_of_any_size_and_shape_is_borne() {
    let Some(stage) = Stage::new() else { return };
    let (why, _) = stage.refusal(&["description=endless"]);
    let words =
        "the router's UPnP can't be used: its description can't be read: the response has more than 262144 bytes";
    assert_eq!(why, words);
    let (why, _) = stage.refusal(&["description=slow"]);
    assert_eq!(why, "the router's UPnP can't be used: its description can't be read: no answer in time");
    let (why, _) = stage.refusal(&["description=open"]);
    assert_eq!(why, "the router's UPnP can't be used: its description names no service that maps ports");
    let _router = stage.script(At::Router, &["upnp", "description=deep"]);
    let (field, seed) = stage.settled();
    assert_eq!(field["state"], "open", "depth is no reason");
    seed.interrupt().assert_code(0);
}

/// Answers without our nonce, from another port, with port 0, lifetime 0 or 2^32-1, and epoch 0.
#[test]
fn wrong_answers_in_pcp_and_natpmp_are_ignored() {
    for (protocol, more) in [("PCP", &[][..]), ("NAT-PMP", &["--natpmp"])] {
        let Some(stage) = Stage::new() else { return };
        let router = stage.script(At::Router, &[&["packets", OUTER], more].concat());
        let (field, seed) = stage.settled();
        assert_eq!((&field["protocol"], &field["tcp"]), (&protocol.into(), &(PORT + 1).into()), "{field}");
        assert_eq!(field["udp"], PORT + 1);
        seed.interrupt().assert_code(0);
        assert_eq!(router.stdout().matches("maps").count(), 2);
        assert_eq!(router.stdout().matches("removes").count(), 2);
    }
}

/// The route is away for a moment. The router knows its mappings by their nonces, and refuses PCP with another one.
#[test]
fn a_mapping_is_renewed_with_the_same_nonce() {
    let Some(stage) = Stage::new() else { return };
    let router = stage.script(At::Router, &["packets", OUTER]);
    let (_, mut seed) = stage.settled();
    for (command, state) in [("del", "useless"), ("add", "open")] {
        stage.home.run(At::Inside, &format!("ip route {command} default via {ROUTER}"));
        wait_until(state, PATIENCE, || {
            seed.must_run();
            mapping(&seed)["state"] == state
        });
    }
    wait_until("both mappings are renewed", PATIENCE, || router.stdout().matches("PCP maps").count() == 4);
    assert_eq!(mapping(&seed)["protocol"], "PCP");
    seed.interrupt().assert_code(0);
    let said = router.stdout();
    assert_eq!((said.matches("PCP maps").count(), said.matches("PCP removes").count()), (4, 2), "{said}");
}

#[test]
fn an_outer_address_of_the_provider_is_reported() {
    for address in ["100.64.3.4", "10.1.2.3"] {
        let Some(stage) = Stage::new() else { return };
        let _router = stage.script(At::Router, &["packets", address]);
        let (field, seed) = stage.settled();
        let why = field["why"].as_str().unwrap();
        assert!(why.starts_with(&format!("the router's outer address {address} is not public, because ")), "{why}");
        seed.interrupt().assert_code(0);
    }
}
