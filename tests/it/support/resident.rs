//! The memory that another process takes, as the system reports it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::process::Done;

/// Runs a command to its end; also gives the most KiB that it had in memory. One that was killed has
/// status -1.
pub fn run_watched(command: &mut Command) -> (Done, u64) {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        // It is there until its end is taken note of; from then on it has no memory.
        while let Some(now) = try_status(pid, "VmHWM:") {
            peak = peak.max(now);
            sleep(Duration::from_millis(5));
        }
        peak
    });
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let status = output.status.code().unwrap_or(-1);
    (Done { status, stdout, stderr }, watch.join().unwrap())
}

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
    try_status(pid, name).unwrap()
}

fn try_status(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// KiB that a process and all that it started have in memory now; memory that they share is counted
/// for each.
pub fn tree_kib(pid: u32) -> u64 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let processes: Vec<_> = processes.filter_map(|entry| parent_of(&entry.path())).collect();
    let (mut kib, mut todo) = (0, vec![pid]);
    while let Some(next) = todo.pop() {
        // It may have ended.
        kib += try_status(next, "VmRSS:").unwrap_or_default();
        todo.extend(processes.iter().filter(|(_, parent)| *parent == next).map(|(pid, _)| *pid));
    }
    kib
}

/// The number of a process, by its folder, and that of the one that started it.
fn parent_of(folder: &Path) -> Option<(u32, u32)> {
    let pid = folder.file_name()?.to_str()?.parse().ok()?;
    // Its name comes before, in brackets, and may hold anything.
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some((pid, rest.split(' ').nth(1)?.parse().ok()?))
}
