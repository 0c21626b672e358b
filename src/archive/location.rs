//! The archive's address: parsed, shown, and opened as an object store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use super::durable::DurableLocal;
use super::probe::LogProbe;
use crate::error::Kind;

/// The store's retries end before a request's own deadline (a scrape has less than 10 s).
const RETRIES_MAX: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Client settings where the environment has none: its variable, the key, the value.
const CLIENT_DEFAULTS: [(&str, ClientConfigKey, &str); 2] = [
    ("AWS_TIMEOUT", ClientConfigKey::Timeout, "8s"),
    ("AWS_CONNECT_TIMEOUT", ClientConfigKey::ConnectTimeout, "2s"),
];

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// Nothing was given.
    #[error("the archive's address is empty; give a path, file:///DIR or s3://BUCKET/PREFIX")]
    Empty,
    /// A scheme that is none of ours.
    #[error(
        "unknown scheme `{0}:` of the archive's address; known are a path, file:///DIR and \
         s3://BUCKET/PREFIX (write a path that holds a colon as ./PATH)"
    )]
    UnknownScheme(String),
    /// Text that is no URL.
    #[error("the archive's address is no valid URL: {0}")]
    NotUrl(#[from] url::ParseError),
    /// A password in the address would end up in logs; it is not repeated here.
    #[error(
        "the archive's address holds credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"
    )]
    Credentials,
    /// `?` or `#` would otherwise be dropped silently.
    #[error("the archive's address holds `?` or `#`; write %3F or %23 where a name has one")]
    QueryOrFragment,
    /// A `file:` URL with a host, or one that is relative.
    #[error("`{0}` names no directory of this machine; write file:///DIR with an absolute path")]
    NotAbsoluteFile(String),
    /// An `s3:` URL without a bucket alone in the host's place.
    #[error(
        "`{0}` names no bucket; write s3://BUCKET/PREFIX, and set AWS_ENDPOINT_URL for another server"
    )]
    NoBucket(String),
    /// A prefix that no object can have.
    #[error("the prefix of `{url}` is not usable: {source}")]
    BadPrefix {
        /// The address.
        url: String,
        /// What is wrong with it.
        source: object_store::path::Error,
    },
    /// The endpoint speaks plain http, which is off by default.
    #[error("the S3 endpoint {0} is plain http; set AWS_ALLOW_HTTP=true to allow plain http")]
    PlainHttp(String),
    /// The S3 settings do not fit together.
    #[error("cannot set up S3 bucket `{bucket}`; check the AWS_* variables: {source}")]
    S3Settings {
        /// The bucket's name.
        bucket: String,
        /// What the client library says.
        source: object_store::Error,
    },
    /// The directory cannot be created or opened.
    #[error("cannot open the archive's directory: {0}")]
    Directory(object_store::Error),
}

impl LocationError {
    /// What the caller can do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Directory(_) => Kind::Unavailable,
            _ => Kind::Invalid,
        }
    }
}

/// Where an archive is. Holds no credentials; [`fmt::Display`] gives the address back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveLocation {
    /// A directory of this machine, as given (relative paths stay relative).
    Local(PathBuf),
    /// A prefix in a bucket; the server and the credentials come from `AWS_*` variables.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The archive's place in it; the root if empty.
        prefix: Path,
    },
    /// Memory of this process, new at every open: for tests.
    Memory,
}

