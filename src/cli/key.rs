//! The command `tokenlake key`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::open;
use super::parse::parse_org;
use super::print::{print_error, print_note, print_result};
use super::units::parse_duration;
use crate::access::{
    AccessKeys, BoundTo, ListedKey, NewKey, NewOperatorKey, Scope, Scopes, operator_scopes,
};
use crate::archive::{ArchiveLocation, Records};
use crate::clock::{Clock, Micros};
use crate::event::{DimensionError, OrgId};
use crate::printable::printable;

/// The state of a key whose record is damaged; such a key allows nothing.
const DAMAGED: &str = "damaged";

/// The answer to another scope for an operator's key.
const OPERATOR_SCOPE: &str =
    "an operator's key has the scope metrics:read alone; leave the others out";

/// Commands for access keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key and print it, alone, on stdout. It is shown only this once.
    Create {
        /// The organisation that the key belongs to.
        #[arg(
            long,
            env = "TOKENLAKE_ORG",
            value_parser = parse_org,
            required_unless_present = "operator"
        )]
        org: Option<OrgId>,
        /// Make an operator's key: it belongs to no organisation, and reads the metrics and usage of
        /// the one that a request names with ?org=. Its only scope is metrics:read.
        #[arg(long, env = "TOKENLAKE_OPERATOR", conflicts_with_all = ["org", "dimension"])]
        operator: bool,
        /// Scopes of the key: metrics:read, events:write, sql:read (the default: these three), and
        /// corrections:write and budgets:write, which a key has only if they are named here.
        #[arg(long, env = "TOKENLAKE_SCOPE", value_delimiter = ',')]
        scope: Vec<Scope>,
        /// How long the key is valid, such as 90d. Default: until it is revoked.
        #[arg(long, env = "TOKENLAKE_EXPIRES", value_name = "TIME", value_parser = parse_duration)]
        expires: Option<Duration>,
        /// A name for people.
        #[arg(long, env = "TOKENLAKE_NAME")]
        name: Option<String>,
        /// The part of the organisation that the key is bound to, as team=core: events sent with it
        /// get that attribute, and reads with it see those events only. Default: all of it.
        #[arg(long, env = "TOKENLAKE_DIMENSION", value_name = "NAME=VALUE")]
        dimension: Option<String>,
    },
    /// List keys: their ids, organisations, scopes and state; never secrets.
    List {
        /// The format of the list.
        #[arg(long, env = "TOKENLAKE_FORMAT", value_name = "FORMAT", default_value = "table")]
        format: ListFormat,
    },
    /// Revoke a key, everywhere within 5 seconds.
    Revoke {
        /// The key's id, from the first column of the list.
        id: String,
    },
}

/// The format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Table,
    /// A JSON array.
    Json,
}

