//! Checks of whether a store can hold an archive, made with small objects in their own folder.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use uuid::Uuid;

use crate::archive::error::ArchiveError;
use crate::archive::paths;
use crate::clock::{Micros, SECOND};

/// The largest accepted difference between this machine's clock and the store's.
const SKEW_MAX: Micros = 60 * SECOND;
/// Concurrent puts of one name.
const RIVALS: usize = 8;

/// The checks of one store.
#[derive(Debug, Clone)]
pub struct StoreCheck {
    store: Arc<dyn ObjectStore>,
    folder: Path,
}

impl StoreCheck {
    /// The checks of `store`, whose root is the archive's. They use a new folder.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, folder: paths::check_folder(Uuid::new_v4()) }
    }

    /// The folder of the test objects, relative to the archive.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lists the archive, to see whether it can be reached.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn reach(&self) -> Result<(), ArchiveError> {
        let listed = self.store.list_with_delimiter(None).await;
        listed.map(drop).map_err(|error| ArchiveError::unavailable("listing the archive", error))
    }

    /// How far this clock is ahead of the store's; negative if it is behind.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn clock_ahead(&self, now: Micros) -> Result<Micros, ArchiveError> {
        let path = self.folder.clone().join("clock");
        let failed = |error| ArchiveError::unavailable(format!("writing {path}"), error);
        self.store.put(&path, "clock".into()).await.map_err(failed)?;
        let written = self.store.head(&path).await.map_err(failed)?.last_modified;
        self.store.delete(&path).await.map_err(failed)?;
        // Some stores report whole seconds, rounded down.
        let off = now - written.timestamp_micros();
        Ok(if (0..SECOND).contains(&off) { 0 } else { off })
    }

    /// Makes sure that this clock is not more than a minute ahead of the store's. Otherwise objects
    /// would be judged older than they are.
    ///
    /// # Errors
    /// Unfit, or Unavailable.
    pub async fn clock_not_ahead(&self, now: Micros) -> Result<(), ArchiveError> {
        match self.clock_ahead(now).await? {
            ahead if ahead > SKEW_MAX => Err(wrong_clock(ahead)),
            _ => Ok(()),
        }
    }

    /// Makes sure that this clock and the store's agree to within a minute.
    ///
    /// # Errors
    /// Unfit, or Unavailable.
    pub async fn clock(&self, now: Micros) -> Result<(), ArchiveError> {
        match self.clock_ahead(now).await? {
            off if off.abs() > SKEW_MAX => Err(wrong_clock(off)),
            _ => Ok(()),
        }
    }

    /// Makes sure that the store refuses a conditional put if the object exists. Every commit
    /// depends on that.
    ///
    /// # Errors
    /// Unfit, or Unavailable.
    pub async fn conditional_put(&self) -> Result<(), ArchiveError> {
        let [one, contested] = ["once", "contested"].map(|name| self.folder.clone().join(name));
        let refuses = async {
            self.put_once(&one).await?;
            if self.put_once(&one).await? {
                return Ok(false);
            }
            let rivals = (0..RIVALS).map(|_| self.put_once(&contested));
            let won = futures::future::try_join_all(rivals).await?;
            Ok::<_, ArchiveError>(won.into_iter().filter(|won| *won).count() <= 1)
        };
        let refuses = refuses.await;
        let cleaned = self.clean().await;
        if refuses? { cleaned } else { Err(unconditional()) }
    }

    /// Makes sure that an object can be written, read, listed and deleted.
    ///
    /// # Errors
    /// Unfit, or Unavailable.
    pub async fn objects(&self) -> Result<(), ArchiveError> {
        let (path, text) = (self.folder.clone().join("object"), "0123456789");
        let middle = "234";
        let failed = |doing: &str| {
            let doing = format!("{doing} {path}");
            move |error: Error| ArchiveError::unavailable(doing, error)
        };
        self.store.put(&path, text.into()).await.map_err(failed("writing"))?;
        let part = self.store.get_range(&path, 2..5).await.map_err(failed("reading"))?;
        let found = self.store.list(Some(&self.folder)).map_ok(|object| object.location);
        let found: Vec<_> = found.try_collect().await.map_err(failed("listing"))?;
        self.store.delete(&path).await.map_err(failed("deleting"))?;
        let left = self.store.head(&path).await;
        let reason = if part != middle {
            "a part of an object reads differently than it was written"
        } else if !found.contains(&path) {
            "an object that was written is not listed"
        } else if !matches!(left, Err(Error::NotFound { .. })) {
            "an object that was deleted is still there"
        } else {
            return Ok(());
        };
        Err(ArchiveError::UnfitStore(format!(
            "the store cannot be used: {reason}; use a store that shows writes at once"
        )))
    }

    /// Deletes everything in the folder.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn clean(&self) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::unavailable(format!("emptying {}", self.folder), error);
        let found = self.store.list(Some(&self.folder)).map_ok(|object| object.location);
        let found: Vec<_> = found.try_collect().await.map_err(failed)?;
        let found = futures::stream::iter(found.into_iter().map(Ok)).boxed();
        self.store.delete_stream(found).try_for_each(async |_| Ok(())).await.map_err(failed)
    }

    /// True if the object was put, false if it exists already.
    async fn put_once(&self, path: &Path) -> Result<bool, ArchiveError> {
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(path, "once".into(), create).await {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
            Err(Error::NotImplemented { .. }) => Err(unconditional()),
            Err(error) => Err(ArchiveError::unavailable(format!("writing {path}"), error)),
        }
    }
}

fn unconditional() -> ArchiveError {
    ArchiveError::UnfitStore(
        "the store does not support conditional puts (If-None-Match: *), so writers would \
         overwrite each other's commits; use a store that does, or a newer version of it"
            .to_owned(),
    )
}

fn wrong_clock(ahead: Micros) -> ArchiveError {
    let (seconds, side) = (ahead.abs() / SECOND, if ahead > 0 { "ahead of" } else { "behind" });
    ArchiveError::UnfitStore(format!(
        "this machine's clock is {seconds} s {side} the store's; set it right (NTP)"
    ))
}
