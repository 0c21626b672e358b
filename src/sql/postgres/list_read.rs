//! Lists as PostgreSQL reads them: `{1,2,NULL,"a b"}`.

/// The items of a list of one dimension; `None` for what is no such list.
pub(in crate::sql) fn list_items(text: &str) -> Option<Vec<Option<String>>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if rest.trim().is_empty() {
        return Some(items);
    }
    loop {
        let (item, after) = match rest.trim_start().strip_prefix('"') {
            Some(inside) => {
                let (item, after) = quoted_item(inside)?;
                (Some(item), after.trim_start())
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (item, after) = rest.split_at_checked(end)?;
                let item = item.trim();
                if item.is_empty() || item.contains(['{', '}', '"']) {
                    return None;
                }
                let is_null = item.eq_ignore_ascii_case("null");
                ((!is_null).then(|| item.replace('\\', "")), after)
            }
        };
        items.push(item);
        if after.is_empty() {
            return Some(items);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// An item up to its quote, and what follows.
fn quoted_item(text: &str) -> Option<(String, &str)> {
    let mut item = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((item, text.get(at + 1..)?)),
            '\\' => item.push(chars.next()?.1),
            char => item.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_postgresql_reads_it() {
        let of = |text: &str| {
            list_items(text).map(|items| {
                items.into_iter().map(|item| item.unwrap_or_else(|| "∅".into())).collect::<Vec<_>>()
            })
        };
        assert_eq!(of("{}"), Some(vec![]));
        assert_eq!(of("{a, b ,NULL,\"NULL\"}").unwrap(), ["a", "b", "∅", "NULL"]);
        assert_eq!(of(r#"{"a,\"b\\", "é"}"#).unwrap(), ["a,\"b\\", "é"]);
        for wrong in ["", "a", "{a", "{a,}", "{{a}}", "{\"a}", "{a\"b\"}", "{\"a\"b}", "{,}"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
