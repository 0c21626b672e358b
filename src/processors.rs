//! The processors of this machine: what takes time is divided by them.

/// How many there are for this process; 1 if the system does not tell.
pub fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
