//! The known series and providers of one organisation: those in the table, and new ones that are on
//! their way into it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::event::OrgId;
use crate::rollup::SeriesMap;

/// The model, and the provider, of events above the cap; it is always allowed.
pub const OTHER: &str = "other";
/// How stale the known version may be if a name is new here. A server follows as fast.
pub(super) const STALENESS_MAX: Duration = Duration::from_secs(1);
/// Memory of one known name in addition to its text.
const ENTRY_BYTES: usize = 64;

/// Organisation, provider and model of an event, as it was sent.
pub(super) type EventNames<'a> = (&'a str, &'a str, &'a str);

/// A provider, or provider and model as one name, in the spelling of the counters.
pub(super) type CountedName = Arc<str>;

/// A series and its provider that a batch contains.
#[derive(Debug)]
pub(super) struct SeriesRequest<'a> {
    pub(super) row: EventNames<'a>,
    /// `None` for the provider that is always allowed.
    pub(super) provider: Option<String>,
    /// `None` for the model that is always allowed.
    pub(super) series: Option<CountedName>,
}

/// The cap that an event exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The cap on series.
    Model,
    /// The cap on providers.
    Provider,
}

/// What is known of one organisation.
#[derive(Debug)]
pub(super) struct OrgSeries {
    pub(super) org_id: OrgId,
    pub(super) known: Mutex<KnownSeries>,
}

#[derive(Debug, Default)]
pub(super) struct KnownSeries {
    /// The version of the table at the last look.
    pub(super) version: Option<u64>,
    /// The series that count towards the cap.
    series: NameSet,
    providers: NameSet,
    /// How many series the table has, including those that do not count.
    in_table_all: usize,
    /// Memory that the names take.
    bytes: usize,
}

/// Names of one kind.
#[derive(Debug, Default)]
pub(super) struct NameSet {
    /// Those in the table at the last look, and those committed here since.
    pub(super) in_table: HashSet<CountedName>,
    /// New ones, with the number of batches that bring each.
    on_their_way: HashMap<CountedName, usize>,
}

/// New names that are on their way into the table. Dropped after the commit: by then the names are
/// in the table, or the commit failed.
#[derive(Debug, Default)]
pub(super) struct NewNames(Vec<(Arc<OrgSeries>, NameKind, CountedName)>);

/// The kind of a name.
#[derive(Debug, Clone, Copy)]
enum NameKind {
    Series,
    Provider,
}

impl NameSet {
    /// How many more names there may be.
    pub(super) fn room(&self, most: usize) -> usize {
        let new = self.on_their_way.keys().filter(|name| !self.in_table.contains(*name)).count();
        most.saturating_sub(self.in_table.len() + new)
    }

    /// A batch brings a name that is not in the table; false if there is no room for it.
    pub(super) fn bring(&mut self, name: &CountedName, room: &mut usize) -> bool {
        match self.on_their_way.get_mut(name) {
            Some(batches) => *batches += 1,
            None if *room == 0 => return false,
            None => {
                *room -= 1;
                self.on_their_way.insert(name.clone(), 1);
            }
        }
        true
    }

    /// Records that one batch less brings a name.
    pub(super) fn release(&mut self, name: &CountedName) {
        match self.on_their_way.get_mut(name) {
            Some(batches) if *batches > 1 => *batches -= 1,
            _ => drop(self.on_their_way.remove(name)),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.in_table.iter().map(|name| name.len() + ENTRY_BYTES).sum()
    }
}

impl KnownSeries {
    /// Whether all series and providers are in the table.
    pub(super) fn has_all(&self, asked: &[SeriesRequest<'_>]) -> bool {
        asked.iter().all(|asked| match (&asked.series, &asked.provider) {
            // If a series is in the table, so is its provider.
            (Some(series), _) => self.series.in_table.contains(series),
            (None, Some(provider)) => self.providers.in_table.contains(provider.as_str()),
            (None, None) => true,
        })
    }

    /// Takes over the series of a version; returns the memory that they take.
    pub(super) fn learn(&mut self, version: u64, series: &SeriesMap) -> usize {
        self.version = Some(version);
        // Series never go away, so if their number is the same, they are the same.
        if series.len() != self.in_table_all {
            let counted = series.keys().filter(|(_, model)| model.as_ref() != OTHER);
            self.series.in_table =
                counted.map(|(provider, model)| series_name(provider, model)).collect();
            let providers = series.keys().map(|(provider, _)| provider);
            self.providers.in_table =
                providers.filter(|provider| provider.as_ref() != OTHER).cloned().collect();
            self.in_table_all = series.len();
            self.bytes = self.series.bytes() + self.providers.bytes();
        }
        self.bytes
    }

    fn names(&mut self, kind: NameKind) -> &mut NameSet {
        match kind {
            NameKind::Series => &mut self.series,
            NameKind::Provider => &mut self.providers,
        }
    }

    /// Records that a name has come into the table; returns the memory that all of them take.
    fn stand(&mut self, kind: NameKind, name: CountedName) -> usize {
        let (names, bytes) = (self.names(kind), name.len() + ENTRY_BYTES);
        names.release(&name);
        if names.in_table.insert(name) {
            self.bytes += bytes;
        }
        self.bytes
    }
}

impl OrgSeries {
    /// An organisation of which nothing is known yet.
    pub(super) fn new(org_id: OrgId) -> Self {
        Self { org_id, known: Mutex::default() }
    }

    /// Admits known names, and new ones as long as there is room for `most` series and as many
    /// providers.
    pub(super) fn admit<'a>(
        self: &Arc<Self>,
        asked: Vec<SeriesRequest<'a>>,
        most: usize,
        new: &mut NewNames,
        over: &mut HashMap<EventNames<'a>, Over>,
    ) {
        let mut known = self.known.lock();
        let KnownSeries { series: all_series, providers, .. } = &mut *known;
        let (mut series_room, mut provider_room) = (all_series.room(most), providers.room(most));
        for SeriesRequest { row, provider, series } in asked {
            if let Some(provider) = provider
                && !providers.in_table.contains(provider.as_str())
            {
                let provider = provider.into();
                if !providers.bring(&provider, &mut provider_room) {
                    over.insert(row, Over::Provider);
                    continue;
                }
                new.0.push((self.clone(), NameKind::Provider, provider));
            }
            if let Some(series) = series
                && !all_series.in_table.contains(&series)
            {
                if !all_series.bring(&series, &mut series_room) {
                    // The event is stored all the same, and with it its provider.
                    over.insert(row, Over::Model);
                    continue;
                }
                new.0.push((self.clone(), NameKind::Series, series));
            }
        }
    }
}

impl NewNames {
    /// Records that these are in the table now; reports the memory of each organisation.
    pub(super) fn stand(mut self, mut takes: impl FnMut(&OrgId, usize)) {
        for (org, kind, name) in self.0.drain(..) {
            let bytes = org.known.lock().stand(kind, name);
            takes(&org.org_id, bytes);
        }
    }
}

impl Drop for NewNames {
    fn drop(&mut self) {
        for (org, kind, name) in self.0.drain(..) {
            org.known.lock().names(kind).release(&name);
        }
    }
}

/// One name for a pair of names, which no other pair has.
pub(super) fn series_name(provider: &str, model: &str) -> CountedName {
    format!("{}:{provider}{model}", provider.len()).into()
}
