//! `tokenlake dimension`.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;
use uuid::Uuid;

use super::key::ListFormat;
use super::open;
use super::print::{print_note, print_result};
use crate::archive::{Archive, ArchiveLocation, Declared, FollowSettings, WriterSettings};
use crate::event::{Dimension, Dimensions};
use crate::printable::printable;
use crate::telemetry::Telemetry;

/// What is done with dimensions.
#[derive(Debug, Subcommand)]
pub enum DimensionCommand {
    /// Declare a dimension: metrics, SQL and keys then tell its values apart, also of events from
    /// before. There may be four.
    Add {
        /// Its name: a lower-case letter, then up to 31 lower-case letters, digits or _.
        name: String,
        /// The key of the attribute that has its values. Default: the name.
        #[arg(long, env = "TOKENLAKE_ATTRIBUTE", value_name = "KEY")]
        attribute: Option<String>,
    },
    /// List the dimensions and their attributes.
    List {
        /// The format of the list.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Take a dimension back: its series and rows go, and keys that are bound to it are refused. The
    /// events stay as they are.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Declares, lists or removes dimensions.
pub(super) async fn run(
    location: &ArchiveLocation,
    command: DimensionCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        DimensionCommand::Add { name, attribute } => {
            // No name, no archive.
            let id = Uuid::new_v4().simple().to_string();
            let dimension = Dimension::new(&name, attribute.as_deref(), &id)?;
            let archive = opened(open::store(location)?).await?;
            let declared = archive.declare(|known| known.with(dimension.clone())).await?;
            archive.close().await;
            match declared {
                Declared::At(_) => print_note(&format!(
                    "declared {name}; it is in force everywhere within 5 seconds"
                )),
                Declared::Already => print_note(&format!("{name} is declared already")),
                Declared::Refused(error) => return Err(error.into()),
            }
        }
        DimensionCommand::List { format } => {
            let archive = open::existing(location).await?;
            let dimensions = archive.newest().await?.table().dimensions.clone();
            archive.close().await;
            print_list(&dimensions, format)?;
        }
        DimensionCommand::Remove { name } => {
            let archive = open::existing(location).await?;
            let declared = archive.declare(|known| known.without(&name).map(Some)).await?;
            archive.close().await;
            if let Declared::Refused(error) = declared {
                return Err(error.into());
            }
            print_note(&format!("removed {name}; it is gone everywhere within 5 seconds"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn opened(store: std::sync::Arc<dyn object_store::ObjectStore>) -> anyhow::Result<Archive> {
    let (settings, follow) = (WriterSettings::default(), FollowSettings::default());
    Ok(Archive::open(store, open::clock(), Telemetry::new(), settings, follow).await?)
}

fn print_list(dimensions: &Dimensions, format: ListFormat) -> anyhow::Result<()> {
    match format {
        ListFormat::Table => {
            print_result(&format!("{:<32}  ATTRIBUTE", "NAME"));
            for dimension in dimensions.iter() {
                let attribute = printable(&dimension.attribute);
                print_result(&format!("{:<32}  {attribute}", dimension.name));
            }
        }
        ListFormat::Json => {
            let all = dimensions.iter().map(|dimension| ListedDimension {
                name: &dimension.name,
                attribute: &dimension.attribute,
            });
            print_result(&serde_json::to_string(&all.collect::<Vec<_>>())?);
        }
    }
    Ok(())
}

/// A dimension of a list, with its fields in the order of the columns.
#[derive(Serialize)]
struct ListedDimension<'d> {
    name: &'d str,
    attribute: &'d str,
}
