//! The one binary.

use std::process::ExitCode;

use clap::Parser;

/// A decision makes a few hundred short-lived columns, and other threads free what they read of the log.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc's header, which says that numbers of options stay.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> ExitCode {
    give_memory_back_at_once();
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

/// Building a catalog needs twice what the catalog does. Kept for later, that would be memory that nobody uses again.
fn give_memory_back_at_once() {
    #[expect(unsafe_code, reason = "options have no safe interface; no other thread runs yet")]
    // SAFETY: setting an option is not thread-safe, and this is the only thread.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 0);
    }
}
