//! The folder of the resume states.
//!
//! Floor 4.

use super::flags::Parsed;
use crate::cli::exit::Failure;
use crate::cli::say;
use crate::storage::resume::StateDir;
use crate::sys::in_words;
use std::path::PathBuf;
use std::sync::Arc;

/// The folder of `--state`, or the one of the XDG Base Directory Specification. `None`: the home folder is unknown.
pub fn dir(given: &Parsed) -> Result<Option<PathBuf>, Failure> {
    if let Some(dir) = given.path("state", "a folder")? {
        return Ok(Some(dir));
    }
    // The specification says that relative paths are ignored.
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    Ok(home.map(|home| home.join("swarmlet")))
}

/// Opens the folder. Without it, the run goes on with a warning.
pub fn open(dir: Option<PathBuf>, quiet: bool) -> Option<Arc<StateDir>> {
    open_for("resume states", "checks all content and may refuse unfinished files", dir, quiet)
}

/// Opens it for nothing but the nodes of the DHT. Without it, the run goes on with a warning.
pub fn open_for_nodes(dir: Option<PathBuf>, quiet: bool) -> Option<Arc<StateDir>> {
    open_for("the nodes of the DHT", "begins without the nodes of this run", dir, quiet)
}

/// The warning says that `what` is not kept, and what the next start does therefore.
fn open_for(what: &str, next_start: &str, dir: Option<PathBuf>, quiet: bool) -> Option<Arc<StateDir>> {
    let opened = match &dir {
        Some(dir) => StateDir::open(dir).map_err(|error| format!("in {}: {}", dir.display(), in_words(&error))),
        None => Err("anywhere: HOME is not set".into()),
    };
    if let (Err(problem), false) = (&opened, quiet) {
        let text = format!("can't keep {what} {problem}; name a folder with --state, or the next start {next_start}");
        say::problem(&say::warning(&text));
    }
    opened.ok().map(Arc::new)
}
