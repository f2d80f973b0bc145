//! The daemon that is controlled: where it is, and how it is asked.
//!
//! Floor 4. Transmission's RPC in its old dialect, which every daemon knows
//! (<https://github.com/transmission/transmission/blob/main/docs/rpc-spec.md>). Nothing that the daemon says is
//! trusted: its answer has a limit, and its words are shortened and made safe before they are shown.

use super::fields;
use crate::base::json::read::{Value, read, repaired};
use crate::base::json::{self, Object};
use crate::base::path::for_terminal;
use crate::base::url;
use crate::base::width::shorten_end;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::Parsed;
use crate::cli::options::typed::{self, WRONG_PORT};
use crate::sys::http::{Answer, HttpError, post};
use std::env;
use std::time::Duration;

/// Where transmission listens, and the path of its RPC.
const USUAL_URL: &str = "http://127.0.0.1:9091";
const USUAL_PATH: &str = "/transmission/rpc";
/// The header that shows that we are not a page in somebody's browser. The daemon gives its value.
const SESSION: &str = "x-transmission-session-id";
/// Most bytes of that value. (transmission: 48.)
const MOST_SESSION: usize = 256;
/// How often a value is asked for in a call. A daemon changes it once an hour.
const MOST_SESSIONS: usize = 2;
/// Most bytes of an answer. A torrent in a list has some 600 bytes, a file in the details 150.
const MOST_ANSWER: u64 = 32 << 20;
/// How long a daemon may take. While a torrent is added by URL, it fetches the URL first.
const DEADLINE: Duration = Duration::from_secs(60);
/// Most columns of what a daemon says.
const MOST_WORDS: usize = 200;

/// A daemon.
pub struct Daemon {
    /// Its URL, with user and password.
    url: String,
    session: String,
    /// It refused the user and the password.
    pub refused_user: bool,
    /// Its last answer had more bytes than [`MOST_ANSWER`].
    pub sent_too_much: bool,
}

/// A daemon's answer, which was not read yet.
pub struct Reply {
    body: String,
    /// The daemon as messages name it.
    server: String,
}

impl Daemon {
    /// The daemon that is `named` by `option`, or else by the environment.
    pub fn new(named: Option<String>, option: &'static str, given: &Parsed) -> Result<Daemon, Failure> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let (named, option) = match named {
            Some(url) => (url, option),
            None => (variable("SWARMLET_REMOTE").unwrap_or(USUAL_URL.into()), "SWARMLET_REMOTE"),
        };
        let user = given.text("user")?.map(|user| (user, "--user"));
        let user = user.or_else(|| variable("TR_AUTH").filter(|_| !has_user(&named)).map(|user| (user, "TR_AUTH")));
        let url =
            whole_url(&named).map_err(|why| Failure::usage(format!("{option} {}: {why}", typed::shown(&named))))?;
        let url = match user {
            // The value is not repeated, because it may be a password.
            Some((user, option)) => {
                with_user(&url, &user).ok_or_else(|| Failure::usage(format!("{option}: expected USER:PASSWORD")))?
            }
            None => url,
        };
        Ok(Daemon { url, session: String::new(), refused_user: false, sent_too_much: false })
    }

    /// The session id, which changes when the daemon starts again.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The daemon as messages name it.
    pub fn shown(&self) -> String {
        for_terminal(&url::redact(&self.url))
    }

    /// Calls a method.
    pub fn call(&mut self, method: &str, arguments: Object) -> Result<Reply, Failure> {
        let mut call = Object::plain();
        call.text("method", method);
        call.raw("arguments", arguments.end().trim_end());
        let call = call.end();
        for _ in 0..=MOST_SESSIONS {
            let ticket = (SESSION, self.session.as_str());
            let result = post::json(&self.url, ticket, &call, MOST_ANSWER, DEADLINE);
            self.sent_too_much = matches!(result, Err(HttpError::TooLarge(_)));
            let (answer, session) = result.map_err(|error| self.failure(&for_terminal(&error.to_string())))?;
            self.refused_user = answer.status == 401;
            if answer.status != 409 {
                return self.reply(answer);
            }
            // A web server of another kind may have a conflict of its own.
            let session = session.filter(|session| !session.is_empty() && session.len() <= MOST_SESSION);
            self.session = session.ok_or_else(|| self.failure(NO_DAEMON))?;
        }
        Err(self.failure("the daemon does not accept the session id that it gave"))
    }

    fn reply(&self, answer: Answer) -> Result<Reply, Failure> {
        let has_user = has_user(&self.url);
        // Our own daemon says exactly what is wrong. That of transmission sends a page.
        let said = words(&String::from_utf8_lossy(&answer.body), "");
        let has_said = !said.is_empty() && !said.contains('<');
        Err(self.failure(match answer.status {
            200 => return Ok(Reply { body: repaired(&answer.body).into_owned(), server: self.shown() }),
            401 if has_user => "user or password are wrong",
            401 => "the daemon wants a user and a password (--user)",
            403 if has_said => return Err(self.failure(&format!("the daemon refuses: {said}"))),
            403 => "the daemon does not let this machine in (rpc-whitelist), or there were too many wrong passwords",
            421 => "the daemon does not know itself by this name (rpc-host-whitelist)",
            413 => "the torrent is too large for the daemon",
            status => {
                let text = format!("{NO_DAEMON} (HTTP status {status})");
                return Err(self.failure(&text));
            }
        }))
    }

    fn failure(&self, why: &str) -> Failure {
        Failure::new(Exit::Unavailable, format!("{}: {why}", self.shown()))
    }

    /// The daemon says no.
    pub fn refusal(&self, why: &str) -> Failure {
        Failure::new(Exit::Incomplete, format!("{}: {why}", self.shown()))
    }
}

