//! What the stories need: content, torrents, trackers, peers by other people, and our own program.
//!
//! Rules: a story waits for a condition with a deadline ([`wait::wait_until`]), never for a time to pass. Every child
//! process ends with the story that started it ([`process::Process`]), and its log is printed when the story fails.
//! Ports are free ones of this machine ([`ports`]). Content is compared byte for byte ([`content`]). With CI=true no
//! story may be skipped ([`tools::skip`]).

pub mod actor;
pub mod aria2;
pub mod asker;
pub mod bencode;
#[allow(dead_code)] // Only its stories use it.
pub mod browser;
pub mod content;
#[allow(dead_code)] // Only its stories use it.
pub mod daemon;
pub mod folder;
#[allow(dead_code)] // Only the stories that run alone use it.
pub mod fuse;
#[allow(dead_code)] // Only a few programs use it.
pub mod group;
#[allow(dead_code)] // Only its stories use it.
pub mod home;
pub mod hostile;
#[allow(dead_code)] // Only a few programs use it.
pub mod hosts;
pub mod http;
pub mod json;
#[allow(dead_code)] // Only a few programs use it.
pub mod lan;
pub mod lftp;
pub mod libtorrent;
#[allow(dead_code)] // Only the stories of `--bind` and `--proxy` use it.
pub mod links;
#[allow(dead_code)] // Only a few programs use it.
pub mod nginx;
pub mod opentracker;
pub mod peers;
pub mod ports;
pub mod proc;
pub mod process;
pub mod ran;
#[allow(dead_code)] // Only few programs use it.
pub mod recorder;
#[allow(dead_code)] // Only a few programs use it.
pub mod relay;
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
#[allow(dead_code)] // Only a few programs use it.
pub mod web_seed;
