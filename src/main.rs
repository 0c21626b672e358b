//! The program: see `tokenlake --help`.

/// Threads allocate and free columns of many sizes, for which the system's allocator maps and
/// faults pages again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tokenlake::cli::main()
}
