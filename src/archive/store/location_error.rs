//! The errors of parsing and opening an archive's address.

use super::cloud::Cloud;
use crate::error::Kind;

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// Nothing was given.
    #[error(
        "the archive's address is empty; give a path, file:///DIR or s3://BUCKET/PREFIX (az:// and gs:// too)"
    )]
    Empty,
    /// An unknown scheme.
    #[error(
        "unknown scheme `{0}:` in the archive's address; give a path, file:///DIR, \
         s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX (write a path that holds a \
         colon as ./PATH)"
    )]
    UnknownScheme(String),
    /// Text that is not a valid URL.
    #[error("the archive's address is not a valid URL: {0}")]
    NotUrl(#[from] url::ParseError),
    /// A password in the address would end up in logs; it is not repeated here.
    #[error(
        "the archive's address holds credentials; set {} instead",
        .0.map_or("environment variables", Cloud::credentials)
    )]
    Credentials(Option<Cloud>),
    /// `?` or `#`, which would otherwise be dropped silently.
    #[error("the archive's address holds `?` or `#`; write %3F or %23 if a name contains one")]
    QueryOrFragment,
    /// A `file:` URL with a host, or otherwise without a local path.
    #[error("`{0}` names no directory on this machine; write file:///DIR with an absolute path")]
    NotAbsoluteFile(String),
    /// A URL of object storage whose host is not just the name of a bucket.
    #[error(
        "`{url}` names no bucket; write {scheme}://BUCKET/PREFIX, and set {endpoint} for another server",
        scheme = .cloud.scheme(),
        endpoint = .cloud.endpoint()
    )]
    NoBucket {
        /// The provider.
        cloud: Cloud,
        /// The address.
        url: String,
    },
    /// An address that is not one of object storage.
    #[error("`{0}` names no bucket; write s3://BUCKET/KEY, az://CONTAINER/KEY or gs://BUCKET/KEY")]
    NoObjects(String),
    /// A prefix that no object can have.
    #[error("the prefix of `{url}` is not usable: {source}")]
    BadPrefix {
        /// The address.
        url: String,
        /// What is wrong with its content.
        source: object_store::path::Error,
    },
    /// The endpoint speaks plain http, which is off by default.
    #[error(
        "the endpoint {endpoint} is plain http; set {}ALLOW_HTTP=true to allow plain http",
        .cloud.variables()
    )]
    PlainHttp {
        /// The provider.
        cloud: Cloud,
        /// Its scheme and host.
        endpoint: String,
    },
    /// The settings of object storage do not fit together.
    #[error("cannot set up bucket `{bucket}`; check the {}* variables: {source}", .cloud.variables())]
    Settings {
        /// The provider.
        cloud: Cloud,
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
