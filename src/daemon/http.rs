//! The daemon's HTTP server: RPC, the web page, `/healthz` and `/metrics`.
//!
//! Floor 4. It decides whether somebody may ask, and passes the question to the daemon's loop ([`Ask`]). These are the
//! checks, with transmission's answers, because programs know them: the address (403), a proxy (403), too many wrong
//! passwords (403), the password (401), the name of the host (421), the session id (409). Only what passed all of them
//! may send a body. (The name is checked for every path but `/healthz`. transmission checks it for RPC alone, but has
//! no figures.)
//!
//! A browser runs scripts of any web page, and they can reach 127.0.0.1. A script of another page can't read the
//! session id, so it can't ask anything (CSRF). A page whose name suddenly means 127.0.0.1 (DNS rebinding) has the
//! wrong host name. With a password a script of another page may ask, because it must know the password.

pub mod access;
pub mod files;
pub mod login;
pub mod page;
#[cfg(test)]
mod tests;

use super::rpc::Conversation;
use super::rpc::conversation::MOST_ANSWER;
use super::rpc::session::JSON_RPC_VERSION;
use super::settings::Settings;
use crate::base::hex::to_hex;
use crate::base::sha1::sha1;
use crate::sys::beneath::Folder;
use crate::sys::{lock, lock_to_read, lock_to_write, memory, random};
use crate::web::answer::Answer;
use crate::web::bodies::Bodies;
use crate::web::promise::Promise;
use crate::web::request::{Request, Wrong};
use crate::web::service::{Reply, Service};
use access::Access;
use core::net::{IpAddr, SocketAddr};
use crossbeam_channel::Sender;
use login::{Failures, same};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

/// Longest body of a request: a .torrent file of a million files, in base64.
pub const MOST_BODY: u64 = 32 << 20;
/// Most connections.
pub const MOST_CONNECTIONS: usize = 128;
/// The part of the free memory that answers may take while they wait to be sent: they have twice as much together.
const ANSWERS_PART: u64 = 8;
/// An answer of at most this length, in bytes, is always sent.
const SHORT_ANSWER: usize = 64 << 10;
/// A session id lives this long (transmission).
const SESSION_TIME: Duration = Duration::from_secs(3600);
/// A wrong password is answered after this time.
const PAUSE: Duration = Duration::from_secs(1);
/// The name of the cookie with the pass.
const PASS: &str = "swarmlet-pass";
/// Longest list of headers that a script may ask for.
const MOST_ASKED_HEADERS: usize = 1000;

/// A question to the daemon's loop.
pub enum Ask {
    /// Calls of RPC. [`rpc_answer`] makes the answer.
    Rpc(Box<Conversation>, Promise),
    /// The figures for Prometheus.
    Metrics(Promise),
    /// Does the loop run?
    Health(Promise),
}

/// What the threads of the server share with the daemon's loop.
pub struct Door {
    access: RwLock<Access>,
    failures: Mutex<Failures>,
    session: Mutex<Session>,
    /// Everybody who can reach us may ask, also without a password.
    is_open: bool,
    web_home: Option<Folder>,
    asks: Sender<Ask>,
    /// What answers may take in memory until they are sent.
    pub answers: Bodies,
}

/// The ids by which programs show that they were let in.
struct Session {
    id: String,
    /// The id before this one. A program that still has it was let in, too.
    before: String,
    since: Instant,
}

impl Door {
    /// A door for these settings. If `is_open`, everybody who can reach it may ask. `web_home` holds another web page
    /// than the daemon's own, such as transmission's.
    pub fn new(
        settings: &Settings,
        is_open: bool,
        web_home: Option<Folder>,
        asks: Sender<Ask>,
    ) -> Result<Door, String> {
        Ok(Door {
            access: RwLock::new(Access::new(settings)?),
            failures: Mutex::default(),
            session: Mutex::new(Session { id: new_id(), before: new_id(), since: Instant::now() }),
            is_open,
            web_home,
            asks,
            answers: Bodies::new((MOST_ANSWER as u64).min(memory::free() / ANSWERS_PART)),
        })
    }

    /// The settings have changed. If the user or the password `is_other`, programs must show that they know it.
    pub fn change(&self, settings: &Settings, is_other: bool) -> Result<(), String> {
        *lock_to_write(&self.access) = Access::new(settings)?;
        if is_other {
            *lock(&self.session) = Session { id: new_id(), before: new_id(), since: Instant::now() };
        }
        Ok(())
    }

