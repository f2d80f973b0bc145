//! Stories of `swarmlet portmap`, at home behind a router (miniupnpd).

use crate::common::home::{At, Home, INSIDE, OUTER, Offers, PORT, ROUTER};
use crate::common::json::objects;
use crate::common::process::Process;
use crate::common::swarmlet::program;
use crate::common::tools::{Tool, here};
use crate::common::wait::PATIENCE;
use serde_json::Value;
use std::process::Command;
use tempfile::TempDir;

/// The exit code of `portmap` on a machine, and what it writes.
fn run(home: &Home, at: At, args: &[&str]) -> (i32, String) {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.arg("portmap").args(args);
    let mut process = Process::start("portmap", &mut home.command(at, &command), scratch.path());
    let code = process.wait(PATIENCE).code();
    (code.expect("no signal ends it"), process.stdout() + &process.stderr())
}

fn stage() -> Option<(Home, TempDir)> {
    here(&[Tool::Miniupnpd]).then(|| Some((Home::new()?, tempfile::tempdir().unwrap())))?
}

#[test]
fn it_shows_the_router_its_protocols_and_what_is_mapped() {
    let Some((home, scratch)) = stage() else { return };
    let _daemon = home.start_daemon(Offers::Upnp, "", scratch.path());
    let (code, text) = run(&home, At::Inside, &[]);
    assert_eq!(code, 0, "{text}");
    for line in [
        format!("IPv4: the router is {ROUTER}, this machine is {INSIDE}\n"),
        "  PCP: Connection refused\n  NAT-PMP: Connection refused\n".into(),
        format!(
            "  UPnP: answers as Debian router, outer address {OUTER}\n    0 mappings to this machine, 0 to others\n"
        ),
        "IPv6: the router is fe80::1, this machine is 2a00:77::20\n".into(),
    ] {
        assert!(text.contains(&line), "{text}");
    }
    let port = PORT.to_string();
    let (code, text) = run(&home, At::Inside, &["--port", &port]);
    let tried = format!("port {PORT} with IPv4: port {PORT} of {OUTER} leads here, by UPnP; removed again\n");
    assert!(code == 0 && text.contains(&tried), "{text}");
    assert_eq!(home.mappings(), Vec::<String>::new());
}

#[test]
fn programs_get_an_object_for_each_answer_and_mapping() {
    let Some((home, scratch)) = stage() else { return };
    let daemon = home.start_daemon(Offers::Upnp, "", scratch.path());
    let (code, text) = run(&home, At::Inside, &["--json", "--port", "7900"]);
    let all = objects(&text);
    let of = |event: &str| -> Vec<&Value> { all.iter().filter(|object| object["event"] == event).collect() };
    assert_eq!((code, of("router").len(), of("protocol").len()), (0, 2, 4), "{text}");
    let upnp = of("protocol").into_iter().find(|object| object["name"] == "UPnP").unwrap();
    assert_eq!((&upnp["answers"], &upnp["outer_ip"], &upnp["why"]), (&true.into(), &OUTER.into(), &Value::Null));
    assert_eq!((&of("tried")[0]["state"], &of("tried")[0]["tcp"]), (&"open".into(), &7900.into()));
    drop(daemon);
    let (code, text) = run(&home, At::Inside, &["--json"]);
    assert!(code == 1 && objects(&text).iter().all(|object| object["answers"] != true), "{text}");
}

#[test]
fn mappings_to_this_machine_are_listed() {
    let Some((home, scratch)) = stage() else { return };
    let _daemon = home.start_daemon(Offers::All, "", scratch.path());
    let ask = format!(
        "import socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
         s.sendto(struct.pack('>BBHHHI', 0, 2, 0, 7900, 7901, 3600), ('{ROUTER}', 5351)); s.recv(99)"
    );
    home.run(At::Inside, &format!("python3 -c \"{ask}\""));
    let (code, text) = run(&home, At::Inside, &[]);
    assert!(code == 0 && text.contains("  PCP: answers\n"), "{text}");
    assert!(text.contains("    TCP 7901 leads to port 7900 here, for "), "{text}");
    assert!(text.contains("    1 mapping to this machine, 0 to others\n"), "{text}");
    let (_, text) = run(&home, At::Inside, &["--json"]);
    let all = objects(&text);
    let entry = all.iter().find(|object| object["event"] == "mapping").expect("there is one");
    assert_eq!((&entry["outer"], &entry["inner"], &entry["transport"]), (&7901.into(), &7900.into(), &"TCP".into()));
}

#[test]
fn without_a_router_or_a_free_port_it_says_so() {
    let Some((home, scratch)) = stage() else { return };
    let (code, text) = run(&home, At::Outside, &[]);
    assert!(code == 69 && text.contains("IPv4: no router leads out of this network with IPv4\n"), "{text}");
    let _tracker = home.start_tracker(scratch.path());
    let (code, text) = run(&home, At::Outside, &["--port", "6969"]);
    assert!(code == 69 && text.contains("can't use port 6969: Address already in use"), "{text}");
    let (code, text) = run(&home, At::Outside, &["now"]);
    assert!(code == 64 && text.contains("takes no arguments"), "{text}");
}
