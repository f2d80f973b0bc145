//! HTTP POST of JSON to a server that a person names, as programs with a remote control take their calls.
//!
//! Floor 3. Redirects are not followed, because the body is for the server that was named.

use super::names::Names;
use super::{Answer, Family, HttpError, agent, check_scheme, identified, plain, proxy, proxy_for};
use crate::base::url;
use std::io::Read;
use std::time::Duration;

/// Posts `body` to `address` within `deadline`. The server gets the user and the password of the URL.
///
/// `ticket` is a header: its name, in lower case, and its value, which is left out if it is empty. The header of the
/// same name in the answer is returned too. Every status is an answer; a body of more than `limit` bytes is an error.
pub fn json(
    address: &str,
    ticket: (&str, &str),
    body: &str,
    limit: u64,
    deadline: Duration,
) -> Result<(Answer, Option<String>), HttpError> {
    let address = url::sanitize(address);
    check_scheme(&address)?;
    let proxy = proxy_for(&address)?;
    let by = proxy.as_ref().map_or(String::new(), proxy::blamed);
    let unreachable = |error: &ureq::Error| HttpError::Unreachable(by.clone() + &plain(error));
    let (named, headers) = identified(&address, proxy.as_ref());
    let mut request = agent(deadline, Family::Any, proxy, Names).post(&named).content_type("application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if !ticket.1.is_empty() {
        request = request.header(ticket.0, ticket.1);
    }
    let mut response = request.send(body).map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let back = response.headers().get(ticket.0).and_then(|value| value.to_str().ok()).map(str::to_string);
    let mut body = Vec::new();
    let mut reader = response.body_mut().as_reader().take(limit + 1);
    reader.read_to_end(&mut body).map_err(|error| unreachable(&error.into()))?;
    if body.len() as u64 > limit {
        return Err(HttpError::TooLarge(limit));
    }
    Ok((Answer { status, body, url: address }, back))
}
