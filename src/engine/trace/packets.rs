//! Lines about everything but connections to peers: trackers, the DHT, the local network, web seeds.
//!
//! Floor 3, part of [`trace`](super). A URL is shown without its path, because a passkey can be anywhere there. The
//! words of a tracker are shown when its secrets are out of them.

use super::words;
use crate::base::url::redact;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Body, NodeId, Packet, Query};
use crate::proto::lsd;
use crate::proto::peer::webseed::Asked;
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceRequest};
use crate::proto::tracker::udp;
use crate::swarm::dht::{Hint, Progress, Step};
use crate::swarm::meeting::announcer::Outcome;
use crate::sys::http::stream::{Streamed, Target};
use crate::sys::trace::{self, Line, Subject, Way};
use core::net::SocketAddr;

/// A request to a tracker over HTTP.
pub fn http_announce(url: &str, request: &AnnounceRequest) {
    if trace::is_on(Subject::Tracker) {
        announces(trace::line(Subject::Tracker, Way::Out, &redact(url), "announce"), request).write();
    }
}

/// A question for the counts of a swarm over HTTP.
pub fn http_scrape(url: &str, torrent: &InfoHash) {
    if trace::is_on(Subject::Tracker) {
        trace::line(Subject::Tracker, Way::Out, &redact(url), "scrape").word("torrent", torrent).write();
    }
}

/// An answer over HTTP, of whatever kind.
pub fn http_answer(url: &str, status: u16, bytes: usize) {
    if trace::is_on(Subject::Tracker) {
        let line = trace::line(Subject::Tracker, Way::In, &redact(url), "answer");
        line.number("status", status.into()).number("bytes", bytes as u64).write();
    }
}

/// The result of an announce or a scrape. The texts in it contain no secrets.
pub fn tracker_outcome(url: &str, outcome: &Outcome) {
    if !trace::is_on(Subject::Tracker) {
        return;
    }
    let line = |what| trace::line(Subject::Tracker, Way::Here, &redact(url), what);
    match outcome {
        Ok(reply) => {
            let line = line("answered").number("peers", (reply.peers.len() + reply.host_peers.len()) as u64);
            let line = line.number_if("interval", reply.interval).number_if("seeds", reply.seeds.map(u64::from));
            let line = line.number_if("leechers", reply.leechers.map(u64::from));
            line.text_if("warning", reply.warning.as_deref()).write();
        }
        Err(failure) => line("failed").flag("refused", failure.refused).text("why", &failure.reason).write(),
    }
}

/// A packet to a tracker.
pub fn udp_request(to: SocketAddr, request: &udp::Request, bytes: usize) {
    if !trace::is_on(Subject::Tracker) {
        return;
    }
    let line = |what| trace::line(Subject::Tracker, Way::Out, &to, what).number("bytes", bytes as u64);
    match request {
        udp::Request::Connect => line("connect"),
        udp::Request::Announce { announce, .. } => announces(line("announce"), announce),
        udp::Request::Scrape { hashes, .. } => line("scrape").word("torrent", &list(hashes.iter())),
    }
    .write();
}

/// A packet of a tracker; `None` if it answers nothing of ours. (Its error is told by [`tracker_outcome`].)
pub fn udp_reply(from: SocketAddr, reply: Option<&udp::Reply>, bytes: usize) {
    if !trace::is_on(Subject::Tracker) {
        return;
    }
    let line = |what| trace::line(Subject::Tracker, Way::In, &from, what).number("bytes", bytes as u64);
    match reply {
        None => line("unknown"),
        Some(udp::Reply::Connect(_)) => line("connect"),
        Some(udp::Reply::Announce { interval, leechers, seeds, .. }) => {
            let line = line("announce").number("interval", (*interval).into());
            line.number("seeds", (*seeds).into()).number("leechers", (*leechers).into())
        }
        Some(udp::Reply::Scrape(_)) => line("scrape"),
        Some(udp::Reply::Error(_)) => line("error"),
    }
    .write();
}

fn announces(line: Line, request: &AnnounceRequest) -> Line {
    let line = line.word("torrent", &request.info_hash);
    let line = line.word("event", &request.event.map_or("none", AnnounceEvent::as_str));
    let line = line.number("port", request.port.into()).number("uploaded", request.uploaded);
    let line = line.number("downloaded", request.downloaded).number("left", request.left);
    line.number_if("numwant", request.numwant.map(u64::from))
}

