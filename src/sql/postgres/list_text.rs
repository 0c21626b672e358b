//! Lists as PostgreSQL writes them: `{1,2,NULL,"a b"}`.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::columns::column;
use super::function::{Given, PlannedTypes, function};
use super::refusal::refused;
use super::texts::shown_values;

/// `list::text`.
pub(super) fn list_text() -> ScalarUDF {
    let plan = |given: &Given<'_>| match given.types {
        [of @ DataType::List(item)] if is_written(item.data_type()) => {
            Ok(PlannedTypes { takes: vec![of.clone()], gives: DataType::Utf8 })
        }
        _ => Err(refused("a list of these values has no text here; show its values one by one")),
    };
    function("list_text", plan, |args, _| {
        let lists = column(args, 0)?;
        let texts = (0..lists.len()).map(|row| {
            let Some(lists) = lists.as_list_opt::<i32>().filter(|_| lists.is_valid(row)) else {
                return Ok(None);
            };
            let mut text = String::new();
            write_list(&mut text, &lists.value(row))?;
            Ok(Some(text))
        });
        Ok(Arc::new(texts.collect::<Result<StringArray>>()?))
    })
}

fn is_written(item: &DataType) -> bool {
    match item {
        DataType::List(item) => is_written(item.data_type()),
        item => item.is_null() || !item.is_nested() && !item.is_binary(),
    }
}

fn write_list(text: &mut String, items: &ArrayRef) -> Result<()> {
    let lists = items.as_list_opt::<i32>();
    let shown = match lists {
        Some(_) => None,
        None => Some(shown_values(items)?),
    };
    text.push('{');
    for place in 0..items.len() {
        if place > 0 {
            text.push(',');
        }
        match (lists, &shown) {
            _ if items.is_null(place) => text.push_str("NULL"),
            (Some(lists), _) => write_list(text, &lists.value(place))?,
            (None, Some(_)) if *items.data_type() == DataType::Boolean => {
                text.push(if items.as_boolean().value(place) { 't' } else { 'f' });
            }
            (None, Some(shown)) if shown.is_valid(place) => write_item(text, shown.value(place)),
            (None, _) => text.push_str("NULL"),
        }
    }
    text.push('}');
    Ok(())
}

/// An item, in quotes if it would be read otherwise without them.
fn write_item(text: &mut String, item: &str) {
    let special = |char: char| char.is_whitespace() || r#"{},"\"#.contains(char);
    if !item.is_empty() && !item.contains(special) && !item.eq_ignore_ascii_case("null") {
        text.push_str(item);
        return;
    }
    text.push('"');
    for char in item.chars() {
        if matches!(char, '"' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array};

    use super::*;

    #[test]
    fn lists_are_written_as_postgresql_writes_them() {
        let of = |items: ArrayRef| {
            let mut text = String::new();
            write_list(&mut text, &items).unwrap();
            text
        };
        assert_eq!(of(Arc::new(Int64Array::from(vec![Some(1), None]))), "{1,NULL}");
        assert_eq!(of(Arc::new(BooleanArray::from(vec![true, false]))), "{t,f}");
        let texts = StringArray::from(vec!["a", "", "b c", "null", r#"d"\"#]);
        assert_eq!(of(Arc::new(texts)), r#"{a,"","b c","null","d\"\\"}"#);
    }
}
