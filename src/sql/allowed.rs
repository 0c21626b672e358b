//! The functions that a session of one organisation may call. It is a list of what is allowed, so
//! that new functions of a library are refused until they have been reviewed.
//!
//! Each function computes from its arguments alone, or from the clock or chance. Functions that
//! reveal files, their rows, or how an expression was planned (its field, its metadata) are not on
//! the list.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Functions of one row.
const SCALARS: &str = "
    abs acos acosh age array_add array_any_value array_append array_avg array_compact
    array_concat array_dims array_distance array_distinct array_element array_except array_has
    array_has_all array_has_any array_intersect array_length array_max array_min array_ndims
    array_normalize array_pop_back array_pop_front array_position array_positions array_prepend
    array_product array_remove array_remove_all array_remove_n array_repeat array_replace
    array_replace_all array_replace_n array_resize array_reverse array_scale array_slice
    array_sort array_subtract array_sum array_to_string array_union arrays_zip arrow_cast
    arrow_try_cast arrow_typeof ascii asin asinh atan atan2 atanh bit_length btrim cardinality
    cast_to_type cbrt ceil character_length chr coalesce concat concat_ws contains cos cosh
    cosine_distance cot current_date current_time date_bin date_part date_trunc decode degrees
    digest empty encode ends_with exp factorial find_in_set flatten floor from_unixtime gcd
    generate_series get_field greatest initcap inner_product isnan iszero lcm least left
    levenshtein ln log log10 log2 lower lpad ltrim make_array make_date make_time map
    map_entries map_extract map_keys map_values md5 mod named_struct nanvl now nullif numeric
    nvl nvl2 octet_length overlay pi power quote_ident quote_literal
    quote_nullable radians random range regexp_count regexp_instr regexp_like regexp_match
    regexp_replace repeat replace reverse right round rpad rtrim sha224
    sha256 sha384 sha512 sign signum sin sinh split_part sqrt starts_with string_to_array strpos
    struct substr substr_index tan tanh timezone to_char to_date to_hex to_local_time to_time
    to_timestamp to_timestamp_micros to_timestamp_millis to_timestamp_nanos to_timestamp_seconds
    to_unixtime translate trunc try_cast_to_type union_extract union_tag upper uuid version
";
/// Aggregates.
const AGGREGATES: &str = "
    any_value approx_distinct approx_median approx_percentile_cont
    approx_percentile_cont_with_weight array_agg avg bit_and bit_or bit_xor bool_and bool_or
    corr count covar_pop covar_samp first_value grouping last_value max median min nth_value
    percentile_cont percentile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy stddev stddev_pop string_agg sum var var_pop
";
/// Window functions.
const WINDOWS: &str = "
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank
    row_number
";
/// Functions of lists, with an expression for each item.
const OF_LISTS: &str = "
    array_any_match array_filter array_first array_transform
";

static ALLOWED: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    [SCALARS, AGGREGATES, WINDOWS, OF_LISTS].into_iter().flat_map(str::split_whitespace).collect()
});

/// True if the function with this name may be called.
pub(super) fn is_allowed(function: &str) -> bool {
    ALLOWED.contains(function)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use datafusion::execution::SessionStateBuilder;

    use super::super::postgres::like_postgres;
    use super::*;

    /// Existing functions that are not allowed: each reveals something about files or plans.
    const REFUSED: [&str; 5] =
        ["arrow_field", "arrow_metadata", "file_row_index", "input_file_name", "with_metadata"];

    #[test]
    fn each_function_was_looked_at() {
        let state = SessionStateBuilder::new().with_default_features().build();
        let state = like_postgres(state);
        let mut names = BTreeSet::new();
        names.extend(state.scalar_functions().values().map(|function| function.name()));
        names.extend(state.aggregate_functions().values().map(|function| function.name()));
        names.extend(state.window_functions().values().map(|function| function.name()));
        names.extend(state.higher_order_functions().values().map(|function| function.name()));
        let refused: Vec<_> = names.iter().copied().filter(|name| !is_allowed(name)).collect();
        assert_eq!(refused, REFUSED);
        let gone: Vec<_> = ALLOWED.iter().filter(|name| !names.contains(*name)).collect();
        assert!(gone.is_empty(), "there is no function {gone:?}");
    }
}
