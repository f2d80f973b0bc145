//! Asks a web server for parts of files, and reads them into blocks.
//!
//! Floor 3, part of [`webseed`](super). One answer is read at a time. As long as the next block is the next part of it,
//! no other request is made. Where a server redirects a file is remembered, because some servers redirect each request.
//! The kernel puts the bytes straight into the buffers of their blocks: the next one, and up to [`MOST_AHEAD`] that are
//! to come.

use super::reports::Reports;
use crate::engine::trace::packets;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::proto::peer::webseed::{Asked, Fault, Heads, MOST_BYTES, Part, file_url, parts, retry_after};
use crate::swarm::event::WebEvent;
use crate::sys::http::HttpError;
use crate::sys::http::stream::{Body, Client, Streamed, Target};
use core::ops::Range;
use std::collections::{BTreeMap, VecDeque};
use std::io::IoSliceMut;
use std::sync::Arc;

/// Redirects that are remembered: those of this many files.
const MOST_REMEMBERED: usize = 256;
/// Most blocks that are read before their turn. Reading four blocks at once was seen to take half of the kernel's time
/// of reading each alone.
const MOST_AHEAD: usize = 3;

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
    /// Hears of what was skipped.
    reports: Arc<Reports>,
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
    /// The server sends the whole file, whatever part it is asked for. So what is not needed of it is skipped.
    is_whole: bool,
    body: Body,
    ahead: Ahead,
}

/// The beginning of the rest of an answer, which was read together with the block before it. Its buffers become the
/// next blocks, so no byte is copied.
#[derive(Default)]
struct Ahead {
    /// Each has the size of a block. The bytes begin in the first one ...
    buffers: VecDeque<Vec<u8>>,
    /// ... here ...
    from: usize,
    /// ... and are so many.
    bytes: usize,
}

impl Fetching {
    /// Nothing was asked yet of the web seed at `base`.
    pub fn new(client: Arc<Client>, base: &str, reports: &Arc<Reports>) -> Fetching {
        let (base, reports) = (base.into(), Arc::clone(reports));
        Fetching { client, base, redirects: BTreeMap::new(), answer: None, reports, worked: false }
    }

    /// Fills `data` with the content from byte `begin` on. `reach` says up to where the rest will be requested.
    pub fn fill(
        &mut self,
        metainfo: &Metainfo,
        begin: u64,
        data: &mut Vec<u8>,
        reach: impl Fn() -> u64,
    ) -> Result<(), Trouble> {
        let mut at = 0;
        for part in parts(&metainfo.files, begin, data.len() as u64) {
            // The parts together are as long as the buffer, which is at most a block.
            let place = at..at + part.asked.length as usize;
            at = place.end;
            match part.file {
                None => data[place].fill(0),
                Some(file) => self.fill_part(metainfo, file, part, (data, place), &reach)?,
            }
        }
        Ok(())
    }

