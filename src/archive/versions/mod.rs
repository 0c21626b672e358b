//! Which version is the newest, and how the next one is made.

pub(super) mod commits;
pub(super) mod follow;
mod noted;
pub(super) mod opening;
pub(super) mod reopening;
