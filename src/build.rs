//! What cargo runs before a build: has the linker make a release a seventh smaller.
//!
//! It leaves the tables for unwinding out: in a release a panic ends the program (`panic = "abort"` in Cargo.toml), so
//! nothing ever reads them; but the compiled standard library brings them, and no option of rustc takes them out again. And
//! it packs the relocations, where the system can read that.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Understood by the linkers of GNU and LLVM.
const SCRIPT: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table*) } } INSERT AFTER .text;\n";
/// Linkers that know no such scripts.
const STRANGERS: [&str; 3] = ["mold", "wild", "gold"];
/// The first glibc that reads packed relocations.
const READS_PACKED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    let said = |name: &str| env::var(name).unwrap_or_default();
    let linker = said("RUSTC_LINKER") + &said("CARGO_ENCODED_RUSTFLAGS");
    // One that is called itself, without a compiler before it, knows no -Wl.
    let is_strange = said("RUSTC_LINKER").ends_with("ld") || STRANGERS.iter().any(|name| linker.contains(name));
    if is_strange || said("CARGO_CFG_TARGET_OS") != "linux" || said("PROFILE") != "release" {
        return;
    }
    let script = Path::new(&said("OUT_DIR")).join("no-unwinding.ld");
    if fs::write(&script, SCRIPT).is_ok() {
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        // Not behind -Wl: the path may hold a comma.
        println!("cargo:rustc-link-arg-bins=-T{}", script.display());
    }
    if said("HOST") == said("TARGET") && glibc().is_some_and(|version| version >= READS_PACKED) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's C library; `None` where it is another one.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let (major, minor) = std::str::from_utf8(&told.stdout).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
