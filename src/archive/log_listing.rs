//! What a listing of the log's folder tells: how far the log goes, and which checkpoints are whole.

use std::collections::BTreeMap;

/// What the log's folder holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    oldest_entry: Option<u64>,
    /// The newest version that is there.
    pub(super) newest: u64,
    /// The newest whole checkpoint.
    pub(super) checkpoint: Option<u64>,
    /// Parts that are there of checkpoints in several, by version and number of parts.
    parts: BTreeMap<(u64, u64), u64>,
}

impl Listing {
    /// True if there is no table.
    pub(super) fn is_empty(&self) -> bool {
        self.oldest_entry.is_none() && self.checkpoint.is_none()
    }

    /// Whether there are entries from the checkpoint on, or from the first one.
    pub(super) fn is_whole(&self) -> bool {
        let first = self.checkpoint.map_or(0, |checkpoint| checkpoint + 1);
        self.oldest_entry.is_some_and(|oldest| oldest <= first)
            || self.checkpoint == Some(self.newest)
    }

    /// Takes in the name of an object.
    pub(super) fn take(&mut self, name: &str) {
        let Some((digits, ending)) = name.split_once('.') else { return };
        let Some(version) = (digits.len() == 20).then(|| digits.parse::<u64>().ok()).flatten()
        else {
            return;
        };
        if ending == "json" {
            let oldest = self.oldest_entry.get_or_insert(version);
            *oldest = version.min(*oldest);
            self.newest = self.newest.max(version);
        } else if self.is_last_part(version, ending) {
            self.checkpoint = self.checkpoint.max(Some(version));
            self.newest = self.newest.max(version);
        }
    }

    /// Whether a checkpoint is whole with this object of it.
    fn is_last_part(&mut self, version: u64, ending: &str) -> bool {
        match ending.split('.').collect::<Vec<_>>()[..] {
            ["checkpoint", "parquet"] | ["checkpoint", _, "parquet"] => true,
            ["checkpoint", _, of, "parquet"] => {
                let Ok(of) = of.parse() else { return false };
                let there = self.parts.entry((version, of)).or_default();
                *there += 1;
                *there == of
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(names: &[&str]) -> Option<u64> {
        let mut listing = Listing::default();
        for name in names {
            listing.take(&format!("{:020}.{}", 7, name));
        }
        listing.checkpoint
    }

    #[test]
    fn only_a_whole_checkpoint_is_one() {
        let parts = ["1", "2"].map(|part| format!("checkpoint.000000000{part}.0000000002.parquet"));
        let [first, second] = parts.each_ref().map(String::as_str);
        assert_eq!(checkpoint(&["checkpoint.parquet"]), Some(7));
        assert_eq!(checkpoint(&[first]), None);
        assert_eq!(checkpoint(&[first, second]), Some(7));
        assert_eq!(checkpoint(&[first, "checkpoint.0000000002.0000000003.parquet"]), None);
        assert_eq!(checkpoint(&["checkpoint.parquet.tmp", "crc"]), None);
    }
}
