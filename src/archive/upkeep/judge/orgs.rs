//! The organisations of a file that another program wrote: each in one spelling, and claimed, so that no
//! key and no other file can have it in another one.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStore;

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::foreign::{foreign_rows, refused};
use crate::archive::parquet::columns::text;
use crate::archive::store::records::Records;
use crate::error::Kind;
use crate::event::{self, OrgId};

/// Rows that are read at a time.
pub(super) const BATCH_ROWS: usize = 8 * 1024;
/// Records of organisations that are read or claimed side by side.
const RECORDS: usize = 16;

/// What a judge does about the names of organisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrgNaming {
    /// Claims them.
    Make,
    /// Compares them with the claims that there are: a process that may only read.
    Read,
}

/// The organisations of a file, by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct FileOrgs(BTreeMap<String, String>);

impl FileOrgs {
    /// Reads the organisations of a file, and no other column.
    ///
    /// # Errors
    /// Foreign, with the rule that a row breaks; Corrupt or Unavailable.
    pub(super) async fn read(
        store: &Arc<dyn ObjectStore>,
        file: &DataFile,
    ) -> Result<Self, ArchiveError> {
        let schema = event::schema();
        let names = schema.fields().iter().filter(|field| field.name() == "org_id").cloned();
        let wanted = Arc::new(Schema::new(names.collect::<Vec<_>>()));
        let mut rows = foreign_rows(store.clone(), file, wanted, BATCH_ROWS).await?;
        let mut orgs = Self::default();
        while let Some(rows) = rows.try_next().await? {
            orgs.add(file, &rows)?;
        }
        Ok(orgs)
    }

    /// Adds those of some rows.
    ///
    /// # Errors
    /// Foreign, with the rule that a row breaks.
    pub(super) fn add(&mut self, file: &DataFile, rows: &RecordBatch) -> Result<(), ArchiveError> {
        let broken = |reason: &str| Err(refused(&file.path_in_archive(), reason));
        let mut last = None;
        for org in text(rows, "org_id")?.iter().flatten() {
            if last.replace(org) == Some(org) {
                continue;
            }
            let lower = org.to_ascii_lowercase();
            if self.0.get(&lower).is_some_and(|known| known == org) {
                continue;
            }
            if !file.may_hold_org(org) {
                return broken("it has a row outside its bounds of org_id in the log");
            }
            if self.0.insert(lower, org.to_owned()).is_some() {
                return broken("it has organisations that differ only in case");
            }
        }
        Ok(())
    }

    /// Whether all of them are among names in lower case.
    pub(super) fn are_among(&self, names: &HashSet<String>) -> bool {
        self.0.keys().all(|name| names.contains(name))
    }

    /// Claims them, or compares them with the claims that there are. False if some are to be claimed and
    /// the store does not take a claim: scrapes go on while a disk is full.
    ///
    /// # Errors
    /// Foreign, if another spelling of one is claimed; Corrupt or Unavailable.
    pub(super) async fn settle(
        self,
        records: &Records,
        path: &str,
        claims: OrgNaming,
    ) -> Result<bool, ArchiveError> {
        let settled = self.0.into_iter().map(|(lower, org)| async move {
            match claims {
                OrgNaming::Make => claim(records, path, &lower, &org).await,
                OrgNaming::Read => compare(records, path, &lower, &org).await.map(|()| true),
            }
        });
        let (mut settled, mut all) =
            (futures::stream::iter(settled).buffer_unordered(RECORDS), true);
        while let Some(one) = settled.try_next().await? {
            all &= one;
        }
        Ok(all)
    }
}

async fn claim(
    records: &Records,
    path: &str,
    lower: &str,
    org: &str,
) -> Result<bool, ArchiveError> {
    let org_id = OrgId::parse(org).map_err(|error| refused(path, error.to_string()))?;
    match records.claim_org(&org_id).await {
        Ok(()) => Ok(true),
        Err(ArchiveError::OrgCase { .. }) => Err(differs(path)),
        Err(error) if error.kind() == Kind::Unavailable => {
            compare(records, path, lower, org).await?;
            tracing::warn!(%error, org, "an organisation of another program's file is not claimed");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn compare(
    records: &Records,
    path: &str,
    lower: &str,
    org: &str,
) -> Result<(), ArchiveError> {
    match records.spelling(lower).await? {
        Some(standing) if standing != org => Err(differs(path)),
        _ => Ok(()),
    }
}

fn differs(path: &str) -> ArchiveError {
    refused(path, "it has an organisation that differs from an existing one only in case")
}
