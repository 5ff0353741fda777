//! What is asked about rows: some of their columns as a batch, and answers that are kept for values that come again.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use hashbrown::HashMap;

use crate::lines::cell::{Value, write_address};
use crate::lines::columns::{Column, Line};
use crate::table::Table;

/// Bytes of values whose answers are kept; they are forgotten together.
const KNOWN_BYTES: usize = 4 << 20;
/// About what an entry takes beside its values.
const ENTRY_BYTES: usize = 96;

/// Columns of rows, being filled.
pub(super) struct Question {
    schema: Arc<Schema>,
    columns: Vec<(Column, Builder)>,
    rows: usize,
}

impl Question {
    /// Of columns by their names; one that rows do not have at this point is null. `column` says how each is found.
    pub(super) fn new(names: &[String], column: impl Fn(&str) -> Column) -> Self {
        let table = Table::default();
        let kind =
            |name: &String| table.schema().field_with_name(name).map_or(DataType::Utf8, |f| f.data_type().clone());
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, kind(name), true)).collect();
        let columns = fields.iter().map(|field| (column(field.name()), Builder::new(field.data_type()))).collect();
        Question { schema: Arc::new(Schema::new(fields)), columns, rows: 0 }
    }

    /// Add a row.
    pub(super) fn push(&mut self, line: &Line<'_>, scratch: &mut String) {
        self.rows += 1;
        for (column, builder) in &mut self.columns {
            builder.push(column.value(line, scratch));
        }
    }

    /// Append what distinguishes a row from those that are asked of differently.
    fn key(&self, key: &mut Vec<u8>, line: &Line<'_>, scratch: &mut String) {
        for (column, _) in &self.columns {
            write_key(key, column.value(line, scratch));
        }
    }

    /// The rows so far; none are left.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(|(_, builder)| builder.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }
}

enum Builder {
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Flag(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: &DataType) -> Self {
        match kind {
            DataType::Binary => Builder::Bytes(BinaryBuilder::new()),
            DataType::Boolean => Builder::Flag(BooleanBuilder::new()),
            DataType::Int32 => Builder::Int(Int32Builder::new()),
            DataType::Int64 => Builder::Long(Int64Builder::new()),
            DataType::Timestamp(..) => Builder::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            _ => Builder::Text(StringBuilder::new()),
        }
    }

    /// Add a value; null for one of another type.
    fn push(&mut self, value: Value<'_>) {
        match (self, value) {
            (Builder::Text(builder), Value::Text(text)) => builder.append_value(text),
            (Builder::Text(builder), Value::Address(address)) => {
                let mut text = Vec::new();
                write_address(&mut text, address);
                builder.append_value(String::from_utf8_lossy(&text));
            }
            (Builder::Text(builder), _) => builder.append_null(),
            (Builder::Bytes(builder), Value::Bytes(bytes)) => builder.append_value(bytes),
            (Builder::Bytes(builder), _) => builder.append_null(),
            (Builder::Flag(builder), Value::Flag(flag)) => builder.append_value(flag),
            (Builder::Flag(builder), _) => builder.append_null(),
            // As the table has it: unsigned numbers are their complement.
            #[allow(clippy::cast_possible_truncation, reason = "of numbers of 32 bits")]
            (Builder::Int(builder), Value::Integer(number)) => builder.append_value(number as i32),
            (Builder::Int(builder), _) => builder.append_null(),
            (Builder::Long(builder), Value::Integer(number)) => builder.append_value(number),
            (Builder::Long(builder), _) => builder.append_null(),
            (Builder::Time(builder), Value::Integer(number)) => builder.append_value(number),
            (Builder::Time(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Text(builder) => Arc::new(builder.finish()),
            Builder::Bytes(builder) => Arc::new(builder.finish()),
            Builder::Flag(builder) => Arc::new(builder.finish()),
            Builder::Int(builder) => Arc::new(builder.finish()),
            Builder::Long(builder) => Arc::new(builder.finish()),
            Builder::Time(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Different values of a column have different bytes, of which none begins another's.
fn write_key(key: &mut Vec<u8>, value: Value<'_>) {
    let (tag, bytes): (u8, &[u8]) = match &value {
        Value::Null => (0, &[]),
        Value::Flag(false) => (1, &[]),
        Value::Flag(true) => (2, &[]),
        Value::Integer(number) => (3, &number.to_ne_bytes()),
        Value::Address(address) => (4, address),
        Value::Text(text) => (5, text.as_bytes()),
        Value::Bytes(bytes) => (6, bytes),
    };
    key.push(tag);
    if tag >= 5 {
        key.extend_from_slice(&bytes.len().to_ne_bytes());
    }
    key.extend_from_slice(bytes);
}

/// What rules say of a row: None if they do not log it; else the name that they give it, if any.
pub(super) type Verdict = Option<Option<Arc<str>>>;

/// The rules' verdicts. They depend on the columns that rules refer to alone, so each combination of values is asked once.
pub(super) struct Verdicts {
    question: Question,
    /// Combinations of values, and the places of their verdicts.
    known: HashMap<Box<[u8]>, usize>,
    known_bytes: usize,
    given: Vec<Verdict>,
    key: Vec<u8>,
}

impl Verdicts {
    pub(super) fn new(question: Question) -> Self {
        Verdicts { question, known: HashMap::new(), known_bytes: 0, given: Vec::new(), key: Vec::new() }
    }

    /// The place of a row's verdict. It is asked for if it is not known.
    pub(super) fn place(&mut self, line: &Line<'_>, scratch: &mut String) -> usize {
        self.key.clear();
        self.question.key(&mut self.key, line, scratch);
        if let Some(place) = self.known.get(self.key.as_slice()) {
            return *place;
        }
        let place = self.given.len() + self.question.rows();
        self.question.push(line, scratch);
        self.known.insert(self.key.as_slice().into(), place);
        self.known_bytes += self.key.len() + ENTRY_BYTES;
        place
    }

    /// The verdict at a place, None while it is asked for.
    pub(super) fn given(&self, place: usize) -> Option<&Verdict> {
        self.given.get(place)
    }

    /// Ask for those that are not known. `ask` gives one for each row, or none at all: then every row is logged, and
    /// the next time it is asked again.
    pub(super) fn settle(&mut self, ask: impl FnOnce(RecordBatch) -> Option<Vec<Verdict>>) {
        let rows = self.question.rows();
        if rows == 0 {
            return;
        }
        let answers = self.question.take().ok().and_then(ask).filter(|answers| answers.len() == rows);
        if answers.is_none() {
            self.known.clear();
        }
        self.given.extend(answers.unwrap_or_else(|| vec![Some(None); rows]));
    }

    /// Forget what is too much to keep. No row's place is valid after this.
    pub(super) fn trim(&mut self) {
        if self.known_bytes > KNOWN_BYTES || self.known.is_empty() {
            self.known.clear();
            self.known_bytes = 0;
            self.given.clear();
        }
    }
}
