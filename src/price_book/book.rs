//! The prices that are in force, as a process knows them, and when it looks again.
//!
//! What is known is used for less than [`TRUST`] after it was last seen to be the newest, so an import
//! is in force within five seconds on every replica. Who asks while it is older than [`FRESH`] has a task
//! look, and does not wait. Prices that nobody asks for cost no request.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::RwLock;

use super::catalogue::ListedTable;
use super::stored;
use crate::archive::{ArchiveError, Records};
use crate::clock::{Clock, Micros};
use crate::pricing::{Prices, Table, TableError, builtin};

/// How long what is known is used without another look.
const FRESH: Duration = Duration::from_millis(1_500);
/// How long it is used while another look is under way.
const TRUST: Duration = Duration::from_secs(4);
/// Tables that are read at once: each organisation may have its own, and requests wait for all of them.
const READ_AT_ONCE: usize = 32;

/// Which tables prices come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PriceTables {
    /// None: no call gets a price.
    #[default]
    None,
    /// Those that were imported into the archive.
    Archive,
    /// The same, and the built-in one under them.
    Builtin,
}

impl PriceTables {
    /// What they tell without an archive: the built-in table at most.
    ///
    /// # Errors
    /// A defect of the built-in table.
    pub fn builtin(self) -> Result<Option<Arc<InForce>>, TableError> {
        let tables = match self {
            Self::None => return Ok(None),
            Self::Archive => Vec::new(),
            Self::Builtin => vec![Arc::new(builtin()?)],
        };
        Ok(Some(Arc::new(InForce { prices: Prices::new(tables), ..InForce::default() })))
    }

    /// The prices of the archive that has these records; none if no call gets a price.
    ///
    /// # Errors
    /// A defect of the built-in table.
    pub fn book(
        self,
        records: Records,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Arc<PriceBook>>, TableError> {
        let builtin = match self {
            Self::None => return Ok(None),
            Self::Archive => None,
            Self::Builtin => Some(Arc::new(builtin()?)),
        };
        Ok(Some(Arc::new(PriceBook::new(records, clock, builtin))))
    }
}

/// The tables in force, those that decide first before others.
#[derive(Debug, Default)]
pub struct InForce {
    /// The version of their catalogue; 0 if nothing was imported.
    version: u64,
    /// The imported ones, in the order of the first of `prices`.
    listed: Vec<ListedTable>,
    prices: Prices,
}

impl InForce {
    /// The prices.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The version of the catalogue; 0 if nothing was imported.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the catalogue says of a table; none if it was not imported.
    pub fn listed(&self, at: usize) -> Option<&ListedTable> {
        self.listed.get(at)
    }

    /// The names of all tables, and when their prices were taken.
    pub fn all_taken(&self) -> impl Iterator<Item = (&str, Micros)> {
        self.each_taken().map(|(_, name, taken)| (name, taken))
    }

    /// The same of those that are for an organisation.
    pub fn taken<'a>(&'a self, org: &'a str) -> impl Iterator<Item = (&'a str, Micros)> {
        let own = move |only: Option<&str>| only.is_none_or(|only| only == org);
        self.each_taken().filter(move |(only, ..)| own(*only)).map(|(_, name, taken)| (name, taken))
    }

    /// The imported tables, by the ids of their objects.
    fn by_object(&self) -> HashMap<&str, Arc<Table>> {
        let objects = self.listed.iter().map(|listed| &*listed.object);
        objects.zip(self.prices.tables().iter().cloned()).collect()
    }

    /// The organisation that each table is for, its name, and when its prices were taken.
    fn each_taken(&self) -> impl Iterator<Item = (Option<&str>, &str, Micros)> {
        self.prices.tables().iter().enumerate().filter_map(|(at, table)| {
            let listed = self.listed(at).map(|listed| listed.taken_us);
            Some((table.org(), table.name(), listed.or(table.taken())?))
        })
    }
}

#[derive(Debug)]
struct KnownTables {
    tables: Arc<InForce>,
    /// When the look began that saw them to be the newest, by the clock that includes sleep.
    at: Duration,
}

/// The prices of one archive.
#[derive(Debug)]
pub struct PriceBook {
    records: Records,
    clock: Arc<dyn Clock>,
    builtin: Option<Arc<Table>>,
    known: RwLock<Option<KnownTables>>,
    looking: tokio::sync::Mutex<()>,
    /// Whether a task looks.
    is_looking: AtomicBool,
}

