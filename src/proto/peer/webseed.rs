//! Web seeds: HTTP servers that have the files of a torrent (BEP 19). Which URL a file has, which requests a run of the
//! content becomes, and whether an answer is what was asked for.
//!
//! BEP 19 asks for files by their paths and for parts of them with `Range` (RFC 9110, section 14). A run of the content
//! may cover several files, and then each is a request of its own. Padding (BEP 47) and empty files are not on the
//! server.
//!
//! A server may be broken, or not the one that the torrent's author meant. So an answer counts only if it says that it
//! is exactly what was asked for. A server that ignores `Range` sends a whole file for each part. That is welcome only
//! if the file is no larger than a request may be: then what is before the part costs little.
//!
//! ```
//! use swarmlet::proto::peer::webseed::{Asked, Fault, Heads, file_url};
//!
//! let url = file_url("http://mirror.example/pub", Some("linux"), b"iso/a+b #1.iso");
//! assert_eq!(url, "http://mirror.example/pub/linux/iso/a%2Bb%20%231.iso");
//!
//! let asked = Asked { begin: 100, length: 50, size: 1000 };
//! assert_eq!(asked.range(), "bytes=100-149");
//! let heads = Heads { status: 206, range: Some("bytes 100-149/1000"), length: Some(50), ..Heads::default() };
//! assert_eq!(asked.check(&heads), Ok(asked));
//! let heads = Heads { status: 200, length: Some(1000), ..Heads::default() };
//! assert_eq!(asked.check(&heads), Ok(Asked { begin: 0, length: 1000, size: 1000 }), "the whole file");
//! ```

use crate::base::url::{self, percent_encode};
use crate::proto::metainfo::Files;
use core::ops::Range;

/// Whether this build uses web seeds.
pub const IS_BUILT_IN: bool = cfg!(feature = "webseeds");

/// Most bytes that one request asks for. (libtorrent asks for 16 MiB of whole pieces, transmission for 1 MiB.)
pub const MOST_BYTES: u64 = 4 << 20;
/// The longest pause that a server can ask for with `Retry-After`, in seconds: an hour.
const LONGEST_PAUSE: u64 = 3600;

/// Whether a web seed at `url` can be asked: by HTTP. (Some torrents name FTP servers.)
pub fn is_usable(url: &str) -> bool {
    let known = |scheme: &str| ["http", "https"].iter().any(|it| scheme.eq_ignore_ascii_case(it));
    url::scheme(url).is_some_and(known) && url::host(url).is_some() && !url::has_wrong_port(url)
}

/// The URL of a file. `base` is the web seed's, `folder` the torrent's name if its content is a folder, `path` the
/// file's path in it, or its name.
///
/// A single file has the URL as it is, or below it if it ends with `/`. Some folders lack that `/` (archive.org makes
/// such torrents), and it is added. What the names have besides letters, digits and `-._~` is escaped, also `+`, which
/// some servers take for a space. A query stays at the end.
pub fn file_url(base: &str, folder: Option<&str>, path: &[u8]) -> String {
    let base = base.split('#').next().unwrap_or(base);
    let (base, query) = base.split_at(base.find('?').unwrap_or(base.len()));
    let escaped = || path.split(|byte| *byte == b'/').map(percent_encode).collect::<Vec<_>>().join("/");
    let url = match folder {
        None if !base.ends_with('/') => base.to_string(),
        None => [base, &escaped()].concat(),
        Some(name) => {
            let glue = if base.ends_with('/') { "" } else { "/" };
            [base, glue, &percent_encode(name.as_bytes()), "/", &escaped()].concat()
        }
    };
    url::sanitize(&(url + query))
}

/// A part of the content that lies in one file, or in padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file's place in the torrent; `None`: padding, which is zeros.
    pub file: Option<usize>,
    /// What of the file, in bytes.
    pub asked: Asked,
}

