//! What is known of a leaf of a schema.

/// What is known of a leaf of a schema, besides its Arrow type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::backfill) enum Leaf {
    #[default]
    Plain,
    /// Its bytes are a UUID.
    Uuid,
}
