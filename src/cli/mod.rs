//! Floor 4: what a person types and sees.

pub mod exit;
pub mod nearest;
pub mod options;
pub mod say;
pub mod units;
pub mod width;

use std::process::ExitCode;

/// The whole program: reads the arguments, runs the command, gives the exit code.
pub fn main() -> ExitCode {
    ExitCode::from(64)
}