    /// The session id that requests need now.
    pub fn session_id(&self) -> String {
        let mut session = lock(&self.session);
        if session.since.elapsed() >= SESSION_TIME {
            let before = std::mem::replace(&mut session.id, new_id());
            (session.before, session.since) = (before, Instant::now());
        }
        session.id.clone()
    }

    /// Whether a program that sends this request was let in before: nobody else learns the session id.
    fn was_let_in(&self, request: &Request) -> bool {
        let (session, given) = (lock(&self.session), session_of(request));
        let ids = [&session.id, &session.before];
        let has_pass = |id: &String| given_pass(request).is_some_and(|pass| same(pass, pass_of(id).as_bytes()));
        ids.iter().any(|id| same(given, id.as_bytes()) | has_pass(id))
    }
}

fn new_id() -> String {
    to_hex(&random::bytes::<24>())
}

/// The pass of a browser that was let in: it has it in a cookie. It opens nothing, it only shows that the right
/// password came before. So it may go to other servers of this machine, as cookies do.
fn pass_of(session_id: &str) -> String {
    to_hex(&sha1(format!("let in {session_id}").as_bytes()))
}

fn given_pass<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    let mut cookies = request.header("cookie")?.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    cookies.find_map(|cookie| cookie.strip_prefix(PASS.as_bytes())?.strip_prefix(b"="))
}

/// The session id that a request gives.
fn session_of<'a>(request: &Request<'a>) -> &'a [u8] {
    request.header("x-transmission-session-id").unwrap_or_default()
}

/// The door as a service of the HTTP server.
pub fn service(door: &Arc<Door>) -> Arc<Service> {
    let door = Arc::clone(door);
    Arc::new(move |asked: Result<&Request, Wrong>, from: SocketAddr| match asked {
        Ok(request) => reply(&door, request, from.ip(), Instant::now()),
        Err(wrong) => Reply::Now(Answer::words(wrong.status, wrong.status)),
    })
}

/// The answer to the calls of a conversation, for which memory is taken.
pub fn rpc_answer(text: Option<String>, memory: &Bodies) -> Answer {
    const KIND: &str = "application/json; charset=UTF-8";
    let Some(text) = text else { return Answer::of("204 No Content", KIND, Vec::new()) };
    let taken = memory.take(text.len() as u64);
    if taken.is_none() && text.len() > SHORT_ANSWER {
        let words = "too many long answers are on their way; ask for fewer torrents or fields, or ask again";
        return Answer::words("503 Service Unavailable", words).with("Retry-After: 1\r\n");
    }
    Answer { taken, ..Answer::of("200 OK", KIND, text.into_bytes()) }
}