impl Reply {
    /// Reads the answer. `secret`: a URL that the daemon may repeat in its words, but that must not be shown.
    pub fn arguments(&self, secret: &str) -> Result<Value<'_>, Failure> {
        let failure = |exit, why: &str| Failure::new(exit, format!("{}: {why}", self.server));
        let answer = read(&self.body).map_err(|why| failure(Exit::Unavailable, &format!("{NO_DAEMON}: {why}")))?;
        match answer.get("result").and_then(Value::text) {
            Some("success") => Ok(take(answer, "arguments").unwrap_or(Value::Null)),
            Some(why) => Err(failure(Exit::Incomplete, &format!("the daemon refuses: {}", words(why, secret)))),
            None => Err(failure(Exit::Unavailable, &format!("{NO_DAEMON}, its answer has no result"))),
        }
    }

    /// Reads an answer with torrents.
    pub fn torrents(&self) -> Result<Vec<Value<'_>>, Failure> {
        self.changes().map(|(torrents, _)| torrents)
    }

    /// Reads an answer with torrents, and with the numbers of those that were removed in the last minute.
    pub fn changes(&self) -> Result<(Vec<Value<'_>>, Vec<u64>), Failure> {
        let arguments = self.arguments("")?;
        let removed = fields::list(&arguments, "removed").iter().filter_map(fields::as_whole);
        let removed = removed.filter_map(|id| id.try_into().ok()).collect();
        match take(arguments, "torrents") {
            Some(Value::List(torrents)) => Ok((torrents, removed)),
            _ => Err(Failure::new(Exit::Unavailable, format!("{}: the answer has no list of torrents", self.server))),
        }
    }
}

/// What an object has under `key`. The rest of it is dropped.
fn take<'a>(object: Value<'a>, key: &str) -> Option<Value<'a>> {
    let Value::Object(pairs) = object else { return None };
    pairs.into_iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
}

/// What is said of an answer that is none.
pub const NO_DAEMON: &str = "this is not a daemon that speaks transmission's RPC";

/// What a daemon says, short, safe for a terminal, and without the secrets of `url` and of all other URLs.
pub fn words(text: &str, url: &str) -> String {
    let short: String = text.chars().take(MOST_WORDS * 4).collect();
    shorten_end(&for_terminal(&url::hide_secrets(&short, url)), MOST_WORDS, "...")
}

/// The arguments of `torrent-get`.
pub fn query(fields: &[&str], ids: Option<&str>) -> Object {
    let mut arguments = Object::plain();
    arguments.raw("fields", &json::array(&mut fields.iter().map(|field| json::string(field))));
    if let Some(ids) = ids {
        arguments.raw("ids", ids);
    }
    arguments
}

