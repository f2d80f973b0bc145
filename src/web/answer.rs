//! What a service answers to an HTTP request.
//!
//! Floor 3.

use super::bodies::Taken;
use std::borrow::Cow;
use std::fs::File;

/// An answer.
pub struct Answer {
    /// The status code and its reason, such as `200 OK`.
    pub status: &'static str,
    /// The media type of the body.
    pub kind: &'static str,
    /// Further headers, each with its line end.
    pub headers: Cow<'static, str>,
    /// The body.
    pub body: Body,
    /// The memory that was taken for it, of what all answers may take together.
    pub taken: Option<Taken>,
}

/// The body of an answer.
pub enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The beginning of this file, up to this length in bytes.
    File(File, u64),
}

impl Answer {
    /// An answer in plain text.
    pub fn words(status: &'static str, words: &str) -> Answer {
        Answer::of(status, "text/plain; charset=utf-8", format!("{words}\n").into_bytes())
    }

    /// An answer of these bytes.
    pub fn of(status: &'static str, kind: &'static str, bytes: Vec<u8>) -> Answer {
        Answer { status, kind, headers: "".into(), body: Body::Bytes(bytes), taken: None }
    }

    /// The same answer with these headers, each with its line end, besides those that it has.
    pub fn with(mut self, headers: &str) -> Answer {
        self.headers.to_mut().push_str(headers);
        self
    }

    /// The status code, such as 200.
    pub fn status_code(&self) -> u16 {
        self.status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The length of the body, in bytes.
    pub fn length(&self) -> usize {
        match &self.body {
            Body::Bytes(bytes) => bytes.len(),
            Body::File(_, length) => usize::try_from(*length).unwrap_or(usize::MAX),
        }
    }
}
