//! Events of a file that are in the table twice: in the file itself, or in others near it.
//!
//! The ids of a file are taken in parts, by their fingerprints, so that memory is bounded however
//! large the file is. Filters rule out most of the other files; the ids of the rest are read.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::file_read::IdReader;
use crate::archive::file::ids::EventHash;

/// Ids that are held at a time, about; each takes about a hundred bytes.
const PART_IDS: u64 = 256 * 1024;
/// Files that are searched side by side.
const SIDE_BY_SIDE: usize = 8;
/// Organisations that are named; if there are more, all count as concerned.
const ORGS_MAX: usize = 256;

/// Events of a file that are also in another one, or in the file itself twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubled {
    /// The other file, or the same.
    pub other: Arc<str>,
    /// Number of rows.
    pub events: u64,
    orgs: BTreeSet<Arc<str>>,
}

impl Doubled {
    /// Whether some are of this organisation.
    pub(super) fn concerns(&self, org: &str) -> bool {
        self.orgs.len() >= ORGS_MAX || self.orgs.contains(org)
    }
}

/// The search for duplicates.
pub(super) struct Doubles {
    file: Arc<DataFile>,
    found: HashMap<Arc<str>, Doubled>,
}

/// Some ids of the file, with their organisations.
#[derive(Default)]
struct IdBatch {
    ids: HashMap<EventHash, String>,
    orgs: HashMap<EventHash, Arc<str>>,
}

impl Doubles {
    /// The events of `file` that are in it twice, or in one of `others`.
    ///
    /// # Errors
    /// Foreign, Corrupt or Unavailable, naming the file that cannot be read.
    pub(super) async fn find(
        reader: &IdReader,
        file: &Arc<DataFile>,
        others: Vec<Arc<DataFile>>,
    ) -> Result<Vec<Doubled>, ArchiveError> {
        let mut doubles = Self { file: file.clone(), found: HashMap::new() };
        let mut rows = 0_u64;
        reader.each_id(file, |_, _, _| rows += 1).await?;
        let parts = rows.div_ceil(PART_IDS).max(1);
        for number in 0..parts {
            let part = doubles.part(reader, number, parts).await?;
            doubles.ask(reader, part, &others).await?;
        }
        Ok(doubles.found.into_values().collect())
    }

    async fn part(
        &mut self,
        reader: &IdReader,
        number: u64,
        parts: u64,
    ) -> Result<IdBatch, ArchiveError> {
        let (mut part, mut names) = (IdBatch::default(), BTreeSet::<Arc<str>>::new());
        let file = self.file.clone();
        let each = |hash: EventHash, org: &str, id: &str| {
            if hash % EventHash::from(parts) != EventHash::from(number) {
                return;
            }
            let org = names.get(org).cloned().unwrap_or_else(|| {
                let org = Arc::<str>::from(org);
                names.insert(org.clone());
                org
            });
            if part.ids.insert(hash, id.to_owned()).is_some() {
                self.add(&file.path, &org);
            }
            part.orgs.insert(hash, org);
        };
        reader.each_id(&file, each).await?;
        Ok(part)
    }

    async fn ask(
        &mut self,
        reader: &IdReader,
        part: IdBatch,
        others: &[Arc<DataFile>],
    ) -> Result<(), ArchiveError> {
        let IdBatch { ids, orgs } = part;
        let ids = Arc::new(ids);
        let suspects = others.iter().filter(|other| other.may_hold_any(ids.keys().copied()));
        let asked = suspects.cloned().map(|other| {
            let (reader, ids) = (reader.clone(), ids.clone());
            async move {
                match reader.among(&other, &ids).await {
                    // The check of that file itself reports this.
                    Err(ArchiveError::Foreign { .. }) => Ok((HashSet::new(), other)),
                    held => Ok::<_, ArchiveError>((held?, other)),
                }
            }
        });
        let asked = asked.collect::<Vec<_>>();
        let mut asked = futures::stream::iter(asked).buffer_unordered(SIDE_BY_SIDE);
        while let Some((held, other)) = asked.try_next().await? {
            for org in held.iter().filter_map(|hash| orgs.get(hash)) {
                self.add(&other.path, org);
            }
        }
        Ok(())
    }

    fn add(&mut self, other: &Arc<str>, org: &Arc<str>) {
        let none = || Doubled { other: other.clone(), events: 0, orgs: BTreeSet::new() };
        let doubled = self.found.entry(other.clone()).or_insert_with(none);
        doubled.events += 1;
        if doubled.orgs.len() < ORGS_MAX {
            doubled.orgs.insert(org.clone());
        }
    }
}
