//! Asks a web server for parts of files, and reads them into blocks.
//!
//! Floor 3, part of [`webseed`](super). One answer is read at a time. As long as the next block is the next part of it,
//! no other request is made. Where a server redirects a file is remembered, because some servers redirect each request.

use crate::proto::metainfo::Metainfo;
use crate::proto::peer::webseed::{Asked, Fault, Heads, MOST_BYTES, Part, file_url, parts, retry_after};
use crate::sys::http::HttpError;
use crate::sys::http::stream::{Body, Client, Streamed, Target};
use core::ops::Range;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Redirects that are remembered: those of this many files.
const MOST_REMEMBERED: usize = 256;

/// What failed.
pub struct Trouble {
    /// The bytes of the content that the file has.
    pub file: Range<u64>,
    /// Why.
    pub why: String,
    /// How long the server asks us to wait, in seconds.
    pub pause: Option<u64>,
    /// What it says about the file.
    pub blame: Blame,
}

/// What a failure says about the file that was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: the server can't be reached, or sends nothing now.
    None,
    /// The answer was wrong. The next one may be right.
    Answer,
    /// The file is not there, or not the right one.
    File,
}

/// Asks a server for parts of files.
pub struct Fetching {
    client: Arc<Client>,
    /// The web seed's URL.
    base: String,
    /// Where files were redirected to.
    redirects: BTreeMap<usize, Target>,
    /// The answer that is being read.
    answer: Option<Answer>,
    /// A block came since a connection was last broken. If so, another one is made at once: servers close connections
    /// that were idle, or after a number of requests.
    worked: bool,
}

/// An answer that is being read.
struct Answer {
    file: usize,
    /// Where in the file the rest of the answer begins.
    at: u64,
    /// Bytes of the rest.
    left: u64,
    body: Body,
}

impl Fetching {
    /// Nothing was asked yet of the web seed at `base`.
    pub fn new(client: Arc<Client>, base: &str) -> Fetching {
        Fetching { client, base: base.into(), redirects: BTreeMap::new(), answer: None, worked: false }
    }

    /// Fills `data` with the content from byte `begin` on. `reach` says up to where the rest will be requested.
    pub fn fill(
        &mut self,
        metainfo: &Metainfo,
        begin: u64,
        data: &mut [u8],
        reach: impl Fn() -> u64,
    ) -> Result<(), Trouble> {
        let mut rest = data;
        for part in parts(&metainfo.files, begin, rest.len() as u64) {
            // The parts together are as long as the buffer, which is at most a block.
            let (now, later) = rest.split_at_mut(part.asked.length as usize);
            rest = later;
            match part.file {
                None => now.fill(0),
                Some(file) => self.fill_part(metainfo, file, part, now, &reach)?,
            }
        }
        Ok(())
    }

    fn fill_part(
        &mut self,
        metainfo: &Metainfo,
        file: usize,
        part: Part,
        data: &mut [u8],
        reach: &impl Fn() -> u64,
    ) -> Result<(), Trouble> {
        let place = metainfo.files.at(file);
        let place = place.offset..place.end();
        let failed = |why: String| Trouble { file: place.clone(), why, pause: None, blame: Blame::None };
        loop {
            let was_redirected = self.redirects.contains_key(&file);
            let is_next = |answer: &Answer| (answer.file, answer.at) == (file, part.asked.begin) && answer.left > 0;
            let answer = match self.answer.take().filter(is_next) {
                Some(answer) => Ok(answer),
                None => self.ask(metainfo, file, part.asked, reach().saturating_sub(place.start)),
            };
            let read = answer.and_then(|mut answer| answer.body.read(data).map(|()| answer).map_err(Failed::Http));
            match read {
                Ok(mut answer) => {
                    self.worked = true;
                    answer.at += data.len() as u64;
                    answer.left -= data.len() as u64;
                    if answer.left > 0 {
                        self.answer = Some(answer);
                    } else if !answer.body.is_over() {
                        log::debug!("web seed: the answer is longer than it should be; the connection is closed");
                    }
                    return Ok(());
                }
                // A redirect may have been for a while only.
                Err(_) if was_redirected => drop(self.redirects.remove(&file)),
                Err(Failed::Http(HttpError::Unreachable(_))) if std::mem::take(&mut self.worked) => {}
                Err(Failed::Http(error)) => return Err(failed(error.to_string())),
                Err(Failed::Answer(fault, pause)) => {
                    let why = match &fault {
                        Fault::NotThere(404 | 410 | 416) => "a file is not there".to_string(),
                        Fault::NotThere(_) => "a file has another size".into(),
                        Fault::Whole => "it sends whole files only".into(),
                        Fault::Status(status) => HttpError::Status(*status).to_string(),
                        Fault::Wrong(why) => why.to_string(),
                    };
                    let blame = match fault {
                        Fault::NotThere(_) => Blame::File,
                        // A server that ignores ranges may still send the small files.
                        Fault::Whole if metainfo.files.count() > 1 => Blame::File,
                        // 403 may be about the file alone; 429 asks us to come later.
                        Fault::Status(408 | 429 | 500..) => Blame::None,
                        Fault::Whole | Fault::Wrong(_) | Fault::Status(_) => Blame::Answer,
                    };
                    return Err(Trouble { pause, blame, ..failed(why) });
                }
            }
        }
    }

    /// Asks for a file from `part` on, as far as the rest will be requested: up to byte `reach` of the file.
    fn ask(&mut self, metainfo: &Metainfo, file: usize, part: Asked, reach: u64) -> Result<Answer, Failed> {
        let entry = metainfo.files.at(file);
        let end = reach.min(part.size).min(part.begin + MOST_BYTES).max(part.begin + part.length);
        let asked = Asked { length: end - part.begin, ..part };
        let folder = metainfo.is_folder.then_some(&*metainfo.name);
        let target = match self.redirects.get(&file) {
            Some(target) => target.clone(),
            None => Target::new(&file_url(&self.base, folder, entry.raw)),
        };
        let answer = self.client.get(&target, &asked.range()).map_err(Failed::Http)?;
        check(&answer, asked)?;
        if answer.target.is_redirect() && self.redirects.len() < MOST_REMEMBERED {
            self.redirects.insert(file, answer.target.clone());
        }
        log::debug!("web seed {}: {} of file {file}", answer.target.shown(), asked.range());
        Ok(Answer { file, at: asked.begin, left: asked.length, body: answer.body() })
    }
}

/// Why a part did not come.
enum Failed {
    /// There is no answer.
    Http(HttpError),
    /// The answer is not what was asked for, and the server may ask us to wait for some seconds.
    Answer(Fault, Option<u64>),
}

fn check(answer: &Streamed, asked: Asked) -> Result<(), Failed> {
    let chunked = answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let length = answer.header("content-length").map(|value| value.trim().parse().unwrap_or(u64::MAX));
    let heads = Heads {
        status: answer.status,
        range: answer.header("content-range"),
        encoding: answer.header("content-encoding"),
        length: length.filter(|_| !chunked),
        chunked,
    };
    let pause = answer.header("retry-after").and_then(retry_after);
    asked.check(&heads).map_err(|fault| Failed::Answer(fault, pause))
}
