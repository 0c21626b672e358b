//! An object store on a local disk whose writes survive a loss of power.
//!
//! `object_store`'s own `LocalFileSystem` never syncs, and its writes make the root if that is
//! missing: a folder on which no volume is mounted would become an archive. Here a put or a finished
//! upload returns once the file and its directory entries are durable, and fails if the root is
//! missing. Deletes are not synced: what a crash brings back is deleted again. Listings hide a
//! temporary file that a crash left. Nothing here copies or renames objects.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result, UploadPart,
};
use tokio::sync::Semaphore;

use super::disk::{BegunFile, Disk, DiskError, Existing, create_directory};
use super::one_turn;

/// Files that are opened at a time. A log of hundreds of entries, all of which are asked for at once,
/// would otherwise start hundreds of threads, each of which takes longer to start than to read a file.
const OPENED_AT_ONCE: usize = 8;

/// A directory as an object store with durable writes. Needs a Tokio runtime.
#[derive(Debug)]
pub struct DurableLocal {
    inner: LocalFileSystem,
    disk: Arc<Disk>,
    root: PathBuf,
    opening: Semaphore,
}

impl DurableLocal {
    /// Opens the store rooted at `directory`, which must exist. Blocks.
    ///
    /// # Errors
    /// There is no such directory, or it cannot be resolved.
    pub fn open(directory: &std::path::Path) -> Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(directory)?;
        let root = directory.canonicalize().map_err(|source| Error::Generic {
            store: "DurableLocal",
            source: format!("cannot resolve {}: {source}", directory.display()).into(),
        })?;
        let opening = Semaphore::new(OPENED_AT_ONCE);
        Ok(Self { inner, disk: Arc::new(Disk::new(root.clone())), root, opening })
    }

    /// As [`Self::open`], but creates the directory and its parents if they are missing.
    ///
    /// # Errors
    /// The directory cannot be created or resolved.
    pub fn create(directory: &std::path::Path) -> Result<Self> {
        create_directory(directory)?;
        Self::open(directory)
    }

    fn unsupported(&self, operation: &str) -> Error {
        Error::NotImplemented { operation: operation.to_owned(), implementer: self.to_string() }
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root.display())
    }
}

