//! How many values of a dimension an organisation may have: an event with one too many is stored with
//! the attribute `other`, and its own value under another attribute, before it is written, so that
//! nothing ever moves from one value to another.
//!
//! As the cap of series, it guards against a blow-up and is no quota: history from before the dimension
//! was declared has as many as it has.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray as _, MapArray, StringArray};
use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::known::{CountedName, NameSet, OTHER, STALENESS_MAX};
use crate::archive::{Archive, ArchiveError, ByOrg, Snapshot};
use crate::byte_lru::ByteLru;
use crate::clock::Micros;
use crate::error::Kind;
use crate::event::{
    API_CALL, COST_CORRECTION, Dimension, Dimensions, EventBatch, OrgId, attribute_of,
    dimension_value,
};
use crate::rollup::{Rollup, UsageScope};
use crate::sql::{SqlError, org_and_value};
use crate::telemetry::Telemetry;

/// Values of a dimension of an organisation by default.
pub const VALUES_MAX: usize = 1_000;
/// Memory for the known values of organisations' dimensions.
pub const VALUES_BYTES_MAX: usize = 16 << 20;
/// What the name of the attribute ends with that keeps a value for which there is no room.
const OWN: &str = ".value";

/// Keeps organisations from having more values of a dimension than they may.
#[derive(Debug)]
pub(super) struct ValueCap {
    rollup: Arc<Rollup>,
    values_max: usize,
    known: Mutex<ByteLru<Arc<str>, Arc<Known>>>,
    telemetry: Telemetry,
}

/// The values of one dimension of one organisation.
#[derive(Debug)]
struct Known {
    scope: Arc<UsageScope>,
    values: Mutex<Values>,
}

#[derive(Debug, Default)]
struct Values {
    /// The version of the table that was asked last.
    version: Option<u64>,
    names: NameSet,
}

/// New values that are on their way into the table. Once this is dropped, the table tells of them, or
/// they are not there.
#[derive(Debug, Default)]
pub(super) struct AdmittedValues(Vec<(Arc<Known>, CountedName)>);

impl AdmittedValues {
    /// Takes note that these are in the table now.
    pub(super) fn stand(mut self) {
        for (known, name) in self.0.drain(..) {
            let mut values = known.values.lock();
            values.names.release(&name);
            values.names.in_table.insert(name);
        }
    }
}

impl Drop for AdmittedValues {
    fn drop(&mut self) {
        for (known, name) in self.0.drain(..) {
            known.values.lock().names.release(&name);
        }
    }
}

impl ValueCap {
    pub(super) fn new(rollup: Arc<Rollup>, values_max: usize, telemetry: Telemetry) -> Self {
        let known = Mutex::new(ByteLru::new(VALUES_BYTES_MAX));
        Self { rollup, values_max, known, telemetry }
    }

    /// The batches as they may be stored, and what must be kept until they are committed. A value that a
    /// key is `bound` to, by the dimension's attribute, which others may share, stays.
    ///
    /// # Errors
    /// Unavailable, if it cannot be told which values there are.
    pub(super) async fn apply(
        &self,
        mut batches: Vec<EventBatch>,
        archive: &Archive,
        now: Micros,
        bound: Option<(&str, &str)>,
    ) -> Result<(Vec<EventBatch>, AdmittedValues), SqlError> {
        let mut admitted = AdmittedValues::default();
        let dimensions = archive.current().table().dimensions.clone();
        for dimension in dimensions.iter() {
            let mut over = self.over(dimension, &batches, archive, now, &mut admitted).await?;
            let kept = bound.filter(|(attribute, _)| *attribute == &*dimension.attribute);
            if let Some((_, kept)) = kept {
                over.retain(|(_, value)| value != kept);
            }
            if !over.is_empty() {
                let all = (&**dimension, &*dimensions);
                let marked = batches.iter().map(|batch| self.marked(batch, all, &over));
                batches = marked.collect::<Result<Vec<_>, _>>()?;
            }
        }
        Ok((batches, admitted))
    }

    /// The values of a dimension for which there is no room, by organisation.
    async fn over(
        &self,
        dimension: &Arc<Dimension>,
        batches: &[EventBatch],
        archive: &Archive,
        now: Micros,
        admitted: &mut AdmittedValues,
    ) -> Result<HashSet<(String, String)>, SqlError> {
        let mut over = HashSet::new();
        for (org_id, asked) in asked_of(dimension, batches)? {
            let known = self.known(org_id, dimension)?;
            let is_known = |value: &String| {
                value == OTHER || known.values.lock().names.in_table.contains(value.as_str())
            };
            if asked.iter().all(is_known) {
                continue;
            }
            let snapshot = archive.fresh(STALENESS_MAX).await?;
            if !self.ask_table(&known, archive, snapshot, now).await? {
                continue;
            }
            let mut values = known.values.lock();
            let mut room = values.names.room(self.values_max);
            for value in asked {
                if value == OTHER || values.names.in_table.contains(value.as_str()) {
                    continue;
                }
                let name: CountedName = value.as_str().into();
                if values.names.bring(&name, &mut room) {
                    admitted.0.push((known.clone(), name));
                } else {
                    over.insert((org_id.to_owned(), value));
                }
            }
        }
        Ok(over)
    }