impl ArchiveLocation {
    /// Reads a plain path, `file:///DIR`, `s3://BUCKET/PREFIX`, or `memory:` (for tests).
    ///
    /// # Errors
    /// Everything else, with what to write instead. No error repeats a credential.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        match scheme(text).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(Self::Local(PathBuf::from(text))),
            Some("memory") if text == "memory:" => Ok(Self::Memory),
            Some("file") => file(plain_url(text)?),
            Some("s3") => s3(plain_url(text)?),
            Some(other) => Err(LocationError::UnknownScheme(other.to_owned())),
        }
    }

    /// Whether requests stay on this machine, where a put costs neither money nor a round trip.
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::S3 { .. })
    }

    /// A cheap look at the log, where there is one.
    pub fn log_probe(&self) -> Option<LogProbe> {
        match self {
            Self::Local(path) => Some(LogProbe::new(path)),
            Self::S3 { .. } | Self::Memory => None,
        }
    }

    /// Opens the store rooted at the archive. A directory is created where it is missing and written
    /// durably; S3 is not contacted yet. Blocks.
    ///
    /// # Errors
    /// The directory cannot be created, or the `AWS_*` variables do not fit together.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, LocationError> {
        match self {
            Self::Local(path) => {
                Ok(Arc::new(DurableLocal::open(path).map_err(LocationError::Directory)?))
            }
            Self::S3 { bucket, prefix } => {
                let builder = AmazonS3Builder::from_env();
                let builder = configure(builder, bucket, |name| std::env::var_os(name).is_some())?;
                let store = builder.build().map_err(|source| LocationError::S3Settings {
                    bucket: bucket.clone(),
                    source,
                })?;
                Ok(Arc::new(PrefixStore::new(store, prefix.clone())))
            }
            Self::Memory => Ok(Arc::new(InMemory::new())),
        }
    }
}

impl fmt::Display for ArchiveLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Memory => write!(f, "memory:"),
        }
    }
}

/// What stands before a colon in the first segment, if it can be a scheme.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (starts && scheme.chars().all(legal)).then_some(scheme)
}

/// A URL of a place alone: no credentials, query or fragment.
fn plain_url(text: &str) -> Result<Url, LocationError> {
    let url = Url::parse(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LocationError::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(LocationError::QueryOrFragment);
    }
    Ok(url)
}

fn file(url: Url) -> Result<ArchiveLocation, LocationError> {
    match url.to_file_path() {
        Ok(path) => Ok(ArchiveLocation::Local(path)),
        Err(()) => Err(LocationError::NotAbsoluteFile(url.into())),
    }
}

fn s3(url: Url) -> Result<ArchiveLocation, LocationError> {
    let bucket = match url.host_str() {
        Some(bucket) if !bucket.is_empty() && url.port().is_none() => bucket.to_owned(),
        _ => return Err(LocationError::NoBucket(url.into())),
    };
    match Path::from_url_path(url.path()) {
        Ok(prefix) => Ok(ArchiveLocation::S3 { bucket, prefix }),
        Err(source) => Err(LocationError::BadPrefix { url: url.into(), source }),
    }
}

/// Adds our settings to those of the environment; `is_set` tells which variables it has.
fn configure(
    builder: AmazonS3Builder,
    bucket: &str,
    is_set: impl Fn(&str) -> bool,
) -> Result<AmazonS3Builder, LocationError> {
    refuse_plain_http(&builder)?;
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: BACKOFF_FIRST, max_backoff: BACKOFF_MAX, base: 2.0 },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
    };
    let builder = CLIENT_DEFAULTS
        .into_iter()
        .filter(|(name, ..)| !is_set(name))
        .fold(builder, |builder, (_, key, value)| {
            builder.with_config(AmazonS3ConfigKey::Client(key), value)
        });
    // The conditional put is what makes a commit atomic: no variable turns it off.
    Ok(builder
        .with_bucket_name(bucket)
        .with_retry(retry)
        .with_conditional_put(S3ConditionalPut::ETagMatch))
}

/// The client would fail at its first request, with a text that names no remedy.
fn refuse_plain_http(builder: &AmazonS3Builder) -> Result<(), LocationError> {
    let setting = |key| builder.get_config_value(&key);
    let Some(endpoint) = setting(AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| setting(AmazonS3ConfigKey::Endpoint))
        .filter(|endpoint| endpoint.starts_with("http://"))
    else {
        return Ok(());
    };
    let allowed = setting(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp))
        .is_some_and(|text| is_true(&text));
    if allowed { Ok(()) } else { Err(LocationError::PlainHttp(without_userinfo(&endpoint))) }
}

/// The spellings that `object_store` takes for true.
fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y")
}

/// An endpoint's scheme and host alone, fit for a message.
fn without_userinfo(endpoint: &str) -> String {
    Url::parse(endpoint)
        .map_or_else(|_| "http://…".to_owned(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
#[path = "location_tests.rs"]
mod tests;
