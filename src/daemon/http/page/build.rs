//! Packs the daemon's web page while swarmlet is built: one page, one style and one script, each as a gzip file.
//!
//! This is the build script of the crate. It runs on the machine that builds, and nothing of it is in the program. The
//! program contains the packed files. They contain no time, so two builds are the same.

/// The same gzip that the program unpacks with.
#[path = "../../../base/gzip.rs"]
#[allow(dead_code, reason = "a script needs less of it than the program")]
mod gzip;

/// Stands for the counter of steps that tests of the program have.
fn step(_count: usize) {}

// Feature: daemon.
#[cfg(feature = "daemon")]
fn main() {
    /// The name of a packed file, and its parts in their order.
    const FILES: [(&str, &[&str]); 3] = [
        ("page.html", &["src/daemon/http/page/page.html"]),
        ("style.css", &["src/web/look.css", "src/daemon/http/page/style.css"]),
        (
            "script.js",
            &[
                "src/daemon/http/page/rpc.js",
                "src/daemon/http/page/hour.js",
                "src/daemon/http/page/clock.js",
                "src/daemon/http/page/list.js",
                "src/daemon/http/page/files.js",
                "src/daemon/http/page/details.js",
                "src/daemon/http/page/main.js",
            ],
        ),
    ];
    println!("cargo::rerun-if-changed=src/daemon/http/page/build.rs");
    println!("cargo::rerun-if-changed=src/base/gzip.rs");
    let folder = std::env::var("OUT_DIR").expect("cargo says where the results go");
    for (name, parts) in FILES {
        let mut text = String::new();
        for part in parts {
            println!("cargo::rerun-if-changed={part}");
            let content = std::fs::read_to_string(part).unwrap_or_else(|error| panic!("{part}: {error}"));
            // The comments of a script are for people that read the sources.
            for line in content.lines().filter(|line| !line.trim_start().starts_with("//")) {
                text.push_str(line);
                text.push('\n');
            }
        }
        // Deflate, without a name or a time, made by no known system (RFC 1952, section 2.3).
        let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
        packed.extend(miniz_oxide::deflate::compress_to_vec(text.as_bytes(), 10));
        packed.extend(gzip::crc32(text.as_bytes(), gzip::POLYNOMIAL).to_le_bytes());
        packed.extend((text.len() as u32).to_le_bytes());
        assert!(gzip::gunzip(&packed, text.len()).as_deref() == Some(text.as_bytes()), "{name} can be unpacked");
        std::fs::write(format!("{folder}/{name}.gz"), packed).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[cfg(not(feature = "daemon"))]
fn main() {
    println!("cargo::rerun-if-changed=src/daemon/http/page/build.rs");
}
