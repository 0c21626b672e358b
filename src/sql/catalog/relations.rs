//! The tables that an asker has, with their columns.

use arrow::datatypes::SchemaRef;

use crate::sql::wire::type_of_column;

/// The schema of the tables.
pub(in crate::sql) const SCHEMA: &str = "public";
/// Whose the tables are said to be.
pub(in crate::sql) const OWNER: &str = "tokenlake";
/// PostgreSQL gives numbers from here on to tables of users.
pub(super) const FIRST_NUMBER: i32 = 16_384;

/// The numbers of schemas.
pub(super) const SCHEMAS: [(&str, i32); 3] =
    [("pg_catalog", 11), (SCHEMA, 2_200), ("information_schema", 13_000)];

/// The names of all tables that there can be, in the order of their numbers.
pub(in crate::sql) const TABLES: [&str; 4] =
    ["events", "usage_hourly", "usage_by_dimension", "provider_reports"];

/// The tables that an asker has.
#[derive(Debug, Default)]
pub(in crate::sql) struct Relations(pub(super) Vec<Relation>);

/// A table.
#[derive(Debug)]
pub(super) struct Relation {
    pub number: i32,
    pub name: String,
    pub columns: Vec<RelationColumn>,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct RelationColumn {
    pub name: String,
    /// The number of its type.
    pub oid: u32,
    /// The modifier of its type.
    pub modifier: i32,
    pub nullable: bool,
}

impl Relations {
    /// Tables by their names, in the order of all that there can be.
    pub(in crate::sql) fn of(tables: impl IntoIterator<Item = (String, SchemaRef)>) -> Self {
        let relations = (FIRST_NUMBER..).zip(tables).map(|(number, (name, schema))| {
            let columns = schema.fields().iter().map(|field| {
                let (oid, modifier) = type_of_column(field);
                let (name, nullable) = (field.name().clone(), field.is_nullable());
                RelationColumn { name, oid, modifier, nullable }
            });
            Relation { number, name, columns: columns.collect() }
        });
        Self(relations.collect())
    }

    /// The number of a table, by its name with or without its schema.
    pub(in crate::sql) fn number(&self, name: &str) -> Option<i64> {
        let name = name.strip_prefix("public.").unwrap_or(name);
        let found = self.0.iter().find(|relation| relation.name == name);
        found.map(|relation| relation.number.into())
    }

    /// The number of a schema.
    pub(in crate::sql) fn schema(&self, name: &str) -> Option<i64> {
        SCHEMAS.iter().find(|(known, _)| *known == name).map(|(_, number)| i64::from(*number))
    }
}
