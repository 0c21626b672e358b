//! The dialect of queries: PostgreSQL's operators, their precedence and literals, with DataFusion's
//! extensions.

use std::any::TypeId;

use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

/// PostgreSQL's dialect, and syntax that PostgreSQL does not have.
#[derive(Debug)]
pub(super) struct Postgres;

const OWN: PostgreSqlDialect = PostgreSqlDialect {};

macro_rules! as_postgres {
    ($($name:ident),* $(,)?) => {
        $(fn $name(&self) -> bool { OWN.$name() })*
    };
}

macro_rules! beyond_postgres {
    ($($name:ident),* $(,)?) => {
        $(fn $name(&self) -> bool { true })*
    };
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        OWN.dialect()
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        OWN.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, char: char) -> bool {
        OWN.is_delimited_identifier_start(char)
    }

    fn is_identifier_start(&self, char: char) -> bool {
        OWN.is_identifier_start(char)
    }

    fn is_identifier_part(&self, char: char) -> bool {
        OWN.is_identifier_part(char)
    }

    fn is_custom_operator_part(&self, char: char) -> bool {
        OWN.is_custom_operator_part(char)
    }

    fn is_reserved_for_identifier(&self, word: Keyword) -> bool {
        OWN.is_reserved_for_identifier(word)
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        OWN.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        OWN.prec_value(precedence)
    }

    as_postgres!(
        supports_unicode_string_literal,
        supports_filter_during_aggregation,
        supports_group_by_expr,
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_explain_with_utility_options,
        supports_bitwise_shift_operators,
        supports_named_fn_args_with_colon_operator,
        supports_named_fn_args_with_expr_name,
        supports_empty_projections,
        supports_nested_comments,
        supports_string_escape_constant,
        supports_numeric_literal_underscores,
        supports_array_typedef_with_brackets,
        supports_notnull_operator,
        supports_interval_options,
        supports_select_wildcard_with_alias,
        supports_comma_separated_trim,
    );

    /// PostgreSQL joins texts that a line's end is between, which its dialect in the parser does not.
    fn supports_string_literal_concatenation_with_newline(&self) -> bool {
        true
    }

    beyond_postgres!(
        supports_select_wildcard_except,
        supports_select_wildcard_exclude,
        supports_select_wildcard_replace,
        supports_select_wildcard_rename,
        supports_select_wildcard_ilike,
        supports_dictionary_syntax,
        support_map_literal_syntax,
        supports_struct_literal,
        supports_group_by_with_modifier,
        supports_window_function_null_treatment_arg,
        supports_window_clause_named_window_reference,
        supports_from_first_select,
        supports_parens_around_table_factor,
        supports_values_as_table_factor,
    );
}