/// The URL that a person means by `http://HOST:PORT/PATH` or `HOST:PORT`.
fn whole_url(named: &str) -> Result<String, &'static str> {
    let url = if named.contains("://") { named.to_string() } else { format!("http://{named}") };
    let scheme = url::scheme(&url).unwrap_or_default().to_ascii_lowercase();
    if !["http", "https"].contains(&scheme.as_str()) || url::host(&url).is_none() {
        return Err("expected http://HOST:PORT or HOST:PORT");
    }
    if url::has_wrong_port(&url) {
        return Err(WRONG_PORT);
    }
    match url::path_and_query(&url) {
        "" | "/" => Ok(format!("{}{USUAL_PATH}", url.split('#').next().unwrap_or(&url).trim_end_matches('/'))),
        _ => Ok(url),
    }
}

/// Whether a URL has a user.
fn has_user(url: &str) -> bool {
    url::take_user(url).1.is_some()
}

/// `url` with this `USER:PASSWORD`, in place of the user that it may have.
fn with_user(url: &str, user: &str) -> Option<String> {
    let (name, password) = user.split_once(':').filter(|(name, _)| !name.is_empty())?;
    let encoded = |text: &str| url::percent_encode(text.as_bytes());
    let (rest, _) = url::take_user(url);
    let (scheme, rest) = rest.split_once("://")?;
    Some(format!("{scheme}://{}:{}@{rest}", encoded(name), encoded(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_enough_to_find_the_daemon() {
        for (named, expected) in [
            ("nas", "http://nas/transmission/rpc"),
            ("nas:9091", "http://nas:9091/transmission/rpc"),
            ("http://nas:9091/", "http://nas:9091/transmission/rpc"),
            ("HTTPS://[::1]:9091", "HTTPS://[::1]:9091/transmission/rpc"),
            ("http://me:pa@nas#x", "http://me:pa@nas/transmission/rpc"),
            ("https://nas/other/rpc", "https://nas/other/rpc"),
        ] {
            assert_eq!(whole_url(named).as_deref(), Ok(expected), "{named}");
        }
        for wrong in ["ftp://nas", "http://", "", "nas:99999", "udp://nas:1"] {
            assert!(whole_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_may_have_any_character() {
        let url = with_user("http://old@nas/transmission/rpc", "me:a:b@c/d é").unwrap();
        assert_eq!(url, "http://me:a%3Ab%40c%2Fd%20%C3%A9@nas/transmission/rpc");
        assert_eq!(url::take_user(&url).1.unwrap(), "me:a:b@c/d é".as_bytes());
        assert_eq!(url::redact(&url), "http://nas/…");
        assert_eq!([with_user("http://nas", "me"), with_user("http://nas", ":x")], [None, None]);
    }

    #[test]
    fn words_of_a_daemon_are_short_and_safe() {
        assert_eq!(words("a\x1b\n", ""), "a\\x1b\\x0a");
        assert_eq!(words("no http://t.example/KEY/a here", ""), "no http://t.example/… here");
        assert!(words(&"\u{202e}".repeat(1 << 20), "").len() <= MOST_WORDS);
    }

    fn reply(body: &str) -> Result<usize, (Exit, String)> {
        let reply = Reply { body: body.into(), server: "http://nas".into() };
        reply.torrents().map(|torrents| torrents.len()).map_err(|failure| (failure.exit, failure.text))
    }

    #[test]
    fn an_answer_that_is_none_is_told_from_a_refusal() {
        assert_eq!(reply(r#"{"result":"success","arguments":{"torrents":[{},1]}}"#), Ok(2));
        let refusal = "http://nas: the daemon refuses: no\\x0d method";
        assert_eq!(reply("{\"result\":\"no\\r method\"}"), Err((Exit::Incomplete, refusal.into())));
        let deep = "[".repeat(100_000);
        for wrong in ["", "<html>", "{}", "[]", &deep, r#"{"result":"success"}"#, r#"{"result":1,"arguments":{}}"#] {
            assert_eq!(reply(wrong).unwrap_err().0, Exit::Unavailable, "{wrong}");
        }
    }
}