/// The parts of `length` bytes of the content from `begin` on, in their order.
pub fn parts(files: &Files, begin: u64, length: u64) -> impl Iterator<Item = Part> {
    files.within(begin, length).map(move |(place, file)| {
        let (from, to) = (begin.max(file.offset), (begin + length).min(file.end()));
        let asked = Asked { begin: from - file.offset, length: to - from, size: file.length };
        Part { file: (!file.padding).then_some(place), asked }
    })
}

/// Where the files are that a web seed may have, in the content: no padding, nothing empty.
pub fn places(files: &Files) -> Box<[Range<u64>]> {
    let on_server = files.iter().filter(|file| !file.padding && file.length > 0);
    on_server.map(|file| file.offset..file.end()).collect()
}

/// A part of a file that is asked for, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The first byte, counted from the beginning of the file.
    pub begin: u64,
    /// How many; at least 1.
    pub length: u64,
    /// The size of the whole file.
    pub size: u64,
}

/// What the head of an answer says, as far as it counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heads<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Range`.
    pub range: Option<&'a str>,
    /// `Content-Encoding`.
    pub encoding: Option<&'a str>,
    /// `Content-Length`, or what it should be if it can't be read.
    pub length: Option<u64>,
    /// `Transfer-Encoding` is chunked, so the end of the body is known without its length.
    pub chunked: bool,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server does not have this file, or not in this size. It may have others.
    NotThere(u16),
    /// The server sends the whole file, which is large, although a part was asked for.
    Whole,
    /// The server does not send files at the moment.
    Status(u16),
    /// The answer is not what was asked for, and why.
    Wrong(&'static str),
}

impl Asked {
    /// The value of `Range`. Both ends count.
    pub fn range(self) -> String {
        format!("bytes={}-{}", self.begin, self.begin + self.length - 1)
    }

    /// What of the file is in the answer with this head: what was asked for, or all of a small file. Anything else,
    /// also a redirect, is a fault.
    pub fn check(self, heads: &Heads) -> Result<Asked, Fault> {
        let Asked { begin, length, size } = self;
        let mut comes = self;
        match heads.status {
            206 => match heads.range.and_then(parse_range) {
                Some((first, last, whole)) if (first, last) == (begin, begin + length - 1) => {
                    // A file of another size is another file.
                    if whole.is_some_and(|bytes| bytes != size) {
                        return Err(Fault::NotThere(206));
                    }
                }
                _ => return Err(Fault::Wrong("it sends another part of the file than it was asked for")),
            },
            200 if size <= MOST_BYTES => comes = Asked { begin: 0, length: size, size },
            200 => return Err(Fault::Whole),
            status @ (404 | 410 | 416) => return Err(Fault::NotThere(status)),
            status => return Err(Fault::Status(status)),
        }
        if heads.encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(Fault::Wrong("it compresses the file, although it was asked not to"));
        }
        match heads.length {
            Some(bytes) if bytes != comes.length && heads.status == 200 => Err(Fault::NotThere(200)),
            Some(bytes) if bytes != comes.length => Err(Fault::Wrong("it sends a part of another length")),
            None if !heads.chunked => Err(Fault::Wrong("it does not say how long its answer is")),
            _ => Ok(comes),
        }
    }
}

/// First byte, last byte and size of `bytes 0-499/1234` or `bytes 0-499/*` (RFC 9110, section 14.4).
fn parse_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (unit, range) = value.trim().split_once(' ')?;
    let (range, size) = range.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let size = if size.trim() == "*" { None } else { Some(number(size)?) };
    unit.eq_ignore_ascii_case("bytes").then_some((number(first)?, number(last)?, size))
}

/// The pause that `Retry-After` asks for, in seconds, at most an hour. A date is not read, because neither clock need
/// be right: then the pause is ours to choose.
pub fn retry_after(value: &str) -> Option<u64> {
    let value = value.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // A number that does not fit is a long pause, too.
    is_number.then(|| value.parse().unwrap_or(u64::MAX).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests;
