//! The program: see `tokenlake --help`.

fn main() -> std::process::ExitCode {
    tokenlake::cli::main()
}
