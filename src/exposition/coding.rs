//! How an answer is compressed, from `Accept-Encoding`.
//!
//! Source: RFC 9110, section 12.5.3, and RFC 8878 for zstd.

use crate::media::elements;

/// A content coding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Not compressed.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// Zstandard: smaller and faster.
    Zstd,
}

impl Coding {
    /// The coding that `accept_encoding` prefers: zstd if it is named and weighs no less than gzip;
    /// otherwise gzip, by its name, its old name `x-gzip`, or `*`. A weight of 0 forbids a coding.
    /// A client that sends no such header gets no compression.
    pub fn negotiate(accept_encoding: Option<&str>) -> Self {
        match weights(accept_encoding) {
            (0, 0) => Self::Identity,
            (gzip, zstd) if zstd >= gzip => Self::Zstd,
            _ => Self::Gzip,
        }
    }

    /// gzip if `accept_encoding` allows it, for what there is in gzip alone.
    pub fn gzip_if_taken(accept_encoding: Option<&str>) -> Self {
        if weights(accept_encoding).0 > 0 { Self::Gzip } else { Self::Identity }
    }

    /// The value of `Content-Encoding`, if there is one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The weights of gzip and zstd.
fn weights(accept_encoding: Option<&str>) -> (u16, u16) {
    let (mut gzip, mut zstd, mut any) = (None, None, None);
    for coding in elements(accept_encoding.unwrap_or_default()) {
        let named =
            |names: &[&str]| names.iter().any(|name| coding.name.eq_ignore_ascii_case(name));
        let weight = Some(coding.weight);
        if named(&["gzip", "x-gzip"]) {
            gzip = gzip.max(weight);
        } else if named(&["zstd"]) {
            zstd = zstd.max(weight);
        } else if coding.name == "*" {
            any = any.max(weight);
        }
    }
    (gzip.or(any).unwrap_or(0), zstd.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn gives(coding: Coding, headers: &[&str]) {
        for header in headers {
            assert_eq!(Coding::negotiate(Some(header)), coding, "{header}");
        }
    }

    #[test]
    fn a_coding_is_chosen_by_name_alias_or_wildcard() {
        gives(
            Coding::Gzip,
            &[
                "gzip",
                "deflate, GZIP;q=0.5",
                "x-gzip",
                "*",
                "*;q=0.1",
                "gzip;q=0.001,*;q=0",
                "gzip, zstd;q=0.9",
                "zstd;q=0, *",
                "zstd;q=0.1, *",
            ],
        );
        gives(
            Coding::Zstd,
            &["zstd", "gzip, deflate, br, zstd", "ZSTD;q=0.5, gzip;q=0.5", "zstd;q=0.1, gzip;q=0"],
        );
        gives(
            Coding::Identity,
            &[
                "",
                "identity",
                "gzip;q=0",
                "gzip;q=0.000,*",
                "x-gzip;q=0,*",
                "*;q=0",
                "gzip;q=x",
                "br",
                "zstd;q=0",
            ],
        );
        assert_eq!(Coding::negotiate(None), Coding::Identity);
    }

    #[test]
    fn gzip_is_taken_where_zstd_is_preferred() {
        for header in ["gzip, deflate, br, zstd", "zstd, gzip;q=0.1", "*", "x-gzip"] {
            assert_eq!(Coding::gzip_if_taken(Some(header)), Coding::Gzip, "{header}");
        }
        for header in ["", "zstd", "gzip;q=0, zstd", "identity"] {
            assert_eq!(Coding::gzip_if_taken(Some(header)), Coding::Identity, "{header}");
        }
        assert_eq!(Coding::gzip_if_taken(None), Coding::Identity);
    }

    proptest! {
        #[test]
        fn any_header_is_answered(header in "\\PC*|(gzip|zstd|\\*|[;,=\"q01.])*") {
            Coding::negotiate(Some(&header));
        }
    }
}