    fn fill_part(
        &mut self,
        metainfo: &Metainfo,
        file: usize,
        part: Part,
        (data, within): (&mut Vec<u8>, Range<usize>),
        reach: &impl Fn() -> u64,
    ) -> Result<(), Trouble> {
        let place = metainfo.files.at(file);
        let place = place.offset..place.end();
        let failed = |why: String| Trouble { file: place.clone(), why, pause: None, blame: Blame::None };
        loop {
            let was_redirected = self.redirects.contains_key(&file);
            if let Some(old) = self.answer.take_if(|answer| answer.file != file || !answer.has(part.asked)) {
                old.finish();
            }
            let answer = match self.answer.take() {
                Some(answer) => Ok(answer),
                None => self.ask(metainfo, file, part.asked, reach().saturating_sub(place.start)),
            };
            let read = answer.and_then(|mut answer| {
                self.skip(&mut answer, part.asked.begin).map_err(Failed::Http)?;
                answer.read(data, within.clone()).map(|()| answer).map_err(Failed::Http)
            });
            match read {
                Ok(answer) => {
                    (self.worked, self.answer) = (true, Some(answer));
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
        // A part ends with a block or with its file, and so does the answer.
        let part_end = part.begin + part.length;
        let most = part_end + MOST_BYTES - u64::from(BLOCK_BYTES);
        let end = reach.min(part.size).min(most).max(part_end);
        let asked = Asked { length: end - part.begin, ..part };
        let folder = metainfo.is_folder.then_some(&*metainfo.name);
        let target = match self.redirects.get(&file) {
            Some(target) => target.clone(),
            None => Target::new(&file_url(&self.base, folder, entry.raw)),
        };
        packets::web_request(&target, file, &asked);
        let answer = self.client.get(&target, &asked.range()).map_err(Failed::Http)?;
        packets::web_answer(&answer);
        let comes = check(&answer, asked)?;
        if answer.target.is_redirect() && self.redirects.len() < MOST_REMEMBERED {
            self.redirects.insert(file, answer.target.clone());
        }
        log::debug!("web seed {}: {} of file {file}", answer.target.shown(), asked.range());
        let is_whole = answer.status == 200;
        Ok(Answer { file, at: comes.begin, left: comes.length, is_whole, body: answer.body(), ahead: Ahead::default() })
    }

    /// Reads what the answer has before byte `begin` of the file.
    fn skip(&self, answer: &mut Answer, begin: u64) -> Result<(), HttpError> {
        let mut vain = Vec::new();
        while answer.at < begin {
            let length = (begin - answer.at).min(u64::from(BLOCK_BYTES));
            vain.resize(length as usize, 0);
            answer.read(&mut vain, 0..length as usize)?;
            self.reports.did(WebEvent::Skipped { bytes: length });
        }
        Ok(())
    }
}

impl Answer {
    /// Nothing more is read of it. If all of it came, its connection can be used again. The server may take its time to
    /// say that this is the end, so we ask for that only when the next request has to be made.
    fn finish(self) {
        if self.left == 0 && !self.body.is_over() {
            log::debug!("web seed: the answer is longer than it should be; the connection is closed");
        }
    }

    /// Whether the rest of it has a part of its file, and begins with that, or with what may be skipped.
    fn has(&self, part: Asked) -> bool {
        let begins = part.begin == self.at || self.is_whole && part.begin > self.at;
        begins && part.begin + part.length <= self.at + self.left
    }

    /// Fills a part of `data` with the beginning of the rest, which is at least as long.
    fn read(&mut self, data: &mut Vec<u8>, within: Range<usize>) -> Result<(), HttpError> {
        let length = within.len() as u64;
        let mut missing = self.ahead.take(data, within);
        while !missing.is_empty() {
            // Nothing is ahead any more. What comes after the missing bytes is read with them, if the answer has it.
            let mut later = self.left - length;
            let mut buffers = vec![IoSliceMut::new(&mut data[missing.clone()])];
            for buffer in self.ahead.buffers_for(later) {
                let room = later.min(u64::from(BLOCK_BYTES));
                later -= room;
                buffers.push(IoSliceMut::new(&mut buffer[..room as usize]));
            }
            let count = self.body.read(&mut buffers)?;
            self.ahead.bytes = count.saturating_sub(missing.len());
            missing.start += count - self.ahead.bytes;
        }
        self.at += length;
        self.left -= length;
        Ok(())
    }
}

impl Ahead {
    /// Moves what is ahead into a part of `data`, and returns the part of it for which there was not enough.
    fn take(&mut self, data: &mut Vec<u8>, mut within: Range<usize>) -> Range<usize> {
        while self.bytes > 0
            && !within.is_empty()
            && let Some(first) = self.buffers.front_mut()
        {
            let is_block = self.from == 0 && within == (0..first.len()) && data.len() == first.len();
            let count = self.bytes.min(within.len()).min(first.len() - self.from);
            if is_block {
                std::mem::swap(data, first);
            } else {
                data[within.start..][..count].copy_from_slice(&first[self.from..][..count]);
            }
            within.start += count;
            self.from += count;
            self.bytes -= count;
            if is_block || self.from == first.len() {
                self.from = 0;
                self.buffers.rotate_left(1);
            }
        }
        within
    }

    /// The buffers for up to `bytes` that come after the next block. Nothing is in them.
    fn buffers_for(&mut self, bytes: u64) -> impl Iterator<Item = &mut Vec<u8>> {
        let count = bytes.div_ceil(u64::from(BLOCK_BYTES)).min(MOST_AHEAD as u64) as usize;
        while self.buffers.len() < count {
            self.buffers.push_back(vec![0; BLOCK_BYTES as usize]);
        }
        self.from = 0;
        self.buffers.iter_mut().take(count)
    }
}

/// Why a part did not come.
enum Failed {
    /// There is no answer.
    Http(HttpError),
    /// The answer is not what was asked for, and the server may ask us to wait for some seconds.
    Answer(Fault, Option<u64>),
}

fn check(answer: &Streamed, asked: Asked) -> Result<Asked, Failed> {
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