    /// Learns what has come into the table since it was last asked; false if that cannot be told yet.
    async fn ask_table(
        &self,
        known: &Arc<Known>,
        archive: &Archive,
        snapshot: Arc<Snapshot>,
        now: Micros,
    ) -> Result<bool, SqlError> {
        if known.values.lock().version >= Some(snapshot.version()) {
            return Ok(true);
        }
        match archive.at_newest(snapshot, |snapshot| self.learn(known, snapshot, now)).await {
            Ok(bytes) => drop(self.known.lock().resize(known.scope.key(), bytes)),
            // What is sent now must not wait for what older files have, nor for damage to be mended.
            Err(error @ SqlError::NotYet { .. }) => {
                tracing::debug!(%error, "no telling how many values there are");
                return Ok(false);
            }
            Err(error) if error.kind() == Kind::Corrupt => {
                tracing::warn!(%error, "no telling how many values there are");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Learns what a version has; gives the memory that it takes.
    async fn learn(
        &self,
        known: &Arc<Known>,
        snapshot: Arc<Snapshot>,
        now: Micros,
    ) -> Result<usize, SqlError> {
        let (rollup, known) = (self.rollup.clone(), known.clone());
        // In a task: after a cold start it may outlast a request, and the next finds it done.
        let work = tokio::spawn(async move {
            let scope = known.scope.clone();
            let learn = |version, parts: &mut dyn Iterator<Item = &Arc<str>>| {
                let values = parts.filter_map(|part| org_and_value(part));
                let values = values.map(|(_, value)| value).filter(|value| *value != OTHER);
                let mut held = known.values.lock();
                held.version = Some(version);
                held.names.in_table = values.map(CountedName::from).collect();
                held.names.bytes()
            };
            rollup.show_names(&scope, &snapshot, now, learn).await
        });
        work.await.map_err(|error| ArchiveError::internal("asking for values", error))?
    }

    fn marked(
        &self,
        batch: &EventBatch,
        (dimension, all): (&Dimension, &Dimensions),
        over: &HashSet<(String, String)>,
    ) -> Result<EventBatch, ArchiveError> {
        let own = format!("{}{OWN}", dimension.attribute);
        let mut found = HashMap::new();
        for (row, org_id, value) in rows_of(dimension, batch)? {
            if let Some((_, value)) = over.get(&(org_id.to_owned(), value.into_owned())) {
                found.insert(row, value.as_str());
            }
        }
        let marks = |row| match found.get(&row) {
            // What another dimension is of says what was sent.
            Some(_) if all.are_of(&own) => vec![(&*dimension.attribute, OTHER)],
            Some(value) => vec![(&*dimension.attribute, OTHER), (own.as_str(), *value)],
            None => Vec::new(),
        };
        let (batch, dropped) = batch
            .marked(marks, all)
            .map_err(|error| ArchiveError::internal("bounding values", error))?;
        let telemetry = &self.telemetry.ingest;
        telemetry.values_renamed.add(found.len());
        telemetry.attributes_dropped.add(usize::try_from(dropped).unwrap_or(usize::MAX));
        Ok(batch)
    }

    fn known(&self, org_id: &str, dimension: &Arc<Dimension>) -> Result<Arc<Known>, ArchiveError> {
        let org_id = OrgId::parse(org_id);
        let org_id = org_id.map_err(|error| ArchiveError::internal("looking for values", error))?;
        let scope = Arc::new(UsageScope::parts(&org_id, dimension));
        let mut all = self.known.lock();
        if let Some(known) = all.get_mut(scope.key()) {
            return Ok(known.clone());
        }
        let key = Arc::from(scope.key());
        let known = Arc::new(Known { scope, values: Mutex::default() });
        all.put(key, known.clone(), 0);
        Ok(known)
    }
}

/// The values that batches ask for, by organisation, in the order of the rows.
fn asked_of<'a>(
    dimension: &'a Dimension,
    batches: &'a [EventBatch],
) -> Result<Vec<(&'a str, Vec<String>)>, ArchiveError> {
    let mut orgs = ByOrg::<(HashSet<String, RandomState>, Vec<String>)>::default();
    for batch in batches {
        for (_, org_id, value) in rows_of(dimension, batch)? {
            let (seen, asked) = orgs.of(org_id);
            if !seen.contains(value.as_ref()) {
                seen.insert(value.clone().into_owned());
                asked.push(value.into_owned());
            }
        }
    }
    Ok(orgs.into_sorted().into_iter().map(|(org_id, (_, asked))| (org_id, asked)).collect())
}

/// The rows that have a value, each with its organisation and the value.
fn rows_of<'a>(
    dimension: &'a Dimension,
    batch: &'a EventBatch,
) -> Result<impl Iterator<Item = (usize, &'a str, Cow<'a, str>)>, ArchiveError> {
    let wrong = |name: &str| ArchiveError::internal("looking for values", name.to_owned());
    let rows = batch.record_batch();
    let orgs = rows.column_by_name("org_id").and_then(|orgs| orgs.as_string_opt::<i32>());
    let orgs: &StringArray = orgs.ok_or_else(|| wrong("org_id"))?;
    let attributes = rows.column_by_name("attributes").and_then(|column| column.as_map_opt());
    let attributes: &MapArray = attributes.ok_or_else(|| wrong("attributes"))?;
    let types = rows.column_by_name("event_type").and_then(|types| types.as_string_opt::<i32>());
    let types: &StringArray = types.ok_or_else(|| wrong("event_type"))?;
    Ok(orgs.iter().enumerate().filter_map(move |(row, org_id)| {
        // What is neither a call nor a correction is in no sum.
        if !matches!(types.value(row), API_CALL | COST_CORRECTION) {
            return None;
        }
        let value = dimension_value(attribute_of(attributes, row, &dimension.attribute)?)?;
        Some((row, org_id?, value))
    }))
}
