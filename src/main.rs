//! The binary: everything it does is in the library's [`swarmlet::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    swarmlet::cli::main()
}
