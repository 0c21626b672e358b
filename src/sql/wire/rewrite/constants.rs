//! Functions of PostgreSQL that have one value here, whatever they are asked about.

use datafusion::sql::sqlparser::ast::{
    Array, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, ValueWithSpan,
};

use super::super::super::catalog::{OWNER, Relations, SCHEMA, VERSION, setting};
use super::super::super::postgres::parsed_call;
use super::super::literal::{boolean, null, number, quoted};
use super::super::question::WireQuestion;
use super::casts::found;

/// True.
const YES: &str = "
    pg_collation_is_visible pg_conversion_is_visible pg_function_is_visible pg_has_role
    pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_statistics_obj_is_visible
    pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible
    pg_ts_template_is_visible pg_type_is_visible
";
/// What privileges there are: to read.
const PRIVILEGES: [&str; 3] = ["select", "usage", "connect"];
/// False.
const NO: &str = "
    pg_is_in_backup pg_is_in_recovery pg_is_other_temp_schema pg_is_wal_replay_paused
    pg_relation_is_publishable row_security_active pg_cancel_backend pg_terminate_backend
";
/// Null: there is nothing of the kind.
const NOTHING: &str = "
    col_description inet_client_addr inet_client_port inet_server_addr inet_server_port
    obj_description pg_advisory_unlock_all pg_describe_object pg_get_constraintdef pg_get_expr
    pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
    pg_get_functiondef pg_get_indexdef pg_get_partition_constraintdef pg_get_partkeydef
    pg_get_ruledef pg_get_serial_sequence pg_get_statisticsobjdef pg_get_statisticsobjdef_columns
    pg_get_triggerdef pg_get_viewdef pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_tablespace_location shobj_description to_regproc
";
/// 0: nothing is stored here.
const ZERO: &str = "
    pg_backend_pid pg_database_size pg_indexes_size pg_my_temp_schema pg_relation_size
    pg_stat_get_dead_tuples pg_stat_get_live_tuples pg_stat_get_numscans pg_table_size
    pg_total_relation_size txid_current
";
/// PostgreSQL's number of UTF-8.
const UTF8: i32 = 6;

/// The function of a setting whose name is not known before a query runs.
const SETTING: &str = "pg_setting";

/// What a call of a function that looks a name up comes to; `None` for other functions.
///
/// # Errors
/// A name that is not written in the query, or a setting that there is not, in words.
pub(super) fn looked_up(
    function: &Function,
    relations: &Relations,
) -> Result<Option<Expr>, String> {
    let name = function.name.to_string().to_lowercase();
    let Some(asked) = argument(function, 0) else { return Ok(None) };
    Ok(Some(match name.as_str() {
        "to_regclass" | "to_regtype" | "to_regnamespace" => match text_of(asked) {
            Some(text) => found(&name, text, relations),
            None if is_null(asked) => null(),
            None => return Err(format!("{name} takes a name that is written in the query")),
        },
        "current_setting" => {
            let or_null = argument(function, 1).cloned().unwrap_or_else(|| boolean(false));
            match text_of(asked).and_then(setting) {
                Some(known) => quoted(known),
                None => parsed_call(SETTING, vec![asked.clone(), or_null]),
            }
        }
        _ => return Ok(None),
    }))
}

/// Whether an expression is null, whatever it is cast to.
fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Null, .. }) => true,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_null(expr),
        _ => false,
    }
}

/// The value of a call; `None` if it is for a function to tell.
pub(super) fn of_call(function: &Function, question: &WireQuestion) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    let has = |names: &str| names.split_whitespace().any(|known| known == name);
    let first = || argument(function, 0);
    Some(match name.as_str() {
        "current_user" | "session_user" | "user" | "current_role" => quoted(&question.user),
        "current_database" | "current_catalog" => quoted(&question.database),
        "current_schema" => quoted(SCHEMA),
        "version" => quoted(VERSION),
        "current_schemas" => {
            Expr::Array(Array { elem: vec![quoted("pg_catalog"), quoted(SCHEMA)], named: true })
        }
        // A setting that is set here is one of a session, and changes nothing.
        "set_config" => argument(function, 1)?.clone(),
        "pg_get_userbyid" => quoted(OWNER),
        "pg_encoding_to_char" | "pg_client_encoding" => quoted("UTF8"),
        "pg_char_to_encoding" => number(UTF8),
        "pg_size_pretty" => quoted("0 bytes"),
        "pg_postmaster_start_time"
        | "pg_conf_load_time"
        | "clock_timestamp"
        | "statement_timestamp"
        | "transaction_timestamp" => parsed_call("now", Vec::new()),
        "array_lower" => number(1),
        "array_upper" => parsed_call("array_length", vec![first()?.clone()]),
        "parse_ident" => parts(text_of(first()?)?),
        "format" => formatted(function)?,
        name if name.starts_with("has_") && name.ends_with("_privilege") => {
            boolean(allows(function))
        }
        _ if has(YES) => boolean(true),
        _ if has(NO) => boolean(false),
        _ if has(ZERO) => number(0),
        _ if has(NOTHING) => null(),
        _ => return None,
    })
}

/// Whether a privilege that is asked for is to read. It is the last argument.
fn allows(function: &Function) -> bool {
    let asked = (0..=3).rev().find_map(|place| argument(function, place)).and_then(text_of);
    asked.is_none_or(|asked| {
        let asked = asked.to_lowercase();
        PRIVILEGES.iter().any(|privilege| asked.contains(privilege))
    })
}

/// The parts of a name: `public.events` is a list of two.
fn parts(name: &str) -> Expr {
    let parts = name.split('.').map(|part| quoted(part.trim_matches('"')));
    Expr::Array(Array { elem: parts.collect(), named: true })
}

/// The texts and values of `format('%s.%I', a, b)`, joined.
fn formatted(function: &Function) -> Option<Expr> {
    let pattern = text_of(argument(function, 0)?)?;
    let (mut args, mut rest, mut place) = (Vec::new(), pattern, 0);
    while let Some((before, after)) = rest.split_once('%') {
        args.push(quoted(before));
        let kind = after.chars().next()?;
        rest = after.get(kind.len_utf8()..)?;
        match kind {
            's' | 'I' => {
                place += 1;
                args.push(argument(function, place)?.clone());
            }
            '%' => args.push(quoted("%")),
            _ => return None,
        }
    }
    args.push(quoted(rest));
    Some(parsed_call("concat", args))
}

/// The value of a word that PostgreSQL reserves.
pub(super) fn of_word(word: &str, question: &WireQuestion) -> Option<Expr> {
    match word.to_lowercase().as_str() {
        "current_role" => Some(quoted(&question.user)),
        "current_schema" => Some(quoted(SCHEMA)),
        _ => None,
    }
}

fn argument(function: &Function, place: usize) -> Option<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.get(place)? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// The text of a literal, whatever it is cast to.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => text_of(expr),
        _ => None,
    }
}
