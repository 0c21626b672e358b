//! The frames between a server and a worker: a kind, a length and bytes, so that a truncated answer
//! is recognised.

use std::io::{self, Read, Write};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The most bytes of an answer in one frame.
pub(super) const ROWS_BYTES_MAX: usize = 64 * 1024;
/// The longest frame that a server accepts. An error may quote much of a query.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Bytes of the kind and the length.
const HEAD_BYTES: usize = 5;

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// The question.
    Question,
    /// A part of the answer.
    Rows,
    /// The end of a complete answer.
    End,
    /// The error that ends an answer, or takes its place.
    Error,
}

impl FrameKind {
    const ALL: [(Self, u8); 4] =
        [(Self::Question, b'q'), (Self::Rows, b'r'), (Self::End, b'e'), (Self::Error, b'x')];

    fn byte(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(0, |(_, byte)| *byte)
    }

    fn of(byte: u8) -> io::Result<Self> {
        let kind = Self::ALL.iter().find(|(_, known)| *known == byte);
        kind.map(|(kind, _)| *kind).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// The head of a frame with `length` bytes.
pub(super) fn head(kind: FrameKind, length: usize) -> io::Result<[u8; HEAD_BYTES]> {
    let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let [a, b, c, d] = length.to_le_bytes();
    Ok([kind.byte(), a, b, c, d])
}

fn read_head(head: [u8; HEAD_BYTES]) -> io::Result<(FrameKind, usize)> {
    let [kind, a, b, c, d] = head;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    Ok((FrameKind::of(kind)?, length))
}

/// Writes a frame.
pub(super) fn write(out: &mut dyn Write, kind: FrameKind, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&head(kind, bytes.len())?)?;
    out.write_all(bytes)
}

/// Reads a frame.
pub(super) fn read(from: &mut dyn Read) -> io::Result<(FrameKind, Vec<u8>)> {
    let mut head = [0; HEAD_BYTES];
    from.read_exact(&mut head)?;
    let (kind, length) = read_head(head)?;
    // Not allocated ahead, because the announced length may be wrong.
    let mut bytes = Vec::new();
    from.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((kind, bytes))
}

/// Reads a frame of an answer.
pub(super) async fn receive(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(FrameKind, Bytes)> {
    let mut head = [0; HEAD_BYTES];
    from.read_exact(&mut head).await?;
    let (kind, length) = read_head(head)?;
    if length > ANSWER_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await?;
    Ok((kind, bytes.into()))
}

/// Puts the rows that are written to it into frames.
pub(super) struct RowsWriter<W> {
    out: W,
    held: Vec<u8>,
}

impl<W: Write> RowsWriter<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, held: Vec::with_capacity(ROWS_BYTES_MAX) }
    }

    /// Marks the answer as complete.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        write(&mut self.out, FrameKind::End, &[])
    }
}

impl<W: Write> Write for RowsWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = ROWS_BYTES_MAX.saturating_sub(self.held.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.held.extend_from_slice(taken);
        if self.held.len() >= ROWS_BYTES_MAX {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            write(&mut self.out, FrameKind::Rows, &self.held)?;
            self.held.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn received(bytes: &[u8]) -> Vec<io::Result<(FrameKind, Bytes)>> {
        let mut from = bytes;
        let mut frames = Vec::new();
        while frames.last().is_none_or(io::Result::is_ok) {
            frames.push(receive(&mut from).await);
        }
        frames
    }

    #[tokio::test]
    async fn rows_come_in_frames_and_end_with_one() {
        let rows: Vec<u8> = (0..=250).cycle().take(2 * ROWS_BYTES_MAX + 7).collect();
        let mut out = Vec::new();
        let mut writer = RowsWriter::new(&mut out);
        writer.write_all(&rows).unwrap();
        writer.end().unwrap();
        let frames = received(&out).await;
        let kinds: Vec<_> = frames.iter().flatten().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [FrameKind::Rows, FrameKind::Rows, FrameKind::Rows, FrameKind::End]);
        let bytes: Vec<u8> = frames.iter().flatten().flat_map(|(_, rows)| rows.to_vec()).collect();
        assert_eq!(bytes, rows);
    }

    #[tokio::test]
    async fn no_cut_of_an_answer_passes_for_whole() {
        let mut out = Vec::new();
        write(&mut out, FrameKind::Rows, b"rows").unwrap();
        write(&mut out, FrameKind::End, b"").unwrap();
        for length in 0..out.len() {
            let frames = received(&out[..length]).await;
            assert!(frames.iter().flatten().all(|(kind, _)| *kind != FrameKind::End), "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_no_frame_is_refused() {
        for head in [*b"?\0\0\0\0", [b'r', 255, 255, 255, 255]] {
            let error = receive(&mut &head[..]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let mut question = Vec::new();
        write(&mut question, FrameKind::Question, b"{}").unwrap();
        assert_eq!(read(&mut &question[..]).unwrap(), (FrameKind::Question, b"{}".to_vec()));
    }
}
