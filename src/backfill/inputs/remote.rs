//! The search for inputs in object storage: objects, folders, patterns, and Delta tables.

use std::collections::{BTreeMap, HashMap};

use super::found::{
    FoundBy, FoundFile, InputPlace, Search, WILD, fixed, hidden, hidden_match, is_parquet,
};
use super::hive::{Folders, fields_of, fields_of_folder};
use super::tables::{DELTA_LOG, HUDI, ICEBERG, TableKind, empty, not_live};
use crate::archive::{FoundObject, LiveFile, Objects};
use crate::backfill::{BackfillError, InputFormat};

/// Finds the inputs that an address or a pattern of addresses names.
pub(super) async fn find(url: &str, format: Option<InputFormat>) -> Result<Search, BackfillError> {
    let unusable = |reason: String| BackfillError::unusable(url, reason);
    let wild = url.contains(WILD);
    let base = if wild { fixed(url) } else { url };
    let (objects, root, key) = Objects::open(base).map_err(|error| unusable(error.to_string()))?;
    let listed = objects.list(&key).await.map_err(|error| unusable(error.to_string()))?;
    let pattern = if wild {
        Some(glob::Pattern::new(url).map_err(|error| unusable(error.to_string()))?)
    } else {
        None
    };
    let place = Bucket { objects, root, key, url, pattern, format };
    Ok(place.search(listed).await)
}

/// The place in a bucket that is searched.
struct Bucket<'a> {
    objects: Objects,
    /// The bucket's address, with a slash at the end.
    root: String,
    /// The given key; for a pattern, the part before the first wild character.
    key: String,
    url: &'a str,
    pattern: Option<glob::Pattern>,
    format: Option<InputFormat>,
}

