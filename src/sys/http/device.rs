//! Requests to a device in the local network: never through a proxy of the environment, and redirects are not followed.

use super::names::Names;
use super::{Answer, Family, HttpError, agent, check_scheme, plain};
use crate::base::url;
use std::io::Read;
use std::time::Duration;

/// Gets `address` within `deadline`. Every status is an answer; a body of more than `limit` bytes is an error.
pub fn get(address: &str, limit: u64, deadline: Duration) -> Result<Answer, HttpError> {
    let address = url::sanitize(address);
    check_scheme(&address)?;
    read(agent(deadline, Family::Any, None, Names).get(&address).call(), limit, address)
}

/// Sends a call of SOAP: `body` is XML, and `action` is the header of that name.
pub fn call(address: &str, action: &str, body: &str, limit: u64, deadline: Duration) -> Result<Answer, HttpError> {
    let address = url::sanitize(address);
    check_scheme(&address)?;
    let request = agent(deadline, Family::Any, None, Names).post(&address).header("SOAPAction", action);
    read(request.content_type("text/xml; charset=\"utf-8\"").send(body), limit, address)
}

fn read(
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    limit: u64,
    url: String,
) -> Result<Answer, HttpError> {
    let mut response = response.map_err(|error| HttpError::Unreachable(plain(&error)))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let mut reader = response.body_mut().as_reader().take(limit + 1);
    reader.read_to_end(&mut body).map_err(|error| HttpError::Unreachable(plain(&error.into())))?;
    if body.len() as u64 > limit {
        return Err(HttpError::TooLarge(limit));
    }
    Ok(Answer { status, body, url })
}
