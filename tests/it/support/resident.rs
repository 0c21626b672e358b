//! How much memory another process takes, by the system.

use std::fs;

/// KiB that are in memory now.
pub fn resident_kib(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// The most KiB that were in memory, since the start or since [`forget_peak`].
pub fn peak_kib(pid: u32) -> u64 {
    status(pid, "VmHWM:")
}

/// Begins the peak anew.
pub fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

fn status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
