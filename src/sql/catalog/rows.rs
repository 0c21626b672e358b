//! What is in the tables of the catalogs that are not empty.

use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;

use super::cells::{CatalogRow, CatalogValue};
use super::relations::{OWNER, Relation, RelationColumn, Relations, SCHEMA, SCHEMAS};
use super::settings::SETTINGS;
use crate::sql::wire::{WireType, oid};

/// The numbers of the owner and of the asker, and of the access method of tables.
const OWNER_NUMBER: i32 = 10;
const USER_NUMBER: i32 = 16_382;
const HEAP: i32 = 2;
const DATABASE_NUMBER: i32 = 16_383;
const SCHEMA_NUMBER: i32 = 2_200;
const PG_CATALOG_NUMBER: i32 = 11;
const TABLESPACE: i32 = 1_663;
const UTF8: i32 = 6;

macro_rules! row {
    ($($name:ident: $value:expr),* $(,)?) => {
        CatalogRow::from([$((stringify!($name), CatalogValue::from($value))),*])
    };
}

/// The names of a session, which are only shown.
#[derive(Clone, Copy)]
pub(in crate::sql) struct SessionNames<'a> {
    pub user: &'a str,
    pub database: &'a str,
}

impl<'a> SessionNames<'a> {
    /// The owner of the tables and the user, whom clients look up as `current_user`, by number.
    fn roles(self) -> impl Iterator<Item = (i32, &'a str)> {
        let user = (self.user != OWNER).then_some((USER_NUMBER, self.user));
        std::iter::once((OWNER_NUMBER, OWNER)).chain(user)
    }
}

/// The rows of a table.
pub(super) fn rows_of(
    schema: &str,
    table: &str,
    relations: &Relations,
    names: SessionNames<'_>,
) -> Vec<CatalogRow> {
    let (all, database) = (&relations.0, names.database);
    match (schema, table) {
        ("pg_catalog", "pg_class") => all.iter().map(class).collect(),
        ("pg_catalog", "pg_attribute") => each_column(relations, attribute),
        ("pg_catalog", "pg_type") => WireType::ALL.iter().flat_map(types).collect(),
        ("pg_catalog", "pg_namespace") => SCHEMAS
            .iter()
            .map(|(name, number)| row! { oid: *number, nspname: *name, nspowner: OWNER_NUMBER })
            .collect(),
        ("pg_catalog", "pg_tables") => all
            .iter()
            .map(|of| row! { schemaname: SCHEMA, tablename: &*of.name, tableowner: OWNER })
            .collect(),
        ("pg_catalog", "pg_settings" | "pg_show_all_settings") => SETTINGS
            .iter()
            .map(|(name, value)| {
                row! {
                    name: *name, setting: *value, category: "tokenlake", context: "internal",
                    vartype: "string", source: "default", boot_val: *value, reset_val: *value,
                }
            })
            .collect(),
        ("pg_catalog", name) => of_server(name, names),
        (_, "tables") => all.iter().map(|of| table_row(of, database)).collect(),
        (_, "columns") => {
            each_column(relations, |table, column, place| column_row(table, column, place, database))
        }
        (_, "schemata") => SCHEMAS
            .iter()
            .map(|(name, _)| row! { catalog_name: database, schema_name: *name, schema_owner: OWNER })
            .collect(),
        _ => Vec::new(),
    }
}

/// Tables that tell of the server.
fn of_server(table: &str, names: SessionNames<'_>) -> Vec<CatalogRow> {
    match table {
        "pg_database" => vec![row! {
            oid: DATABASE_NUMBER, datname: names.database, datdba: OWNER_NUMBER, encoding: UTF8,
            datlocprovider: "c", datallowconn: true, datconnlimit: -1, dattablespace: TABLESPACE,
            datcollate: "C", datctype: "C",
        }],
        "pg_roles" | "pg_authid" => names
            .roles()
            .map(|(number, name)| {
                row! {
                    oid: number, rolname: name, rolinherit: true, rolcanlogin: true,
                    rolconnlimit: -1,
                }
            })
            .collect(),
        "pg_user" | "pg_shadow" => names
            .roles()
            .map(|(number, name)| row! { usename: name, usesysid: number })
            .collect(),
        // The words that the parser knows.
        "pg_get_keywords" => ALL_KEYWORDS
            .iter()
            .map(|word| {
                row! { word: &*word.to_lowercase(), catcode: "U", barelabel: true, catdesc: "unreserved" }
            })
            .collect(),
        "pg_am" => vec![row! { oid: HEAP, amname: "heap", amtype: "t" }],
        "pg_tablespace" => {
            vec![row! { oid: TABLESPACE, spcname: "pg_default", spcowner: OWNER_NUMBER }]
        }
        _ => Vec::new(),
    }
}

