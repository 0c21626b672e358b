//! Imports rows of a report: the parts that they change, and the catalogue that names these.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use object_store::path::Path;
use uuid::Uuid;

use super::error::ReportsError;
use super::record::{
    ListedPart, NewReportPart, NewestCatalogue, ReportCatalogue, ReportName, ReportPart,
    RetiredPart, joined,
};
use super::row::ReportRow;
use super::stored::Reports;
use crate::archive::paths::reports as paths;
use crate::clock::{HOUR, Micros};
use crate::event::OrgId;

/// Rows of a report on a date: a reader holds all of them.
pub const PART_ROWS_MAX: usize = 50_000;
/// Bytes of the texts of such rows.
const PART_TEXT_BYTES_MAX: usize = 32 << 20;
/// Parts of an organisation: ten years of four reports.
const PARTS_MAX: usize = 16_000;
/// How often an import is tried while others come first.
const TRIES: u32 = 20;
/// How long a part stays after another took its place.
const GRACE: Micros = HOUR;
/// Catalogues that are kept.
const CATALOGUES_KEPT: u64 = 16;

/// What an import did with its rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportedRows {
    /// Rows of buckets and groups that were not there.
    pub new: usize,
    /// Rows that took the place of others.
    pub replaced: usize,
    /// Rows that were there as they are.
    pub unchanged: usize,
}

/// What is imported: a report of an organisation, by date.
#[derive(Clone, Copy)]
struct NewReport<'a> {
    org: &'a OrgId,
    of: &'a ReportName,
    dates: &'a BTreeMap<NaiveDate, NewReportPart>,
    now: Micros,
}

impl Reports {
    /// Imports the rows of a report by date: all of them, or none. A row takes the place of that of the
    /// same bucket and group.
    ///
    /// # Errors
    /// Invalid, if there are too many; Unavailable or Corrupt.
    pub async fn import(
        &self,
        org: &OrgId,
        of: &ReportName,
        dates: &BTreeMap<NaiveDate, NewReportPart>,
        now: Micros,
    ) -> Result<ImportedRows, ReportsError> {
        let new = NewReport { org, of, dates, now };
        for _ in 0..TRIES {
            let mut made = Vec::new();
            let tried = self.try_import(new, &mut made).await;
            if let Ok(Some(rows)) = tried {
                return Ok(rows);
            }
            self.remove_unused(made.iter().map(|id| paths::part(&org.lowercase(), id))).await;
            tried?;
        }
        Err(ReportsError::Contended(TRIES))
    }

    /// Puts the parts that change, which become `made`, and the catalogue that names them; none if another
    /// one came first.
    async fn try_import(
        &self,
        new: NewReport<'_>,
        made: &mut Vec<String>,
    ) -> Result<Option<ImportedRows>, ReportsError> {
        let lowercase = new.org.lowercase();
        let before = self.catalogue(&lowercase).await?;
        let mut catalogue = before.unwrap_or_else(|| ReportCatalogue {
            org_id: new.org.as_str().to_owned(),
            version: 0,
            parts: Vec::new(),
            retired: Vec::new(),
        });
        let rows = self.put_parts(new, &mut catalogue, made).await?;
        self.records.claim_org(new.org).await?;
        if made.is_empty() {
            return Ok(Some(rows));
        }
        catalogue.version += 1;
        let version = catalogue.version;
        let removed = catalogue.forget_before(new.now - GRACE);
        // If the put fails, the catalogue may be there nevertheless, so nothing that it names is removed.
        let named = std::mem::take(made);
        let path = paths::catalogue(&lowercase, version);
        if !self.records.put_new(&path, &catalogue).await? {
            // A store's client sends again what may have been done already.
            let there = self.records.get::<ReportCatalogue>(&path).await?;
            if there.is_none_or(|there| there.record != catalogue) {
                *made = named;
                return Ok(None);
            }
        }
        self.records.put(&paths::newest(&lowercase), &NewestCatalogue { version }).await?;
        let removed = removed.iter().map(|object| paths::part(&lowercase, object));
        let old = version.checked_sub(CATALOGUES_KEPT).filter(|old| *old > 0);
        let old = old.map(|old| paths::catalogue(&lowercase, old));
        self.remove_unused(removed.chain(old)).await;
        Ok(Some(rows))
    }

