//! The `guildhall` command.

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    guildhall::cli::run(guildhall::cli::Cli::parse())
}
