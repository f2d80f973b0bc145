//! One text that a program posted, and the text that answers it.
//!
//! Floor 4. Pure. The text has one request, or in JSON-RPC a list of them. The daemon takes [one call](Conversation::next_call)
//! after the other and [answers](Conversation::answer) it, at once or later.
//!
//! ```text
//! old        {"method": "torrent-get", "arguments": {...}, "tag": 7}
//!         -> {"arguments": {...}, "result": "success", "tag": 7}
//! JSON-RPC   {"jsonrpc": "2.0", "method": "torrent_get", "params": {...}, "id": 7}
//!         -> {"jsonrpc": "2.0", "result": {...}, "id": 7}
//! ```

use super::call::{self, Call};
use super::pairs::{Dialect, push_number};
use super::{Failure, Kind};
use crate::base::json::push_string;
use crate::base::json::read::{Value, read, repaired};
use std::collections::VecDeque;

/// Most requests of a list. Each may ask for everything that we know.
const MOST_REQUESTS: usize = 100;
/// When the answer has this many bytes, no more is written. (Tests wait less.)
pub const MOST_ANSWER: usize = if cfg!(test) { 4 << 20 } else { 64 << 20 };

/// Requests, and the answers so far.
pub struct Conversation {
    requests: VecDeque<Request>,
    /// The request that is being carried out.
    now: Option<(Dialect, Option<String>)>,
    is_list: bool,
    out: String,
}

/// A request, and what its answer begins or ends with.
struct Request {
    call: Result<Call, Failure>,
    dialect: Dialect,
    /// The `tag`, or the `id`, as JSON. A JSON-RPC request without one wants no answer.
    tag: Option<String>,
}

impl Conversation {
    /// Takes a text apart.
    pub fn new(body: &[u8]) -> Conversation {
        let text = repaired(body);
        let (requests, is_list) = match read(&text) {
            Ok(Value::List(list)) if (1..=MOST_REQUESTS).contains(&list.len()) => {
                (list.iter().map(|value| request(value, true)).collect(), true)
            }
            Ok(Value::List(list)) => {
                let words = format!("a list has 1 to {MOST_REQUESTS} requests, this one has {}", list.len());
                (VecDeque::from([refused(Failure::new(Kind::Request, words))]), false)
            }
            Ok(value) => (VecDeque::from([request(&value, false)]), false),
            // Older programs look for `result`, others for `error`.
            Err(_) if !text.contains("jsonrpc") => (VecDeque::from([old(Failure::params("no method name"))]), false),
            Err(wrong) => (VecDeque::from([refused(Failure::new(Kind::Parse, wrong))]), false),
        };
        Conversation { requests, now: None, is_list, out: String::new() }
    }

    /// The next call, which has to be [answered](Conversation::answer). What is no call is answered here.
    pub fn next_call(&mut self) -> Option<Call> {
        while let Some(request) = self.requests.pop_front() {
            self.now = Some((request.dialect, request.tag));
            let is_full = self.out.len() > MOST_ANSWER;
            match request.call {
                Ok(_) if is_full => self.answer(|_, _| Err(too_long())),
                Ok(call) => return Some(call),
                Err(failure) => self.answer(|_, _| Err(failure)),
            }
        }
        None
    }

    /// Answers the last call. `write` appends the pairs of the result, without braces.
    pub fn answer(&mut self, write: impl FnOnce(&mut String, Dialect) -> Result<(), Failure>) {
        let Some((dialect, tag)) = self.now.take() else { return };
        let out = &mut self.out;
        let begin = out.len();
        if self.is_list {
            out.push_str(if begin == 0 { "[" } else { "," });
        }
        let (head, object) = match dialect {
            Dialect::Old => ("{", "\"arguments\":{"),
            Dialect::JsonRpc => ("{\"jsonrpc\":\"2.0\",", "\"result\":{"),
        };
        out.push_str(head);
        let inside = out.len();
        out.push_str(object);
        let result = write(out, dialect);
        out.push('}');
        if let Err(failure) = &result {
            out.truncate(inside);
            push_failure(out, dialect, failure);
        }
        match (dialect, tag) {
            (Dialect::Old, tag) => {
                if result.is_ok() {
                    out.push_str(",\"result\":\"success\"");
                }
                if let Some(tag) = tag {
                    out.push_str(",\"tag\":");
                    out.push_str(&tag);
                }
                out.push('}');
            }
            (Dialect::JsonRpc, Some(id)) => {
                out.push_str(",\"id\":");
                out.push_str(&id);
                out.push('}');
            }
            // Nobody waits for the answer.
            (Dialect::JsonRpc, None) => out.truncate(begin),
        }
    }

    /// The answer to all of it. `None`: no request wants one.
    pub fn finish(mut self) -> Option<String> {
        if self.is_list && !self.out.is_empty() {
            self.out.push(']');
        }
        Some(self.out).filter(|out| !out.is_empty())
    }
}

/// Why no more is written.
pub fn too_long() -> Failure {
    Failure::new(Kind::Internal, "the answer is too long; ask for fewer torrents or fields")
}

/// Writes a failure instead of a result.
fn push_failure(out: &mut String, dialect: Dialect, failure: &Failure) {
    if dialect == Dialect::Old {
        out.push_str("\"arguments\":{},\"result\":");
        return push_string(out, &failure.text);
    }
    out.push_str("\"error\":{\"code\":");
    push_number(out, failure.kind as i64);
    out.push_str(",\"message\":");
    push_string(out, failure.kind.message());
    if failure.text != failure.kind.message() {
        out.push_str(",\"data\":{\"error_string\":");
        push_string(out, &failure.text);
        out.push('}');
    }
    out.push('}');
}

/// A request that can't be understood, in JSON-RPC.
fn refused(failure: Failure) -> Request {
    Request { call: Err(failure), dialect: Dialect::JsonRpc, tag: Some("null".into()) }
}

/// A request that can't be understood, in the old dialect.
fn old(failure: Failure) -> Request {
    Request { call: Err(failure), dialect: Dialect::Old, tag: None }
}

fn request(value: &Value, is_listed: bool) -> Request {
    let Value::Object(_) = value else {
        let words = if is_listed { "request must be an Object" } else { "request must be an Array or Object" };
        return refused(Failure::new(Kind::Request, words));
    };
    let method = value.get("method").and_then(Value::text);
    match value.get("jsonrpc") {
        None if !is_listed => {
            let call = method.ok_or_else(|| Failure::params("no method name"));
            let call = call.and_then(|method| call::read(method, value.get("arguments")));
            Request { call, dialect: Dialect::Old, tag: value.get("tag").and_then(tag) }
        }
        Some(Value::Text(version)) if version == "2.0" => {
            let (given, id) = (value.get("id"), value.get("id").and_then(tag));
            if given.is_some() && id.is_none() {
                return refused(Failure::new(Kind::Request, "id type must be String, Number, or Null"));
            }
            let call = method.ok_or_else(|| Failure::new(Kind::Request, "no method name"));
            let call = match value.get("params") {
                Some(Value::List(_)) => Err(Failure::params("params must be an Object")),
                params => call.and_then(|method| call::read(method, params)),
            };
            Request { call, dialect: Dialect::JsonRpc, tag: id }
        }
        _ => refused(Failure::new(Kind::Request, "JSON-RPC version is not 2.0")),
    }
}

/// A `tag` or `id` as JSON, if it is something that may be one.
fn tag(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".into()),
        Value::Whole(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Text(text) => {
            let mut out = String::new();
            push_string(&mut out, text);
            Some(out)
        }
        Value::Flag(_) | Value::List(_) | Value::Object(_) => None,
    }
}
