//! The form of a line: what stands in it literally, and which columns between. Knows nothing of sensors.

use super::cell::{Style, Value, write};

/// A column's place in a line.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The column's standard name.
    pub column: String,
    /// What stands before the value, and behind it.
    pub before: String,
    /// See `before`.
    pub after: String,
    /// What stands there instead, where the value is null.
    pub null: String,
    /// How the value is written.
    pub style: Style,
}

impl Cell {
    /// Append the cell with a value.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, value: Value<'_>) {
        if value == Value::Null {
            append(out, &self.null);
        } else {
            append(out, &self.before);
            write(out, value, self.style);
            append(out, &self.after);
        }
    }
}

/// Most texts around cells are empty, and a copy of nothing costs as much as one of something.
#[inline]
fn append(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() {
        out.extend_from_slice(text.as_bytes());
    }
}

/// A part of a line.
#[derive(Clone, Debug)]
pub enum Part {
    /// The same in every line.
    Literal(String),
    /// A column's.
    Cell(Cell),
}

/// Append a line of the values that `value` gives by the columns' names.
pub fn write_line<'a>(out: &mut Vec<u8>, parts: &[Part], mut value: impl FnMut(&str) -> Value<'a>) {
    for part in parts {
        match part {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Cell(cell) => cell.write(out, value(&cell.column)),
        }
    }
}
