//! Our functions by their names, so that a plan can tell another process which ones it calls.

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::logical_expr::ScalarUDF;

use super::function::Function;
use super::long::{steps_of, with_steps};
use super::{
    aggregates, arithmetic, bits, date_functions, list_text, logarithms, maps, math, nothing,
    powers, quoting, texts, time_functions, time_operators as time, to_char,
};

/// Every [`Function`]; its name tells it from the others.
static FUNCTIONS: LazyLock<HashMap<&'static str, Function>> = LazyLock::new(|| {
    let all = numbers().into_iter().chain(texts_and_times());
    let functions = all.filter_map(|function| function.inner().downcast_ref::<Function>().cloned());
    functions.map(|function| (function.name, function)).collect()
});

fn numbers() -> Vec<ScalarUDF> {
    let mean = aggregates::mean(&arrow::datatypes::DataType::Int64).map(|(mean, _)| mean);
    let all = [
        arithmetic::plus(),
        arithmetic::minus(),
        arithmetic::times(),
        arithmetic::divided(),
        arithmetic::modulo(),
        arithmetic::mod_function(),
        powers::raised(),
        powers::power(),
        arithmetic::negative(),
        bits::left(false),
        bits::left(true),
        bits::right(false),
        bits::right(true),
        math::round(),
        math::trunc(),
        math::ceil(),
        math::floor(),
        math::abs(),
        math::sign(),
        logarithms::log(),
    ];
    all.into_iter().chain(mean).collect()
}

fn texts_and_times() -> Vec<ScalarUDF> {
    vec![
        time::later(),
        time::later_by(),
        time::earlier(),
        time::between(),
        time::days_later(),
        time::days_later_by(),
        time::days_earlier(),
        time::days_between(),
        time::date_and_time(),
        time::time_later(),
        time::time_earlier(),
        time::time_between(),
        time::span_plus(),
        time::span_minus(),
        time::span_times(),
        time::times_span(),
        time::span_divided(),
        time::span_negative(),
        time::span_size(),
        nothing::or_null(),
        texts::version(),
        bits::to_hex(),
        quoting::quote_literal(),
        quoting::quote_nullable(),
        quoting::quote_ident(),
        maps::map_text(),
        texts::text(),
        list_text::list_text(),
        texts::numeric(),
        texts::decimal_of(),
        texts::interval_of(),
        texts::date_of(),
        texts::local_of(),
        texts::instant_of(),
        to_char::to_char(),
        time_functions::to_timestamp(),
        time_functions::to_date(),
        date_functions::date_part(),
        date_functions::date_trunc(),
        date_functions::date_bin(),
        date_functions::age(),
        time::timezone(),
    ]
}

/// The words for a function of ours, or for a chain of operators; `None` for others.
pub(in crate::sql) fn words_of(function: &ScalarUDF) -> Option<String> {
    let inner = function.inner();
    let names: Vec<&str> = match inner.downcast_ref::<Function>() {
        Some(function) => vec![function.name],
        None => steps_of(function)?,
    };
    let known = names.iter().all(|name| FUNCTIONS.contains_key(name));
    let mark = if inner.downcast_ref::<Function>().is_some() { "" } else { "," };
    known.then(|| format!("{mark}{}", names.join(",")))
}

/// The function for what [`words_of`] wrote; `None` for other words.
pub(in crate::sql) fn of_words(words: &str) -> Option<ScalarUDF> {
    let Some(chain) = words.strip_prefix(',') else {
        return FUNCTIONS.get(words).cloned().map(ScalarUDF::from);
    };
    let steps = chain.split(',').map(|name| FUNCTIONS.get(name).cloned());
    with_steps(steps.collect::<Option<Vec<_>>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first text after each `call` in the code of this folder.
    fn names_after(call: &str, found: &mut Vec<String>) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/postgres");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.ends_with("by_name.rs") {
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for (at, _) in text.match_indices(call) {
                let rest = text[at + call.len()..].trim_start();
                let name = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
                found.extend(name.map(str::to_owned));
            }
        }
    }

    #[test]
    fn each_function_is_found_by_its_name() {
        let mut names = Vec::new();
        names_after(" function(", &mut names);
        names_after("::function(", &mut names);
        names_after(" operator(", &mut names);
        assert!(names.len() >= 50, "{names:?}");
        for name in names {
            let function = of_words(&name).unwrap_or_else(|| panic!("{name} is not listed"));
            assert_eq!(words_of(&function), Some(name));
        }
    }

    #[test]
    fn a_chain_is_told_by_the_names_of_its_operators() {
        let chain = of_words(",plus,times,minus").unwrap();
        assert_eq!(words_of(&chain).as_deref(), Some(",plus,times,minus"));
        for words in ["", ",", "sum", ",plus,sum", "plus,times"] {
            assert_eq!(of_words(words), None, "{words}");
        }
    }
}
