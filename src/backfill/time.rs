//! Times as files have them: without a zone they are UTC.

/// The time as RFC 3339, where it has that form but for a space, a short offset, ` UTC`, or no
/// zone; `None` for all else, which is judged as it is.
pub(super) fn utc(text: &str) -> Option<String> {
    // The usual form needs no other.
    if is_usual(text.as_bytes()) {
        return None;
    }
    let text = text.trim();
    let (date, time) = match text.split_at_checked(10)? {
        (date, "") => (date, "00:00:00"),
        (date, rest) => (date, rest.strip_prefix([' ', 'T', 't'])?),
    };
    if date.bytes().filter(|byte| *byte == b'-').count() != 2 {
        return None;
    }
    let (time, named) = match time.strip_suffix("UTC") {
        Some(time) => (time.trim_end(), true),
        None => (time, false),
    };
    let zone = time.find(['Z', 'z', '+', '-']);
    let (clock, zone) = time.split_at_checked(zone.unwrap_or(time.len()))?;
    let (clock, zone) = match (zone, named) {
        ("", _) => (clock, "Z".to_owned()),
        (_, true) => return None,
        (zone, false) => (clock.trim_end(), offset(zone)),
    };
    Some(format!("{date}T{clock}{zone}"))
}

/// Whether it ends in `Z` and has its `T`: all else that is to be said of it is said elsewhere.
fn is_usual(text: &[u8]) -> bool {
    text.get(10) == Some(&b'T') && matches!(text, [b'0'..=b'9', .., b'0'..=b'9', b'Z'])
}

/// `+05`, `+0530` and `+05:30` with their colon.
fn offset(zone: &str) -> String {
    let digits = zone.get(1..).unwrap_or_default();
    match (digits.len(), digits.split_at_checked(2)) {
        (2, _) => format!("{zone}:00"),
        (4, Some((hours, minutes))) => {
            format!("{}{hours}:{minutes}", zone.get(..1).unwrap_or_default())
        }
        _ => zone.to_owned(),
    }
}

/// Text that is a number: cells of CSV do not tell.
pub(super) fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::time::from_text;

    #[test]
    fn naive_times_are_utc() {
        let at = from_text("2023-11-16T18:15:46.68059Z").unwrap();
        for text in [
            "2023-11-16 18:15:46.6805900",
            "2023-11-16T18:15:46.680590",
            "2023-11-16 18:15:46.68059 UTC",
            "2023-11-16 18:15:46.68059+00",
            "2023-11-16 23:45:46.68059 +0530",
            "2023-11-16T23:45:46.68059+05:30",
            "2023-11-16T18:15:46.68059Z",
        ] {
            let settled = utc(text).unwrap_or(text.to_owned());
            assert_eq!(from_text(&settled), Ok(at), "{text}");
        }
        assert_eq!(utc("2023-11-16").as_deref(), Some("2023-11-16T00:00:00Z"));
        for text in ["", "now", "1700158546.68", "16.11.2023 18:15", "2023-11-16x"] {
            assert_eq!(utc(text), None, "{text}");
        }
        assert!(is_number("1700158546.68") && !is_number("2023-11-16") && !is_number(""));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = (utc(&text), is_number(&text));
        }
    }
}