fn class(table: &Relation) -> CatalogRow {
    row! {
        oid: table.number, relname: &*table.name, relnamespace: SCHEMA_NUMBER, relowner: OWNER_NUMBER,
        relam: HEAP, relpersistence: "p", relkind: "r", relispopulated: true, relreplident: "n",
        relnatts: i32::try_from(table.columns.len()).unwrap_or(i32::MAX),
    }
}

/// The rows of the columns of all tables.
fn each_column(
    relations: &Relations,
    row: impl Fn(&Relation, &RelationColumn, i32) -> CatalogRow,
) -> Vec<CatalogRow> {
    let tables = relations.0.iter();
    let columns = tables.flat_map(|table| (1..).zip(&table.columns).map(move |of| (table, of)));
    columns.map(|(table, (place, column))| row(table, column, place)).collect()
}

fn attribute(table: &Relation, column: &RelationColumn, place: i32) -> CatalogRow {
    row! {
        attrelid: table.number, attname: &*column.name, atttypid: column.oid,
        attlen: WireType::of(column.oid).map_or(-1, |known| known.size), attnum: place,
        atttypmod: column.modifier, attnotnull: !column.nullable, attislocal: true,
        attcacheoff: -1, attstattarget: -1, attalign: "i", attstorage: "p",
    }
}

/// A type and the type of its lists.
fn types(known: &WireType) -> Vec<CatalogRow> {
    let of = |number: u32, name: &str, size: i16, category: &str, item: u32, list: u32| {
        let is_list = item != 0;
        let function = |what: &str| match is_list {
            true => format!("array_{what}"),
            false => format!("{name}{what}"),
        };
        row! {
            oid: number, typname: name, typnamespace: PG_CATALOG_NUMBER, typowner: OWNER_NUMBER,
            typlen: size, typbyval: (1..=8).contains(&size), typtype: "b", typcategory: category,
            typisdefined: true, typdelim: ",", typelem: item, typarray: list, typtypmod: -1,
            typinput: &*function("in"), typoutput: &*function("out"), typreceive: &*function("recv"),
            typsend: &*function("send"), typalign: "i", typstorage: "p",
        }
    };
    let WireType { oid: own, name, size, list, category, .. } = *known;
    if own == oid::UNKNOWN {
        return vec![of(own, name, size, category, 0, 0)];
    }
    let list_name = format!("_{name}");
    vec![of(own, name, size, category, 0, list), of(list, &list_name, -1, "A", own, 0)]
}

fn table_row(table: &Relation, database: &str) -> CatalogRow {
    row! {
        table_catalog: database, table_schema: SCHEMA, table_name: &*table.name,
        table_type: "BASE TABLE", is_insertable_into: "NO", is_typed: "NO",
    }
}

fn column_row(table: &Relation, column: &RelationColumn, place: i32, database: &str) -> CatalogRow {
    let known = WireType::of(column.oid);
    let data_type = known.map_or("ARRAY", |known| known.sql_name);
    let list = WireType::of_items(column.oid).map(|item| format!("_{}", item.name));
    let name = known.map(|known| known.name).or(list.as_deref()).unwrap_or("text");
    let mut row = row! {
        table_catalog: database, table_schema: SCHEMA, table_name: &*table.name,
        column_name: &*column.name, ordinal_position: place,
        is_nullable: if column.nullable { "YES" } else { "NO" }, data_type: data_type,
        udt_catalog: database, udt_schema: "pg_catalog", udt_name: name,
        dtd_identifier: &*place.to_string(), is_identity: "NO", is_generated: "NEVER",
        is_updatable: "NO", is_self_referencing: "NO", identity_cycle: "NO",
    };
    let precision = match column.oid {
        oid::INT8 => Some((64, 2, 0)),
        oid::INT4 => Some((32, 2, 0)),
        oid::NUMERIC if column.modifier > 0 => {
            let digits = column.modifier - 4;
            Some((digits >> 16, 10, digits & 0xFFFF))
        }
        _ => None,
    };
    if let Some((digits, radix, places)) = precision {
        row.extend(row! {
            numeric_precision: digits, numeric_precision_radix: radix, numeric_scale: places,
        });
    }
    if [oid::TIMESTAMPTZ, oid::TIMESTAMP].contains(&column.oid) {
        row.extend(row! { datetime_precision: 6 });
    }
    row
}
