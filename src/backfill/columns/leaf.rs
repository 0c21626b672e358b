//! The properties of a schema's leaf.

/// The properties of a schema's leaf that its Arrow type does not show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::backfill) enum Leaf {
    #[default]
    Plain,
    /// Its bytes are a UUID.
    Uuid,
}
