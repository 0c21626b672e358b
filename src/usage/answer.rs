//! Answers a question, date by date: what is in memory is the cells of a few dates and the groups of one
//! step, however long the range is. Dates without a file take no time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;

use super::dates::{AskedDates, DateCells, is_whole};
use super::error::UsageError;
use super::groups::GroupSums;
use super::pieces::{DatePart, DatePiece};
use super::question::UsageQuestion;
use super::sources::{CellSource, WhoseUsage, sources};
use super::table::{UsageRow, columns, schema};
use crate::archive::Snapshot;
use crate::clock::Micros;
use crate::event::Dimension;
use crate::rollup::{DATE_SUMS_MAX, DayCells, Rollup, UsageSums};
use crate::sql::SqlError;

/// Rows that are given together.
const BATCH_ROWS: usize = 1_024;
/// Memory of a row that waits.
const ROW_BYTES: usize = size_of::<UsageRow>() + 64;

/// The rows that answer a question, at one version of the table.
#[derive(Debug)]
pub struct UsageRows {
    asked: Arc<AskedDates>,
    /// What the same caller may group by.
    dimensions: Vec<Arc<Dimension>>,
    schema: SchemaRef,
    dates: VecDeque<NaiveDate>,
    /// The dates that are read next, in order.
    ahead: FuturesOrdered<BoxFuture<'static, Result<DateCells, SqlError>>>,
    day: Option<Day>,
    groups: GroupSums,
    /// Where the step begins whose groups are being added up.
    step: Option<Micros>,
    rows: VecDeque<UsageRow>,
}

/// A date that is being added up.
#[derive(Debug)]
struct Day {
    date: NaiveDate,
    cells: Vec<SourceCells>,
    pieces: VecDeque<DatePiece>,
}

/// What a source has of a date.
#[derive(Debug)]
struct SourceCells {
    whole: PlacedCells,
    /// By where they end in their hours.
    heads: BTreeMap<Micros, PlacedCells>,
}

/// Cells, and the places of their names in the groups.
#[derive(Debug)]
struct PlacedCells {
    cells: Arc<DayCells>,
    places: Vec<usize>,
    /// Where they are taken from.
    rest: Option<Vec<usize>>,
}

impl UsageRows {
    /// The rows of a question, none of which is added up yet.
    ///
    /// # Errors
    /// [`UsageError`], if there is no such group for this one.
    pub fn new(
        rollup: Arc<Rollup>,
        snapshot: Arc<Snapshot>,
        whose: &WhoseUsage,
        question: UsageQuestion,
    ) -> Result<Self, UsageError> {
        let (groups, sources) = sources(whose, &question, &snapshot)?;
        let range = (question.range.start, question.range.end);
        let dates = sources.first().map(|first| rollup.dates_of(&first.scope, &snapshot, range));
        let (dates, schema) = (dates.unwrap_or_default().into(), schema(&groups));
        let dimensions = whose.dimensions(&snapshot);
        Ok(Self {
            asked: Arc::new(AskedDates::new(rollup, snapshot, question, sources)),
            dimensions,
            schema,
            dates,
            ahead: FuturesOrdered::new(),
            day: None,
            groups: GroupSums::new(groups),
            step: None,
            rows: VecDeque::new(),
        })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The question.
    pub fn question(&self) -> &UsageQuestion {
        self.asked.question()
    }

    /// The groups that the same caller may ask for.
    pub fn group_names(&self) -> Vec<&str> {
        let names = self.dimensions.iter().map(|dimension| &*dimension.name);
        ["provider", "model"].into_iter().chain(names).collect()
    }

    /// The version of the archive's table that the rows are a function of.
    pub fn version(&self) -> u64 {
        self.asked.version()
    }

    /// Memory held, about, besides what it shares with the cache.
    pub fn bytes(&self) -> usize {
        let cells = self.day.iter().flat_map(|day| &day.cells);
        let placed =
            cells.flat_map(|cells| std::iter::once(&cells.whole).chain(cells.heads.values()));
        let days: usize = placed.map(|placed| placed.cells.bytes()).sum();
        self.asked.bytes_ahead() + days + self.groups.bytes() + self.rows.len() * ROW_BYTES
    }

    /// The next rows, in order; `None` after the last ones.
    ///
    /// # Errors
    /// Corrupt or Unavailable, naming the file: never a sum without it.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, SqlError> {
        self.fill().await?;
        if self.rows.is_empty() {
            return Ok(None);
        }
        let rows: Vec<_> = self.rows.drain(..self.rows.len().min(BATCH_ROWS)).collect();
        columns(&self.schema, &rows).map(Some)
    }

