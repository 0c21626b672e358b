//! The ledger: the totals of all events that expiry has taken out of the table.
//!
//! `totals(version) = ledger(version) + Σ partial(live file)`. A ledger is an immutable object of
//! cells with a mark next to it. The `txn` action of the commit that removes the files names it by
//! one number. The number holds the *floor date*, before which there are no live files and events
//! are rejected, and a checksum of the mark, which vouches for the cells. So pointer and floor move
//! in one step with the files, and survive checkpoints of the log.

use std::sync::Arc;

use bytes::Bytes;
use chrono::NaiveDate;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::read_back::any_is_gone;
use crate::archive::error::ArchiveError;
use crate::archive::ledger_name::LedgerName;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::parquet::cells::CellReader;
use crate::archive::parquet::checked_read::{CheckedObject, CheckedReader};
use crate::archive::parquet::checksums::Checksums;
use crate::archive::paths;
use crate::error::Kind;

/// The mark, which vouches for the cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LedgerMark {
    /// The table's id.
    table: String,
    /// The floor date.
    floor: String,
    /// Expired events of every type.
    events: u64,
    /// The version of the SQL that made the latest of the sums.
    sql_version: String,
    size_bytes: u64,
    crc32: String,
    /// The ledger that it replaced, as the digits of its number; empty for the first. Older marks
    /// do not have it.
    #[serde(default)]
    before: Option<String>,
    /// The sums of dimensions, each in an object beside the cells. Ledgers from before have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    further: Vec<FurtherMark>,
    /// No two ledgers have the same mark.
    unique: String,
}

/// What vouches for the cells of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FurtherMark {
    /// Of the query, the attribute and the declaration.
    version: String,
    size_bytes: u64,
    crc32: String,
}

/// The cells of a ledger, encoded.
#[derive(Debug, Clone)]
pub struct LedgerCells {
    /// Those of all organisations.
    pub core: Bytes,
    /// Those of dimensions, by the version of their sums.
    pub further: Vec<(Arc<str>, Bytes)>,
}

impl LedgerMark {
    /// The ledger before: `None` if the mark does not name it, `Some(None)` if there was none.
    fn predecessor(&self) -> Option<Option<LedgerName>> {
        let before = self.before.as_deref()?;
        if before.is_empty() {
            return Some(None);
        }
        Some(Some(LedgerName::from_number(before.parse().ok()?)?))
    }
}

/// The description of a new ledger.
#[derive(Debug, Clone, Copy)]
pub struct NewLedger<'a> {
    /// The table's id.
    pub table_id: &'a str,
    /// The floor date.
    pub floor: NaiveDate,
    /// Expired events of every type, including those of the ledger before it.
    pub events: u64,
    /// The version of the SQL that made the sums.
    pub sql_version: &'a str,
    /// The ledger that it replaces.
    pub before: Option<LedgerName>,
}

/// The totals of expired events.
#[derive(Debug)]
pub struct Ledger {
    name: LedgerName,
    events: u64,
    cells: CellReader,
    reader: CheckedReader,
    /// Those of dimensions, of corrections, and of start times.
    further: Vec<FurtherCells>,
    store: Arc<dyn ObjectStore>,
}

/// Further cells of a ledger, which are opened once somebody asks for them.
#[derive(Debug)]
struct FurtherCells {
    /// Of their sums.
    version: String,
    object: CheckedObject,
    opened: OnceCell<CellReader>,
}

impl Ledger {
    /// Its name.
    pub fn name(&self) -> LedgerName {
        self.name
    }

    /// The number of expired events of every type.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Their sums, by organisation.
    pub fn cells(&self) -> &CellReader {
        &self.cells
    }

