//! Parses the arguments, dispatches, and turns the result into an exit code.

fn main() -> std::process::ExitCode {
    regsim::cli::main()
}
