//! The limits that a worker sets for itself before it reads anything.

use std::io;

use rustix::process::{Resource, Rlimit, nice, setrlimit};

/// The stacks of the worker's threads, and mappings made after the program's start.
pub const PROGRAM_BYTES: u64 = 96 << 20;
/// The program's own mappings, if the system does not report them.
const IMAGE_BYTES: u64 = 512 << 20;
/// Workers have a lower priority than the server.
const NICENESS: i32 = 10;

/// The limits of a worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerLimits {
    /// Memory in addition to the program's own mappings.
    pub memory_bytes: u64,
    /// Processor time of all threads.
    pub cpu_seconds: u64,
}

/// Sets the limits of this process, permanently.
pub(super) fn set(limits: WorkerLimits) -> io::Result<()> {
    // If the machine runs out of memory, a worker is the process to kill. A system without this
    // file makes its own choice.
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

/// The bytes that this process has mapped, mostly for the program.
fn image_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or(IMAGE_BYTES, |kib| kib << 10)
}
