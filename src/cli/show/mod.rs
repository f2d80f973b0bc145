//! What a run shows: the live screen, plain lines, or JSON objects.

pub mod bar;
pub mod doing;
pub mod layout;
pub mod lines;
pub mod live;
pub mod objects;
pub mod peers;
pub mod pieces;
pub mod roster;
pub mod router;
pub mod table;
pub mod tree;
pub mod view;
pub mod words;