    /// The cost of all rows that are left, in units of 10^-12 dollars.
    ///
    /// # Errors
    /// As [`UsageRows::next`].
    pub async fn cost(mut self) -> Result<i128, SqlError> {
        let mut cost = 0_i128;
        loop {
            self.fill().await?;
            if self.rows.is_empty() {
                return Ok(cost);
            }
            cost += self.rows.drain(..).map(|row| row.sums.cost).sum::<i128>();
        }
    }

    /// Adds up rows until some wait, or none is left.
    async fn fill(&mut self) -> Result<(), SqlError> {
        while self.rows.len() < BATCH_ROWS {
            if self.take_piece() {
                continue;
            }
            while self.ahead.len() < DATE_SUMS_MAX
                && let Some(date) = self.dates.pop_front()
            {
                self.ahead.push_back(Box::pin(self.asked.clone().read(date)));
            }
            let Some(read) = self.ahead.next().await else {
                self.end_step();
                break;
            };
            self.day = Some(self.placed(read?));
        }
        Ok(())
    }

    /// A date that was read, whose names have their places in the groups.
    fn placed(&mut self, read: DateCells) -> Day {
        self.asked.taken(&read);
        let DateCells { date, sources, pieces, .. } = read;
        let cells = self.asked.sources().iter().zip(sources).map(|(source, read)| {
            let whole = PlacedCells::new(read.whole, source, &mut self.groups);
            let heads = read.heads.into_iter();
            let heads = heads
                .map(|(head, cells)| (head, PlacedCells::new(cells, source, &mut self.groups)));
            SourceCells { whole, heads: heads.collect() }
        });
        Day { date, cells: cells.collect(), pieces: pieces.into() }
    }

    /// Adds up the next piece of the date; false if there is none.
    fn take_piece(&mut self) -> bool {
        let piece = self.day.as_mut().and_then(|day| day.pieces.pop_front());
        let Some(piece) = piece else { return false };
        if self.step != Some(piece.step) {
            self.end_step();
            self.step = Some(piece.step);
        }
        let Some(day) = &self.day else { return false };
        for cells in &day.cells {
            match piece.part {
                DatePart::Date => cells.whole.add_date(&mut self.groups),
                DatePart::Hour { hour, from, to } => {
                    cells.head(hour, to, day.date).add_hour(hour, true, &mut self.groups);
                    if from > 0 {
                        cells.head(hour, from, day.date).add_hour(hour, false, &mut self.groups);
                    }
                }
            }
        }
        true
    }

    fn end_step(&mut self) {
        let Some(step) = self.step.take() else { return };
        let start: Arc<str> = self.question().zone.text(step).into();
        let rows = self.groups.take().into_iter();
        self.rows.extend(rows.map(|(key, sums)| UsageRow { start: start.clone(), key, sums }));
    }
}

impl SourceCells {
    /// The cells of which an hour has the events of its first `head`.
    fn head(&self, hour: usize, head: Micros, date: NaiveDate) -> &PlacedCells {
        let is_whole = is_whole(&self.whole.cells, hour, head, date);
        let read = self.heads.get(&head).filter(|_| !is_whole);
        read.unwrap_or(&self.whole)
    }
}

impl PlacedCells {
    fn new(cells: Arc<DayCells>, source: &CellSource, groups: &mut GroupSums) -> Self {
        let places = cells.names.iter().map(|name| groups.place(name)).collect();
        let rest = source.is_of_rest.then(|| {
            let rest = cells.names.iter().map(|name| {
                let mut name = name.clone();
                name.value = None;
                groups.place(&name)
            });
            rest.collect()
        });
        Self { cells, places, rest }
    }

    fn add_date(&self, groups: &mut GroupSums) {
        for (place, sums) in self.cells.totals.iter().enumerate() {
            self.add(place, sums, true, groups);
        }
    }

    fn add_hour(&self, hour: usize, is_added: bool, groups: &mut GroupSums) {
        let cells = self.cells.hour(hour).map_or(&[][..], |hour| &hour.cells);
        for (place, sums) in cells {
            self.add(*place, sums, is_added, groups);
        }
    }

    /// Adds the sums of a name, or takes them back.
    fn add(&self, name: usize, sums: &UsageSums, is_added: bool, groups: &mut GroupSums) {
        let places = [Some(&self.places), self.rest.as_ref()];
        for (places, is_rest) in places.into_iter().zip([false, true]) {
            let Some(place) = places.and_then(|places| places.get(name)) else { continue };
            // What has a value is none of the rest.
            if is_added == is_rest {
                groups.subtract(*place, sums);
            } else {
                groups.add(*place, sums);
            }
        }
    }
}
