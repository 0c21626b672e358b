//! Looking after an archive.

pub mod compact;
mod verify;

pub use self::verify::{Report, verify};
