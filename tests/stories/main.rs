//! The stories: what people do with swarmlet, one file per story of use, in one program so that they build once and
//! wait side by side.

#[path = "../common/mod.rs"]
mod common;

mod blocklist;
mod check;
mod choice;
mod corpus;
mod dht;
mod disk;
mod download;
mod edit;
mod ending;
mod hostile;
mod interop;
mod interop_make;
mod interop_more;
mod interop_npm;
mod interop_swarm;
mod interop_track;
mod limits;
mod lsd;
mod lsd_links;
mod magnet;
mod magnet_interop;
mod magnet_liars;
mod magnet_odd;
mod magnet_private;
mod make;
mod many;
mod many_come_and_go;
mod many_screen;
mod names;
mod outputs;
mod own_files;
mod pex;
mod pex_liars;
mod proxies;
mod resume;
mod screen;
mod secrets;
mod serving;
mod serving_info;
mod show;
mod stamps;
mod super_seed;
mod track;
mod track_addresses;
mod track_own_addresses;
mod track_publishing;
mod track_running;
mod tracker_words;
mod trackers;
mod tutorial;
mod two_in_one;
mod variants;
