//! Rewriting: the events of several data files of one date become one file, in a commit that
//! changes no events.
//!
//! A crash leaves either a file that no entry names, or the whole commit. Files that came meanwhile
//! stay: the commit names its inputs, and is abandoned if one of them is no longer live.

use std::sync::Arc;
use std::time::Duration;

use deltalake_core::kernel::{Action, Add};

use super::Upkeep;
use super::actions::remove;
use super::new_rows::NewRows;
use crate::archive::error::ArchiveError;
use crate::archive::file::data_file::DataFile;
use crate::archive::file::file_write::blocking;
use crate::archive::file::row_merge::RowMerge;
use crate::archive::grace::UNCOMMITTED_MAX;
use crate::archive::log::entry::NewEntry;
use crate::archive::log::newer::OfObject as _;
use crate::archive::log::snapshot::Snapshot;
use crate::archive::log::table::FORMAT;
use crate::error::Kind;

/// The result of a rewrite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// How many of the files, from the first on.
    pub files: usize,
    /// Bytes of the new file.
    pub bytes: u64,
}

impl Upkeep {
    /// Moves the events of `inputs` into one new file. If memory has no room for all, only the
    /// first ones are moved, but at least two. `None` if an input was removed meanwhile.
    ///
    /// # Errors
    /// Corrupt, naming the file, if an input is damaged, or has another number of rows than the log
    /// says; `NotMerged`, naming it, if it takes too much memory. Unavailable, also with the commit
    /// in doubt.
    pub async fn rewrite(
        &self,
        inputs: &[Arc<DataFile>],
    ) -> Result<Option<Rewritten>, ArchiveError> {
        let begun_at = self.commits.clock.elapsed();
        if !are_live(inputs, &self.commits.follower.current()) {
            return Ok(None);
        }
        let (add, used) = match self.write(inputs).await {
            // Another process may have rewritten and removed it, or a file compared with it.
            Err(error) if error.kind() == Kind::Corrupt => {
                let newest = self.commits.follower.newest().await?;
                let has_gone = error.object().is_some_and(|path| newest.is_without(path));
                return if has_gone || !are_live(inputs, &newest) { Ok(None) } else { Err(error) };
            }
            written => written?,
        };
        // The remaining inputs are left for the next rewrite.
        let inputs = inputs.get(..used).unwrap_or(inputs);
        let bytes = add.size.unsigned_abs();
        let committed = self.commit(|snapshot| self.entry(snapshot, inputs, &add, begun_at)).await;
        Ok(committed?.map(|_| Rewritten { files: used, bytes }))
    }

    fn entry(
        &self,
        snapshot: &Snapshot,
        inputs: &[Arc<DataFile>],
        add: &Add,
        begun_at: Duration,
    ) -> Result<Option<NewEntry>, ArchiveError> {
        let is_old = self.commits.clock.elapsed().saturating_sub(begun_at) >= UNCOMMITTED_MAX;
        if is_old || !are_live(inputs, snapshot) {
            return Ok(None);
        }
        let now = self.commits.clock.now();
        let removes = inputs.iter().map(|file| Action::Remove(remove(&file.path, false, now)));
        let actions = std::iter::once(Action::Add(add.clone())).chain(removes);
        self.commits.entry_with_files(snapshot, "OPTIMIZE", actions, FORMAT).map(Some)
    }

    /// Writes and puts the new file. Returns how many inputs it contains: all, or as many as fit
    /// into memory together.
    async fn write(&self, inputs: &[Arc<DataFile>]) -> Result<(Add, usize), ArchiveError> {
        let defect = |reason: &str| ArchiveError::internal("rewriting files", reason.to_owned());
        let date = inputs.first().ok_or_else(|| defect("there are none"))?.date;
        if inputs.iter().any(|file| file.date != date) {
            return Err(defect("they are of several dates"));
        }
        // In the new file, rows of other programs would pass for ours.
        self.judge.check_all(&self.commits.follower.current(), inputs, None).await?;
        let (mut rows, used) = RowMerge::open(&self.store, inputs).await?;
        let inputs = inputs.get(..used).unwrap_or(inputs);
        let (count, bytes) = size_of(inputs)?;
        let mut file = NewRows::new(count, bytes, self.commits.follower.current().table());
        while let Some(more) = rows.next().await? {
            file = blocking(move || file.add(&more)).await?;
        }
        drop(rows);
        if file.rows() != count || count == 0 {
            let held = file.rows();
            let reason = format!("with its neighbours it holds {held} events, not {count}");
            let first = inputs.first().map_or_else(String::new, |file| file.path_in_archive());
            return Err(ArchiveError::corrupt(first, reason));
        }
        let new = file.finish(date, self.partials.clone(), self.commits.clock.now()).await?;
        new.put(&self.store).await?;
        let add = Add { data_change: false, ..new.add };
        Ok((add, used))
    }
}

fn are_live(files: &[Arc<DataFile>], snapshot: &Snapshot) -> bool {
    files.iter().all(|file| snapshot.is_live(file))
}

/// How many rows files have according to the log, and their bytes.
fn size_of(files: &[Arc<DataFile>]) -> Result<(usize, usize), ArchiveError> {
    let mut count = 0_u64;
    for file in files {
        let unknown = || ArchiveError::internal("rewriting files", "their rows are not known");
        count = count.saturating_add(file.rows.ok_or_else(unknown)?);
    }
    let bytes = files.iter().fold(0, |sum: u64, file| sum.saturating_add(file.size_bytes));
    let [count, bytes] = [count, bytes].map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    Ok((count, bytes))
}