/// Creates, lists or revokes keys.
pub(super) async fn run(
    location: &ArchiveLocation,
    command: KeyCommand,
) -> anyhow::Result<ExitCode> {
    let clock = open::clock();
    // Keys need no table: the first may be created before it, and a key must be revocable even if
    // the table is damaged.
    let keys = |store| AccessKeys::new(Records::new(store), clock.clone());
    match command {
        KeyCommand::Create { org, scope, expires, name, dimension, operator: _ } => {
            let expires_at_us =
                expires.map(|expires| expiry(clock.as_ref(), expires)).transpose()?;
            let bound = match dimension {
                Some(dimension) => Some(declared(location, &dimension).await?),
                None => None,
            };
            // Nothing is made for a command that is wrong.
            let is_operators = scope.is_empty() || Scopes::of(scope.clone()) == operator_scopes();
            if org.is_none() && !is_operators {
                print_error(&anyhow::Error::msg(OPERATOR_SCOPE));
                return Ok(ExitCode::from(2));
            }
            let keys = keys(open::store(location)?);
            let key = match org {
                Some(org_id) => {
                    let scopes = Scopes::or_usual(scope);
                    keys.create(NewKey { org_id, scopes, name, expires_at_us, bound }).await?
                }
                None => keys.create_operator(NewOperatorKey { name, expires_at_us }).await?,
            };
            print_result(key.reveal());
        }
        KeyCommand::List { format } => {
            let keys = keys(open::existing_store(location)?).list().await?;
            match format {
                ListFormat::Table => print_table(&keys, clock.now()),
                ListFormat::Json => print_json(&keys, clock.now())?,
            }
            let records = keys.iter().filter_map(|key| key.record.as_ref().err());
            let uses = keys.iter().filter_map(|key| key.last_used_us.as_ref().err());
            records.chain(uses).for_each(|error| print_note(&error.to_string()));
        }
        KeyCommand::Revoke { id } => {
            keys(open::existing_store(location)?).revoke(&id).await?;
            print_note(&format!("revoked {id}; it is refused everywhere within 5 seconds"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The part that a key is to be bound to, whose dimension there must be.
async fn declared(location: &ArchiveLocation, text: &str) -> anyhow::Result<BoundTo> {
    let bound: BoundTo = text.parse()?;
    let archive = open::existing(location).await?;
    let snapshot = archive.newest().await?;
    archive.close().await;
    if snapshot.table().dimensions.named(&bound.dimension).is_none() {
        return Err(DimensionError::Unknown(bound.dimension.to_string()).into());
    }
    Ok(bound)
}

/// The instant `after` from now.
pub(super) fn expiry(clock: &dyn Clock, after: Duration) -> anyhow::Result<Micros> {
    let after = i64::try_from(after.as_micros()).ok();
    let at = after.and_then(|after| clock.now().checked_add(after)).filter(|at| time(*at) != "-");
    at.ok_or_else(|| {
        anyhow::anyhow!("--expires is too far in the future; leave it out for a key without end")
    })
}

fn print_table(keys: &[ListedKey], now: Micros) {
    print_result(&format!(
        "{:<16}  {:<24}  {:<8}  {:<20}  {:<20}  {:<34}  {:<16}  {:<24}  LAST USED",
        "ID", "ORG", "STATE", "CREATED", "EXPIRES", "SCOPES", "DIMENSION", "NAME"
    ));
    for ListedKey { id, record, last_used_us } in keys {
        let Ok(record) = record else {
            print_result(&format!("{id:<16}  {:<24}  {DAMAGED}", "-"));
            continue;
        };
        let expires = record.expires_at_us.map_or_else(|| "never".to_owned(), time);
        let org = Some(&*record.org_id).filter(|org| !org.is_empty());
        let org = org.or_else(|| record.operator.then_some("(operator)"));
        let bound = record.bound.as_ref().map(ToString::to_string).unwrap_or_default();
        let line = format!(
            "{id:<16}  {:<24}  {:<8}  {:<20}  {expires:<20}  {:<34}  {:<16}  {:<24}  {}",
            printable(org.unwrap_or("-")),
            record.status(now),
            time(record.created_at_us),
            record.scopes.to_string(),
            printable(&bound),
            printable(record.name.as_deref().unwrap_or_default()),
            last_used_us.as_ref().ok().and_then(|at| at.map(time)).unwrap_or_default(),
        );
        print_result(line.trim_end());
    }
}

fn print_json(keys: &[ListedKey], now: Micros) -> anyhow::Result<()> {
    let keys: Vec<_> = keys.iter().map(|key| json_of(key, now)).collect();
    print_result(&serde_json::to_string(&keys)?);
    Ok(())
}

/// A damaged key has the same members as any other; only its id is known.
fn json_of(ListedKey { id, record, last_used_us }: &ListedKey, now: Micros) -> serde_json::Value {
    let record = record.as_ref().ok();
    let org = record.map(|record| &record.org_id).filter(|org| !org.is_empty());
    json!({
        "id": id,
        "org_id": org,
        "state": record.map_or(DAMAGED, |record| record.status(now)),
        "scopes": record.map(|record| &record.scopes),
        "operator": record.map(|record| record.operator),
        "dimension": record.and_then(|record| record.bound.as_ref()).map(ToString::to_string),
        "name": record.and_then(|record| record.name.as_deref()),
        "created_at": record.map(|record| time(record.created_at_us)),
        "expires_at": record.and_then(|record| record.expires_at_us).map(time),
        "revoked_at": record.and_then(|record| record.revoked_at_us).map(time),
        "last_used": last_used_us.as_ref().ok().and_then(|at| at.map(time)),
    })
}

/// A time to the second in UTC, as lists show it; `-` if no calendar has it.
pub(super) fn time(at: Micros) -> String {
    chrono::DateTime::from_timestamp_micros(at)
        .map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
