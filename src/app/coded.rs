//! A text that is compressed as it grows, and taken away in parts.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::exposition::Coding;

/// zstd's fastest level; gzip uses its fastest too.
const ZSTD_LEVEL: i32 = 1;

/// What was written to it, in a coding.
pub(super) enum Coded {
    Identity(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Coded {
    pub(super) fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Identity => Self::Identity(Vec::new()),
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())),
            Coding::Zstd => Self::Zstd(ZstdEncoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }

    /// The bytes that wait to be taken.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Identity(made) => made.len(),
            Self::Gzip(coder) => coder.get_ref().len(),
            Self::Zstd(coder) => coder.get_ref().len(),
        }
    }

    /// Takes the bytes that there are.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Identity(made) => made,
            Self::Gzip(coder) => coder.get_mut(),
            Self::Zstd(coder) => coder.get_mut(),
        })
    }

    /// Takes the last bytes.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(made) => Ok(made),
            Self::Gzip(coder) => coder.finish(),
            Self::Zstd(coder) => coder.finish(),
        }
    }
}

impl Write for Coded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Identity(made) => made.write(bytes),
            Self::Gzip(coder) => coder.write(bytes),
            Self::Zstd(coder) => coder.write(bytes),
        }
    }

    /// Keeps what a coder has not given yet: it compresses better with what follows.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
