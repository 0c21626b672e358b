//! Which format of rows a client prefers (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use crate::media::{Offer, decide, elements};
use crate::sql::RowFormat;

/// The format that `accept` prefers; JSON if it is absent or empty; `None` if it excludes all.
pub(super) fn preferred(accept: Option<&str>) -> Option<RowFormat> {
    let Some(accept) = accept.filter(|accept| elements(accept).next().is_some()) else {
        return Some(RowFormat::Json);
    };
    let decided = decide(accept, &RowFormat::SERVED.map(|format| Offer::of(format.media_type())));
    let ranked = RowFormat::SERVED.into_iter().zip(decided).enumerate();
    let ranked = ranked.filter_map(|(ours, (format, decided))| {
        let decided = decided.filter(|decided| decided.weight > 0)?;
        let rank = (decided.weight, decided.closeness, decided.position, Reverse(ours));
        Some((rank, format))
    });
    ranked.max_by_key(|(rank, _)| *rank).map(|(_, format)| format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_what_it_prefers() {
        for (accept, form) in [
            ("", Some(RowFormat::Json)),
            ("*/*", Some(RowFormat::Json)),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Some(RowFormat::Json),
            ),
            ("application/json", Some(RowFormat::Json)),
            ("Application/X-NDJSON", Some(RowFormat::Ndjson)),
            ("text/*", Some(RowFormat::Csv)),
            ("text/csv; charset=utf-8", Some(RowFormat::Csv)),
            ("application/json;q=0.5, text/csv", Some(RowFormat::Csv)),
            ("application/json;q=0.5, text/csv;q=0.4", Some(RowFormat::Json)),
            ("application/vnd.apache.arrow.stream, */*;q=0.1", Some(RowFormat::Arrow)),
            ("text/csv, application/x-ndjson", Some(RowFormat::Csv)),
            ("*/*, application/x-ndjson", Some(RowFormat::Ndjson)),
            ("application/json;q=0, */*", Some(RowFormat::Ndjson)),
            ("application/*;q=0.2, text/csv;q=0.1", Some(RowFormat::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(preferred(Some(accept)), form, "{accept}");
        }
        assert_eq!(preferred(None), Some(RowFormat::Json));
    }
}
