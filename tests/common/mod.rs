//! What the stories in `tests/` are told with: content, torrents, trackers, peers of others, and our own program.
//!
//! Rules: a story waits for a condition with a deadline ([`wait::wait_until`]), never for a time to pass; every child
//! process ends with the story that started it ([`process::Process`]) and its log is printed when the story fails;
//! ports are free ones of this machine ([`ports`]); content is compared byte for byte ([`content`]).
#![allow(dead_code)] // each test binary uses another part of this folder

pub mod actor;
pub mod aria2;
pub mod asker;
pub mod bencode;
pub mod content;
pub mod fuse;
pub mod hostile;
pub mod http;
pub mod lftp;
pub mod libtorrent;
pub mod opentracker;
pub mod peers;
pub mod ports;
pub mod process;
pub mod ran;
pub mod rtorrent;
pub mod stage;
pub mod swarmlet;
pub mod throttle;
pub mod tmux;
pub mod tools;
pub mod torrent;
pub mod track;
pub mod tracker;
pub mod transmission;
pub mod wait;
