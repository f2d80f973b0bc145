//! `swarmlet dht run`: a node that does nothing else.
//!
//! Floor 4, part of [`dht`](super).

use crate::base::json;
use crate::base::json::Object;
use crate::base::time::Time;
use crate::base::units::count;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::request::UserRequest;
use crate::cli::run::{log, signals};
use crate::cli::say;
use crate::engine::config::Dht as Options;
use crate::engine::udp::Dht;
use crate::swarm::dht::Figures;
use crate::sys::in_words;
use ::log::LevelFilter;
use std::time::Instant;

/// It prints its figures this often, ...
const EVERY: Time = Time::from_secs(60);
/// ... and for the first time after this.
const FIRST: Time = Time::from_secs(3);

/// Runs it until a signal ends it. Its nodes are saved as those of other runs.
pub fn run(options: Options, port: u16, is_json: bool) -> Result<Exit, Failure> {
    log::begin_at(LevelFilter::Warn, false);
    let (requests, inbox) = crossbeam_channel::unbounded();
    signals::listen(&requests, false, false, false)?;
    // It finds no peers, because no torrent is added.
    let (finds, _) = crossbeam_channel::unbounded();
    let unavailable = |error| Failure::new(Exit::Unavailable, in_words(&error));
    let mut dht = Dht::prepare(Some(options), port, &finds).map_err(unavailable)?;
    let began = Instant::now();
    dht.start();
    let text = |figures: Figures| {
        if is_json { object(&figures, port) } else { line(&figures, port, began.elapsed() >= EVERY) }
    };
    let mut pause = FIRST;
    while inbox.recv_timeout(pause) != Ok(UserRequest::Interrupt) {
        let Some(figures) = dht.figures() else {
            return Err(Failure::new(Exit::Unavailable, format!("can't use UDP port {port}")));
        };
        say::write_out(text(figures))?;
        pause = EVERY;
    }
    dht.end();
    // Who reads this may have been ended by the same ^C, which is no failure.
    let _ = dht.figures().map(|figures| say::write_out(text(figures)));
    Ok(Exit::Success)
}

/// `is_late`: by now somebody should have answered.
fn line(figures: &Figures, port: u16, is_late: bool) -> String {
    let Figures { good, nodes, queries_in, answers_out, queries_out, answers_in, .. } = figures;
    let manner = if figures.answers { "" } else { "; read-only until strangers reach us" };
    let nobody = if is_late && *answers_in == 0 { "; no node answers yet" } else { "" };
    let came = if *queries_in == 1 { "query" } else { "queries" };
    let external = figures.external.map_or(String::new(), |ip| format!("; others see us at {ip}"));
    format!(
        "port {port}: {good} good of {}; {queries_in} {came} came, {answers_out} answered; {queries_out} sent, \
         {answers_in} answered; {} of {} stored{external}{manner}{nobody}\n",
        count(*nodes, "node"),
        count(figures.stored_peers, "peer"),
        count(figures.stored_torrents, "torrent")
    )
}

/// The same as JSON.
fn object(figures: &Figures, port: u16) -> String {
    let mut object = Object::new("node");
    object.number("port", port.into());
    for (name, number) in [
        ("good", figures.good as u64),
        ("nodes", figures.nodes as u64),
        ("queries_in", figures.queries_in),
        ("answers_out", figures.answers_out),
        ("queries_out", figures.queries_out),
        ("answers_in", figures.answers_in),
        ("torrents", figures.stored_torrents as u64),
        ("peers", figures.stored_peers as u64),
    ] {
        object.number(name, number);
    }
    object.flag("read_only", !figures.answers);
    let external = figures.external.map_or("null".into(), |ip| json::string(&ip.to_string()));
    object.raw("external", &external);
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_how_it_is_and_whether_it_is_alone() {
        let alone = Figures { queries_in: 1, queries_out: 9, answers: true, ..Figures::default() };
        let start = "port 7: 0 good of 0 nodes; 1 query came, 0 answered; 9 sent, 0 answered; 0 peers of 0 torrents";
        assert_eq!(line(&alone, 7, false), format!("{start} stored\n"));
        assert_eq!(line(&alone, 7, true), format!("{start} stored; no node answers yet\n"));
        let not_alone = Figures { answers_in: 1, queries_in: 2, good: 1, nodes: 1, ..alone };
        let start = "port 7: 1 good of 1 node; 2 queries came, 0 answered; 9 sent, 1 answered;";
        assert_eq!(line(&not_alone, 7, true), format!("{start} 0 peers of 0 torrents stored\n"));
    }
}
