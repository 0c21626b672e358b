//! An upload of an object in parts, while its bytes are still being made.
//!
//! Each part is a request that ends in time, and the whole object is never in memory.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, Result as StoreResult};

use crate::archive::error::ArchiveError;

/// The size of every part but the last. Some stores require equal sizes.
const PART_BYTES: usize = 8 << 20;
/// The largest object that is put by one request.
const WHOLE_BYTES_MAX: usize = 2 * PART_BYTES;

/// An object that is being uploaded. It exists once [`Upload::finish`] succeeds, whole or not at
/// all.
#[derive(Debug)]
pub(in crate::archive) struct Upload {
    store: Arc<dyn ObjectStore>,
    place: Path,
    waiting: BytesMut,
    parts: Option<Box<dyn MultipartUpload>>,
}

impl Upload {
    /// Begins an object. Does not contact the store yet.
    pub fn new(store: Arc<dyn ObjectStore>, place: Path) -> Self {
        Self { store, place, waiting: BytesMut::new(), parts: None }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// Unavailable; the upload is aborted then.
    pub async fn add(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.waiting.extend_from_slice(bytes);
        while self.waiting.len() > WHOLE_BYTES_MAX {
            let part = self.waiting.split_to(PART_BYTES).freeze();
            let sent = self.send(part).await;
            self.or_abort(sent).await?;
        }
        Ok(())
    }

    /// Ends the object.
    ///
    /// # Errors
    /// Unavailable; the upload is aborted then.
    pub async fn finish(mut self) -> Result<(), ArchiveError> {
        let done = self.send_rest().await;
        self.or_abort(done).await
    }

    /// Abandons the object.
    pub async fn abort(mut self) {
        if let Some(mut parts) = self.parts.take() {
            // If this fails, the parts that stay only take space.
            drop(parts.abort().await);
        }
    }

    async fn send(&mut self, part: Bytes) -> StoreResult<()> {
        let parts = match self.parts.take() {
            Some(parts) => parts,
            None => self.store.put_multipart(&self.place).await?,
        };
        self.parts.insert(parts).put_part(part.into()).await
    }

    async fn send_rest(&mut self) -> StoreResult<()> {
        let mut rest = std::mem::take(&mut self.waiting).freeze();
        if self.parts.is_none() && rest.len() <= WHOLE_BYTES_MAX {
            return self.store.put(&self.place, rest.into()).await.map(drop);
        }
        while !rest.is_empty() {
            let part = rest.split_to(PART_BYTES.min(rest.len()));
            self.send(part).await?;
        }
        match &mut self.parts {
            Some(parts) => parts.complete().await.map(drop),
            None => Ok(()),
        }
    }

    async fn or_abort(&mut self, done: StoreResult<()>) -> Result<(), ArchiveError> {
        if done.is_err()
            && let Some(mut parts) = self.parts.take()
        {
            // The first error says more.
            drop(parts.abort().await);
        }
        done.map_err(|error| ArchiveError::unavailable(format!("writing {}", self.place), error))
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::archive::store::durable::DurableLocal;

    #[tokio::test]
    async fn a_large_object_is_put_in_parts_and_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DurableLocal::open(folder.path()).unwrap();
        let place = Path::from("events/event_date=2026-01-02/x.parquet");
        let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(disk)];
        for store in stores {
            for length in [0, 1, WHOLE_BYTES_MAX, WHOLE_BYTES_MAX + 1, 3 * PART_BYTES] {
                let bytes: Vec<_> = (0..length).map(|at| (at / 1_000) as u8).collect();
                for step in [length.max(1), 3_000_000] {
                    let mut upload = Upload::new(store.clone(), place.clone());
                    for piece in bytes.chunks(step) {
                        upload.add(piece).await.unwrap();
                    }
                    upload.finish().await.unwrap();
                    let read = store.get(&place).await.unwrap().bytes().await.unwrap();
                    assert!(read == bytes, "{length} bytes in steps of {step}");
                }
            }
        }
    }

    #[tokio::test]
    async fn an_object_that_is_given_up_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(DurableLocal::open(folder.path()).unwrap());
        let mut upload = Upload::new(store.clone(), Path::from("a/b"));
        upload.add(&vec![1; WHOLE_BYTES_MAX + 1]).await.unwrap();
        upload.abort().await;
        assert!(store.head(&Path::from("a/b")).await.is_err());
        assert_eq!(std::fs::read_dir(folder.path().join("a")).unwrap().count(), 0);
    }
}
