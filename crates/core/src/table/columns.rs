//! Rows into Arrow columns.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::table::cells::{Cells, warn_recorded_early};
use crate::table::event::{Event, Events};
use crate::table::ledger::Ledger;
pub use crate::table::ledger::Place;
use crate::table::schema::{Field, Kind};
use crate::table::value::Value;

/// One event as read: a value for each field, [`Value::Null`] unless set.
#[derive(Clone, Debug)]
pub struct Row<'a>([Value<'a>; Field::COUNT], Option<Note>);

impl Default for Row<'_> {
    fn default() -> Self {
        Row([Value::Null; Field::COUNT], None)
    }
}

/// Kind of warning: a message text that was rendered with the names of another version of Sysmon; nothing of it is used.
pub const MISRENDERED_MESSAGE: &str = "message of another version";

/// Kind of warning: a value that the writer broke into several lines; the cell is null.
pub const BROKEN_LINES: &str = "value broken into lines";

/// What a reader noticed about a row's source: a warning once the row is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// See [`MISRENDERED_MESSAGE`].
    MisrenderedMessage,
    /// See [`BROKEN_LINES`].
    BrokenLines,
}

impl Note {
    #[cold]
    fn warn(self, place: &Place, ledger: &mut Ledger) {
        let (kind, detail) = match self {
            Note::MisrenderedMessage => (
                MISRENDERED_MESSAGE,
                "found a message text whose names do not match its values, expected that of the same version of Sysmon",
            ),
            Note::BrokenLines => (BROKEN_LINES, "found a value in several lines, expected one line"),
        };
        ledger.warnings.add(kind, place.offset, place.line, || detail.into());
    }
}

impl<'a> Row<'a> {
    /// Set a field.
    #[inline]
    pub fn set(&mut self, field: Field, value: Value<'a>) {
        self.0[field as usize] = value;
    }

    /// Note something about the row's source.
    pub fn note(&mut self, note: Note) {
        self.1 = Some(note);
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

/// Rows that are appended together: each field's values, one for each row.
pub trait Rows {
    /// Pass the field's values to `cells`.
    fn fill(&self, field: Field, cells: Filling<'_>);
}

impl Rows for Row<'_> {
    fn fill(&self, field: Field, cells: Filling<'_>) {
        cells.values(std::iter::once(self.get(field)));
    }
}

/// The cells of one field, which take one value for each place.
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

/// Rows reserved with the first one: as many as a block full of events 3 has.
const FIRST_ROWS: usize = 1_024;

/// A log's clock may lag a little.
const EARLY_US: i64 = 60_000_000;

/// Builds rows of one event, from one source.
#[derive(Debug)]
pub struct Columns {
    event: Event,
    source: Arc<str>,
    /// The fields with cells of their own: all but the bytes of addresses, which follow their text.
    fields: &'static [Field],
    cells: Vec<Cells>,
    rows: usize,
    is_coded: bool,
}

impl Columns {
    /// No rows yet; `source` goes into `source_file` of each. `is_coded` is [`Options`](crate::input::stream::Options)'s.
    pub fn new(event: Event, source: Arc<str>, is_coded: bool) -> Self {
        let fields = event.fields();
        let stored = fields.iter().take_while(|field| field.kind() != Kind::Address).count();
        Columns { event, source, fields: &fields[..stored], cells: Vec::new(), rows: 0, is_coded }
    }

    /// The number of rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Append `row`. A value that its column cannot store becomes null and a warning in `ledger`, which counts the
    /// event.
    pub fn push(&mut self, row: &Row<'_>, place: Place, ledger: &mut Ledger) {
        self.extend(row, &[place], ledger);
        if let Some(note) = row.1 {
            note.warn(&place, ledger);
        }
    }

    /// Append rows, field by field; one for each place.
    pub fn extend(&mut self, rows: &impl Rows, places: &[Place], ledger: &mut Ledger) {
        if self.cells.is_empty() {
            self.cells = self.empty_cells(FIRST_ROWS);
        }
        for (cells, field) in self.cells.iter_mut().zip(self.fields) {
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
        ledger.events[self.event as usize] += places.len() as u64;
        ledger.recovered += places.iter().filter(|place| place.recovered).count() as u64;
    }

    fn empty_cells(&self, rows: usize) -> Vec<Cells> {
        self.fields.iter().map(|field| Cells::new(field.kind(), rows, self.is_coded)).collect()
    }

    /// Warn of those of the last rows whose times cannot be right.
    fn check_times(&self, places: &[Place], ledger: &mut Ledger) {
        // After `EventData`'s fields come `System`'s, this one first.
        let (created, recorded) = (0, self.event.data().len());
        debug_assert_eq!((self.fields[created], self.fields[recorded]), TIMES);
        let created_us = self.cells[created].last_times_us(places.len());
        let recorded_us = self.cells[recorded].last_times_us(places.len());
        for ((created_us, recorded_us), place) in created_us.iter().zip(recorded_us).zip(places) {
            let early_us = created_us.saturating_sub(*recorded_us);
            // Null is stored as 0.
            if early_us > EARLY_US && *recorded_us != 0 {
                warn_recorded_early(early_us, place, ledger);
            }
        }
    }

    /// Return the rows as a batch of the event's schema.
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        if self.cells.is_empty() {
            self.cells = self.empty_cells(0);
        }
        let mut arrays = Vec::with_capacity(self.fields.len());
        let mut addresses = Vec::new();
        for cells in self.cells {
            let (array, address) = cells.finish()?;
            arrays.push(array);
            addresses.extend(address);
        }
        arrays.extend(addresses);
        let schema = if self.is_coded { self.event.coded_schema() } else { self.event.schema() };
        RecordBatch::try_new(schema, arrays)
    }
}

const TIMES: (Field, Field) = (Field::EventCreationTime, Field::EventRecordedTime);

/// Rows of the requested events, each event's in columns of its own.
#[derive(Debug)]
pub struct Tables {
    events: Events,
    columns: [Columns; Event::COUNT],
}

/// A batch of one event's rows.
pub type Batch = (Event, RecordBatch);

impl Tables {
    /// No rows yet; `source` goes into `source_file` of each. `is_coded` is [`Options`](crate::input::stream::Options)'s.
    pub fn new(events: Events, source: &Arc<str>, is_coded: bool) -> Self {
        Tables { events, columns: Event::ALL.map(|event| Columns::new(event, Arc::clone(source), is_coded)) }
    }

    /// The requested events; rows of others must not be pushed.
    #[inline]
    pub fn events(&self) -> Events {
        self.events
    }

    /// The rows of an event.
    #[inline]
    pub fn of(&mut self, event: Event) -> &mut Columns {
        &mut self.columns[event as usize]
    }

    /// Return the batch of each event that has rows.
    pub fn finish(self) -> impl Iterator<Item = Result<Batch, ArrowError>> {
        let filled = self.columns.into_iter().filter(|columns| columns.rows > 0);
        filled.map(|columns| Ok((columns.event, columns.finish()?)))
    }
}
