//! The reader of Parquet: batches of rows, as a stream.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::ChunkReader;

use super::rows::{CHUNK_BYTES, ChunkSink, ColumnCheck, RawRows, ReadError};
use crate::archive::{END_BYTES, FooterFlaw, GroupScan, check_footer, footer_range, pieces};
use crate::backfill::columns;
use crate::backfill::columns::Leaf;
use crate::backfill::content::no_parquet;
use crate::backfill::inputs::found::{Input, InputPlace};
use crate::backfill::place::in_schema;
use crate::backfill::source::RemoteFile;
use crate::backfill::{Progress, schema};

/// The most rows of a batch.
const BATCH_ROWS_MAX: usize = 8 * 1024;
/// The first bytes, which show a file's format.
const HEAD_BYTES: u64 = 8;

pub(super) fn read(
    input: &Input,
    progress: &Arc<Progress>,
    look: ColumnCheck<'_>,
    sink: ChunkSink<'_>,
) -> Result<(), ReadError> {
    let read = ParquetRead { progress, look, bytes: input.bytes };
    match &input.place {
        InputPlace::File(path) => {
            let file = File::open(path)?;
            check_head(&file)?;
            read.batches(&file, sink)
        }
        InputPlace::Object(objects, object) => {
            let file = RemoteFile(objects.clone(), object.clone());
            check_head(&file)?;
            read.batches(&file, sink)
        }
        InputPlace::Stdin => Err(ReadError::File("it can only be read as a file".to_owned())),
    }
}

/// As [`read`], for input that came by stdin.
pub(super) fn read_file(
    file: &File,
    progress: &Arc<Progress>,
    look: ColumnCheck<'_>,
    sink: ChunkSink<'_>,
) -> Result<(), ReadError> {
    // Its bytes were counted as they came in.
    ParquetRead { progress, look, bytes: 0 }.batches(file, sink)
}

fn check_head(file: &impl ChunkReader) -> Result<(), ReadError> {
    let mut head = Vec::new();
    let start = file.get_read(0).map_err(|error| failed(&error))?;
    start.take(HEAD_BYTES).read_to_end(&mut head)?;
    no_parquet(&head).map_or(Ok(()), |reason| Err(ReadError::File(reason)))
}

/// Checks the footer before the library builds a tree from it.
fn look_at_footer(file: &impl ChunkReader) -> Result<(), ReadError> {
    let bytes = |place: Range<u64>| {
        let length = usize::try_from(place.end - place.start).unwrap_or(usize::MAX);
        file.get_bytes(place.start, length).map_err(|error| failed(&error))
    };
    let Some(start) = file.len().checked_sub(END_BYTES) else { return Ok(()) };
    let end = bytes(start..file.len())?;
    let flawed = |flaw: FooterFlaw| match flaw {
        FooterFlaw::Damaged => failed(&flaw),
        FooterFlaw::Long(_) | FooterFlaw::Deep => ReadError::File(flaw.to_string()),
    };
    let Some(place) = footer_range(file.len(), &end).map_err(flawed)? else { return Ok(()) };
    check_footer(&bytes(place)?).map_err(flawed)
}

/// The error of a library, in other words if the file is whole but cannot be read here.
fn failed(error: &dyn std::fmt::Display) -> ReadError {
    let error = error.to_string();
    ReadError::File(if error.contains("ncrypt") {
        "it is encrypted; decrypt it first".to_owned()
    } else if error.contains("isabled feature") {
        format!("its compression is not supported ({error}); write it with zstd, snappy or gzip")
    } else {
        format!("it is not a whole Parquet file: {error}")
    })
}

struct ParquetRead<'a> {
    progress: &'a Progress,
    look: ColumnCheck<'a>,
    bytes: u64,
}

/// A file with its metadata.
struct DescribedFile<'a, F> {
    file: &'a F,
    metadata: ArrowReaderMetadata,
    leaves: Arc<[Leaf]>,
}

