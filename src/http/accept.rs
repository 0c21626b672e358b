//! Content negotiation: the form of rows that a client prefers (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use crate::exposition::{Element, elements};
use crate::sql::Form;

/// The forms of rows, in the server's order of preference.
const FORMS: [(&str, Form); 4] = [
    ("application/json", Form::Json),
    ("application/x-ndjson", Form::Ndjson),
    ("text/csv", Form::Csv),
    ("application/vnd.apache.arrow.stream", Form::Arrow),
];

/// The form that `accept` prefers, JSON if it is absent or empty; `None` if it excludes all forms.
pub(super) fn preferred(accept: Option<&str>) -> Option<Form> {
    let Some(accept) = accept.filter(|accept| elements(accept).next().is_some()) else {
        return Some(Form::Json);
    };
    let offers = FORMS.iter().enumerate().filter_map(|(ours, (name, form))| {
        let entries = elements(accept).enumerate();
        let matching = entries.filter_map(|(place, entry)| {
            Some((closeness(&entry, name)?, entry.weight, Reverse(place)))
        });
        // The entry that matches a form most specifically decides its weight.
        let (closeness, weight, place) = matching.max()?;
        (weight > 0).then_some(((weight, closeness, place, Reverse(ours)), *form))
    });
    offers.max_by_key(|(rank, _)| *rank).map(|(_, form)| form)
}

/// The media type of a form.
pub(super) fn media_type(form: Form) -> &'static str {
    match form {
        // The charset is given, because a reader would otherwise have to guess it.
        Form::Csv => "text/csv; charset=utf-8; header=present",
        Form::Tsv => "text/tab-separated-values; charset=utf-8",
        Form::Json => "application/json",
        Form::Ndjson => "application/x-ndjson",
        Form::Arrow => "application/vnd.apache.arrow.stream",
    }
}

fn closeness(entry: &Element<'_>, name: &str) -> Option<u8> {
    let (kind, _) = name.split_once('/')?;
    let range = entry.name.split_once('/')?;
    match range {
        ("*", "*") => Some(0),
        (entry_kind, "*") => entry_kind.eq_ignore_ascii_case(kind).then_some(1),
        _ => entry.name.eq_ignore_ascii_case(name).then_some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_prefers() {
        for (accept, form) in [
            ("", Some(Form::Json)),
            ("*/*", Some(Form::Json)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Form::Json)),
            ("application/json", Some(Form::Json)),
            ("Application/X-NDJSON", Some(Form::Ndjson)),
            ("text/*", Some(Form::Csv)),
            ("text/csv; charset=utf-8", Some(Form::Csv)),
            ("application/json;q=0.5, text/csv", Some(Form::Csv)),
            ("application/json;q=0.5, text/csv;q=0.4", Some(Form::Json)),
            ("application/vnd.apache.arrow.stream, */*;q=0.1", Some(Form::Arrow)),
            ("text/csv, application/x-ndjson", Some(Form::Csv)),
            ("*/*, application/x-ndjson", Some(Form::Ndjson)),
            ("application/json;q=0, */*", Some(Form::Ndjson)),
            ("application/*;q=0.2, text/csv;q=0.1", Some(Form::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(preferred(Some(accept)), form, "{accept}");
        }
        assert_eq!(preferred(None), Some(Form::Json));
    }
}