impl PriceBook {
    /// The prices of the archive that has these records, with `builtin` under all imported tables.
    fn new(records: Records, clock: Arc<dyn Clock>, builtin: Option<Arc<Table>>) -> Self {
        Self {
            records,
            clock,
            builtin,
            known: RwLock::new(None),
            looking: tokio::sync::Mutex::new(()),
            is_looking: AtomicBool::new(false),
        }
    }

    /// The prices in force.
    ///
    /// # Errors
    /// Unavailable; Corrupt or NewerRecord, naming the object.
    pub async fn current(self: &Arc<Self>) -> Result<Arc<InForce>, ArchiveError> {
        let asked_at = self.clock.elapsed();
        match self.known_at(asked_at) {
            Some((tables, age)) if age < FRESH => Ok(tables),
            Some((tables, age)) if age < TRUST => {
                self.look_again(asked_at);
                Ok(tables)
            }
            // Boxed, so that not every request pays for the size of a rare case.
            _ => Box::pin(self.look(asked_at, TRUST)).await,
        }
    }

    /// What is known, and its age.
    fn known_at(&self, now: Duration) -> Option<(Arc<InForce>, Duration)> {
        let known = self.known.read();
        known.as_ref().map(|known| (known.tables.clone(), now.saturating_sub(known.at)))
    }

    fn look_again(self: &Arc<Self>, asked_at: Duration) {
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            // What is known ages by itself; those who then wait for a look are told what is wrong.
            if let Err(error) = this.look(asked_at, FRESH).await {
                tracing::warn!(%error, "cannot follow the tables of prices");
            }
            this.is_looking.store(false, Ordering::Release);
        });
    }

    /// Looks for newer tables, unless another look has made what is known less old than `age`.
    async fn look(&self, asked_at: Duration, age: Duration) -> Result<Arc<InForce>, ArchiveError> {
        let _one_at_a_time = self.looking.lock().await;
        let at = self.clock.elapsed();
        let before = match self.known_at(at.max(asked_at)) {
            Some((tables, old)) if old < age => return Ok(tables),
            known => known.map(|(tables, _)| tables),
        };
        let tables = match before {
            None => self.opened(None).await?,
            Some(before) => match stored::after(&self.records, before.version).await? {
                Some(newer) => {
                    Arc::new(self.read(newer.version, newer.tables, Some(&before)).await?)
                }
                None => match self.is_there(&before).await? {
                    true => before,
                    // All was deleted, and perhaps imported anew: versions begin again.
                    false => self.opened(Some(&before)).await?,
                },
            },
        };
        *self.known.write() = Some(KnownTables { tables: tables.clone(), at });
        Ok(tables)
    }

    /// Whether the catalogue that is known is still the one of its version.
    async fn is_there(&self, known: &InForce) -> Result<bool, ArchiveError> {
        if known.version == 0 {
            return Ok(true);
        }
        let there = stored::catalogue(&self.records, known.version).await?;
        Ok(there.is_some_and(|there| in_order(there.tables) == known.listed))
    }

    /// The newest tables, of which those of `before` are not read again.
    async fn opened(&self, before: Option<&InForce>) -> Result<Arc<InForce>, ArchiveError> {
        let (version, tables) = match stored::newest(&self.records).await? {
            Some(catalogue) => (catalogue.version, catalogue.tables),
            None => (0, Vec::new()),
        };
        Ok(Arc::new(self.read(version, tables, before).await?))
    }

    /// The tables of a catalogue, of which those that are known already are not read again.
    async fn read(
        &self,
        version: u64,
        listed: Vec<ListedTable>,
        before: Option<&InForce>,
    ) -> Result<InForce, ArchiveError> {
        let listed = in_order(listed);
        let known = before.map(InForce::by_object).unwrap_or_default();
        let tables = listed.iter().map(|one| {
            let known = known.get(&*one.object).cloned();
            async move {
                match known {
                    Some(known) => Ok(known),
                    None => stored::table(&self.records, one).await,
                }
            }
        });
        let tables: Vec<_> = tables.collect();
        let tables = stream::iter(tables).buffered(READ_AT_ONCE);
        let mut tables: Vec<Arc<Table>> = tables.try_collect().await?;
        tables.extend(self.builtin.clone());
        Ok(InForce { version, listed, prices: Prices::new(tables) })
    }
}

/// An organisation's own table decides before that for all.
fn in_order(mut listed: Vec<ListedTable>) -> Vec<ListedTable> {
    listed.sort_by(|a, b| (a.org.is_none(), &a.org).cmp(&(b.org.is_none(), &b.org)));
    listed
}
