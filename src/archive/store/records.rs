//! Small sealed records next to the table: access keys, organisations' names, budgets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

use super::org_claim;
use super::sealed::{self, Record, SealState};
use crate::archive::error::ArchiveError;
use crate::archive::paths;
use crate::event::OrgId;

/// Attempts to claim a name while another process claims it.
const CLAIM_TRIES: usize = 20;
const CLAIM_PAUSE: Duration = Duration::from_millis(50);
const BROKEN_CLAIM: &str = "it is not what was written there (without a copy, delete it and run \
    `tokenlake key create` with the organisation's name as it was spelt before)";

/// A record's path, and a mark that changes whenever the record does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMark {
    /// The record's path.
    pub path: Path,
    /// The store's entity tag; without one, the object's time and size.
    pub mark: String,
}

impl RecordMark {
    /// The path of the record of the same name in the folder `to`; `None` if this one is not in `from`.
    pub fn path_in(&self, from: &str, to: &str) -> Option<Path> {
        let rest = self.path.as_ref().strip_prefix(from)?;
        Path::parse(format!("{to}{rest}")).ok()
    }
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// Its content.
    pub record: T,
    /// Whether it was sealed.
    pub form: SealState,
    /// The mark that [`Records::list`] returns for it.
    pub mark: String,
}

/// Reads and writes records.
#[derive(Debug, Clone)]
pub struct Records {
    store: Arc<dyn ObjectStore>,
}

impl Records {
    /// The records of the archive whose root is `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Reads a record; `None` if it does not exist.
    ///
    /// # Errors
    /// Unavailable; Corrupt or NewerRecord, naming the record.
    pub async fn get<T: Record>(&self, path: &Path) -> Result<Option<Stored<T>>, ArchiveError> {
        let Some((bytes, mark)) = self.read(path).await? else { return Ok(None) };
        match sealed::open(path.as_ref(), &bytes) {
            Ok((record, form)) => Ok(Some(Stored { record, form, mark })),
            Err(error) => Err(error.at(path.as_ref())),
        }
    }

    /// Writes a record, replacing an older one.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn put<T: Record>(&self, path: &Path, record: &T) -> Result<(), ArchiveError> {
        self.write(path, sealed_of(path, record)?).await
    }

    /// Writes a record unless it exists; false if it does.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn put_new<T: Record>(&self, path: &Path, record: &T) -> Result<bool, ArchiveError> {
        self.write_new(path, sealed_of(path, record)?).await
    }

    /// Deletes a record; one that does not exist is no error.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn remove(&self, path: &Path) -> Result<(), ArchiveError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(ArchiveError::unavailable(format!("deleting {path}"), error)),
        }
    }

    /// All records in a folder, with their marks. Takes one request per thousand records.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn list(&self, folder: &str) -> Result<Vec<RecordMark>, ArchiveError> {
        let found = self.store.list(Some(&Path::from(folder)));
        let marks =
            found.map_ok(|object| RecordMark { mark: mark(&object), path: object.location });
        let marks: Result<Vec<_>, _> = marks.try_collect().await;
        marks.map_err(|error| ArchiveError::unavailable(format!("listing {folder}"), error))
    }

    /// Claims an organisation's name. Two names that differ only in case cannot both be claimed.
    ///
    /// # Errors
    /// [`ArchiveError::OrgCase`] if another spelling is claimed; Unavailable; Corrupt.
    pub async fn claim_org(&self, org_id: &OrgId) -> Result<(), ArchiveError> {
        let lower = org_id.lowercase();
        let path = paths::org(&lower);
        let claim = org_claim::seal(path.as_ref(), org_id.as_str());
        for _ in 0..CLAIM_TRIES {
            // Most names are claimed already, and reading costs a fraction of a put.
            match self.claimed(&lower).await? {
                Some((existing, is_sealed)) if existing == org_id.as_str() => {
                    if !is_sealed {
                        // No program ever changes a claim, so this overwrites no other content.
                        self.write(&path, claim).await?;
                    }
                    return Ok(());
                }
                Some((existing, _)) => {
                    return Err(ArchiveError::OrgCase { asked: org_id.to_string(), existing });
                }
                None if self.write_new(&path, claim.clone()).await? => return Ok(()),
                // Another process has claimed it meanwhile. Or S3 answers "conflict" while another put is
                // under way, and no claim exists yet.
                None => tokio::time::sleep(CLAIM_PAUSE).await,
            }
        }
        let contended = std::io::Error::other("other processes are claiming it at the same time");
        Err(ArchiveError::unavailable(format!("claiming the organisation {org_id}"), contended))
    }

    /// The claimed names, in lower case.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn orgs(&self) -> Result<Vec<String>, ArchiveError> {
        let listed = self.list(paths::ORGS).await?;
        let names = listed.iter().filter_map(|found| paths::org_name(&found.path));
        Ok(names.map(str::to_owned).collect())
    }

    /// The claimed spelling of a name that is given in lower case; `None` if there is no claim.
    ///
    /// # Errors
    /// Unavailable; Corrupt.
    pub async fn spelling(&self, lower: &str) -> Result<Option<String>, ArchiveError> {
        Ok(self.claimed(lower).await?.map(|(name, _)| name))
    }

    /// The claimed spelling, and whether the claim is sealed.
    async fn claimed(&self, lower: &str) -> Result<Option<(String, bool)>, ArchiveError> {
        let path = paths::org(lower);
        let Some((bytes, _)) = self.read(&path).await? else { return Ok(None) };
        match org_claim::open(path.as_ref(), &bytes) {
            Some((name, is_sealed)) if name.to_ascii_lowercase() == lower => {
                Ok(Some((name, is_sealed)))
            }
            _ => Err(ArchiveError::corrupt(path.as_ref(), BROKEN_CLAIM)),
        }
    }

    async fn read(&self, path: &Path) -> Result<Option<(Bytes, String)>, ArchiveError> {
        let away = |error| ArchiveError::unavailable(format!("reading {path}"), error);
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(away(error)),
        };
        let mark = mark(&found.meta);
        Ok(Some((found.bytes().await.map_err(away)?, mark)))
    }

    async fn write(&self, path: &Path, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        let put = self.store.put(path, PutPayload::from(bytes)).await;
        put.map(drop).map_err(|error| ArchiveError::unavailable(format!("writing {path}"), error))
    }

    async fn write_new(&self, path: &Path, bytes: Vec<u8>) -> Result<bool, ArchiveError> {
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(path, PutPayload::from(bytes), create).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(ArchiveError::unavailable(format!("writing {path}"), error)),
        }
    }
}

/// The bytes of a record, which can be read again.
fn sealed_of<T: Record>(path: &Path, record: &T) -> Result<Vec<u8>, ArchiveError> {
    let bytes = sealed::seal(path.as_ref(), record)?;
    match sealed::open::<T>(path.as_ref(), &bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => {
            let reason = format!("{path} would not be read again");
            Err(ArchiveError::internal("writing a record", reason))
        }
    }
}

fn mark(object: &ObjectMeta) -> String {
    object.e_tag.clone().unwrap_or_else(|| format!("{} {}", object.last_modified, object.size))
}
