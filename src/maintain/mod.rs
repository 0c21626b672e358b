//! Looking after an archive.

mod verify;

pub use self::verify::{Report, verify};
