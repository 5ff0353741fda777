//! Text that holds events as XML, as JSON, as message texts or as pairs, in single lines or in groups of lines.

mod groups;

use std::borrow::Cow;
use std::sync::Arc;

use bumpalo::Bump;
use memchr::memmem;

use self::groups::Scanner;
use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, Pending, Verdict, add_overlong,
    count_lines, warn_invalid_utf8,
};
use crate::shapes::lines;
use crate::shapes::record::Nested;
use crate::table::columns::{Place, Row, Tables};
use crate::table::ledger::Ledger;

/// Whether a line may hold an event, or the beginning of one.
pub fn looks_like_log(line: &[u8]) -> bool {
    let has = |mark: &str| memmem::find(line, mark.as_bytes()).is_some();
    has("<Event>") || has("<Event ") || has("&lt;Event") || lines::may_hold_event(line)
}

/// The text format.
pub struct TextLines {
    nested: &'static dyn Nested,
    scanner: Scanner,
    /// Whether the reader is within a line that is too long: its rest is dropped.
    overlong: bool,
}

impl TextLines {
    pub(crate) fn new(nested: &'static dyn Nested) -> Self {
        TextLines { nested, scanner: Scanner::default(), overlong: false }
    }
}

struct TextDecoder {
    nested: &'static dyn Nested,
}

impl Format for TextLines {
    fn name(&self) -> FormatName {
        FormatName::Text
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        if self.overlong {
            let end = memchr::memchr(b'\n', pending.bytes);
            self.overlong = end.is_none();
            return Cut::Drop(end.map_or(pending.bytes.len(), |end| end + 1));
        }
        if pending.at_end {
            return Cut::Take(pending.bytes.len());
        }
        while self.scanner.next(pending.bytes, false).is_some() {}
        match self.scanner.start() {
            0 if pending.bytes.len() < MAX_RECORD_BYTES => Cut::More,
            0 => {
                self.overlong = true;
                self.scanner = Scanner::default();
                ledger.records += 1;
                add_overlong(pending.offset, pending.line, ledger);
                Cut::Drop(pending.bytes.len())
            }
            end => {
                self.scanner.shift();
                Cut::Take(end)
            }
        }
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(TextDecoder { nested: self.nested })
    }
}

impl Decode for TextDecoder {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let mut arena = Bump::new();
        let mut place = Place { offset: block.offset, line: Some(block.line), recovered: false };
        let mut scanner = Scanner::default();
        let mut counted = 0;
        while let Some(record) = scanner.next(block.bytes, true) {
            place.offset = block.offset + record.start as u64;
            place.line = place.line.map(|line| line + count_lines(&block.bytes[counted..record.start]));
            counted = record.start;
            decode_record(&block.bytes[record], self.nested, &arena, place, out, ledger);
            arena.reset();
        }
    }
}

/// A line without an event is not a record.
fn decode_record(bytes: &[u8], nested: &dyn Nested, arena: &Bump, place: Place, out: &mut Tables, ledger: &mut Ledger) {
    let bytes = bytes.trim_ascii_end();
    // Checks much faster than it replaces.
    let text = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
    let mut row = Row::default();
    let verdict = match nested.read_line(&text, arena, &mut row, out.events()) {
        Ok(None) => return,
        Ok(Some(verdict)) => Ok(verdict),
        Err(reason) => Err(reason),
    };
    ledger.records += 1;
    match verdict {
        Ok(Verdict::Asked(event)) => out.of(event).push(&row, place, ledger),
        Ok(other) => other.count(ledger),
        Err(reason) => ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || reason),
    }
    if matches!(text, Cow::Owned(_)) {
        warn_invalid_utf8(place, ledger);
    }
}
