//! `swarmlet portmap`: shows which router there is, and whether it lets peers in.
//!
//! Floor 4.

use crate::base::json::Object;
use crate::base::path::for_terminal;
use crate::base::units::{count, duration};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::HELP;
use crate::cli::say;
use crate::cli::show::router;
use crate::engine::Router;
use crate::engine::input::Input;
use crate::engine::portmap::PortMapping;
use crate::engine::portmap::probe::{self, Said};
use crate::engine::portmap::route::{self, Route};
use crate::proto::portmap::soap::Entry;
use crate::swarm::meeting::portmap::{Protocol, Standing};
use crate::sys::in_words;
use crate::sys::outlet::listen;
use std::time::Duration;

/// `portmap`, described.
pub const COMMAND: Command = Command {
    name: "portmap",
    summary: "show whether the router lets peers in",
    usage: "[--port PORT]",
    completes: Completes::Nothing,
    about: &[
        "Show which router leads out of this network, what it answers in each of the three protocols in which ports are \
         mapped (PCP, NAT-PMP, UPnP), which address it has outside, and which of its ports lead to this machine.",
        "With `--port`, ask the router to map that port, as `get`, `seed` and `many` do, show what it answers, and \
         remove the mapping. No program may use the port meanwhile.",
        "Only UPnP has a list of the mappings. The router's address comes from the table of routes. A router with a \
         public address is not asked.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[
            Flag::with("port", "PORT", "Map this port, TCP and UDP, and remove the mapping again").short("p"),
            Flag::switch("json", "Write one JSON object per line to standard output"),
            HELP,
        ],
    }],
    exits: &[
        (Exit::Success, "the router answers in one of the protocols; with --port: it has mapped the port"),
        (Exit::Incomplete, "it answers in none of them; with --port: it has not mapped the port"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::Unavailable, "there is no router to ask, or the port is in use"),
    ],
    exit_note: "",
    sections: &[Section {
        title: "JSON (--json)",
        parts: &[Part::Terms(&[
            (
                "router",
                "for IPv4 and IPv6: family, router and ours (addresses; null: unknown), why (no router is asked)",
            ),
            (
                "protocol",
                "what the router answers: family, name, answers (true or false), outer_ip (null: it does not say), \
                 device (its name, UPnP only), why (it does not answer, or its answer is of no use)",
            ),
            (
                "mapping",
                "a mapping in its list that leads to this machine: transport, outer and inner (ports), description, \
                 lease (seconds; 0: until it is removed)",
            ),
            ("tried", "with --port: the fields of port_mapping in the status objects of get"),
        ])],
    }],
    examples: &["swarmlet portmap", "swarmlet portmap --port 6881", "swarmlet portmap --json"],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    if !given.arguments().is_empty() {
        return Err(Failure::usage("`swarmlet portmap` takes no arguments"));
    }
    let is_json = given.has("json");
    let port = given.number("port", 1..=u64::from(u16::MAX), "the number of a port")?.map(|port| port as u16);
    // The port is ours while it is mapped: a mapping of another program must not be removed.
    let in_use =
        |error| Failure::new(Exit::Unavailable, format!("can't use port {}: {}", port.unwrap_or(0), in_words(&error)));
    let _held = port.map(|port| listen::tcp_and_udp(None, port)).transpose().map_err(in_use)?;
    let routes = [route::find(false), route::find(true)];
    let mut answers = false;
    for (route, protocols) in
        routes.iter().zip([&[Protocol::Pcp, Protocol::NatPmp, Protocol::Upnp][..], &[Protocol::Pcp]])
    {
        let is_v6 = protocols.len() == 1;
        say::write_out(shown_route(route, is_v6, is_json))?;
        let Ok(route) = route else { continue };
        for protocol in protocols {
            let said = probe::ask(*protocol, route);
            answers |= said.problem.is_none();
            say::write_out(shown(&said, route, is_v6, is_json))?;
        }
    }
    if let [Err(_), Err(_)] = routes {
        return Ok(Exit::Unavailable);
    }
    let is_good = match port {
        Some(port) => try_port(port, is_json)?,
        None => answers,
    };
    Ok(if is_good { Exit::Success } else { Exit::Incomplete })
}

fn family(is_v6: bool) -> &'static str {
    if is_v6 { "IPv6" } else { "IPv4" }
}

