//! What can go wrong with the archive, and what the caller can do about it.

use deltalake_core::DeltaTableError;

use crate::archive::paths;
use std::error::Error as StdError;
use std::fmt::Display;

use crate::error::Kind;

/// A failure of the archive. Messages name the object and are fit for an operator's log; they
/// carry no credentials.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArchiveError {
    /// Storage did not answer, or answered with an error that may pass.
    #[error("storage is unavailable while {doing}: {source}; {}", remedy(&source.to_string()))]
    Unavailable {
        /// What was being done, with the object's path.
        doing: String,
        /// The store's own words.
        source: std::sync::Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A stored object is damaged, missing or not what the table's log says.
    #[error("{path} is damaged or missing: {reason}; restore it from a backup or another copy")]
    Corrupt {
        /// The object, relative to the archive.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// A commit of another program that takes events away, changes them or brings them in twice.
    #[error(
        "{path} cannot be vouched for: {reason}; `tokenlake repair --dry-run` shows what it changed, \
         and `tokenlake repair` takes it back"
    )]
    Refused {
        /// The log entry, relative to the archive.
        path: String,
        /// What it does.
        reason: String,
    },
    /// A checkpoint of the log that no longer tells what another program did to the table before it.
    #[error("{path} cannot be vouched for: {reason}")]
    Unvouched {
        /// The checkpoint, relative to the archive.
        path: String,
        /// What does not fit, which log entry tells why, and what to do.
        reason: String,
    },
    /// A log entry that does not follow the one that was read before it.
    #[error(
        "{path} does not follow the log entry that was read before it: the archive is not the copy \
         that was opened, or an entry is damaged; put the right copy back"
    )]
    OtherLog {
        /// The log entry, relative to the archive.
        path: String,
    },
    /// There is no table, and it must not be created.
    #[error(
        "there is no archive; choose another --archive, or create one with --create if-missing"
    )]
    Missing,
    /// The table has a layout that only a newer program knows.
    #[error("the table at {path} is of a newer tokenlake; upgrade this one")]
    Newer {
        /// The table's folder or the log entry that says so, relative to the archive.
        path: String,
    },
    /// An undamaged record whose content only a newer program understands.
    #[error(
        "{path} was written by a newer tokenlake, and this one cannot honour it; upgrade this one"
    )]
    NewerRecord {
        /// The record, relative to the archive.
        path: String,
    },
    /// Data of another program in the table, which is undamaged and yet must not be counted.
    #[error(
        "{path} was written by another program and is not counted: {reason}; look at it with `tokenlake verify`, and take it out with `tokenlake repair`"
    )]
    Foreign {
        /// The object, relative to the archive.
        path: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// A file that is counted, but not merged: one of another program that would take too much memory,
    /// or one of a newer tokenlake.
    #[error("{path} is left as it is: {reason}")]
    NotMerged {
        /// The file, relative to the archive.
        path: String,
        /// What takes the memory, or would be lost.
        reason: String,
    },
    /// The table is one that this program must not read or write.
    #[error("the table at {path} cannot be used: {reason}")]
    Unsupported {
        /// The table's folder or the log entry that says so, relative to the archive.
        path: String,
        /// What is not supported, and what to do.
        reason: String,
    },
    /// Two names that must differ in more than case.
    #[error(
        "organisation {asked:?} cannot be used: {existing:?} exists, and they differ only in case; use {existing:?}"
    )]
    OrgCase {
        /// The requested name.
        asked: String,
        /// The name that already exists.
        existing: String,
    },
    /// The store, or this machine, lacks a property that an archive depends on.
    #[error("{0}")]
    UnfitStore(String),
    /// The writer's queue is full.
    #[error("ingest is overloaded: {0}; try again in a second")]
    Overloaded(&'static str),
    /// The process is stopping.
    #[error("the server is stopping; try again at another replica")]
    Stopping,
    /// A defect of tokenlake.
    #[error("internal error while {doing}: {reason}; please report it")]
    Internal {
        /// What was being done.
        doing: &'static str,
        /// Details.
        reason: String,
    },
}

/// What to do about a failure of the store, because not every failure passes by itself. It goes by
/// the text of the error: clients wrap the same answer in errors of different types.
fn remedy(words: &str) -> String {
    let says = |codes: &[&str]| codes.iter().any(|code| words.contains(code));
    if says(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        let name = bucket(words).map(|name| format!(" {name}")).unwrap_or_default();
        return format!("there is no bucket{name}: create it, or use another address");
    }
    let credentials =
        ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "AuthenticationFailed"];
    // An answer to HEAD has no body, and so no code.
    let more = ["ExpiredToken", "InvalidToken", "403 Forbidden", "401 Unauthorized"];
    if says(&credentials) || says(&more) {
        return "check the credentials and their permissions".to_owned();
    }
    if says(&["PermanentRedirect", "AuthorizationHeaderMalformed"]) {
        return "check the region of the bucket (AWS_REGION)".to_owned();
    }
    "try again".to_owned()
}

