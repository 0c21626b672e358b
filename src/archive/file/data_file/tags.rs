//! The tags of an action, which hold what Delta Lake has no field for, and the columns whose bounds
//! are used.

/// The tag that carries the filter of event ids.
pub(super) const TAG_IDS: &str = "tokenlake.ids";
/// The tag that carries the checksums of the file's blocks.
pub(super) const TAG_CHECKSUMS: &str = "tokenlake.crc32";
/// The tag that carries the seal of the action.
pub(super) const TAG_SEAL: &str = "tokenlake.seal";
/// The tag that names the cells that lie in the file beside its partial.
pub(super) const TAG_CELLS: &str = "tokenlake.cells";
/// The columns whose bounds are used.
pub(super) const ORG: &str = "org_id";
pub(super) const TIME: &str = "ts";
/// The tag that says where in the file its partial is.
pub(super) const TAG_PARTIAL: &str = "tokenlake.partial";
