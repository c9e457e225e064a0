//! The program `doorward`: it parses its command line, runs the command and sets the exit code.

fn main() -> std::process::ExitCode {
    doorward::cli::run(std::env::args_os())
}
