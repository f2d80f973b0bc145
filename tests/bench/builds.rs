//! The three builds that are measured, each with the profile that users get.

use super::common::tools::say;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Their paths.
pub struct Builds {
    /// `cargo build --release`.
    pub default: PathBuf,
    /// The same with the SHA instructions of the processor.
    pub hw_sha1: PathBuf,
    /// `make small`.
    pub small: PathBuf,
}

impl Builds {
    /// Builds them if something has changed.
    pub fn make() -> Builds {
        let target = target_dir();
        let hw_target = target.join("bench-hw");
        say("building: default, hw-sha1, small");
        build(&mut cargo(&target));
        build(cargo(&hw_target).args(["--features", "hw-sha1"]));
        build(&mut make_small(&target));
        Builds {
            default: target.join("release/swarmlet"),
            hw_sha1: hw_target.join("release/swarmlet"),
            small: target.join("small/swarmlet"),
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

fn cargo(target: &Path) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "--quiet", "--bin", "swarmlet", "--target-dir"]).arg(target);
    command
}

fn make_small(target: &Path) -> Command {
    let mut command = Command::new("make");
    // The variables of the `make` that started us are not for the one that we start.
    command.args(["--silent", "small"]).env("CARGO_TARGET_DIR", target).env_remove("MAKEFLAGS");
    command
}

fn build(command: &mut Command) {
    // Its output must not appear in the table.
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{said}", output.status);
}
