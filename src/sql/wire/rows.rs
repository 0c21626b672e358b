//! The messages of a result: `ParameterDescription`, `RowDescription` and `DataRow`.

use std::io::{self, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use bytes::BytesMut;
use pgwire::messages::Message;
use pgwire::messages::data::{FieldDescription, ParameterDescription, RowDescription};

use super::binary::{write_binary, write_counted};
use super::oids::{WireType, type_of_column};
use super::text::write_text;

/// The kind of a message with a row.
const DATA_ROW: u8 = b'D';
/// A result may have as many columns as in PostgreSQL.
const COLUMNS_MAX: usize = 1_664;

/// Writes the messages of one result.
pub struct RowMessages {
    schema: SchemaRef,
    names: Vec<String>,
    binary: Vec<bool>,
    row: Vec<u8>,
}

impl RowMessages {
    /// Of a result with these columns, their names, and the formats that a client asks for: none for
    /// text, one for all, or one for each.
    ///
    /// # Errors
    /// What is wrong with the formats, or with the number of columns.
    pub fn new(schema: SchemaRef, names: Vec<String>, formats: &[bool]) -> Result<Self, String> {
        let columns = schema.fields().len();
        if columns > COLUMNS_MAX {
            return Err(format!("the result has more than {COLUMNS_MAX} columns; ask for fewer"));
        }
        let binary = match formats {
            [] => vec![false; columns],
            [one] => vec![*one; columns],
            each if each.len() == columns => each.to_vec(),
            each => {
                let given = each.len();
                return Err(format!(
                    "{given} formats are given for {columns} columns; give as many"
                ));
            }
        };
        Ok(Self { schema, names, binary, row: Vec::new() })
    }

    /// Writes what parameters and columns are.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn describe(&self, out: &mut dyn Write, parameters: Vec<u32>) -> io::Result<()> {
        let names = self.schema.fields().iter().zip(&self.names).zip(&self.binary);
        let fields = names.map(|((field, name), binary)| {
            let (oid, modifier) = type_of_column(field);
            let size = WireType::of(oid).map_or(-1, |known| known.size);
            FieldDescription::new(name.clone(), 0, 0, oid, size, modifier, (*binary).into())
        });
        let mut bytes = BytesMut::new();
        let parameters = ParameterDescription::new(parameters).encode(&mut bytes);
        parameters.map_err(io::Error::other)?;
        RowDescription::new(fields.collect()).encode(&mut bytes).map_err(io::Error::other)?;
        out.write_all(&bytes)
    }

    /// Writes rows.
    ///
    /// # Errors
    /// An error of `out`.
    pub fn rows(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let columns = u16::try_from(batch.num_columns()).unwrap_or(u16::MAX);
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            self.row.clear();
            self.row.extend(columns.to_be_bytes());
            for (column, binary) in batch.columns().iter().zip(&self.binary) {
                if column.is_null(row) || *column.data_type() == DataType::Null {
                    self.row.extend((-1_i32).to_be_bytes());
                } else if *binary {
                    write_counted(&mut self.row, |out| write_binary(out, column, row));
                } else {
                    text.clear();
                    write_text(&mut text, column, row);
                    write_counted(&mut self.row, |out| out.extend(text.as_bytes()));
                }
            }
            let length = i32::try_from(self.row.len() + size_of::<i32>())
                .map_err(|_| io::Error::other("a row is larger than 2 GiB"))?;
            out.write_all(&[DATA_ROW])?;
            out.write_all(&length.to_be_bytes())?;
            out.write_all(&self.row)?;
        }
        Ok(())
    }
}
