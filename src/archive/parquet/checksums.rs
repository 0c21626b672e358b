//! CRC-32 of every block of an object.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use parquet::errors::{ParquetError, Result};

/// Bytes that one checksum covers.
pub(in crate::archive) const BLOCK_BYTES: u64 = 64 * 1024;

/// The checksums of an object's blocks. Text form: base64 of the little-endian CRC-32s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums(Arc<[u32]>);

impl Checksums {
    /// The checksums of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let block_bytes = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        Self(bytes.chunks(block_bytes).map(crc32fast::hash).collect())
    }

    /// The checksums of bytes that were read in runs of whole blocks, of which these are.
    pub(in crate::archive) fn joined(runs: &[Self]) -> Self {
        Self(runs.iter().flat_map(|run| run.0.iter().copied()).collect())
    }

    /// The text for a tag.
    pub fn to_text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|crc| crc.to_le_bytes()).collect();
        STANDARD_NO_PAD.encode(bytes)
    }

    /// Reads a tag; `None` if it is not checksums.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (words, rest) = bytes.as_chunks::<4>();
        rest.is_empty().then(|| Self(words.iter().map(|word| u32::from_le_bytes(*word)).collect()))
    }

    /// Verifies bytes that start at block `first`.
    pub(in crate::archive) fn verify(&self, first: u64, bytes: &[u8]) -> Result<()> {
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let found = Self::of(bytes);
        let known = self.0.get(first..).unwrap_or_default();
        match found.0.iter().zip(known).position(|(found, known)| found != known) {
            None if known.len() >= found.0.len() => Ok(()),
            None => Err(ParquetError::General("it is longer than its checksums cover".into())),
            Some(block) => {
                let at = (first + block) as u64 * BLOCK_BYTES;
                Err(ParquetError::General(format!(
                    "the checksum of the block at byte {at} is wrong"
                )))
            }
        }
    }
}
