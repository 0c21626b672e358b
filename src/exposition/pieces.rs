//! A text in shared pieces: a large one is copied neither when it grows nor for each answer.

use std::io;
use std::mem;
use std::sync::{Arc, Weak};

use bytes::Bytes;

/// A piece is full from this size on.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// Room for the line that fills it.
const LINE_BYTES: usize = 2 * 1024;

/// A finished text. A clone is the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(Arc<[Bytes]>);

/// A reference to a text that does not keep it in memory.
#[derive(Clone, Debug)]
pub struct WeakPieces(Weak<[Bytes]>);

impl Pieces {
    /// Its length in bytes.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Its parts, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Bytes> {
        self.0.iter()
    }

    /// Distinguishes this text from all others that are held at the same time.
    pub fn place(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// A reference that does not keep the text in memory.
    pub fn downgrade(&self) -> WeakPieces {
        WeakPieces(Arc::downgrade(&self.0))
    }
}

impl WeakPieces {
    /// The text, if another holder keeps it.
    pub fn upgrade(&self) -> Option<Pieces> {
        self.0.upgrade().map(Pieces)
    }
}

impl FromIterator<Bytes> for Pieces {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        Self(pieces.into_iter().filter(|piece| !piece.is_empty()).collect())
    }
}

impl From<Bytes> for Pieces {
    fn from(text: Bytes) -> Self {
        Self::from_iter([text])
    }
}

impl From<Pieces> for Vec<u8> {
    fn from(pieces: Pieces) -> Self {
        pieces.0.concat()
    }
}

/// A text that grows without moving the bytes that it has.
#[derive(Debug, Default)]
pub struct Growing {
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl Growing {
    /// The buffer for the next bytes. At most one line should be written at a time.
    pub(super) fn last(&mut self) -> &mut Vec<u8> {
        if self.last.len() >= PIECE_BYTES {
            self.end_piece(PIECE_BYTES + LINE_BYTES);
        }
        &mut self.last
    }

    /// Takes the text written so far out; a new text begins.
    pub fn take(&mut self) -> Vec<Bytes> {
        self.end_piece(0);
        mem::take(&mut self.full)
    }

    fn end_piece(&mut self, capacity: usize) {
        let mut piece = mem::replace(&mut self.last, Vec::with_capacity(capacity));
        // Pieces are kept; the spare room of the buffer is not.
        piece.shrink_to_fit();
        if !piece.is_empty() {
            self.full.push(piece.into());
        }
    }
}

/// For compressors, which write any number of bytes at a time.
impl io::Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let last = self.last();
        let (taken, _) = bytes.split_at(bytes.len().min(PIECE_BYTES));
        last.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_text_grows_by_pieces_and_is_whole() {
        let (mut text, mut expected) = (Growing::default(), Vec::new());
        for number in 0..40_000 {
            let line = format!("line {number}\n");
            text.last().extend_from_slice(line.as_bytes());
            expected.extend_from_slice(line.as_bytes());
        }
        let long = vec![b'x'; 3 * PIECE_BYTES + 7];
        text.write_all(&long).unwrap();
        expected.extend_from_slice(&long);
        let pieces: Pieces = text.take().into_iter().collect();
        assert!(pieces.iter().all(|piece| piece.len() <= 2 * PIECE_BYTES));
        assert!(pieces.iter().len() > 6);
        assert_eq!(pieces.bytes(), expected.len());
        assert_eq!(text.take(), Vec::<Bytes>::new());
        let weak = pieces.downgrade();
        assert_eq!(weak.upgrade().map(|same| same.place()), Some(pieces.place()));
        assert_eq!(Vec::from(pieces), expected);
        assert!(weak.upgrade().is_none(), "no holder keeps it");
    }
}