    /// Further sums, as of a dimension by parts of organisations; `None` where it has none of this
    /// version.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn further_cells(&self, version: &str) -> Result<Option<CellReader>, ArchiveError> {
        let Some(further) = self.further.iter().find(|further| further.version == version) else {
            return Ok(None);
        };
        let open = || CellReader::open(self.store.clone(), further.object.clone());
        Ok(Some(further.opened.get_or_try_init(open).await?.clone()))
    }

    /// Reads all of it and compares it with its checksums.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn check(&self) -> Result<(), ArchiveError> {
        let checked = |path: &Path, checked: parquet::errors::Result<()>| {
            checked.map_err(|error| ArchiveError::of_read(path.as_ref(), &error))
        };
        checked(&paths::ledger(self.name), self.reader.check_all().await)?;
        for FurtherCells { object, .. } in &self.further {
            let reader = CheckedReader::new(self.store.clone(), object.clone());
            checked(object.path(), reader.check_all().await)?;
        }
        Ok(())
    }
}

/// The ledgers of one archive. The one that was read last stays open.
#[derive(Debug, Clone)]
pub struct Ledgers {
    store: Arc<dyn ObjectStore>,
    known: Arc<Mutex<Option<Arc<Ledger>>>>,
}

impl Ledgers {
    /// The ledgers in the archive at the root of `store`.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, known: Arc::default() }
    }

    /// The ledger of a version of the table; `None` if nothing has ever expired.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn of(&self, snapshot: &Snapshot) -> Result<Option<Arc<Ledger>>, ArchiveError> {
        let Some(name) = snapshot.ledger() else { return Ok(None) };
        let known = self.known.lock().clone().filter(|known| known.name == name);
        if let Some(known) = known {
            return Ok(Some(known));
        }
        let ledger = Arc::new(self.open(name, &snapshot.table().id).await?);
        *self.known.lock() = Some(ledger.clone());
        Ok(Some(ledger))
    }

    /// Opens a ledger, even one that no version names.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the object.
    pub async fn open(&self, name: LedgerName, table_id: &str) -> Result<Ledger, ArchiveError> {
        let (mark, checksums) = self.mark(name, table_id).await?;
        let (cells, reader) =
            self.open_cells(paths::ledger(name), mark.size_bytes, checksums).await?;
        let mut further = Vec::new();
        for FurtherMark { version, size_bytes, crc32 } in mark.further {
            let path = paths::ledger_cells(name, &version);
            let checksums = Checksums::from_text(&crc32)
                .ok_or_else(|| ArchiveError::corrupt(path.as_ref(), "it has no checksums"))?;
            let object = CheckedObject::new(path, size_bytes, Some(checksums));
            further.push(FurtherCells { version, object, opened: OnceCell::new() });
        }
        let store = self.store.clone();
        Ok(Ledger { name, events: mark.events, cells, reader, further, store })
    }

    async fn open_cells(
        &self,
        path: Path,
        size_bytes: u64,
        checksums: Checksums,
    ) -> Result<(CellReader, CheckedReader), ArchiveError> {
        let object = CheckedObject::new(path, size_bytes, Some(checksums));
        let reader = CheckedReader::new(self.store.clone(), object.clone());
        Ok((CellReader::open(self.store.clone(), object).await?, reader))
    }

    /// The number of events in a ledger, by its mark alone.
    ///
    /// # Errors
    /// As [`Ledgers::open`].
    pub(in crate::archive) async fn events(
        &self,
        name: LedgerName,
        table_id: &str,
    ) -> Result<u64, ArchiveError> {
        Ok(self.mark(name, table_id).await?.0.events)
    }

    /// The ledger that `name` replaced: `None` if its mark does not say, `Some(None)` if there was
    /// none or `name` itself is gone.
    ///
    /// # Errors
    /// As [`Ledgers::open`].
    pub(in crate::archive) async fn before(
        &self,
        name: LedgerName,
        table_id: &str,
    ) -> Result<Option<Option<LedgerName>>, ArchiveError> {
        let gone = self.store.head(&paths::ledger_mark(name)).await;
        if matches!(gone, Err(object_store::Error::NotFound { .. })) {
            return Ok(Some(None));
        }
        Ok(self.mark(name, table_id).await?.0.predecessor())
    }

    async fn mark(
        &self,
        name: LedgerName,
        table_id: &str,
    ) -> Result<(LedgerMark, Checksums), ArchiveError> {
        let path = paths::ledger_mark(name);
        let corrupt = |reason: &str| ArchiveError::corrupt(path.as_ref(), reason);
        let bytes = self.read(&path).await?;
        if crc32fast::hash(&bytes) != name.id {
            return Err(corrupt("it is not the one that the table's log names"));
        }
        let mark: LedgerMark = serde_json::from_slice(&bytes)
            .map_err(|error| ArchiveError::corrupt(path.as_ref(), error))?;
        if mark.table != table_id || mark.floor != name.floor.to_string() {
            return Err(corrupt("it is of another table or date"));
        }
        let checksums = Checksums::from_text(&mark.crc32);
        let checksums = checksums.ok_or_else(|| corrupt("it has no checksums"))?;
        Ok((mark, checksums))
    }

    /// Stores a ledger, which counts once a commit names it. Reads it back to check it, because its
    /// content exists nowhere else from then on.
    ///
    /// # Errors
    /// Unavailable, also if it is already gone; Corrupt if what was stored is not what is read back.
    pub async fn put(
        &self,
        new: NewLedger<'_>,
        cells: LedgerCells,
    ) -> Result<LedgerName, ArchiveError> {
        let LedgerCells { core: cells, further } = cells;
        let before = new.before.and_then(LedgerName::number);
        let marks = further.iter().map(|(version, cells)| FurtherMark {
            version: version.to_string(),
            size_bytes: cells.len() as u64,
            crc32: Checksums::of(cells).to_text(),
        });
        let mark = LedgerMark {
            table: new.table_id.to_owned(),
            floor: new.floor.to_string(),
            events: new.events,
            sql_version: new.sql_version.to_owned(),
            size_bytes: cells.len() as u64,
            crc32: Checksums::of(&cells).to_text(),
            before: Some(before.map_or_else(String::new, |number| number.to_string())),
            further: marks.collect(),
            unique: Uuid::new_v4().to_string(),
        };
        let mark = serde_json::to_vec(&mark)
            .map_err(|error| ArchiveError::internal("writing a ledger", error))?;
        let name = LedgerName::new(new.floor, crc32fast::hash(&mark));
        let further = further
            .into_iter()
            .map(|(version, cells)| (paths::ledger_cells(name, &version), cells));
        let mut objects = vec![(paths::ledger(name), cells)];
        objects.extend(further);
        objects.push((paths::ledger_mark(name), mark.into()));
        let places: Vec<_> = objects.iter().map(|(path, _)| path.clone()).collect();
        for (path, bytes) in objects {
            self.put_new(&path, bytes).await?;
        }
        match self.read_back(name, new.table_id).await {
            Err(error)
                if error.kind() == Kind::Corrupt
                    && any_is_gone(self.store.as_ref(), &places).await? =>
            {
                let gone = std::io::Error::other("it is no longer there; was the bucket replaced?");
                Err(ArchiveError::unavailable(format!("writing {}", paths::ledger(name)), gone))
            }
            read => read.map(|()| name),
        }
    }

    async fn read_back(&self, name: LedgerName, table_id: &str) -> Result<(), ArchiveError> {
        self.open(name, table_id).await?.check().await
    }

    async fn read(&self, path: &Path) -> Result<Bytes, ArchiveError> {
        let failed = |error| ArchiveError::of_read(path.as_ref(), &error);
        self.store.get(path).await.map_err(failed)?.bytes().await.map_err(failed)
    }

    /// Puts a new object. An existing object with the same content is ours: the answer to a put
    /// that succeeded may have been lost.
    async fn put_new(&self, path: &Path, bytes: Bytes) -> Result<(), ArchiveError> {
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(path, bytes.clone().into(), create).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) if self.read(path).await? == bytes => {
                Ok(())
            }
            Err(error) => Err(ArchiveError::unavailable(format!("writing {path}"), error)),
        }
    }
}
