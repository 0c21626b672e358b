//! `tokenlake price import`.

use std::path::Path;

use crate::archive::{ArchiveLocation, Records};
use crate::cli::print::{print_note, print_result};
use crate::cli::{input, open};
use crate::event::OrgId;
use crate::price_book::{self, ImportedTable};
use crate::printable::counted;

/// The largest file read; the tables of others take a tenth.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Imports the table in a file.
pub(super) async fn run(
    location: &ArchiveLocation,
    file: &Path,
    org: Option<&OrgId>,
) -> anyhow::Result<()> {
    let shown = input::shown(file);
    let text = input::read(file, FILE_BYTES_MAX, "")
        .map_err(|error| anyhow::anyhow!("cannot read {shown}: {error}"))?;
    let records = Records::new(open::existing_archive(location).await?);
    let imported = price_book::import(&records, &text, org, open::clock().now()).await;
    let ImportedTable { listed, notes, .. } =
        imported.map_err(|error| anyhow::anyhow!("cannot import {shown}: {error}"))?;
    for note in notes {
        print_note(&format!("not in the table: {note}"));
    }
    let whose = org.map_or_else(String::new, |org| format!(" for {org}"));
    print_result(&format!(
        "imported {}{whose} as version {}: {}; in force everywhere within 5 seconds",
        listed.name,
        listed.version,
        counted(listed.rules, "rule")
    ));
    Ok(())
}