    /// Puts the parts that change, and names them in the catalogue.
    async fn put_parts(
        &self,
        NewReport { org, of, dates, now }: NewReport<'_>,
        catalogue: &mut ReportCatalogue,
        made: &mut Vec<String>,
    ) -> Result<ImportedRows, ReportsError> {
        let lowercase = org.lowercase();
        let mut rows = ImportedRows::default();
        for (date, new) in dates {
            let date = date.to_string();
            let at = catalogue.parts.iter().position(|part| part.of == *of && part.date == date);
            let old = match at.and_then(|at| catalogue.parts.get(at)) {
                Some(listed) => Some(self.part(&lowercase, listed).await?),
                None => None,
            };
            let part = merged(old.as_ref(), of, date, new, &mut rows)?;
            if old.as_ref() == Some(&part) {
                continue;
            }
            let object = Uuid::new_v4().simple().to_string();
            made.push(object.clone());
            self.records.put_new(&paths::part(&lowercase, &object), &part).await?;
            catalogue.take(&part, object, at, now);
        }
        let parts = catalogue.parts.len();
        if parts > PARTS_MAX {
            return Err(ReportsError::TooManyParts { parts, max: PARTS_MAX });
        }
        catalogue.parts.sort_by(|a, b| (&a.of, &a.date).cmp(&(&b.of, &b.date)));
        Ok(rows)
    }

    /// Removes what nobody reads. What stays costs room and nothing else, so this never fails.
    async fn remove_unused(&self, paths: impl Iterator<Item = Path> + Send) {
        for path in paths {
            if let Err(error) = self.records.remove(&path).await {
                tracing::warn!(%error, "an object of a report is not used, and stays");
                return;
            }
        }
    }
}

impl ReportCatalogue {
    /// Names a part, in the place of the one at `at`.
    fn take(&mut self, part: &ReportPart, object: String, at: Option<usize>, now: Micros) {
        let rows = u64::try_from(part.rows.len()).unwrap_or(u64::MAX);
        let listed = ListedPart { of: part.of.clone(), date: part.date.clone(), rows, object };
        match at.and_then(|at| self.parts.get_mut(at)) {
            Some(place) => {
                let former = std::mem::replace(place, listed);
                self.retired.push(RetiredPart { object: former.object, at_us: now });
            }
            None => self.parts.push(listed),
        }
    }

    /// Takes out the parts that were retired before an instant; returns their objects.
    fn forget_before(&mut self, at: Micros) -> Vec<String> {
        let all = std::mem::take(&mut self.retired);
        let (gone, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|part| part.at_us < at);
        self.retired = kept;
        gone.into_iter().map(|part| part.object).collect()
    }
}

