//! The kinds of errors, by what the caller can do.
//!
//! Each module has its own error enum, with context; its `kind()` is one of these. Only
//! `http/error.rs` turns a kind into a status code.

/// What the caller can do about an error; the detail is in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input is wrong; the same input will fail again.
    Invalid,
    /// No valid credential came with the request.
    Unauthenticated,
    /// The credential is valid but does not allow this.
    Forbidden,
    /// The named thing does not exist.
    NotFound,
    /// Something else holds the name or came first.
    Conflict,
    /// Storage is unreachable, slow or overloaded; trying again is safe.
    Unavailable,
    /// Stored data is damaged or unexpected; the message names it.
    Corrupt,
    /// A defect of tokenlake.
    Internal,
}