/// Runs `work` on `disk` in a thread that may block.
async fn on_disk<F, T>(disk: &Arc<Disk>, work: F) -> Result<T>
where
    F: FnOnce(&Disk) -> Result<T, DiskError> + Send + 'static,
    T: Send + 'static,
{
    let disk = Arc::clone(disk);
    tokio::task::spawn_blocking(move || work(&disk)).await?.map_err(Error::from)
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "a default would bypass the inner store")]
impl ObjectStore for DurableLocal {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let existing = match opts.mode {
            PutMode::Create => Existing::Keep,
            PutMode::Overwrite => Existing::Replace,
            PutMode::Update(_) => return Err(self.unsupported("put with PutMode::Update")),
        };
        if !opts.attributes.is_empty() {
            return Err(self.unsupported("put with attributes"));
        }
        let target = self.inner.path_to_filesystem(location)?;
        on_disk(&self.disk, move |disk| disk.write(&target, &payload, existing)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !opts.attributes.is_empty() {
            return Err(self.unsupported("put with attributes"));
        }
        let target = self.inner.path_to_filesystem(location)?;
        let disk = Arc::clone(&self.disk);
        let begun = on_disk(&self.disk, move |disk| disk.begin(&target)).await?;
        Ok(Box::new(DurableUpload { begun: Arc::new(begun), disk, next_at: 0 }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (file, location) = (self.inner.path_to_filesystem(location)?, location.clone());
        // An error would mean that it was closed, which it never is.
        let _turn = self.opening.acquire().await;
        tokio::task::spawn_blocking(move || one_turn::get(file, location, &options)).await?
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        // The Delta library reads its log in the order of this listing. Every other store sorts it
        // by name; a directory has no order.
        let listed = self.inner.list_with_offset(prefix, offset).try_collect::<Vec<_>>();
        let sorted = listed.map_ok(|mut objects| {
            objects.sort_by(|a, b| a.location.cmp(&b.location));
            futures::stream::iter(objects.into_iter().map(Ok))
        });
        sorted.try_flatten_stream().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(self.unsupported("copy"))
    }

    async fn rename_opts(&self, _: &Path, _: &Path, _: RenameOptions) -> Result<()> {
        Err(self.unsupported("rename"))
    }
}

/// An upload in parts that is durable once it is complete.
#[derive(Debug)]
struct DurableUpload {
    begun: Arc<BegunFile>,
    disk: Arc<Disk>,
    /// Where the next part begins in the file, in bytes.
    next_at: u64,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (begun, disk, at) = (Arc::clone(&self.begun), Arc::clone(&self.disk), self.next_at);
        self.next_at += data.content_length() as u64;
        Box::pin(async move { on_disk(&disk, move |_| begun.write(at, &data)).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let begun = Arc::clone(&self.begun);
        on_disk(&self.disk, move |disk| disk.finish(&begun)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        let begun = Arc::clone(&self.begun);
        on_disk(&self.disk, move |_| begun.remove()).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use futures::TryStreamExt;
    use object_store::{GetRange, ObjectStoreExt};
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, Arc<DurableLocal>) {
        let directory = tempfile::tempdir().unwrap();
        let store = DurableLocal::create(&directory.path().join("new/archive")).unwrap();
        (directory, Arc::new(store))
    }

    async fn create(store: &DurableLocal, path: &Path, bytes: &str) -> Result<PutResult> {
        store.put_opts(path, bytes.to_owned().into(), PutMode::Create.into()).await
    }

    async fn read(store: &DurableLocal, path: &Path) -> Bytes {
        store.get(path).await.unwrap().bytes().await.unwrap()
    }

    /// Every file under `directory`, hidden ones too.
    fn files(directory: &std::path::Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => found.extend(files(&path)),
                false => found.push(path.file_name().unwrap().to_str().unwrap().to_owned()),
            }
        }
        found
    }

    #[tokio::test]
    async fn create_never_replaces_and_overwrite_does() {
        let (directory, store) = store();
        let path = Path::from("a/b/c/0.json");
        create(&store, &path, "first").await.unwrap();
        let error = create(&store, &path, "second").await.unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        assert_eq!(read(&store, &path).await, "first");
        store.put(&path, "third".into()).await.unwrap();
        assert_eq!(read(&store, &path).await, "third");
        assert_eq!(files(directory.path()), ["0.json"]);
        let update = PutMode::Update(PutResult { e_tag: None, version: None }.into());
        let error = store.put_opts(&path, "x".into(), update.into()).await.unwrap_err();
        assert!(matches!(error, Error::NotImplemented { .. }), "{error}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_of_many_creators_wins() {
        let (directory, store) = store();
        let path = Path::from("log/deep/1.json");
        let tasks = (0..32).map(|number| {
            let (store, path) = (Arc::clone(&store), path.clone());
            tokio::spawn(async move {
                create(&store, &path, &number.to_string()).await.ok().map(|_| number.to_string())
            })
        });
        let winners: Vec<String> =
            futures::future::join_all(tasks).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(read(&store, &path).await, winners[0]);
        assert_eq!(files(directory.path()), ["1.json"]);
    }

    #[tokio::test]
    async fn an_upload_arrives_whole_whatever_the_order_of_its_parts() {
        let (directory, store) = store();
        let path = Path::from("u/1");
        let mut upload = store.put_multipart(&path).await.unwrap();
        let parts = [upload.put_part("hello ".into()), upload.put_part("world".into())];
        for part in parts.into_iter().rev() {
            part.await.unwrap();
        }
        assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
        upload.complete().await.unwrap();
        drop(upload);
        assert_eq!(read(&store, &path).await, "hello world");
        assert_eq!(files(directory.path()), ["1"]);
        let mut given_up = store.put_multipart(&path).await.unwrap();
        given_up.put_part("other".into()).await.unwrap();
        given_up.abort().await.unwrap();
        // One that is dropped leaves nothing either.
        store.put_multipart(&path).await.unwrap().put_part("other".into()).await.unwrap();
        assert_eq!(read(&store, &path).await, "hello world");
        assert_eq!(files(directory.path()), ["1"]);
    }

    /// A file is recognised by what the library says of it, here and in its listings.
    #[tokio::test]
    async fn a_get_answers_as_the_library_does() {
        let (_directory, store) = store();
        let sizes =
            [("empty", 0_u64), ("small", 70), ("edge", 64 << 10), ("large", (64 << 10) + 1)];
        let ranges =
            [None, Some((0..1).into()), Some(GetRange::Suffix(9)), Some(GetRange::Offset(60))];
        for ((name, size), range) in
            sizes.into_iter().flat_map(|size| ranges.clone().map(|range| (size, range)))
        {
            let path = Path::from(format!("some/{name}"));
            let bytes: Vec<u8> = (0..size).map(|nth| nth.to_le_bytes()[0]).collect();
            store.put(&path, bytes.into()).await.unwrap();
            let whens = [None, Some("*".to_owned()), Some("other".to_owned())];
            for (head, if_match) in
                [false, true].into_iter().flat_map(|head| whens.clone().map(|when| (head, when)))
            {
                let options =
                    GetOptions { range: range.clone(), head, if_match, ..GetOptions::default() };
                let [ours, theirs] = [
                    store.get_opts(&path, options.clone()).await,
                    store.inner.get_opts(&path, options).await,
                ];
                match (ours, theirs) {
                    (Ok(ours), Ok(theirs)) => {
                        assert_eq!((&ours.meta, &ours.range), (&theirs.meta, &theirs.range));
                        assert_eq!(ours.bytes().await.unwrap(), theirs.bytes().await.unwrap());
                    }
                    (Err(ours), Err(theirs)) => {
                        assert_eq!(std::mem::discriminant(&ours), std::mem::discriminant(&theirs));
                    }
                    (ours, theirs) => panic!("{name}: {ours:?}, {theirs:?}"),
                }
            }
        }
        for missing in ["none", "some", "none/below"].map(Path::from) {
            let error = store.get(&missing).await.unwrap_err();
            assert!(matches!(error, Error::NotFound { .. }), "{missing}: {error}");
        }
    }

    #[tokio::test]
    async fn no_write_makes_the_root() {
        let (directory, store) = store();
        let root = directory.path().join("new/archive");
        std::fs::remove_dir(&root).unwrap();
        for path in ["top", "some/folder/deep"].map(Path::from) {
            assert!(store.put(&path, "x".into()).await.is_err());
            assert!(create(&store, &path, "x").await.is_err());
            assert!(store.put_multipart(&path).await.is_err());
            assert!(store.copy(&path, &path).await.is_err());
            assert!(!root.exists());
        }
        DurableLocal::open(&root).unwrap_err();
        assert!(!root.exists());
    }

    #[tokio::test]
    async fn errors_name_the_path_and_leave_nothing() {
        let (directory, store) = store();
        create(&store, &Path::from("file"), "x").await.unwrap();
        let error = create(&store, &Path::from("file/below"), "x").await.unwrap_err();
        assert!(matches!(error, Error::Generic { .. }), "{error}");
        assert!(error.to_string().contains("archive/file/below"), "{error}");
        std::fs::create_dir(directory.path().join("new/archive/taken")).unwrap();
        let error = store.put(&Path::from("taken"), "x".into()).await.unwrap_err();
        assert!(error.to_string().contains("archive/taken"), "{error}");
        assert_eq!(files(directory.path()), ["file"]);
    }

    #[tokio::test]
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    async fn a_read_only_directory_is_reported() {
        let (directory, store) = store();
        let closed = directory.path().join("new/archive");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
        if std::fs::File::create(closed.join("probe")).is_ok() {
            eprintln!("skipped: this user (root?) may write to read-only directories");
            return;
        }
        let error = create(&store, &Path::from("a"), "x").await.unwrap_err();
        assert!(matches!(error, Error::PermissionDenied { .. }), "{error}");
        assert!(error.to_string().contains("archive/a"), "{error}");
    }
}
