//! Inputs → decoded chunks, in order: one thread reads, and several decode what it has read.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesOrdered, Stream, StreamExt as _};
use tokio::sync::mpsc;

use super::decode::{DecodedChunk, Decoder};
use super::read::Reading;
use super::read::rows::Chunk;
use super::{BackfillError, Inputs};

/// Chunks that may wait to be decoded.
const CHUNKS: usize = 2;

/// A chunk and what became of it.
pub(super) type ChunkResult = Result<(Arc<Chunk>, DecodedChunk), BackfillError>;

/// All inputs of a job on their way.
pub(super) struct ChunkDecoding {
    decoder: Arc<Decoder>,
    chunks: BoxStream<'static, Result<Chunk, BackfillError>>,
    under_way: FuturesOrdered<BoxFuture<'static, ChunkResult>>,
    /// The reader gives no more chunks.
    read: bool,
}

impl ChunkDecoding {
    /// Begins to read.
    pub(super) fn start(reading: Reading, inputs: Inputs) -> Self {
        let decoder = reading.decoder.clone();
        let chunks = chunks(reading, inputs).boxed();
        Self { decoder, chunks, under_way: FuturesOrdered::new(), read: false }
    }

    /// True if no chunk is left.
    pub(super) fn is_done(&self) -> bool {
        self.read && self.under_way.is_empty()
    }

    /// The next chunk, while up to `at_most` are decoded side by side; `None` if no chunk is left.
    /// May be dropped at any time: no chunk is lost by that.
    pub(super) async fn next(&mut self, at_most: usize) -> Option<ChunkResult> {
        loop {
            tokio::select! {
                biased;
                Some(decoded) = self.under_way.next(), if !self.under_way.is_empty() => {
                    return Some(decoded);
                }
                chunk = self.chunks.next(), if !self.read && self.under_way.len() < at_most => {
                    match chunk {
                        Some(chunk) => self.begin(chunk),
                        None => self.read = true,
                    }
                }
                else => return None,
            }
        }
    }

    fn begin(&mut self, chunk: Result<Chunk, BackfillError>) {
        let decoder = self.decoder.clone();
        let decoded = async move { decode(decoder, Arc::new(chunk?)).await };
        self.under_way.push_back(Box::pin(decoded));
    }
}

/// The inputs as chunks, in order.
fn chunks(
    reading: Reading,
    inputs: Inputs,
) -> impl Stream<Item = Result<Chunk, BackfillError>> + Send {
    let (to, mut chunks) = mpsc::channel(CHUNKS);
    let reader = tokio::task::spawn_blocking(move || {
        let inputs = inputs.files.into_iter().map(Arc::new).collect();
        reading.all(inputs, &to);
    });
    // A reader that panics because of a defect in a format's library must not look like the
    // end.
    let end = stream::once(reader).filter_map(async |read| {
        read.is_err().then_some(Err(BackfillError::Internal("reading an input")))
    });
    stream::poll_fn(move |context| chunks.poll_recv(context)).chain(end)
}

/// Decodes a chunk on a thread that may be kept busy.
pub(super) async fn decode(decoder: Arc<Decoder>, chunk: Arc<Chunk>) -> ChunkResult {
    let work =
        tokio::task::spawn_blocking(move || decoder.decode(&chunk).map(|decoded| (chunk, decoded)));
    work.await.map_err(|_| BackfillError::Internal("decoding rows"))?
}