impl ParquetRead<'_> {
    fn batches<F>(&self, file: &F, sink: ChunkSink<'_>) -> Result<(), ReadError>
    where
        F: ChunkReader + Shared + 'static,
    {
        let file = DescribedFile::open(file)?;
        self.check_columns(file.metadata.schema(), &file.leaves)?;
        let groups = file.metadata.metadata().row_groups();
        let total: i64 = groups.iter().map(RowGroupMetaData::num_rows).sum();
        let total = u64::try_from(total).unwrap_or_default();
        let mut first = 0;
        for (at, group) in groups.iter().enumerate() {
            let wanted = file.group(at, group, &mut |batch| {
                let rows = batch.num_rows() as u64;
                self.progress.add_bytes(self.share(rows, total));
                let wanted = rows == 0 || sink(first, RawRows::Batch(batch, file.leaves.clone()));
                first += rows;
                wanted
            })?;
            if !wanted {
                break;
            }
        }
        Ok(())
    }

    fn check_columns(&self, schema: &SchemaRef, leaves: &[Leaf]) -> Result<(), ReadError> {
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
        (self.look)(&|place| in_schema(schema.fields(), place), &names)?;
        // Unsupported types are reported before the first row.
        let none = RecordBatch::new_empty(schema.clone());
        let lines = columns::lines(&none, leaves, |_| false);
        lines.map(drop).map_err(|error| ReadError::File(format!("it cannot be read: {error}")))
    }

    /// The rows' approximate share of the file's bytes.
    fn share(&self, rows: u64, total: u64) -> u64 {
        let share = u128::from(self.bytes) * u128::from(rows) / u128::from(total.max(1));
        u64::try_from(share).unwrap_or(self.bytes)
    }
}

/// A file that several readers share.
pub(super) trait Shared: Sized {
    fn again(&self) -> std::io::Result<Self>;
}

impl Shared for File {
    fn again(&self) -> std::io::Result<Self> {
        self.try_clone()
    }
}

impl Shared for RemoteFile {
    fn again(&self) -> std::io::Result<Self> {
        Ok(Self(self.0.clone(), self.1.clone()))
    }
}

impl<'a, F: ChunkReader + Shared + 'static> DescribedFile<'a, F> {
    /// Reads the metadata. Only Parquet's own types count, not a writer's notes about its types:
    /// Parquet has fewer types, and they mean the same for every writer.
    fn open(file: &'a F) -> Result<Self, ReadError> {
        look_at_footer(file)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(file, options).map_err(|error| failed(&error))?;
        let known = schema::known(metadata.metadata(), metadata.schema());
        let options = ArrowReaderOptions::new().with_schema(known.schema);
        let metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options)
            .map_err(|error| failed(&error))?;
        Ok(Self { file, metadata, leaves: known.leaves })
    }

    /// Reads a row group in batches of about as many bytes as a chunk has; false if the receiver
    /// wants no more.
    fn group(
        &self,
        at: usize,
        group: &RowGroupMetaData,
        take: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<bool, ReadError> {
        if group.num_rows() <= 0 {
            return Ok(true);
        }
        let rows = self.batch_rows(group)?;
        let file = self.file.again()?;
        let batches =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_row_groups(vec![at])
                .with_batch_size(rows)
                .build();
        let batches: ParquetRecordBatchReader = batches.map_err(|error| failed(&error))?;
        for batch in batches {
            // The batch is split before its texts are written out: they may take far more memory
            // than the batch.
            for piece in pieces(batch.map_err(|error| failed(&error))?, CHUNK_BYTES) {
                if !take(piece.map_err(|error| failed(&error))?) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The number of rows of a group to decode at a time, by the sizes of its pages.
    fn batch_rows(&self, group: &RowGroupMetaData) -> Result<usize, ReadError> {
        let mut scan = GroupScan::new(group, |_| true);
        while let Some(range) = scan.wants().map_err(ReadError::File)? {
            let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            let bytes = self.file.get_bytes(range.start, length).map_err(|error| failed(&error))?;
            scan.take(&bytes).map_err(ReadError::File)?;
        }
        Ok(scan.weight().rows_of(CHUNK_BYTES).min(BATCH_ROWS_MAX))
    }
}
