//! What a worker forbids itself before it reads anything.

use std::io;

use rustix::process::{Resource, Rlimit, nice, setrlimit};

/// Stacks of the worker's threads, and what the program maps later than at its start.
pub const PROGRAM_BYTES: u64 = 96 << 20;
/// What the program itself takes where the system does not tell.
const IMAGE_BYTES: u64 = 512 << 20;
/// Workers give way to the server.
const NICENESS: i32 = 10;

/// What a worker may use.
#[derive(Debug, Clone, Copy)]
pub struct WorkerLimits {
    /// Memory beyond what the program itself takes.
    pub memory_bytes: u64,
    /// Processor time, over all threads.
    pub cpu_seconds: u64,
}

/// Sets the limits of this process, for ever.
pub(super) fn set(limits: WorkerLimits) -> io::Result<()> {
    // Of all processes, a worker is the one to end where the machine has no memory left. A system
    // that has no such file ends whom it likes.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = nice(NICENESS);
    let address_space = image_bytes() + PROGRAM_BYTES + limits.memory_bytes;
    limit(Resource::As, address_space)?;
    limit(Resource::Cpu, limits.cpu_seconds)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// What this process has mapped: mostly the program.
fn image_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or(IMAGE_BYTES, |kib| kib << 10)
}
