//! Rows into Arrow columns.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::cells::{Cells, warn_recorded_early};
use crate::ledger::Ledger;
pub use crate::ledger::Place;
use crate::schema::{Field, schema};
use crate::value::Value;

/// One event 3 as a reader found it: a value for each field, [`Value::Null`] unless set.
#[derive(Clone, Debug)]
pub struct Row<'a>([Value<'a>; Field::COUNT]);

/// The fields with cells of their own: all but addresses, which come with their text.
const STORED_FIELDS: &[Field] = Field::ALL.split_at(Field::SrcIpBytes as usize).0;

impl Default for Row<'_> {
    fn default() -> Self {
        Row([Value::Null; Field::COUNT])
    }
}

impl<'a> Row<'a> {
    /// Set a field.
    #[inline]
    pub fn set(&mut self, field: Field, value: Value<'a>) {
        self.0[field as usize] = value;
    }

    /// The field's value.
    #[inline]
    pub fn get(&self, field: Field) -> Value<'a> {
        self.0[field as usize]
    }

    /// Set a field that has no value yet.
    #[inline]
    pub fn fill(&mut self, field: Field, value: Value<'a>) {
        if self.0[field as usize] == Value::Null {
            self.0[field as usize] = value;
        }
    }
}

/// Rows that come together: each field's values, one for each.
pub trait Rows {
    /// Give `cells` the field's values.
    fn fill(&self, field: Field, cells: Filling<'_>);
}

impl Rows for Row<'_> {
    fn fill(&self, field: Field, cells: Filling<'_>) {
        cells.values(std::iter::once(self.get(field)));
    }
}

/// The cells of one field, to be given as many values as there are places.
pub struct Filling<'c> {
    cells: &'c mut Cells,
    field: Field,
    places: &'c [Place],
    ledger: &'c mut Ledger,
}

impl Filling<'_> {
    /// Append the values.
    #[inline(always)]
    pub fn values<'a>(self, values: impl Iterator<Item = Value<'a>>) {
        self.cells.extend(values, self.field, self.places, self.ledger);
    }
}

/// Rows set aside with the first one: what a block full of event 3 holds.
const FIRST_ROWS: usize = 1_024;

/// A log's clock may lag a little.
const EARLY_US: i64 = 60_000_000;

/// Rows under construction, from one source.
#[derive(Debug)]
pub struct Columns {
    source: Arc<str>,
    cells: Vec<Cells>,
    rows: usize,
}

fn empty_cells(rows: usize) -> Vec<Cells> {
    STORED_FIELDS.iter().map(|field| Cells::new(field.kind(), rows)).collect()
}

impl Columns {
    /// No rows yet; `source` goes into `source_file` of each.
    pub fn new(source: Arc<str>) -> Self {
        Columns { source, cells: Vec::new(), rows: 0 }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Append `row`. A value that its column cannot hold becomes null and a warning in `ledger`, which
    /// counts the event.
    pub fn push(&mut self, row: &Row<'_>, place: Place, ledger: &mut Ledger) {
        self.extend(row, &[place], ledger);
    }

    /// Append rows, field by field; one for each place.
    pub fn extend(&mut self, rows: &impl Rows, places: &[Place], ledger: &mut Ledger) {
        if self.cells.is_empty() {
            self.cells = empty_cells(FIRST_ROWS);
        }
        for (cells, field) in self.cells.iter_mut().zip(STORED_FIELDS) {
            let filling = Filling { cells, field: *field, places, ledger };
            match field {
                Field::SourceFile => filling.values(places.iter().map(|_| Value::Text(&self.source))),
                Field::SourceOffset => filling.values(places.iter().map(|place| Value::Int(place.offset as i64))),
                Field::SourceLine => filling.values(places.iter().map(|place| match place.line {
                    Some(line) => Value::Int(line as i64),
                    None => Value::Null,
                })),
                Field::Recovered => filling.values(places.iter().map(|place| Value::Bool(place.recovered))),
                _ => rows.fill(*field, filling),
            }
        }
        self.check_times(places, ledger);
        self.rows += places.len();
        ledger.events += places.len() as u64;
        ledger.recovered += places.iter().filter(|place| place.recovered).count() as u64;
    }

    /// Warn of the last rows whose times cannot be right.
    fn check_times(&self, places: &[Place], ledger: &mut Ledger) {
        let created_us = self.cells[Field::EventCreationTime as usize].last_times_us(places.len());
        let recorded_us = self.cells[Field::EventRecordedTime as usize].last_times_us(places.len());
        for ((created_us, recorded_us), place) in created_us.iter().zip(recorded_us).zip(places) {
            let early_us = created_us.saturating_sub(*recorded_us);
            // Null is stored as 0.
            if early_us > EARLY_US && *recorded_us != 0 {
                warn_recorded_early(early_us, place, ledger);
            }
        }
    }

    /// The rows as a batch of [`schema`].
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        if self.cells.is_empty() {
            self.cells = empty_cells(0);
        }
        let mut arrays = Vec::with_capacity(Field::COUNT);
        let mut addresses = Vec::new();
        for cells in self.cells {
            let (array, address) = cells.finish()?;
            arrays.push(array);
            addresses.extend(address);
        }
        arrays.extend(addresses);
        RecordBatch::try_new(schema(), arrays)
    }
}
