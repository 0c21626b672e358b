//! `Content-Type`: what a body is said to be.

use super::weighted::name_and_parameters;

/// The value of the header.
#[derive(Clone, Copy, Debug)]
pub struct ContentType<'a> {
    name: &'a str,
    utf8: bool,
}

impl<'a> ContentType<'a> {
    /// Reads the value, whatever it is.
    pub fn of(sent: &'a str) -> Self {
        let (name, mut parameters) = name_and_parameters(sent);
        let utf8 = parameters.all(|(key, value)| {
            // Quotes that are not closed are as none.
            let value = value.unwrap_or_default().trim_matches('"');
            !key.eq_ignore_ascii_case("charset")
                || value.eq_ignore_ascii_case("utf-8")
                || value.eq_ignore_ascii_case("utf8")
        });
        Self { name, utf8 }
    }

    /// The media type, in the case in which it was sent; empty if there is none.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Whether it is this media type, in any case.
    pub fn is(&self, media_type: &str) -> bool {
        self.name.eq_ignore_ascii_case(media_type)
    }

    /// Whether a text of it is UTF-8: it names that charset or none.
    pub fn is_utf8(&self) -> bool {
        self.utf8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_told_from_its_parameters() {
        for sent in ["text/plain", " Text/PLAIN ; charset=x", "text/plain;", "text/plain;a=\";\""] {
            assert!(ContentType::of(sent).is("text/plain"), "{sent}");
        }
        for sent in ["", ";", "text/plain, text/plain", "text /plain", "text"] {
            assert!(!ContentType::of(sent).is("text/plain"), "{sent}");
        }
        assert_eq!(ContentType::of(" A/b ;c").name(), "A/b");
    }

    #[test]
    fn a_charset_is_utf_8_or_none() {
        for sent in ["a/b", "a/b; charset=UTF-8", "a/b;x=y; Charset = \"utf8\"", "a/b;charsets=x"] {
            assert!(ContentType::of(sent).is_utf8(), "{sent}");
        }
        for sent in ["a/b;charset=latin1", "a/b;x=y;charset=utf-16", "a/b;charset", "a/b;charset="]
        {
            assert!(!ContentType::of(sent).is_utf8(), "{sent}");
        }
    }
}
