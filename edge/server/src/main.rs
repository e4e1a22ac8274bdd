//! The one binary.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match litfass_server::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the one place where a command says why it failed")]
            {
                eprintln!("litfass: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
