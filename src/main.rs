//! The program: see `tokenlake --help`.

/// Columns of many sizes come and go by the thread, which the system's allocator answers with maps
/// and faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tokenlake::cli::main()
}
