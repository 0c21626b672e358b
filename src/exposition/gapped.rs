//! An answer while it is written, with gaps for what changes with the time.

use bytes::Bytes;

use super::pieces::Growing;

/// Where a gauge that changes with the time is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blank {
    /// The organisation's.
    Whole,
    /// That of the next value of a dimension.
    Part,
}

/// Bytes that grow, and the gaps in them.
#[derive(Debug, Default)]
pub(super) struct Gapped {
    growing: Growing,
    /// What comes before each gap, and what it is for.
    full: Vec<(Vec<Bytes>, Blank)>,
}

impl Gapped {
    /// The buffer for the next bytes. At most one line, or as much, should be written at a time.
    pub(super) fn last(&mut self) -> &mut Vec<u8> {
        self.growing.last()
    }

    /// Leaves a gap here.
    pub(super) fn leave(&mut self, blank: Blank) {
        let before = self.growing.take();
        self.full.push((before, blank));
    }

    /// The bytes before the first gap, and each gap with the bytes after it.
    pub(super) fn into_parts(mut self) -> (Vec<Bytes>, Vec<(Blank, Vec<Bytes>)>) {
        let last = self.growing.take();
        let (mut texts, blanks): (Vec<_>, Vec<_>) = self.full.into_iter().unzip();
        texts.push(last);
        let mut texts = texts.into_iter();
        let first = texts.next().unwrap_or_default();
        (first, blanks.into_iter().zip(texts).collect())
    }
}
