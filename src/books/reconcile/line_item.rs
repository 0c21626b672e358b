//! The model that a line of an invoice is of, as `gpt-4o-2024-08-06, input`.

/// The model that an item begins with, in lower case: what stands before its comma, if that may be a name,
/// or else the longest of the names that are `known`, in lower case, if the item begins with one.
pub(super) fn model_of<'n>(item: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let item = item.trim().to_lowercase();
    let begins = |name: &&str| {
        let rest = item.strip_prefix(*name);
        rest.is_some_and(|rest| !rest.starts_with(is_of_name))
    };
    if let Some(longest) =
        known.filter(|name| !name.is_empty()).filter(begins).max_by_key(|name| name.len())
    {
        return Some(longest.to_owned());
    }
    let (head, _) = item.split_once(',')?;
    let is_name = head.contains(|char: char| char.is_ascii_digit()) && head.chars().all(is_of_name);
    is_name.then(|| head.to_owned())
}

/// What goes on with a name, so that `gpt-4o` does not begin `gpt-4o-mini`.
fn is_of_name(char: char) -> bool {
    char.is_alphanumeric() || "-_.:/@".contains(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_of_the_model_it_begins_with() {
        let known = ["gpt-4o", "gpt-4o-mini", "o3"];
        let of = |item: &str| model_of(item, known.into_iter());
        for (item, model) in [
            ("gpt-4o, input", Some("gpt-4o")),
            ("GPT-4o-mini, cached input", Some("gpt-4o-mini")),
            ("gpt-4o-2024-08-06, input", Some("gpt-4o-2024-08-06")),
            ("gpt-4o output", Some("gpt-4o")),
            ("o3", Some("o3")),
            ("web search tool calls", None),
            ("assistants api | file search", None),
            ("code interpreter, sessions", None),
            ("storage, 1 gb", None),
            ("", None),
        ] {
            assert_eq!(of(item).as_deref(), model, "{item}");
        }
    }
}
