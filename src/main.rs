//! The program `doorward`: it parses its command line, runs the command and sets the exit code.

/// The allocator of a static binary: threads do not wait for each other.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    doorward::cli::run(std::env::args_os())
}
