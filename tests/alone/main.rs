//! Stories that compare times closely. They are a program of their own, so that no other story runs beside them.

#[allow(dead_code)] // These stories use only some of it.
#[path = "../common/mod.rs"]
mod common;

mod hanging_disk;
