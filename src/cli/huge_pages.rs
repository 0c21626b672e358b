//! Memory in pages of the usual size, for processes that answer one question. The allocator asks for huge
//! ones, each of which the system fills with zeros first: of a short query that is up to half of its time,
//! and twice the memory.

/// Has the system give no huge pages from now on. Where it cannot, only time is lost.
pub(super) fn avoid() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!(%error, "the system gives huge pages all the same");
    }
}
