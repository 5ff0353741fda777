//! XML events: exported documents, bare sequences, one a line, or inside syslog.

mod event;
mod markup;
mod objects;
mod records;
mod skeleton;

use std::sync::Arc;

use bumpalo::Bump;

use self::event::read_fields;
pub use self::event::{read_data, read_event};
pub(crate) use self::markup::unescape;
use self::objects::{Objects, is_root};
use self::records::{End, Record, Records, is_plain, last_end};
use self::skeleton::Skeletons;
use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, OVERLONG_RECORD, Pending, Verdict,
    count_lines, warn_invalid_utf8,
};
use crate::shapes::audit;
use crate::shapes::record::Nested;
use crate::table::columns::{Place, Row, Tables};
use crate::table::ledger::Ledger;

/// The XML format.
pub struct Xml {
    nested: &'static dyn Nested,
    kind: Kind,
}

/// What the root element holds.
enum Kind {
    /// Not known yet.
    Unknown,
    /// Events.
    Events,
    /// PowerShell's objects.
    Objects(Objects),
}

impl Xml {
    pub(crate) fn new(nested: &'static dyn Nested) -> Self {
        Xml { nested, kind: Kind::Unknown }
    }
}

struct XmlDecoder;

impl Format for Xml {
    fn name(&self) -> FormatName {
        FormatName::Xml
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        if let Kind::Unknown = self.kind {
            self.kind = match is_root(pending.bytes) {
                Some(true) => Kind::Objects(Objects::default()),
                None if !pending.at_end && pending.bytes.len() < MAX_RECORD_BYTES => return Cut::More,
                _ => Kind::Events,
            };
        }
        if let Kind::Objects(objects) = &mut self.kind {
            return objects.cut(pending, ledger);
        }
        if pending.at_end {
            return Cut::Take(pending.bytes.len());
        }
        // Behind an end tag that nothing hides, no event is open.
        match last_end(pending.bytes).filter(|_| is_plain(pending.bytes)) {
            Some(end) => Cut::Take(end),
            None => cut_records(pending, ledger),
        }
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        match self.kind {
            Kind::Objects(_) => objects::decoder(self.nested),
            _ => Arc::new(XmlDecoder),
        }
    }
}

/// Cut behind the last record whose end is known.
fn cut_records(pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
    let mut records = Records::new(pending.bytes, false);
    let mut taken = 0;
    for record in records.by_ref() {
        match (record.how, taken) {
            (End::Whole | End::CutOff, _) => taken = record.end,
            // Not worth passing to the decoder.
            (End::Overlong, 0) => {
                let line = pending.line + count_lines(&pending.bytes[..record.start]);
                account_for_loss(record, pending.offset + record.start as u64, line, ledger);
                return Cut::Drop(record.end);
            }
            (End::Overlong, _) => break,
        }
    }
    match (taken, records.decided()) {
        (0, 0) => Cut::More,
        (0, nothing) => Cut::Drop(nothing),
        (taken, _) => Cut::Take(taken),
    }
}

impl Decode for XmlDecoder {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let mut arena = Bump::new();
        let mut skeletons = Skeletons::default();
        let (mut line, mut counted) = (block.line, 0);
        for record in Records::new(block.bytes, true) {
            line += count_lines(&block.bytes[counted..record.start]);
            counted = record.start;
            let offset = block.offset + record.start as u64;
            match record.how {
                End::Whole => {
                    let place = Place { offset, line: Some(line), recovered: false };
                    ledger.records += 1;
                    decode_event(&block.bytes[record.start..record.end], place, &arena, &mut skeletons, out, ledger);
                    arena.reset();
                }
                End::CutOff | End::Overlong => account_for_loss(record, offset, line, ledger),
            }
        }
    }
}

fn decode_event(
    bytes: &[u8],
    place: Place,
    arena: &Bump,
    skeletons: &mut Skeletons,
    out: &mut Tables,
    ledger: &mut Ledger,
) {
    let (xml, lossy) = match std::str::from_utf8(bytes) {
        Ok(xml) => (xml, false),
        Err(_) => (&*arena.alloc_str(&String::from_utf8_lossy(bytes)), true),
    };
    let mut row = Row::default();
    if !lossy && let Some(event) = skeletons.read(xml, &mut row) {
        audit::complete(event, &mut row);
        return out.of(event).push(&row, place, ledger);
    }
    let mut row = Row::default();
    match read_fields(xml, arena, &mut row, out.events()) {
        Ok(Verdict::Asked(event)) => {
            if lossy {
                warn_invalid_utf8(place, ledger);
            } else {
                skeletons.learn(xml, &row, event);
            }
            audit::complete(event, &mut row);
            out.of(event).push(&row, place, ledger);
        }
        Ok(other) => other.count(ledger),
        Err(detail) => ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || detail),
    }
}

/// What stands before the quotation marks of the first attribute, if they are not XML's own: one of CSV's, which doubles
/// them, or a backslash of JSON's.
pub(crate) fn escaped_quotes(xml: &[u8]) -> Option<u8> {
    let equals = memchr::memchr(b'=', xml)?;
    match xml.get(equals + 1..)? {
        [b'"', b'"', next, ..] if !matches!(next, b'>' | b'/' | b' ') => Some(b'"'),
        [b'\\', b'"', ..] => Some(b'\\'),
        _ => None,
    }
}

fn account_for_loss(record: Record, offset: u64, line: u64, ledger: &mut Ledger) {
    ledger.records += 1;
    match record.how {
        End::Whole => {}
        End::CutOff => ledger.damage.add(BROKEN_RECORD, offset, Some(line), || {
            "found the next event or the end of the input, expected </Event>".into()
        }),
        End::Overlong => ledger.damage.add(OVERLONG_RECORD, offset, Some(line), || {
            format!("found no </Event> within {} MiB, expected one", MAX_RECORD_BYTES >> 20)
        }),
    }
}
