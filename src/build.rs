//! What cargo runs before a build: has the linker make a release smaller, on the disk by a seventh and in memory by
//! 0.2 MiB.
//!
//! It leaves the tables for unwinding out: in a release a panic ends the program (`panic = "abort"` in Cargo.toml), so
//! nothing reads them but RUST_BACKTRACE, which shows nothing then; but the compiled standard library brings them, and no
//! option of rustc takes them out again. It puts apart what is seldom called. And where it builds for the machine it runs
//! on, it packs the relocations, if the system can read that, and takes in the few functions of gcc's library that the
//! standard library calls: one library less to be there.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What few runs call; each name behind its length, as in the names of functions. It comes behind the rest, for what
/// lies near to what is called comes into memory with it.
const SELDOM: &str = "6rustls 6webpki 4ring 5gimli 9addr2line 14rustc_demangle 11miniz_oxide 8swarmlet7tracker \
                      8swarmlet3cli4make 8swarmlet3cli4edit";
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
    let path = Path::new(&said("OUT_DIR")).join("release.ld");
    if fs::write(&path, script()).is_ok() {
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        // Not behind -Wl: the path may hold a comma.
        println!("cargo:rustc-link-arg-bins=-T{}", path.display());
    }
    if said("HOST") != said("TARGET") || said("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    if let Some(folder) = unwinder(&said("RUSTC_LINKER")) {
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
    if glibc().is_some_and(|version| version >= READS_PACKED) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Words for the linker, understood by those of GNU and LLVM. (ring's assembler knows no sections for functions.)
fn script() -> String {
    let seldom: Vec<String> = SELDOM.split_whitespace().map(|name| format!(".text.*{name}*")).collect();
    let seldom = format!(".text.seldom : {{ *({}) *libring-*(.text) }}", seldom.join(" "));
    format!("SECTIONS {{ {seldom} /DISCARD/ : {{ *(.eh_frame) *(.gcc_except_table*) }} }} INSERT AFTER .text;\n")
}

/// The folder in which the compiler that links (or the system's) has its `libgcc_eh.a`; `None` where it has none.
fn unwinder(linker: &str) -> Option<String> {
    let compiler = if linker.is_empty() { "cc" } else { linker };
    let told = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    // One that it has not is told without a folder.
    let (folder, _) = std::str::from_utf8(&told.stdout).ok()?.rsplit_once('/')?;
    Some(folder.into())
}

/// The version of this machine's C library; `None` where it is another one.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let (major, minor) = std::str::from_utf8(&told.stdout).ok()?.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