fn reply(door: &Door, request: &Request, from: IpAddr, now: Instant) -> Reply {
    let access = lock_to_read(&door.access);
    let path = request.target.split(['?', '#']).next().unwrap_or_default();
    if !access.allows_address(from) {
        return refused("403 Forbidden", "your address is not on the whitelist (rpc-whitelist in the configuration)");
    }
    if path == "/healthz" {
        return later(door, Ask::Health);
    }
    if access.login.is_none() && !door.is_open && request.forwarded.is_proxied() {
        // The whitelist sees only the proxy, so it would let in everybody who reaches that.
        return refused(
            "403 Forbidden",
            "your request came through a proxy, which needs a password here: set rpc-username, rpc-password and \
             rpc-authentication-required. If the proxy itself asks for a password, start the daemon with --rpc-open.",
        );
    }
    let cross_origin = cross_origin(&access, request);
    if request.method == "OPTIONS" {
        return Reply::Now(Answer::of("200 OK", "text/plain", Vec::new()).with(&cross_origin));
    }
    if let Some(login) = &access.login {
        let answer = Answer::words("401 Unauthorized", "a user and a password are needed")
            .with("WWW-Authenticate: Basic realm=\"Transmission\", charset=\"UTF-8\"\r\n")
            .with(&cross_origin);
        let Some(authorization) = request.header("authorization") else { return Reply::Now(answer) };
        // Another program at the same address may be guessing. It must not lock out those that were let in before.
        // The lock is held until a wrong password is counted, because a program guesses on many connections at once.
        let mut failures = lock(&door.failures);
        let may_try = |most| door.was_let_in(request) || failures.may_try(from, most, now);
        if !access.most_failures.is_none_or(may_try) {
            let words = "too many wrong passwords came from your address, so one a second is tried; ask again, or wait \
                         ten minutes";
            return Reply::Now(Answer::words("403 Forbidden", words).with("Retry-After: 1\r\n"));
        }
        if !login.accepts(authorization) {
            failures.add(from, now);
            log::warn!("a wrong user or password came from {from}");
            return Reply::Slow(answer, PAUSE);
        }
    }
    if !access.allows_host(request.host) {
        return refused(
            "421 Misdirected Request",
            "this is not one of the daemon's names: use its address, set a password, or add the name to \
             rpc-host-whitelist. (This prevents DNS rebinding.)",
        );
    }
    let reply = match path.strip_prefix(access.url.as_str()) {
        _ if path == "/metrics" => later(door, Ask::Metrics),
        Some("rpc" | "rpc/") => rpc(door, request),
        Some("" | "web") => moved(&access.url),
        Some(below) if below.starts_with("web/") => {
            let answer = match &door.web_home {
                Some(folder) => files::answer(folder, request, &below[4..]),
                None => page::answer(request, &below[4..]),
            };
            let pass = access.login.as_ref().map(|_| pass_of(&door.session_id()));
            let cookie = |pass| format!("Set-Cookie: {PASS}={pass}; Path=/; HttpOnly; SameSite=Strict\r\n");
            Reply::Now(answer.with(&pass.map(cookie).unwrap_or_default()))
        }
        Some(_) => refused("404 Not Found", "there is nothing here"),
        None => moved(&access.url),
    };
    match reply {
        Reply::Now(answer) => Reply::Now(answer.with(&cross_origin)),
        other => other,
    }
}

/// What scripts of other web pages may do: nothing without a password, because whatever can reach us would be allowed.
fn cross_origin(access: &Access, request: &Request) -> String {
    if access.login.is_none() {
        return String::new();
    }
    let mut headers = String::from(
        "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X-Transmission-Session-Id\r\n\
         Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n",
    );
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_, ".contains(byte);
    if let Some(asked) = request.header("access-control-request-headers")
        && asked.len() <= MOST_ASKED_HEADERS
        && asked.iter().all(of_name)
    {
        // These bytes are ASCII.
        headers.push_str(&format!("Access-Control-Allow-Headers: {}\r\n", String::from_utf8_lossy(asked)));
    }
    headers
}

fn rpc(door: &Door, request: &Request) -> Reply {
    let session_id = door.session_id();
    if !same(session_of(request), session_id.as_bytes()) {
        let words = format!(
            "Your request had an invalid session-id header. Send it again with this one.\n\
             X-Transmission-Session-Id: {session_id}"
        );
        let headers = format!(
            "X-Transmission-Session-Id: {session_id}\r\nX-Transmission-Rpc-Version: {JSON_RPC_VERSION}\r\n\
             Cache-Control: no-store\r\n"
        );
        return Reply::Now(Answer::words("409 Conflict", &words).with(&headers));
    }
    if request.method != "POST" {
        return Reply::Now(Answer::words("405 Method Not Allowed", "post a request").with("Allow: POST\r\n"));
    }
    match request.body {
        None if request.has_body() => Reply::Body,
        body => {
            let conversation = Box::new(Conversation::new(body.unwrap_or_default()));
            later(door, |promise| Ask::Rpc(conversation, promise))
        }
    }
}

/// Passes a question on. If the loop is gone, the promise is dropped with it, and the client is told.
fn later(door: &Door, ask: impl FnOnce(Promise) -> Ask + 'static) -> Reply {
    let asks = door.asks.clone();
    Reply::Later(Box::new(move |promise| {
        let _ = asks.send(ask(promise));
    }))
}

fn refused(status: &'static str, words: &str) -> Reply {
    Reply::Now(Answer::words(status, words))
}

/// Leads to the web page.
fn moved(url: &str) -> Reply {
    let location = format!("Location: {url}web/\r\n");
    Reply::Now(Answer::words("301 Moved Permanently", "the web page is below").with(&location))
}