/// A datagram of the DHT.
pub fn dht(way: Way, addr: SocketAddr, bytes: &[u8]) {
    if !trace::is_on(Subject::Dht) {
        return;
    }
    let line = |what| trace::line(Subject::Dht, way, &addr, what).number("bytes", bytes.len() as u64);
    match Packet::parse(bytes).map(|packet| packet.body) {
        Err(unread) => line("unknown").text("why", unread.reason),
        Ok(Body::Error { code, text }) => line("error").word("code", &code).text("text", &text),
        Ok(Body::Answer(answer)) => {
            let line = line("answer").word("id", &answer.id).number("nodes", answer.nodes.len() as u64);
            line.number("peers", answer.peers.len() as u64).flag("token", answer.token.is_some())
        }
        Ok(Body::Query { from, query, .. }) => {
            let begin = |what| line(what).word("id", &from);
            match query {
                Query::Ping => begin("ping"),
                Query::FindNode(target) => begin("find_node").word("target", &target),
                Query::GetPeers { info_hash, .. } => begin("get_peers").word("torrent", &info_hash),
                Query::Announce { info_hash, port, .. } => {
                    begin("announce_peer").word("torrent", &info_hash).number("port", port.into())
                }
                Query::Sample(target) => begin("sample_infohashes").word("target", &target),
            }
        }
    }
    .write();
}

/// A step of a lookup in the DHT.
pub fn dht_step(Progress { ticket, step }: &Progress) {
    if !trace::is_on(Subject::Dht) {
        return;
    }
    let line =
        |peer: &dyn std::fmt::Display, what| trace::line(Subject::Dht, Way::Here, peer, what).word("torrent", ticket);
    match step {
        Step::Asked(Hint { id: Some(id), addr }) => {
            let shared = id.shared_bits(NodeId(ticket.0));
            let line = line(addr, "asked").word("id", id).detail("bits", shared.into());
            line.why("nearest", &words::distance(shared))
        }
        Step::Asked(Hint { id: None, addr }) => line(addr, "asked").why("entrance", "a way into the DHT"),
        Step::Answered { from, nodes, peers, new, .. } => {
            let line = line(&from.addr, "answered").number("nodes", *nodes as u64);
            line.number("peers", *peers as u64).number("new", new.len() as u64)
        }
        Step::Silent(addr) => line(addr, "silent"),
        Step::Over(outcome) => {
            let line = line(&"-", "over").number("questions", outcome.questions.into());
            let line = line.number("answers", outcome.answers.into()).number("peers", outcome.peers as u64);
            line.number("announced", outcome.announced as u64)
        }
    }
    .write();
}

/// A packet in the local network.
pub fn lsd(way: Way, addr: SocketAddr, bytes: &[u8]) {
    if !trace::is_on(Subject::Lsd) {
        return;
    }
    let line = |what| trace::line(Subject::Lsd, way, &addr, what).number("bytes", bytes.len() as u64);
    match lsd::Search::parse(bytes) {
        Some(search) => {
            line("search").number("port", search.port.into()).word("torrent", &list(search.info_hashes.iter()))
        }
        None => line("unknown"),
    }
    .write();
}

/// A request to a web seed, for a part of file `file`.
pub fn web_request(target: &Target, file: usize, asked: &Asked) {
    if trace::is_on(Subject::Web) {
        let line = trace::line(Subject::Web, Way::Out, &target.shown(), "get");
        line.number("file", file as u64).word("range", &asked.range()).write();
    }
}

/// The head of an answer of a web seed.
pub fn web_answer(answer: &Streamed) {
    if trace::is_on(Subject::Web) {
        let line = trace::line(Subject::Web, Way::In, &answer.target.shown(), "answer");
        let line = line.number("status", answer.status.into()).text_if("range", answer.header("content-range"));
        line.text_if("length", answer.header("content-length")).write();
    }
}

/// A web seed could not be asked, or its answer is wrong.
pub fn web_failed(server: &str, why: &str) {
    if trace::is_on(Subject::Web) {
        trace::line(Subject::Web, Way::Here, &server, "failed").text("why", why).write();
    }
}

fn list<'a>(torrents: impl Iterator<Item = &'a InfoHash>) -> String {
    torrents.map(InfoHash::to_string).collect::<Vec<_>>().join(",")
}
