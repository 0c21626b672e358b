//! What a coordinator and its nodes tell each other with every request: the secret that they share, the
//! program's version, and the archive.

use datafusion_distributed::GetWorkerInfoRequest;
use sha2::{Digest as _, Sha256};
use tonic::codegen::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::leaf_note;
use crate::archive::ArchiveMark;

/// The header with the program's version.
const VERSION: &str = "tokenlake-version";
/// The header with the archive's mark.
const ARCHIVE: &str = "tokenlake-archive";
/// The shortest secret.
const SECRET_BYTES_MIN: usize = 16;
/// The longest secret; a header holds no longer one.
const SECRET_BYTES_MAX: usize = 4_096;

/// The question by which a coordinator finds whether a node answers.
pub(super) const HELLO: GetWorkerInfoRequest = GetWorkerInfoRequest {};

/// The version of the program, and of its plans.
pub(super) fn program_version() -> String {
    format!("{}+plans.{}", env!("CARGO_PKG_VERSION"), leaf_note::VERSION)
}

/// Why a text is no secret of nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeSecretError {
    /// It could be guessed.
    #[error("it has {0} bytes, and needs at least 16; make one with: openssl rand -hex 32")]
    Short(usize),
    /// It would not fit into a header.
    #[error("it has {0} bytes, and may have 4096; make one with: openssl rand -hex 32")]
    Long(usize),
    /// It has characters that a header cannot hold.
    #[error("it has other characters than visible ASCII; make one with: openssl rand -hex 32")]
    Characters,
}

/// The secret that a coordinator and its nodes share. It never prints.
#[derive(Clone)]
pub struct NodeSecret {
    bearer: HeaderValue,
    digest: [u8; 32],
}

impl std::fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeSecret")
    }
}

impl NodeSecret {
    /// The secret in the bytes of a file, without white space around it.
    ///
    /// # Errors
    /// [`NodeSecretError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NodeSecretError> {
        let text = bytes.trim_ascii();
        if text.len() < SECRET_BYTES_MIN {
            return Err(NodeSecretError::Short(text.len()));
        }
        if text.len() > SECRET_BYTES_MAX {
            return Err(NodeSecretError::Long(text.len()));
        }
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(NodeSecretError::Characters);
        }
        let bearer = HeaderValue::from_bytes(&[&b"Bearer "[..], text].concat());
        let mut bearer = bearer.map_err(|_| NodeSecretError::Characters)?;
        bearer.set_sensitive(true);
        let digest = digest_of(bearer.as_bytes());
        Ok(Self { bearer, digest })
    }

    /// Compares digests, so that the time tells nothing of the secret.
    fn is_in(&self, heads: &HeaderMap) -> bool {
        let given = heads.get(AUTHORIZATION);
        given.is_some_and(|given| digest_of(given.as_bytes()) == self.digest)
    }
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Adds what is told to the headers of a request.
pub(super) fn tell(heads: &mut HeaderMap, secret: &NodeSecret, mark: ArchiveMark) {
    heads.insert(AUTHORIZATION, secret.bearer.clone());
    for (name, text) in [(VERSION, program_version()), (ARCHIVE, mark.to_string())] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            heads.insert(name, value);
        }
    }
}

/// The archive of a request whose sender is one of ours.
///
/// # Errors
/// Why the request is refused, and what to do.
pub(super) fn told(heads: &HeaderMap, secret: &NodeSecret) -> Result<ArchiveMark, String> {
    if !secret.is_in(heads) {
        return Err("the token is another one; give --node-token-file the content of the node's \
                    --token-file"
            .to_owned());
    }
    let text = |name| heads.get(name).and_then(|value| value.to_str().ok());
    let (own, other) = (program_version(), text(VERSION).unwrap_or("unknown"));
    if other != own {
        return Err(format!(
            "it is version {own} of tokenlake, and the coordinator is {other}; run the same version \
             on both"
        ));
    }
    text(ARCHIVE).and_then(ArchiveMark::parse).ok_or_else(other_archive)
}

/// Why a coordinator of another archive is refused.
pub(super) fn other_archive() -> String {
    "the archive is another one; give both the same --archive".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> ArchiveMark {
        ArchiveMark::parse("3-0123abcd").unwrap()
    }

    #[test]
    fn only_the_same_secret_version_and_a_mark_pass() {
        let secret = NodeSecret::parse(b"0123456789abcdef\n").unwrap();
        let other = NodeSecret::parse(b"0123456789abcdeg").unwrap();
        let mut heads = HeaderMap::new();
        assert!(told(&heads, &secret).unwrap_err().contains("--token-file"));
        tell(&mut heads, &secret, mark());
        assert_eq!(told(&heads, &secret), Ok(mark()));
        assert!(told(&heads, &other).unwrap_err().contains("--node-token-file"));
        let mut newer = heads.clone();
        newer.insert(VERSION, HeaderValue::from_static("99.0.0"));
        let refused = told(&newer, &secret).unwrap_err();
        assert!(refused.contains("99.0.0") && refused.contains("the same version"), "{refused}");
        newer.remove(VERSION);
        assert!(told(&newer, &secret).unwrap_err().contains("unknown"));
        heads.insert(ARCHIVE, HeaderValue::from_static("x"));
        assert!(told(&heads, &secret).unwrap_err().contains("--archive"));
    }

    #[test]
    fn a_secret_is_long_enough_and_does_not_print() {
        for (bytes, error) in [
            (&b""[..], NodeSecretError::Short(0)),
            (b" 0123456789abcde\n", NodeSecretError::Short(15)),
            (b"0123456789abcdef ghi", NodeSecretError::Characters),
            ("0123456789abcdefä".as_bytes(), NodeSecretError::Characters),
            (&[b'x'; 4_097], NodeSecretError::Long(4_097)),
        ] {
            assert_eq!(NodeSecret::parse(bytes).unwrap_err(), error);
        }
        let secret = NodeSecret::parse(b"0123456789abcdef").unwrap();
        assert!(!format!("{secret:?} {:?}", secret.bearer).contains("0123"));
    }
}