/// The router, or why none is asked.
fn shown_route(route: &Result<Route, String>, is_v6: bool, is_json: bool) -> String {
    if is_json {
        let mut object = Object::new("router");
        object.text("family", family(is_v6));
        object.text_or_null("router", route.as_ref().ok().map(|route| route.router.ip().to_string()).as_deref());
        object.text_or_null("ours", route.as_ref().ok().map(|route| route.ours.to_string()).as_deref());
        object.text_or_null("why", route.as_ref().err().map(String::as_str));
        return object.end();
    }
    let words = match route {
        Ok(route) => format!("the router is {}, this machine is {}", route.router.ip(), route.ours),
        Err(why) => why.clone(),
    };
    format!("{}: {words}\n", family(is_v6))
}

/// What the router answers in one protocol, and which of its mappings lead here.
fn shown(said: &Said, route: &Route, is_v6: bool, is_json: bool) -> String {
    let (here, others): (Vec<&Entry>, Vec<&Entry>) =
        said.entries.iter().partition(|entry| entry.client.0 == route.ours);
    if is_json {
        let mut object = Object::new("protocol");
        object.text("family", family(is_v6));
        object.text("name", said.protocol.name());
        object.flag("answers", said.problem.is_none());
        object.text_or_null("outer_ip", said.ip.map(|ip| ip.to_string()).as_deref());
        object.text_or_null("device", Some(said.device.as_str()).filter(|device| !device.is_empty()));
        object.text_or_null("why", said.problem.as_deref());
        return object.end() + &here.into_iter().map(mapping_object).collect::<String>();
    }
    let answer = match &said.problem {
        Some(why) => for_terminal(why),
        None => {
            let device =
                if said.device.is_empty() { String::new() } else { format!(" as {}", for_terminal(&said.device)) };
            let ip = said.ip.map_or(String::new(), |ip| format!(", outer address {ip}"));
            format!("answers{device}{ip}")
        }
    };
    let mut text = format!("  {}: {answer}\n", said.protocol.name());
    for entry in &here {
        let ends = match entry.lease {
            0 => "until it is removed".into(),
            lease => format!("for {}", duration(Duration::from_secs(lease.into()))),
        };
        let (transport, outer, inner) = (entry.transport.name(), entry.outer, entry.client.1);
        text += &format!(
            "    {transport} {outer} leads to port {inner} here, {ends} ({})\n",
            for_terminal(&entry.description)
        );
    }
    if said.protocol == Protocol::Upnp && said.problem.is_none() {
        text += &format!("    {} to this machine, {} to others\n", count(here.len(), "mapping"), others.len());
    }
    text
}

fn mapping_object(entry: &Entry) -> String {
    let mut object = Object::new("mapping");
    object.text("transport", entry.transport.name());
    object.number("outer", entry.outer.into());
    object.number("inner", entry.client.1.into());
    object.text("description", &entry.description);
    object.number("lease", entry.lease.into());
    object.end()
}

/// Maps a port as a run does, and removes the mapping. Returns whether that worked.
fn try_port(port: u16, is_json: bool) -> Result<bool, Failure> {
    let (sender, inbox) = crossbeam_channel::unbounded();
    let cant = |error| Failure::new(Exit::Io, format!("can't ask the router: {}", in_words(&error)));
    let mut mapping = PortMapping::start(true, port, &sender).map_err(cant)?;
    // The thread has a clone of it, so receiving ends only with the thread.
    drop(sender);
    let mut last = Router::default();
    while let Ok(Input::Router(router)) = inbox.recv() {
        last = *router;
        if last.v4 != Standing::Asking && last.v6 != Standing::Asking {
            break;
        }
    }
    mapping.wait();
    let is_open = last.v4.open().is_some() || last.v6.open().is_some();
    if is_json {
        let object = Object::new("tried").so_far();
        // The fields of the other object follow.
        say::write_out(format!("{object},{}\n", &router::json(&last)[1..]))?;
    } else {
        let tried = |standing: &Standing| match standing {
            Standing::Open(_) => format!("{standing}; removed again"),
            other => other.to_string(),
        };
        say::write_out(format!("port {port} with IPv4: {}\n", for_terminal(&tried(&last.v4))))?;
        say::write_out(format!("port {port} with IPv6: {}\n", for_terminal(&tried(&last.v6))))?;
    }
    Ok(is_open)
}
