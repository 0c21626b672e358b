//! What the tests share.

pub mod lake;
pub mod rewrite;
