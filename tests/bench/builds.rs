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
    /// The same without the SHA instructions of the processor: what runs where it has none.
    pub portable: PathBuf,
    /// `make small`.
    pub small: PathBuf,
    /// The bare server of `floor.rs`.
    pub floor: PathBuf,
}

impl Builds {
    /// Builds them if something has changed.
    pub fn make() -> Builds {
        let target = target_dir();
        let portable_target = target.join("bench-portable");
        say("building: default, portable, small");
        build(&mut make("all", &target));
        build(make("all", &portable_target).args(["ONLY_FEATURES=1", &format!("FEATURES={}", portable_features())]));
        build(&mut make("small", &target));
        let floor = target.join("bench-floor");
        build(Command::new("rustc").args(["--edition=2024", "-O", "tests/bench/floor.rs", "-o"]).arg(&floor));
        Builds {
            default: target.join("release/swarmlet"),
            portable: portable_target.join("release/swarmlet"),
            small: target.join("small/swarmlet"),
            floor,
        }
    }
}

/// The default features without `hw-sha1`.
fn portable_features() -> String {
    let manifest = include_str!("../../Cargo.toml");
    let default =
        manifest.lines().find_map(|line| line.strip_prefix("default = ")).expect("there are default features");
    default.replace("\"hw-sha1\"", "").replace(['[', ']', '"', ','], "")
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
