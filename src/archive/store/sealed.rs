//! Sealed records: small JSON objects that grant something, or that totals depend on.
//!
//! A record is stored as the exact text that its type serialises to: each member, in order, without
//! white space. Its last member is the *seal*, a checksum of the record's path and of everything
//! before the seal. So a flipped bit, a cut, or the content of another record is found to be
//! damage.
//!
//! A record with members that only a newer program knows is refused too, because they may restrict
//! what it grants. Programs from before seals can read a sealed record, because they ignore members
//! that they do not know.
//!
//! An unsealed record is valid if it is, byte for byte, what programs from before seals would write
//! ([`Record::unsealed`]). A sealed record that was changed or cut never is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::archive::error::ArchiveError;

/// The version of the seal that this program knows. The checksum covers it.
const VERSION: &str = "1";
/// The text between a record's last member and its seal.
const START: &str = ",\"seal\":\"";
/// The end of a record.
const END: &str = "\"}";
/// Bytes of a checksum: the first ones of a SHA-256.
const DIGEST_BYTES: usize = 16;

/// A type that is stored as a sealed record: a JSON object of at least one member.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// The bytes that programs from before seals stored for it; `None` if they stored no such
    /// record.
    fn unsealed(&self) -> Option<Vec<u8>> {
        None
    }
}

/// Whether a record is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealState {
    /// With a valid seal.
    Sealed,
    /// As programs from before seals wrote it. Holds the checksum of its bytes.
    Unsealed(String),
}

/// Why a record is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum SealError {
    /// It is not what was written there.
    Broken,
    /// It is intact, and holds something that only a newer program knows.
    Newer,
}

impl SealError {
    /// The error for the record at `path`.
    pub(in crate::archive) fn at(self, path: &str) -> ArchiveError {
        match self {
            Self::Broken => ArchiveError::corrupt(path, "it is not what was written there"),
            Self::Newer => ArchiveError::NewerRecord { path: path.to_owned() },
        }
    }
}

/// The bytes to store at `path` for `record`.
///
/// # Errors
/// Internal, if the record is not an object of at least one member.
pub(in crate::archive) fn seal<T: Record>(path: &str, record: &T) -> Result<Vec<u8>, ArchiveError> {
    let internal = |reason: String| ArchiveError::internal("writing a record", reason);
    let text = serde_json::to_string(record).map_err(|error| internal(error.to_string()))?;
    let members = text.strip_suffix('}').filter(|members| members.len() > 1);
    let members = members.ok_or_else(|| internal(format!("{path} is not an object")))?;
    let seal = hex::encode(digest(path, members.as_bytes()));
    Ok(format!("{members}{START}{VERSION}:{seal}{END}").into_bytes())
}

/// The record in `bytes`, which were read from `path`.
pub(in crate::archive) fn open<T: Record>(
    path: &str,
    bytes: &[u8],
) -> Result<(T, SealState), SealError> {
    let Some((members, version, told)) = split(bytes) else { return open_unsealed(path, bytes) };
    if version != VERSION {
        let is_later = version.parse::<u32>().is_ok_and(|number| number.to_string() == version);
        return Err(if is_later { SealError::Newer } else { SealError::Broken });
    }
    if told != hex::encode(digest(path, members.as_bytes())) {
        return Err(SealError::Broken);
    }
    let record: T = serde_json::from_str(&format!("{members}}}")).map_err(|_| SealError::Newer)?;
    match seal(path, &record) {
        Ok(again) if again == bytes => Ok((record, SealState::Sealed)),
        // It has members that this program ignored.
        _ => Err(SealError::Newer),
    }
}

fn open_unsealed<T: Record>(path: &str, bytes: &[u8]) -> Result<(T, SealState), SealError> {
    let record: T = serde_json::from_slice(bytes).map_err(|_| SealError::Broken)?;
    if record.unsealed().as_deref() != Some(bytes) {
        return Err(SealError::Broken);
    }
    Ok((record, SealState::Unsealed(hex::encode(digest(path, bytes)))))
}

/// The members of a sealed record, the version of its seal, and the checksum in hexadecimal.
fn split(bytes: &[u8]) -> Option<(&str, &str, &str)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix(END)?;
    let (members, seal) = text.rsplit_once(START)?;
    let (version, told) = seal.split_once(':')?;
    Some((members, version, told))
}

/// The checksum of `bytes` that are stored at `path`.
pub(in crate::archive) fn digest(path: &str, bytes: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut sha = Sha256::new();
    for part in [VERSION.as_bytes(), b"\n", path.as_bytes(), b"\n", bytes] {
        sha.update(part);
    }
    let mut digest = [0; DIGEST_BYTES];
    digest.iter_mut().zip(sha.finalize()).for_each(|(to, from)| *to = from);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limit {
        org: String,
        most: u64,
        until: Option<u64>,
    }

    impl Record for Limit {
        fn unsealed(&self) -> Option<Vec<u8>> {
            Some(format!("{{\"org\":{:?},\"most\":{}}}", self.org, self.most).into_bytes())
        }
    }

    fn limit() -> Limit {
        Limit { org: "acme".into(), most: 5, until: None }
    }

    #[test]
    fn a_record_is_read_back_and_is_json_that_older_programs_read() {
        let bytes = seal("a/b.json", &limit()).unwrap();
        assert_eq!(open("a/b.json", &bytes), Ok((limit(), SealState::Sealed)));
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&value["org"], &value["most"]), (&"acme".into(), &5.into()));
        assert!(value["until"].is_null() && value["seal"].as_str().unwrap().starts_with("1:"));
    }

    #[test]
    fn every_flip_every_cut_and_another_path_are_damage() {
        let bytes = seal("a/b.json", &limit()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<Limit>("a/b.json", &flipped).is_err(), "{bit}");
        }
        for end in 0..bytes.len() {
            assert_eq!(open::<Limit>("a/b.json", &bytes[..end]), Err(SealError::Broken), "{end}");
        }
        assert_eq!(open::<Limit>("a/c.json", &bytes), Err(SealError::Broken));
    }

    #[test]
    fn what_only_a_newer_program_knows_is_refused() {
        #[derive(Serialize, Deserialize)]
        struct Newer {
            org: String,
            most: u64,
            until: Option<u64>,
            only_on: String,
        }
        impl Record for Newer {}
        let newer = Newer { org: "acme".into(), most: 5, until: None, only_on: "Monday".into() };
        let bytes = seal("a", &newer).unwrap();
        assert_eq!(open::<Limit>("a", &bytes), Err(SealError::Newer));
        let text = String::from_utf8(seal("a", &limit()).unwrap()).unwrap();
        let later = text.replace("\"1:", "\"2:");
        assert_eq!(open::<Limit>("a", later.as_bytes()), Err(SealError::Newer));
    }

    #[test]
    fn what_older_programs_wrote_counts_as_they_wrote_it_alone() {
        let bytes = limit().unsealed().unwrap();
        let (record, form) = open::<Limit>("a", &bytes).unwrap();
        assert_eq!(record, limit());
        assert!(matches!(form, SealState::Unsealed(_)));
        for other in
            ["{\"org\":\"acme\", \"most\":5}", "{\"org\":\"acme\",\"most\":5,\"x\":1}", "{}"]
        {
            assert_eq!(open::<Limit>("a", other.as_bytes()), Err(SealError::Broken), "{other}");
        }
    }
}
