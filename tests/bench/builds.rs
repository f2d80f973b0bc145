//! The three builds that are measured, each with the profile that users get, and a program to compare with.

use super::common::tools::say;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Their paths.
pub struct Builds {
    /// `make`.
    pub default: PathBuf,
    /// The same with the SHA instructions of the processor.
    pub hw_sha1: PathBuf,
    /// `make small`.
    pub small: PathBuf,
    /// The bare server of `floor.rs`.
    pub floor: PathBuf,
}

impl Builds {
    /// Builds them if something has changed.
    pub fn make() -> Builds {
        let target = target_dir();
        let hw_target = target.join("bench-hw");
        say("building: default, hw-sha1, small");
        build(&mut make("all", &target));
        build(make("all", &hw_target).arg("FEATURES=hw-sha1"));
        build(&mut make("small", &target));
        let floor = target.join("bench-floor");
        build(Command::new("rustc").args(["--edition=2024", "-O", "tests/bench/floor.rs", "-o"]).arg(&floor));
        Builds {
            default: target.join("release/swarmlet"),
            hw_sha1: hw_target.join("release/swarmlet"),
            small: target.join("small/swarmlet"),
            floor,
        }
    }
}

/// The size of a program in bytes.
pub fn bytes(program: &Path) -> u64 {
    fs::metadata(program).unwrap_or_else(|e| panic!("{} was not built: {e}", program.display())).len()
}

/// The target folder of cargo, with a folder for our large files.
fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder").into()
}

fn make(goal: &str, target: &Path) -> Command {
    let mut command = Command::new("make");
    // The variables of the `make` that started us are not for the one that we start.
    command.args(["--silent", goal]).env("CARGO_TARGET_DIR", target).env_remove("MAKEFLAGS");
    command
}

fn build(command: &mut Command) {
    // Its output must not appear in the table.
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{said}", output.status);
}
