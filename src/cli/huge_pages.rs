//! Memory in pages of the usual size, for processes that answer one question. The allocator asks for huge
//! ones, each of which the system fills with zeros first: of a short query that is up to half of its time,
//! and twice the memory.

/// Has the system give no huge pages from now on. If it cannot, only time is lost.
pub(super) fn avoid() {
    give(false);
}

/// Has the system give them again, to a process that goes on for longer.
pub(super) fn allow() {
    give(true);
}

#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can be told"))]
fn give(gives: bool) {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(!gives) {
        tracing::debug!(%error, gives, "the system does not change its huge pages");
    }
}

/// Whether the system was told to give none before this process began.
pub(super) fn are_refused() -> bool {
    #[cfg(target_os = "linux")]
    return nix::sys::prctl::get_thp_disable().unwrap_or(false);
    #[cfg(not(target_os = "linux"))]
    false
}
