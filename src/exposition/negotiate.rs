//! Which format the client wants, from `Accept`.
//!
//! A header that comes in several lines is joined with commas by the caller.

use std::cmp::Ordering;

use super::MetricsFormat;
use crate::media::{Closeness, Match, Offer, decide};

/// The formats as `Accept` names them: text 0.0.4, text 1.0.0, OpenMetrics and protobuf.
const OFFERS: [Offer; 4] = [
    Offer { kind: "text", subtype: "plain", parameters: &[("version", "0.0.4")] },
    Offer { kind: "text", subtype: "plain", parameters: &[("version", "1.0.0")] },
    Offer { kind: "application", subtype: "openmetrics-text", parameters: &[("version", "1.0.0")] },
    Offer {
        kind: "application",
        subtype: "vnd.google.protobuf",
        parameters: &[("proto", "io.prometheus.client.MetricFamily"), ("encoding", "delimited")],
    },
];

impl MetricsFormat {
    /// The format that `accept` prefers.
    ///
    /// OpenMetrics if its weight is greater than that of text. At equal weight also if OpenMetrics
    /// is named, and text is matched by a wildcard or named later. Otherwise text 0.0.4, even if
    /// the client accepts neither, because every scraper reads it. An entry with a version matches
    /// only that version. Text 1.0.0 must be named with its version, and protobuf with its message and
    /// its encoding; either must be preferred to the format that would be chosen without it.
    pub fn negotiate(accept: Option<&str>) -> Self {
        let [text, newer, open, protobuf] = decide(accept.unwrap_or_default(), &OFFERS);
        let (mut format, mut decided) =
            if prefers(open, text) { (Self::OpenMetrics100, open) } else { (Self::Text004, text) };
        for (other, by) in [(Self::Text100, newer), (Self::Protobuf, protobuf)] {
            let by = by.filter(|by| by.closeness == Closeness::Parameters);
            if prefers(by, decided) {
                (format, decided) = (other, by);
            }
        }
        format
    }
}

