//! Torrent files, made by programs of other people or by this file.

use super::bencode::{Value, raw};
use super::content::Content;
use super::libtorrent;
use super::tools::Tool;
use sha1_smol::Sha1;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program that makes the torrent.
#[derive(Clone, Copy, Debug)]
pub enum Maker {
    /// mktorrent: piece lengths are powers of two from 32 KiB.
    Mktorrent,
    /// transmission-create.
    TransmissionCreate,
    /// libtorrent through Python: piece lengths are powers of two from 16 KiB.
    Libtorrent,
    /// This file: any piece length.
    Ours,
}

impl Maker {
    /// The program it needs.
    pub fn tool(self) -> Option<Tool> {
        match self {
            Maker::Mktorrent => Some(Tool::Mktorrent),
            Maker::TransmissionCreate => Some(Tool::TransmissionCreate),
            Maker::Libtorrent => Some(Tool::Libtorrent),
            Maker::Ours => None,
        }
    }

    /// The part of `content` that a torrent by this maker describes.
    pub fn described(self, content: &Content) -> Content {
        match self {
            // It leaves out empty files without a warning.
            Maker::TransmissionCreate => content.without_empty_files(),
            _ => content.clone(),
        }
    }

    /// Writes `content` below `source`, makes a torrent of it beside, and returns the torrent.
    pub fn make(self, content: &Content, source: &Path, piece_length: usize, announce: &str) -> Torrent {
        let path = content.write_to(source);
        let file = source.with_extension(format!("{self:?}.torrent"));
        match self {
            Maker::Mktorrent => {
                assert!(piece_length.is_power_of_two(), "mktorrent takes powers of two");
                let power = piece_length.ilog2().to_string();
                run(Command::new("mktorrent").args(["-l", &power, "-a", announce, "-o"]).arg(&file).arg(&path));
            }
            Maker::TransmissionCreate => {
                let kib = (piece_length / 1024).to_string();
                run(Command::new("transmission-create").args(["-s", &kib, "-t", announce, "-o"]).arg(&file).arg(&path));
            }
            Maker::Libtorrent => {
                run(libtorrent::python().arg("make").arg(&path).args([&piece_length.to_string(), announce]).arg(&file))
            }
            Maker::Ours => fs::write(&file, ours(content, piece_length, announce)).expect("the torrent can be written"),
        }
        let torrent = Torrent::read(&file);
        let made_length = raw(&torrent.info, "piece length").and_then(super::bencode::int);
        assert_eq!(made_length, Some(piece_length as i64), "{self:?} made pieces of another length");
        torrent
    }
}

/// Writes a torrent of `content` to `file` that lists `tiers` of trackers (BEP 12).
pub fn make_with_tiers(content: &Content, file: &Path, piece_length: usize, tiers: &[Vec<String>]) -> Torrent {
    let tier = |urls: &Vec<String>| Value::List(urls.iter().map(|url| Value::text(url)).collect());
    let mut torrent = described(content, piece_length);
    torrent.insert("announce-list", Value::List(tiers.iter().map(tier).collect()));
    fs::write(file, Value::Dict(torrent).encode()).expect("the torrent can be written");
    Torrent::read(file)
}

/// Writes a torrent of `content` to `file` that names web seeds and no tracker (BEP 19).
#[allow(dead_code)] // Only the stories of web seeds need one.
pub fn make_with_web_seeds(content: &Content, file: &Path, piece_length: usize, urls: &[String]) -> Torrent {
    let mut torrent = described(content, piece_length);
    torrent.insert("url-list", Value::List(urls.iter().map(|url| Value::text(url)).collect()));
    fs::write(file, Value::Dict(torrent).encode()).expect("the torrent can be written");
    Torrent::read(file)
}

/// Writes a private torrent of `content` to `file` (BEP 27).
#[allow(dead_code)] // Only the stories of magnet links need one.
pub fn make_private(content: &Content, file: &Path, piece_length: usize, announce: &str) -> Torrent {
    let mut torrent = described(content, piece_length);
    if let Some(Value::Dict(info)) = torrent.get_mut("info") {
        info.insert("private", Value::Int(1));
    }
    torrent.insert("announce", Value::text(announce));
    fs::write(file, Value::Dict(torrent).encode()).expect("the torrent can be written");
    Torrent::read(file)
}

/// A torrent file.
pub struct Torrent {
    /// Its path.
    pub file: PathBuf,
    /// The hash of its info dictionary.
    pub info_hash: [u8; 20],
    info: Vec<u8>,
}

impl Torrent {
    /// Reads the torrent at `file`.
    pub fn read(file: &Path) -> Torrent {
        let data = fs::read(file).unwrap_or_else(|e| panic!("no torrent was made at {}: {e}", file.display()));
        let info = raw(&data, "info").expect("a torrent has an info dictionary").to_vec();
        Torrent { file: file.into(), info_hash: sha1(&info), info }
    }

    /// The bytes of its info dictionary.
    #[allow(dead_code)] // Only the stories of magnet links count them.
    pub fn info_length(&self) -> usize {
        self.info.len()
    }

    /// Block `piece` of its info dictionary, as peers exchange it.
    #[allow(dead_code)] // Only the stories of magnet links ask for one.
    pub fn info_block(&self, piece: usize) -> &[u8] {
        self.info.chunks(16 * 1024).nth(piece).unwrap_or_default()
    }

    /// A magnet link to it, with `more` behind the info-hash.
    #[allow(dead_code)] // Only the stories of magnet links need one.
    pub fn link(&self, more: &str) -> String {
        let hash: String = self.info_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("magnet:?xt=urn:btih:{hash}{more}")
    }

    /// The same torrent for a program that gets a link in place of the file.
    #[allow(dead_code)] // Only the stories of magnet links start such programs.
    pub fn by_link(&self, more: &str) -> Torrent {
        Torrent { file: self.link(more).into(), info_hash: self.info_hash, info: self.info.clone() }
    }
}

fn ours(content: &Content, piece_length: usize, announce: &str) -> Vec<u8> {
    let mut torrent = described(content, piece_length);
    torrent.insert("announce", Value::text(announce));
    Value::Dict(torrent).encode()
}

/// The torrent without trackers.
fn described(content: &Content, piece_length: usize) -> BTreeMap<&'static str, Value> {
    let pieces = content.concatenated().chunks(piece_length).flat_map(sha1).collect();
    let mut info = BTreeMap::from([
        ("name", Value::text(&content.name)),
        ("piece length", Value::Int(piece_length as i64)),
        ("pieces", Value::Bytes(pieces)),
    ]);
    match content.files.as_slice() {
        [(None, data)] => info.insert("length", Value::Int(data.len() as i64)),
        files => info.insert("files", Value::List(files.iter().map(file_entry).collect())),
    };
    BTreeMap::from([("info", Value::Dict(info))])
}

fn file_entry((path, data): &(Option<String>, Vec<u8>)) -> Value {
    let path = path.as_deref().expect("one of many files has a path").split('/').map(Value::text).collect();
    Value::Dict(BTreeMap::from([("length", Value::Int(data.len() as i64)), ("path", Value::List(path))]))
}

/// The SHA-1 of some bytes.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    Sha1::from(data).digest().bytes()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{said}", output.status);
}
