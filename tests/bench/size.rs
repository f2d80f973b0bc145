//! How small on disk: the bytes of the binaries.

use super::builds::{self, Builds};
use super::report::Report;

const MIB: f64 = 1_048_576.0;

/// Measures all builds.
pub fn measure(report: &mut Report, builds: &Builds) {
    let targets = [
        ("default", &builds.default, Some(2.3)),
        ("`make small` (no TLS)", &builds.small, Some(1.0)),
        ("portable SHA-1", &builds.portable, None),
    ];
    let mut rows = Vec::new();
    for (what, program, limit) in targets {
        let bytes = builds::bytes(program);
        let measured = format!("{:.2} ({bytes} bytes)", bytes as f64 / MIB);
        let verdict = limit.map(|limit| report.verdict(&format!("size, {what}"), bytes as f64 <= limit * MIB));
        let limit = limit.map_or(String::new(), |limit| format!("<= {limit:.1}"));
        rows.push(vec![what.into(), limit, measured, verdict.unwrap_or_default()]);
    }
    report.section("Size: the binaries");
    report.table(&["target", "MiB", "measured", ""], &rows);
}
