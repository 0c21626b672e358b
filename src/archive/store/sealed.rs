//! Sealed records: small JSON objects that grant something, or that numbers rest on.
//!
//! A record is stored as the one text that its type writes (each member, in order, no white space),
//! with a *seal* as its last member: a checksum of the record's path and of all that stands before.
//! So a flipped bit, a cut, or the content of another record is damage. What a newer program added
//! is refused, too: what it grants less for is not known here. Programs from before seals read such a
//! record as any other: members that they do not know they pass over.
//!
//! What programs from before seals wrote counts if it is, byte for byte, what they would write
//! ([`Record::unsealed`]); a sealed record that was changed or cut never is.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::archive::error::ArchiveError;

/// The way of sealing that this program knows. The number is part of what is sealed.
const VERSION: &str = "1";
/// What stands between a record's last member and its seal.
const START: &str = ",\"seal\":\"";
/// What ends a record.
const END: &str = "\"}";
/// Bytes of a checksum: the first of SHA-256.
const DIGEST_BYTES: usize = 16;

/// What is stored as a sealed record: an object of one member or more.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// What programs from before seals stored of it; `None` if none stored it.
    fn unsealed(&self) -> Option<Vec<u8>> {
        None
    }
}

/// How a record was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// With a seal that fits.
    Sealed,
    /// As programs from before seals wrote it, with the checksum of its bytes.
    Unsealed(String),
}

/// Why a record does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum SealError {
    /// It is not what was written there.
    Broken,
    /// It is whole, and says what only a newer program knows.
    Newer,
}

impl SealError {
    /// Names the record.
    pub(in crate::archive) fn at(self, path: &str) -> ArchiveError {
        match self {
            Self::Broken => ArchiveError::corrupt(path, "it is not what was written there"),
            Self::Newer => ArchiveError::NewerRecord { path: path.to_owned() },
        }
    }
}

/// The bytes that are stored of a record at `path`.
///
/// # Errors
/// Internal, if the record is no object of one member or more.
pub(in crate::archive) fn seal<T: Record>(path: &str, record: &T) -> Result<Vec<u8>, ArchiveError> {
    let internal = |reason: String| ArchiveError::internal("writing a record", reason);
    let text = serde_json::to_string(record).map_err(|error| internal(error.to_string()))?;
    let members = text.strip_suffix('}').filter(|members| members.len() > 1);
    let members = members.ok_or_else(|| internal(format!("{path} is no object")))?;
    let seal = hex(&digest(path, members.as_bytes()));
    Ok(format!("{members}{START}{VERSION}:{seal}{END}").into_bytes())
}

/// The record that is stored at `path` as `bytes`.
pub(in crate::archive) fn open<T: Record>(
    path: &str,
    bytes: &[u8],
) -> Result<(T, Form), SealError> {
    let Some((members, version, told)) = split(bytes) else { return open_unsealed(path, bytes) };
    if version != VERSION {
        let is_later = version.parse::<u32>().is_ok_and(|number| number.to_string() == version);
        return Err(if is_later { SealError::Newer } else { SealError::Broken });
    }
    if told != hex(&digest(path, members.as_bytes())) {
        return Err(SealError::Broken);
    }
    let record: T = serde_json::from_str(&format!("{members}}}")).map_err(|_| SealError::Newer)?;
    match seal(path, &record) {
        Ok(again) if again == bytes => Ok((record, Form::Sealed)),
        // Members that this program passed over.
        _ => Err(SealError::Newer),
    }
}

fn open_unsealed<T: Record>(path: &str, bytes: &[u8]) -> Result<(T, Form), SealError> {
    let record: T = serde_json::from_slice(bytes).map_err(|_| SealError::Broken)?;
    if record.unsealed().as_deref() != Some(bytes) {
        return Err(SealError::Broken);
    }
    Ok((record, Form::Unsealed(hex(&digest(path, bytes)))))
}

/// The members of a sealed record, the number of its way of sealing, and the checksum in hexadecimal
/// digits.
fn split(bytes: &[u8]) -> Option<(&str, &str, &str)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix(END)?;
    let (members, seal) = text.rsplit_once(START)?;
    let (version, told) = seal.split_once(':')?;
    Some((members, version, told))
}

/// The checksum of what stands at `path`.
pub(in crate::archive) fn digest(path: &str, bytes: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut sha = Sha256::new();
    for part in [VERSION.as_bytes(), b"\n", path.as_bytes(), b"\n", bytes] {
        sha.update(part);
    }
    let mut digest = [0; DIGEST_BYTES];
    digest.iter_mut().zip(sha.finalize()).for_each(|(to, from)| *to = from);
    digest
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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
        assert_eq!(open("a/b.json", &bytes), Ok((limit(), Form::Sealed)));
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
        assert!(matches!(form, Form::Unsealed(_)));
        for other in
            ["{\"org\":\"acme\", \"most\":5}", "{\"org\":\"acme\",\"most\":5,\"x\":1}", "{}"]
        {
            assert_eq!(open::<Limit>("a", other.as_bytes()), Err(SealError::Broken), "{other}");
        }
    }
}
