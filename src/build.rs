//! What cargo runs before a build: has the linker leave the tables for unwinding out of a release, a tenth of its bytes.
//!
//! There a panic ends the program (`panic = "abort"` in Cargo.toml), so nothing ever reads them; but the compiled standard
//! library brings them, and no option of rustc takes them out again.

use std::path::Path;
use std::{env, fs};

/// Understood by the linkers of GNU and LLVM.
const SCRIPT: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.gcc_except_table*) } } INSERT AFTER .text;\n";
/// Linkers that know no such scripts.
const STRANGERS: [&str; 3] = ["mold", "wild", "gold"];

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    let said = |name: &str| env::var(name).unwrap_or_default();
    let linker = said("RUSTC_LINKER") + &said("CARGO_ENCODED_RUSTFLAGS");
    let known = said("CARGO_CFG_TARGET_OS") == "linux" && !STRANGERS.iter().any(|name| linker.contains(name));
    if !known || said("PROFILE") != "release" {
        return;
    }
    let script = Path::new(&said("OUT_DIR")).join("no-unwinding.ld");
    if fs::write(&script, SCRIPT).is_ok() {
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr,-T,{}", script.display());
    }
}
