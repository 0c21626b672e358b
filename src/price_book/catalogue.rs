//! The records: tables, the catalogues that say which of them are in force, and the newest one's note.

use serde::{Deserialize, Serialize};

use crate::archive::Record;
use crate::clock::Micros;

/// The tables that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalogue {
    /// Its version, from 1.
    pub(super) version: u64,
    /// Its tables; at most one for each organisation, and one for all.
    pub(super) tables: Vec<ListedTable>,
}

impl Record for Catalogue {}

/// A table of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedTable {
    /// Its name, which costs tell.
    pub name: String,
    /// The organisation that it is for; none for all.
    pub org: Option<String>,
    /// The catalogue that it came with.
    pub version: u64,
    /// Its rules.
    pub rules: u64,
    /// Bytes of its JSON.
    pub bytes: u64,
    /// When its prices were taken, in µs since 1970.
    pub taken_us: Micros,
    /// When it was imported, in µs since 1970.
    pub imported_at_us: Micros,
    /// The id of its object.
    pub object: String,
}

/// A table as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredTable {
    /// Its JSON, as an export has it.
    pub(super) json: String,
}

impl Record for StoredTable {}

/// A note of the newest catalogue, which is there to be missed if that one is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewestNote {
    /// Its version, or an older one.
    pub(super) version: u64,
}

impl Record for NewestNote {}