/// The bucket that an answer of S3 names.
fn bucket(words: &str) -> Option<&str> {
    let within = |start: &str| {
        let (_, rest) = words.split_once(start)?;
        let name = rest.trim_start_matches('/').split(['<', '/']).next()?;
        (!name.is_empty()).then_some(name)
    };
    within("<BucketName>").or_else(|| within("<Resource>"))
}

/// True if the store failed, other than by not having the object.
///
/// If the library's kernel met the store's error itself, that error is neither a source nor of a
/// type that the library exports. Only its text can be checked. A test that opens an archive with
/// failing requests guards that text.
pub(super) fn is_of_store(error: &DeltaTableError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<object_store::Error>() {
            return !matches!(error, object_store::Error::NotFound { .. });
        }
        cause = error.source();
    }
    error.to_string().contains("Error interacting with object store")
}

impl ArchiveError {
    /// What the caller can do about the error.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unavailable { .. }
            | Self::OtherLog { .. }
            | Self::Overloaded(_)
            | Self::Stopping => Kind::Unavailable,
            Self::Corrupt { .. }
            | Self::Refused { .. }
            | Self::Unvouched { .. }
            | Self::Foreign { .. }
            | Self::NotMerged { .. }
            | Self::NewerRecord { .. } => Kind::Corrupt,
            Self::Unsupported { .. } | Self::Newer { .. } | Self::UnfitStore(_) => Kind::Invalid,
            Self::Missing => Kind::NotFound,
            Self::OrgCase { .. } => Kind::Conflict,
            Self::Internal { .. } => Kind::Internal,
        }
    }

    /// The error for a failed read of `path`: Unavailable if one of the causes is an error of the
    /// store that may pass, otherwise Corrupt.
    pub fn of_read(path: &str, error: &(dyn StdError + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(at) = cause {
            match at.downcast_ref::<object_store::Error>() {
                Some(object_store::Error::NotFound { .. }) => {
                    return Self::corrupt(path, "there is no such object");
                }
                // The store's error cannot be cloned; its words can.
                Some(error) => {
                    let words = std::io::Error::other(error.to_string());
                    return Self::unavailable(format!("reading {path}"), words);
                }
                None => cause = at.source(),
            }
        }
        Self::corrupt(path, error)
    }

    /// The same failure, attributed to the log entry that causes it: damage in what another program
    /// wrote becomes a refusal.
    pub(super) fn in_entry(self, version: u64) -> Self {
        let entry = paths::log_entry(version);
        match self {
            Self::Corrupt { path, reason } => Self::refused(version, format!("{path}: {reason}")),
            Self::Unsupported { reason, .. } => Self::refused(version, reason),
            Self::Newer { .. } => Self::Newer { path: entry },
            other => other,
        }
    }

    /// Refuses the log entry of a version.
    pub(super) fn refused(version: u64, reason: impl Display) -> Self {
        Self::Refused { path: paths::log_entry(version), reason: reason.to_string() }
    }

    /// True if a commit of another program is refused, which a repair can fix.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Wraps a passing failure.
    pub(crate) fn unavailable(
        doing: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Unavailable { doing: doing.into(), source: std::sync::Arc::new(source) }
    }

    /// Names a damaged object.
    pub(crate) fn corrupt(path: impl Into<String>, reason: impl Display) -> Self {
        Self::Corrupt { path: path.into(), reason: reason.to_string() }
    }

    /// Reports a defect of tokenlake.
    pub(crate) fn internal(doing: &'static str, reason: impl Display) -> Self {
        Self::Internal { doing, reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pass_by_itself_is_not_to_be_tried_again() {
        let aws = "Server returned non-2xx status code: 404 Not Found: <?xml version=\"1.0\"?><Error>\
            <Code>NoSuchBucket</Code><BucketName>my-bucket</BucketName></Error>";
        let minio =
            "404: <Error><Code>NoSuchBucket</Code><Resource>/my-bucket/a/b</Resource></Error>";
        let google = "404: The specified bucket does not exist.";
        for (words, remedy) in [
            (aws, "; there is no bucket my-bucket: create it, or use another address"),
            (minio, "; there is no bucket my-bucket: create it, or use another address"),
            (google, "; there is no bucket: create it, or use another address"),
            (
                "403: <Code>InvalidAccessKeyId</Code>",
                "; check the credentials and their permissions",
            ),
            (
                "301: <Code>PermanentRedirect</Code>",
                "; check the region of the bucket (AWS_REGION)",
            ),
            ("503 Slow Down", "; try again"),
        ] {
            let source = object_store::Error::NotFound {
                path: "events".to_owned(),
                source: std::io::Error::other(words).into(),
            };
            let error = ArchiveError::unavailable("listing the archive", source).to_string();
            assert!(error.ends_with(remedy), "{error}");
        }
    }
}
