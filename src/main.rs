//! The `daemun` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemun::run(std::env::args_os())
}