/// Whether the client prefers the first to the second.
fn prefers(open: Option<Match>, text: Option<Match>) -> bool {
    let Some(open) = open.filter(|open| open.weight > 0) else { return false };
    let Some(text) = text else { return true };
    match open.weight.cmp(&text.weight) {
        Ordering::Greater => true,
        Ordering::Less => false,
        // `Reverse`: the greater position is the earlier one.
        Ordering::Equal => {
            let is_named = |of: Match| of.closeness >= Closeness::Subtype;
            is_named(open) && (!is_named(text) || open.position > text.position)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn gives(format: MetricsFormat, headers: &[&str]) {
        for header in headers {
            assert_eq!(MetricsFormat::negotiate(Some(header)), format, "{header}");
        }
    }

    #[test]
    fn scrapers_get_what_they_prefer() {
        gives(
            MetricsFormat::OpenMetrics100,
            &[
                // Prometheus 2.42
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                // Prometheus 3.5
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            ],
        );
        gives(
            MetricsFormat::Text004,
            &[
                // vmagent
                "text/plain;version=0.0.4;q=1,*/*;q=0.1",
                // curl
                "*/*",
                // Firefox
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ],
        );
        assert_eq!(MetricsFormat::negotiate(None), MetricsFormat::Text004);
    }

    #[test]
    fn the_greater_weight_wins() {
        gives(
            MetricsFormat::OpenMetrics100,
            &[
                "application/openmetrics-text",
                "APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.2 , text/plain;q=0.1",
                "application/openmetrics-text;q=0.001,text/plain;q=0",
                "application/*",
                "application/*,*/*;q=0.9",
                "text/plain;q=0,*/*",
            ],
        );
        gives(
            MetricsFormat::Text004,
            &[
                "application/openmetrics-text;q=0.4,text/plain;q=0.5",
                "application/openmetrics-text;q=0.4,*/*",
                "application/openmetrics-text;q=0.4,text/*;q=0.5",
            ],
        );
    }

    #[test]
    fn at_equal_weight_names_beat_wildcards_and_the_first_beats_the_second() {
        gives(
            MetricsFormat::OpenMetrics100,
            &[
                "*/*,application/openmetrics-text",
                "text/*,application/openmetrics-text;version=1.0.0",
                "application/openmetrics-text,text/plain",
            ],
        );
        gives(
            MetricsFormat::Text004,
            &[
                "text/plain,application/openmetrics-text",
                "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0",
                "application/*,text/plain",
                "application/*,text/*",
            ],
        );
    }

    #[test]
    fn the_closest_entry_decides() {
        gives(
            MetricsFormat::OpenMetrics100,
            &[
                "application/openmetrics-text;q=0.1,application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                "text/plain;q=0.9,text/plain;version=0.0.4;q=0.1,application/openmetrics-text;q=0.5",
            ],
        );
        gives(
            MetricsFormat::Text004,
            &[
                "application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text",
                "application/openmetrics-text;q=0,*/*;q=0.9",
            ],
        );
    }

    #[test]
    fn other_versions_do_not_select() {
        gives(
            MetricsFormat::Text004,
            &[
                "application/openmetrics-text;version=0.0.1",
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
            ],
        );
        // A text version that is not served says nothing about those that are.
        gives(
            MetricsFormat::OpenMetrics100,
            &["text/plain;version=2.0.0;q=0.9,application/openmetrics-text;q=0.5"],
        );
    }

    #[test]
    fn text_1_0_0_is_given_to_those_who_name_it_and_prefer_it() {
        gives(
            MetricsFormat::Text100,
            &[
                "text/plain;version=1.0.0",
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.2",
                "text/plain; version=\"1.0.0\", text/plain; version=0.0.4",
                "text/plain;version=1.0.0;q=0.9,application/openmetrics-text;q=0.5",
                "text/plain;version=1.0.0;q=0.5,text/plain;q=0.1",
                "*/*,text/plain;version=1.0.0",
            ],
        );
        gives(
            MetricsFormat::Text004,
            &[
                "text/plain",
                "text/*",
                "text/plain;version=0.0.4,text/plain;version=1.0.0",
                "text/plain;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.2",
                "text/plain;version=1.0.0;q=0,*/*",
                "text/plain;version=1.0.0;q=0",
            ],
        );
        gives(
            MetricsFormat::OpenMetrics100,
            &["text/plain;version=1.0.0;q=0.4,application/openmetrics-text;version=1.0.0;q=0.5"],
        );
    }

    #[test]
    fn protobuf_is_given_to_those_who_name_all_of_it_and_prefer_it() {
        const NAMED: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let named = |before: &str, after: &str| format!("{before}{NAMED}{after}");
        gives(
            MetricsFormat::Protobuf,
            &[
                // Prometheus 3.5 with created-timestamp-zero-ingestion
                &named(
                    "",
                    ";q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                ),
                // Prometheus 2.42 with native histograms
                &named(
                    "",
                    ",application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ),
                NAMED,
                "Application/Vnd.Google.Protobuf; Encoding=\"delimited\"; Proto=io.prometheus.client.MetricFamily",
                &named("*/*,", ""),
                &named("text/plain;q=0.4,text/plain;version=1.0.0;q=0.4,", ";q=0.5"),
            ],
        );
        gives(
            MetricsFormat::Text004,
            &[
                "application/vnd.google.protobuf",
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily",
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text",
                "application/vnd.google.protobuf;proto=other;encoding=delimited",
                &named("", ";q=0"),
                &named("", ";q=0.3,text/plain;q=0.4"),
                &named("text/plain,", ""),
                &named("", ";q=9"),
            ],
        );
        gives(MetricsFormat::OpenMetrics100, &[&named("application/*;q=0.9,", ";q=0.8")]);
        gives(MetricsFormat::Text100, &[&named("", ";q=0.1,text/plain;version=1.0.0;q=0.2")]);
    }

    #[test]
    fn garbage_is_skipped() {
        gives(
            MetricsFormat::Text004,
            &[
                "",
                ",;=\"",
                "openmetrics",
                "*/openmetrics-text",
                "application/openmetrics-text;q=9",
                "application/openmetrics-text;q=\"1\"",
                "application/openmetrics-text/x",
                "*; q=.2, */*; q=.2",
            ],
        );
        gives(
            MetricsFormat::OpenMetrics100,
            &["text/plain;q=x,;;,/,application/openmetrics-text;q=0.1"],
        );
    }

    #[test]
    fn long_headers_are_read() {
        for piece in [",", ";", "\"", "\\\"", "*/*,", "a;q=", "text/plain;a=b;", "\"\\"] {
            let header = piece.repeat(1_000_000 / piece.len());
            assert_eq!(MetricsFormat::negotiate(Some(&header)), MetricsFormat::Text004, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header in "\\PC*|(application/openmetrics-text|application/vnd.google.protobuf|proto=|encoding=delimited|\\*|[/;,=\"q01.])*") {
            MetricsFormat::negotiate(Some(&header));
        }
    }
}
