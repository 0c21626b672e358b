//! Imports a table of prices into an archive: it becomes part of the next catalogue.

use uuid::Uuid;

use super::PriceBookError;
use super::catalogue::{Catalogue, ListedTable, NewestNote, StoredTable};
use super::stored;
use crate::archive::{Records, prices};
use crate::clock::Micros;
use crate::event::OrgId;
use crate::pricing::{self, Form, Note, Table};

/// Bytes of all tables that are in force, as JSON.
pub const TABLES_BYTES_MAX: u64 = 8 << 20;

/// How often an import is tried while others come first.
const TRIES: u32 = 20;

/// A table that was imported.
#[derive(Debug)]
pub struct ImportedTable {
    /// What the catalogue says of it.
    pub listed: ListedTable,
    /// The form of its file.
    pub form: Form,
    /// What of the file is not in it.
    pub notes: Vec<Note>,
}

/// Imports the table in a file, for one organisation or for all, in place of the one before.
///
/// # Errors
/// Invalid, if the file is no table; Unavailable or Corrupt.
pub async fn import(
    records: &Records,
    file: &[u8],
    org: Option<&OrgId>,
    now: Micros,
) -> Result<ImportedTable, PriceBookError> {
    for _ in 0..TRIES {
        let newest = stored::newest(records).await?;
        let (version, before) = match newest {
            Some(newest) => (newest.version + 1, newest.tables),
            None => (1, Vec::new()),
        };
        let made = made(file, org, version, now)?;
        let Made { table, form, notes, json } = made;
        let is_other = |listed: &ListedTable| listed.org.as_deref() != org.map(OrgId::as_str);
        let mut tables: Vec<_> = before.into_iter().filter(is_other).collect();
        let listed = ListedTable {
            name: table.name().to_owned(),
            org: org.map(|org| org.as_str().to_owned()),
            version,
            rules: u64::try_from(table.rules().len()).unwrap_or(u64::MAX),
            bytes: u64::try_from(json.len()).unwrap_or(u64::MAX),
            taken_us: table.taken().unwrap_or(now),
            imported_at_us: now,
            object: Uuid::new_v4().simple().to_string(),
        };
        tables.push(listed.clone());
        let bytes = tables.iter().fold(0_u64, |sum, listed| sum.saturating_add(listed.bytes));
        if bytes > TABLES_BYTES_MAX {
            return Err(PriceBookError::TooLarge { bytes, max: TABLES_BYTES_MAX });
        }
        if let Some(org) = org {
            // Under another spelling the table would price nobody's calls.
            records.claim_org(org).await?;
        }
        records.put_new(&prices::table(&listed.object), &StoredTable { json }).await?;
        if records.put_new(&prices::version(version), &Catalogue { version, tables }).await? {
            records.put(&prices::newest(), &NewestNote { version }).await?;
            return Ok(ImportedTable { listed, form, notes });
        }
    }
    Err(PriceBookError::Contended(TRIES))
}

struct Made {
    table: Table,
    form: Form,
    notes: Vec<Note>,
    json: String,
}

/// The table in a file. One that does not tell its name is called after its form and version.
fn made(
    file: &[u8],
    org: Option<&OrgId>,
    version: u64,
    now: Micros,
) -> Result<Made, PriceBookError> {
    let pricing::Import { form, table, notes } =
        pricing::import(file, &format!("imported-{version}"))?;
    let (name, sources) = match form {
        Form::Tokenlake => (table.name().to_owned(), table.sources().to_vec()),
        Form::GenaiPrices => (format!("genai-prices-{version}"), vec!["genai-prices".to_owned()]),
        Form::Litellm => (format!("litellm-{version}"), vec!["LiteLLM".to_owned()]),
    };
    let taken = table.taken().unwrap_or(now);
    let table = table.described(&name, Some(taken), sources)?;
    let json = table.to_json();
    let table = match org {
        Some(org) => table.of_org(org.as_str())?,
        None => table,
    };
    Ok(Made { table, form, notes, json })
}
