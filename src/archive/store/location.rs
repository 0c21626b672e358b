//! The archive's address: parsed, shown, and opened as an object store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use url::Url;

use super::cloud::Cloud;
use super::durable::DurableLocal;
use super::location_error::LocationError;
use super::probe::LogProbe;

/// The address of an archive. Holds no credentials; [`fmt::Display`] writes it in a form that
/// parses back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveLocation {
    /// A directory of this machine, as given (relative paths stay relative).
    Local(PathBuf),
    /// A prefix in a bucket; the server and the credentials come from the environment.
    Bucket {
        /// Its provider.
        cloud: Cloud,
        /// The bucket's name.
        bucket: String,
        /// The archive's prefix in the bucket; the root if empty.
        prefix: Path,
    },
    /// Memory of this process, new at every open: for tests.
    Memory,
}

impl ArchiveLocation {
    /// Reads a plain path, `file:///DIR`, `s3://BUCKET/PREFIX` (`az:` and `gs:` too), or `memory:`
    /// (for tests).
    ///
    /// # Errors
    /// Any other text, with an error that says what to write instead. No error repeats a
    /// credential.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        let Some(scheme) = scheme(text).map(str::to_ascii_lowercase) else {
            return Ok(Self::Local(PathBuf::from(text)));
        };
        match (scheme.as_str(), Cloud::of_scheme(&scheme)) {
            (_, Some(cloud)) => bucket(cloud, plain_url(text, Some(cloud))?),
            ("memory", _) if text == "memory:" => Ok(Self::Memory),
            ("file", _) => file(plain_url(text, None)?),
            _ => Err(LocationError::UnknownScheme(scheme)),
        }
    }

    /// Whether requests stay on this machine, where a put costs neither money nor a round trip.
    pub fn is_local(&self) -> bool {
        !matches!(self, Self::Bucket { .. })
    }

    /// A cheap look at the log; `None` unless the archive is on a local disk.
    pub fn log_probe(&self) -> Option<LogProbe> {
        match self {
            Self::Local(path) => Some(LogProbe::new(path)),
            Self::Bucket { .. } | Self::Memory => None,
        }
    }

    /// Opens the store rooted at the archive. A directory must exist, and is written durably. Object
    /// storage is not contacted yet. Blocks.
    ///
    /// # Errors
    /// There is no such directory, or the environment variables do not fit together.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, LocationError> {
        self.opened(DurableLocal::open)
    }

    /// As [`Self::open`], but creates a missing directory.
    ///
    /// # Errors
    /// The directory cannot be created, or the environment variables do not fit together.
    pub fn create(&self) -> Result<Arc<dyn ObjectStore>, LocationError> {
        self.opened(DurableLocal::create)
    }

    fn opened(
        &self,
        local: fn(&std::path::Path) -> object_store::Result<DurableLocal>,
    ) -> Result<Arc<dyn ObjectStore>, LocationError> {
        match self {
            Self::Local(path) => Ok(Arc::new(local(path).map_err(LocationError::Directory)?)),
            Self::Bucket { cloud, bucket, prefix } => {
                Ok(Arc::new(PrefixStore::new(cloud.open(bucket)?, prefix.clone())))
            }
            Self::Memory => Ok(Arc::new(InMemory::new())),
        }
    }
}

impl fmt::Display for ArchiveLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Bucket { cloud, bucket, prefix } => {
                write!(f, "{}://{bucket}/{prefix}", cloud.scheme())
            }
            Self::Memory => write!(f, "memory:"),
        }
    }
}

/// The text before the first colon, if it can be a scheme.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let starts = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (starts && scheme.chars().all(legal)).then_some(scheme)
}

/// The URL, if it has no credentials, query or fragment.
fn plain_url(text: &str, cloud: Option<Cloud>) -> Result<Url, LocationError> {
    let url = Url::parse(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(LocationError::Credentials(cloud));
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

fn bucket(cloud: Cloud, url: Url) -> Result<ArchiveLocation, LocationError> {
    let bucket = match url.host_str() {
        Some(bucket) if !bucket.is_empty() && url.port().is_none() => bucket.to_owned(),
        _ => return Err(LocationError::NoBucket { cloud, url: url.into() }),
    };
    match Path::from_url_path(url.path()) {
        Ok(prefix) => Ok(ArchiveLocation::Bucket { cloud, bucket, prefix }),
        Err(source) => Err(LocationError::BadPrefix { url: url.into(), source }),
    }
}

#[cfg(test)]
#[path = "location_tests.rs"]
mod tests;
