//! The columns of an event: the one place that says which there are, of which type, and who sets
//! them. The schema of the archive, the names that decoders look up, and the slots of an event follow
//! from it; what a column's values must be is in `row.rs`.

use arrow::datatypes::{DataType, Field};

use super::types::{attribute_entries, cost_type, timestamp_type};

/// What a column is to the one who sends events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It decides what is counted. An event with a doubtful value in such a column is rejected.
    Decides,
    /// It is metadata, which never costs an event.
    Describes,
    /// tokenlake sets it. An exported event that is sent back has it, and it is ignored.
    Ours,
    /// As [`Role::Ours`], and no file holds it: it is in the path.
    InPath,
}

/// Declares the columns in the archive's order: name, type, whether it may be null, role.
macro_rules! columns {
    ($($column:ident $name:literal $kind:expr, $null:literal, $role:ident;)*) => {
        /// A column of an event, in the archive's order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Column {
            $(#[doc = $name] $column,)*
        }

        impl Column {
            /// All of them.
            pub(super) const ALL: &'static [Self] = &[$(Self::$column,)*];

            /// The column with this name; none for the name of an attribute.
            pub(super) fn of(name: &str) -> Option<Self> {
                Some(match name {
                    $($name => Self::$column,)*
                    _ => return None,
                })
            }

            /// The column's name.
            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$column => $name,)* }
            }

            fn role(self) -> Role {
                match self { $(Self::$column => Role::$role,)* }
            }

            fn kind(self) -> DataType {
                match self { $(Self::$column => $kind,)* }
            }

            fn is_nullable(self) -> bool {
                match self { $(Self::$column => $null,)* }
            }
        }
    };
}

columns! {
    EventId "event_id" DataType::Utf8, false, Decides;
    OrgId "org_id" DataType::Utf8, false, Decides;
    EventType "event_type" DataType::Utf8, false, Describes;
    Ts "ts" timestamp_type(), false, Decides;
    Provider "provider" DataType::Utf8, true, Describes;
    Model "model" DataType::Utf8, true, Describes;
    InputTokens "input_tokens" DataType::Int64, false, Decides;
    OutputTokens "output_tokens" DataType::Int64, false, Decides;
    CachedInputTokens "cached_input_tokens" DataType::Int64, true, Decides;
    CacheWriteTokens "cache_write_tokens" DataType::Int64, true, Decides;
    ReasoningTokens "reasoning_tokens" DataType::Int64, true, Decides;
    CostUsd "cost_usd" cost_type(), true, Decides;
    Source "source" DataType::Utf8, true, Describes;
    IngestedAt "ingested_at" timestamp_type(), true, Ours;
    Attributes "attributes" DataType::Map(attribute_entries(), false), true, Describes;
    // From here on columns that older archives and older files lack: nullable, at the end.
    CostSource "cost_source" DataType::Utf8, true, Ours;
    EventDate "event_date" DataType::Date32, false, InPath;
}

/// How many columns there are.
pub(super) const COLUMNS: usize = Column::ALL.len();

impl Column {
    /// Whether the column decides what is counted.
    pub(super) fn decides(self) -> bool {
        self.role() == Role::Decides
    }

    /// Whether a producer sets it.
    pub(super) fn is_sent(self) -> bool {
        matches!(self.role(), Role::Decides | Role::Describes)
    }

    /// The field of a file's schema; none where no file holds the column.
    pub(super) fn field(self) -> Option<Field> {
        let stored = self.role() != Role::InPath;
        stored.then(|| Field::new(self.name(), self.kind(), self.is_nullable()))
    }
}

/// The names of the columns that a producer sets.
pub fn sent_columns() -> impl Iterator<Item = &'static str> {
    Column::ALL.iter().filter(|column| column.is_sent()).map(|column| column.name())
}
