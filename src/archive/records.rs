//! Small JSON records beside the table: access keys and organisations' names.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ArchiveError, paths};
use crate::event::OrgId;

/// Tries to claim a name while another's claim is under way.
const CLAIM_TRIES: usize = 20;
const CLAIM_PAUSE: Duration = Duration::from_millis(50);

/// A record's place and the mark that changes when it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMark {
    /// The record's path.
    pub path: Path,
    /// The store's entity tag, or else its time and size.
    pub mark: String,
}

/// Reads and writes records.
#[derive(Debug, Clone)]
pub struct Records {
    store: Arc<dyn ObjectStore>,
}

impl Records {
    /// The records in the archive whose root `store` is.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Reads a record; `None` where there is none.
    ///
    /// # Errors
    /// Unavailable, or Corrupt naming the record.
    pub async fn get<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, ArchiveError> {
        Ok(self.get_marked(path).await?.map(|(record, _)| record))
    }

    /// Reads a record and the mark that [`Records::list`] shows of it.
    ///
    /// # Errors
    /// As [`Records::get`].
    pub async fn get_marked<T: DeserializeOwned>(
        &self,
        path: &Path,
    ) -> Result<Option<(T, String)>, ArchiveError> {
        let away = |error| ArchiveError::unavailable(format!("reading {path}"), error);
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(away(error)),
        };
        let mark = mark(&found.meta);
        let bytes = found.bytes().await.map_err(away)?;
        match serde_json::from_slice(&bytes) {
            Ok(record) => Ok(Some((record, mark))),
            Err(error) => Err(ArchiveError::corrupt(path.as_ref(), error)),
        }
    }

    /// Writes a record, over an older one.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn put<T: Serialize + Sync>(
        &self,
        path: &Path,
        record: &T,
    ) -> Result<(), ArchiveError> {
        let answer = self.store.put(path, json(record)?).await;
        answer
            .map(drop)
            .map_err(|error| ArchiveError::unavailable(format!("writing {path}"), error))
    }

    /// Writes a record where none is; false if one is.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn put_new<T: Serialize + Sync>(
        &self,
        path: &Path,
        record: &T,
    ) -> Result<bool, ArchiveError> {
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(path, json(record)?, create).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(ArchiveError::unavailable(format!("writing {path}"), error)),
        }
    }

    /// All records in a folder, with their marks. One request for each thousand.
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

    /// Claims an organisation's name. Two names that differ only in case cannot both stand.
    ///
    /// # Errors
    /// [`ArchiveError::OrgCase`] if another spelling stands; Unavailable; Corrupt.
    pub async fn claim_org(&self, org_id: &OrgId) -> Result<(), ArchiveError> {
        let path = paths::org(&org_id.lowercase());
        for _ in 0..CLAIM_TRIES {
            if self.put_new(&path, &org_id.as_str()).await? {
                return Ok(());
            }
            match self.get::<String>(&path).await? {
                Some(existing) if existing == org_id.as_str() => return Ok(()),
                Some(existing) => {
                    return Err(ArchiveError::OrgCase { asked: org_id.to_string(), existing });
                }
                // S3 answers "conflict" while another's put is under way: nothing stands yet.
                None => tokio::time::sleep(CLAIM_PAUSE).await,
            }
        }
        let contended = std::io::Error::other("others claim it at the same time");
        Err(ArchiveError::unavailable(format!("claiming the organisation {org_id}"), contended))
    }
}

fn mark(object: &ObjectMeta) -> String {
    object.e_tag.clone().unwrap_or_else(|| format!("{} {}", object.last_modified, object.size))
}

fn json<T: Serialize>(record: &T) -> Result<PutPayload, ArchiveError> {
    let bytes = serde_json::to_vec(record)
        .map_err(|error| ArchiveError::internal("writing a record", error))?;
    Ok(Bytes::from(bytes).into())
}
