//! Looking after an archive.

mod expire;
mod verify;

pub use self::expire::{Expiry, Retention, RetentionError, expire};
pub use self::verify::{Report, verify};