impl Bucket<'_> {
    async fn search(&self, listed: Vec<FoundObject>) -> Search {
        let mut search = Search::default();
        let mut tables = self.tables_above(&listed).await;
        for (root, table) in listed.iter().filter_map(|object| TableKind::of_key(&object.key)) {
            let known = tables.entry(root.to_owned()).or_insert(table);
            *known = table.min(*known);
        }
        // For each requested table, the keys that were named.
        let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for object in &listed {
            let whole = self.is_whole(object);
            let Some((root, table)) = outermost(&tables, &object.key) else {
                if self.matches(&object.key) {
                    search.found.push(self.found(object.clone(), fields_of(&object.key), false));
                }
                continue;
            };
            let inside = self.matches(&object.key) && is_parquet(&object.key, self.format);
            if self.by_folder(&object.key) || inside {
                let named = wanted.entry(root).or_default();
                if whole && table == TableKind::Delta {
                    named.push(&object.key);
                }
            }
        }
        for (root, named) in wanted {
            let address = format!("{}{root}", self.root);
            match tables.get(root) {
                Some(TableKind::Delta) => {
                    self.table(root, &address, &named, &listed, &mut search).await
                }
                Some(table) => search.failed.push(table.refusal(&address)),
                None => {}
            }
        }
        search
    }

    /// Tables that the given folder is part of.
    async fn tables_above(&self, listed: &[FoundObject]) -> BTreeMap<String, TableKind> {
        let mut tables = BTreeMap::new();
        if !listed.iter().any(|object| is_parquet(&object.key, self.format)) {
            return tables;
        }
        let ends = self.key.match_indices('/').map(|(at, _)| at).chain([0]);
        let folders = ends.filter_map(|end| self.key.get(..end)).filter(|it| *it != self.key);
        for folder in folders {
            let below = |name: &str| format!("{folder}/{name}").trim_start_matches('/').to_owned();
            for (name, ending, table) in [
                (DELTA_LOG, ".json", TableKind::Delta),
                (HUDI, "", TableKind::Hudi),
                (ICEBERG, ".metadata.json", TableKind::Iceberg),
            ] {
                // If the folders above may not be listed, no table is known there.
                if matches!(self.objects.any_in(&below(name), ending).await, Ok(true)) {
                    tables.insert(folder.to_owned(), table);
                    break;
                }
            }
        }
        tables
    }

    /// Adds the files that a Delta table names.
    async fn table(
        &self,
        root: &str,
        address: &str,
        named: &[&str],
        listed: &[FoundObject],
        search: &mut Search,
    ) {
        let files = match self.objects.live_files(root, address).await {
            Ok(files) => files,
            Err(error) => {
                search.failed.push(BackfillError::unusable(address, error.to_string()));
                return;
            }
        };
        if files.is_empty() {
            search.failed.push(empty(address));
        }
        let listed: HashMap<_, _> = listed.iter().map(|object| (&*object.key, object)).collect();
        let above = fields_of_folder(root);
        let key_of =
            |file: &LiveFile| format!("{root}/{}", file.path).trim_start_matches('/').to_owned();
        for name in named {
            if !files.iter().any(|file| key_of(file) == **name) {
                search.failed.push(not_live(&format!("{}{name}", self.root), address));
            }
        }
        for file in files {
            let key = key_of(&file);
            if !self.is_given(&key) {
                continue;
            }
            let object = listed.get(&*key).map(|object| (*object).clone());
            let object = object.unwrap_or_else(|| FoundObject::named(key, file.bytes));
            let mut folders = above.to_vec();
            folders.retain(|(name, _)| !file.columns.iter().any(|(own, _)| own == name));
            folders.extend(file.columns);
            search.found.push(self.found(object, folders.into(), true));
        }
    }

    fn found(&self, object: FoundObject, folders: Folders, of_table: bool) -> FoundFile {
        let below = self.below(&object.key);
        let file = object.key.rsplit('/').next().unwrap_or_default();
        let name = format!("{}{}", self.root, object.key);
        let by = match &self.pattern {
            Some(pattern) if is_match(pattern, &name) => FoundBy::Pattern,
            None if below.is_empty() => FoundBy::Name,
            Some(_) | None => FoundBy::Folder,
        };
        FoundFile {
            below: if below.is_empty() { file } else { below }.to_owned(),
            bytes: object.bytes,
            changed: object.mark().to_owned(),
            folders,
            by,
            of_table,
            ..FoundFile::new(name, InputPlace::Object(self.objects.clone(), object))
        }
    }

    fn below<'k>(&self, key: &'k str) -> &'k str {
        key.strip_prefix(&self.key).unwrap_or(key).trim_start_matches('/')
    }

    fn by_folder(&self, key: &str) -> bool {
        self.pattern.is_none() && !self.below(key).is_empty()
    }

    /// Whether the object is the one that was named.
    fn is_whole(&self, object: &FoundObject) -> bool {
        self.pattern.is_none() && object.key == self.key
    }

    /// Whether an object is among those given, even if it is hidden. A pattern may match a folder that
    /// it is in.
    fn is_given(&self, key: &str) -> bool {
        match &self.pattern {
            Some(pattern) => {
                let whole = format!("{}{key}", self.root);
                let ends = whole.match_indices('/').flat_map(|(slash, _)| [slash, slash + 1]);
                let mut paths = ends.chain([whole.len()]).filter_map(|end| whole.get(..end));
                paths.any(|path| is_match(pattern, path))
            }
            None => key.strip_prefix(&self.key).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with('/') || self.key.is_empty()
            }),
        }
    }

    /// Whether an object is among those given and not hidden.
    fn matches(&self, key: &str) -> bool {
        let below = self.below(key);
        let hidden = match &self.pattern {
            Some(_) => hidden_match(self.url, below),
            None => below.split('/').any(hidden),
        };
        self.is_given(key) && !hidden
    }
}

/// Whether a pattern matches an address; of its parts each matches one name.
fn is_match(pattern: &glob::Pattern, path: &str) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    pattern.matches_with(path, options)
}

/// The outermost table that a key lies in.
fn outermost<'t>(
    tables: &'t BTreeMap<String, TableKind>,
    key: &str,
) -> Option<(&'t str, TableKind)> {
    let ends = [0].into_iter().chain(key.match_indices('/').map(|(at, _)| at));
    let mut folders = ends.filter_map(|end| key.get(..end));
    let found = folders.find_map(|folder| tables.get_key_value(folder));
    found.map(|(root, table)| (root.as_str(), *table))
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
