//! Stories that compare times closely. They are a program of their own, and each holds a lock, so that no other story
//! runs beside them.

#[allow(dead_code)] // These stories use only some of it.
#[path = "../common/mod.rs"]
mod common;

mod hanging_disk;
mod hanging_many;
mod untouched;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The story that holds this has the machine to itself.
fn alone() -> MutexGuard<'static, ()> {
    static STAGE: Mutex<()> = Mutex::new(());
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}