/// A date's rows with new ones in the places of those of the same bucket and group.
fn merged(
    old: Option<&ReportPart>,
    of: &ReportName,
    date: String,
    new: &NewReportPart,
    counts: &mut ImportedRows,
) -> Result<ReportPart, ReportsError> {
    let mut rows: BTreeMap<_, _> =
        old.iter().flat_map(|old| &old.rows).map(|row| (row.key(), row.clone())).collect();
    for (key, row) in &new.rows {
        match rows.insert(key.clone(), row.clone()) {
            None => counts.new += 1,
            Some(before) if before == *row => counts.unchanged += 1,
            Some(_) => counts.replaced += 1,
        }
    }
    if rows.len() > PART_ROWS_MAX {
        return Err(ReportsError::TooManyRows { date, rows: rows.len(), max: PART_ROWS_MAX });
    }
    let bytes = rows.values().map(ReportRow::text_bytes).fold(0_usize, usize::saturating_add);
    if bytes > PART_TEXT_BYTES_MAX {
        return Err(ReportsError::TooMuchText { date, bytes, max: PART_TEXT_BYTES_MAX });
    }
    let covered = old.iter().flat_map(|old| &old.covered).chain(&new.covered).copied().collect();
    let (covered, rows) = (joined(covered), rows.into_values().collect());
    Ok(ReportPart { of: of.clone(), date, covered, rows })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::super::row::ReportFigures;
    use super::*;
    use crate::clock::DAY;
    use crate::error::Kind;

    fn name() -> ReportName {
        ReportName { provider: "openai".to_owned(), report: "usage".to_owned() }
    }

    fn of(day: Micros, requests: i64) -> BTreeMap<NaiveDate, NewReportPart> {
        let figures = ReportFigures { requests: Some(requests), ..ReportFigures::default() };
        let (start_us, end_us) = (day * DAY, day * DAY + HOUR);
        let row = ReportRow { start_us, end_us, group: BTreeMap::new(), figures };
        let covered = vec![[start_us, end_us]];
        let part = NewReportPart { rows: [(row.key(), row)].into(), covered };
        [(chrono::DateTime::from_timestamp_micros(start_us).unwrap().date_naive(), part)].into()
    }

    #[tokio::test]
    async fn a_row_takes_the_place_of_its_bucket_and_what_is_old_is_removed() {
        let store = Arc::new(InMemory::new());
        let reports = Reports::new(store.clone());
        let org = OrgId::parse("Acme").unwrap();
        let import = async |dates, now| reports.import(&org, &name(), &dates, now).await.unwrap();
        assert_eq!(reports.catalogue("acme").await.unwrap(), None);
        assert_eq!(import(of(1, 5), 0).await.new, 1);
        assert_eq!(import(of(1, 5), 0).await.unchanged, 1);
        assert_eq!(reports.catalogue("acme").await.unwrap().unwrap().version, 1);
        for time in 1..40 {
            let rows = import(of(1, 5 + time), time * 10 * GRACE).await;
            assert_eq!(rows, ImportedRows { replaced: 1, ..ImportedRows::default() });
        }
        assert_eq!(import(of(2, 1), 0).await.new, 1);
        let catalogue = reports.catalogue("acme").await.unwrap().unwrap();
        assert_eq!((catalogue.org_id.as_str(), catalogue.version), ("Acme", 41));
        let dates: Vec<_> = catalogue.parts.iter().map(|part| part.date.as_str()).collect();
        assert_eq!(dates, ["1970-01-02", "1970-01-03"]);
        let part = reports.part("acme", &catalogue.parts[0]).await.unwrap();
        assert_eq!(part.rows[0].figures.requests, Some(44));
        assert_eq!(reports.orgs().await.unwrap(), ["acme"]);
        let left = reports.records.list("reports/parts").await.unwrap().len();
        let kept = reports.records.list(paths::CATALOGUES).await.unwrap().len();
        assert!(left < 6 && kept <= 16, "{left} {kept}");
    }

    #[tokio::test]
    async fn what_no_reader_could_hold_is_refused_and_leaves_nothing() {
        let reports = Reports::new(Arc::new(InMemory::new()));
        let org = OrgId::parse("acme").unwrap();
        let mut dates = of(1, 5);
        let part = dates.values_mut().next().unwrap();
        let row = part.rows.values().next().unwrap().clone();
        for number in 0..=PART_TEXT_BYTES_MAX / 1_000 {
            let text = format!("{number:01000}");
            let row = ReportRow { group: [("key".to_owned(), text)].into(), ..row.clone() };
            part.rows.insert(row.key(), row);
        }
        let error = reports.import(&org, &name(), &dates, 0).await.unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("1970-01-02 would have 336") && !told.contains('\n'), "{told}");
        assert_eq!((error.kind(), reports.catalogue("acme").await.unwrap()), (Kind::Invalid, None));
        let left = reports.records.list("reports").await.unwrap();
        assert_eq!(left.len(), 0, "{left:?}");
    }

    #[tokio::test]
    async fn what_is_damaged_or_gone_is_named() {
        let store = Arc::new(InMemory::new());
        let reports = Reports::new(store.clone());
        let org = OrgId::parse("acme").unwrap();
        reports.import(&org, &name(), &of(1, 5), 0).await.unwrap();
        let catalogue = reports.catalogue("acme").await.unwrap().unwrap();
        let part = paths::part("acme", &catalogue.parts[0].object);
        reports.records.remove(&part).await.unwrap();
        let error = reports.part("acme", &catalogue.parts[0]).await.unwrap_err().to_string();
        assert!(error.starts_with(part.as_ref()), "{error}");
        let path = paths::catalogue("acme", 1);
        reports.records.remove(&path).await.unwrap();
        let error = reports.catalogue("acme").await.unwrap_err().to_string();
        assert!(error.starts_with(path.as_ref()), "{error}");
    }
}
