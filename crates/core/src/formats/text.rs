//! Lines of text that hold an event as XML, as JSON or as its message text.

use std::sync::Arc;

use bumpalo::Bump;
use memchr::memmem;

use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, Pending, Verdict, add_overlong,
    warn_invalid_utf8,
};
use crate::shapes::message::OSSEC;
use crate::shapes::record::Nested;
use crate::table::columns::{Place, Row, Tables};
use crate::table::ledger::Ledger;

/// Whether `head` has a line that may hold an event.
pub fn looks_like_log(head: &[u8]) -> bool {
    let has = |mark: &str| memmem::find(head, mark.as_bytes()).is_some();
    let json = has("{\"") && ["Sysmon", "EventID", "event_id", "eventID", "EventId"].into_iter().any(has);
    let message =
        || has("ProcessGuid: ") && ["DestinationIp: ", "ParentProcessGuid: ", "QueryName: "].into_iter().any(has);
    json || has("<Event>") || has("<Event ") || has(OSSEC) || message()
}

/// The text format.
pub struct TextLines {
    nested: &'static dyn Nested,
    /// Whether the reader is within a line that is too long: its rest is dropped.
    overlong: bool,
}

impl TextLines {
    pub(crate) fn new(nested: &'static dyn Nested) -> Self {
        TextLines { nested, overlong: false }
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
        match memchr::memrchr(b'\n', pending.bytes) {
            Some(end) => Cut::Take(end + 1),
            None if pending.bytes.len() < MAX_RECORD_BYTES => Cut::More,
            None => {
                self.overlong = true;
                ledger.records += 1;
                add_overlong(pending.offset, pending.line, ledger);
                Cut::Drop(pending.bytes.len())
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
        for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
            decode_line(line, self.nested, &arena, place, out, ledger);
            arena.reset();
            place.offset += line.len() as u64;
            place.line = place.line.map(|number| number + 1);
        }
    }
}

/// A line without an event is not a record.
fn decode_line(line: &[u8], nested: &dyn Nested, arena: &Bump, place: Place, out: &mut Tables, ledger: &mut Ledger) {
    let text = String::from_utf8_lossy(line.trim_ascii_end());
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
    if matches!(text, std::borrow::Cow::Owned(_)) {
        warn_invalid_utf8(place, ledger);
    }
}
