//! One record: the fast path, and the general path for what the fast one cannot read.

use std::rc::Rc;

use super::binxml::Reader;
use super::cursor::{Cursor, Result};
use super::group::Group;
use super::slots::{DOCUMENT, Slots, read_instance};
use super::template::{Template, Templates, fill_audit, fill_row};
use crate::format::Verdict;
use crate::shapes::audit;
use crate::table::columns::{Place, Row, Tables};
use crate::table::event::{Event, Events, Provider};
use crate::table::ledger::Ledger;
use crate::table::schema::Field;
use crate::table::value::{Value, push_utf16};

/// Bytes before a record's BinXML: magic, size, number, time of writing.
pub(crate) const HEAD_BYTES: usize = 24;
/// Magic, the size twice, number, time: the smallest record.
pub(crate) const MIN_BYTES: usize = HEAD_BYTES + 4;

/// Which path reads records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By slots of compiled templates, if the record allows it.
    Fast,
    /// By trees only.
    General,
}

/// Decodes records, one after the other.
pub(crate) struct Decoder {
    way: Way,
    templates: Templates,
    outer: Slots,
    inner: Slots,
    /// Records of the current chunk that have not become rows yet, by event.
    groups: [Group; Event::COUNT],
    /// The last provider and its name: usually the next record has the same.
    provider: (Vec<u8>, Provider),
}

impl Decoder {
    pub(crate) fn new(way: Way) -> Self {
        Decoder {
            way,
            templates: Templates::default(),
            outer: Slots::default(),
            inner: Slots::default(),
            groups: Default::default(),
            provider: (Vec::new(), Provider::Other),
        }
    }

    /// Finish the chunk.
    pub(crate) fn end_chunk(&mut self, chunk: &[u8], out: &mut Tables, ledger: &mut Ledger) {
        self.flush(chunk, out, ledger);
        self.templates.end_chunk();
    }

    fn flush(&mut self, chunk: &[u8], out: &mut Tables, ledger: &mut Ledger) {
        for (group, event) in self.groups.iter_mut().zip(Event::ALL) {
            group.flush(chunk, out.of(event), ledger);
        }
    }

    /// Decode the record whose BinXML stands at `start..end` of the chunk. A requested event becomes a row by the end
    /// of the chunk at the latest.
    #[inline]
    pub(crate) fn decode(
        &mut self,
        chunk: &[u8],
        start: usize,
        end: usize,
        place: Place,
        out: &mut Tables,
        ledger: &mut Ledger,
    ) -> Result<Verdict> {
        let cursor = Cursor::new(chunk, start, end);
        // A recovered record's template may be overwritten: only the general path checks names.
        if self.way == Way::Fast
            && !place.recovered
            && let Ok(Some(verdict)) = self.fast(cursor, place, out, ledger)
        {
            return Ok(verdict);
        }
        // Rows keep the order of their records.
        self.flush(chunk, out, ledger);
        general(cursor, place, out, ledger)
    }

    /// None if the record does not have the usual structure: then nothing was done.
    #[inline]
    fn fast(
        &mut self,
        mut cursor: Cursor<'_>,
        place: Place,
        out: &mut Tables,
        ledger: &mut Ledger,
    ) -> Result<Option<Verdict>> {
        let chunk = cursor.chunk;
        let Some(outer) = instance(&mut cursor, &mut self.templates, &mut self.outer)? else { return Ok(None) };
        let provider = match outer.provider {
            Some(provider) => provider,
            None => match outer.value(Field::ProviderName, &self.outer, chunk) {
                Some(Value::Utf16(name)) => known_provider(&mut self.provider, name),
                _ => return Ok(None),
            },
        };
        let Some(Value::Int(event_id)) = outer.value(Field::EventId, &self.outer, chunk) else { return Ok(None) };
        let verdict = Verdict::new(provider, Some(event_id), out.events());
        let Verdict::Asked(event) = verdict else {
            return Ok(outer.is_regular.then_some(verdict));
        };
        // Its values are not those of the columns.
        if provider != Provider::Sysmon {
            return Ok(None);
        }
        let Some((DOCUMENT, document)) = outer.nested().and_then(|index| self.outer.get(index)) else {
            return Ok(None);
        };
        let Some(inner) = instance(&mut document.document(chunk), &mut self.templates, &mut self.inner)? else {
            return Ok(None);
        };
        let templates = (&outer, &inner);
        let group = &mut self.groups[event as usize];
        if !group.takes(templates, &self.outer, &self.inner) {
            group.flush(chunk, out.of(event), ledger);
            if !group.begin(templates, &self.outer, &self.inner) {
                return Ok(None);
            }
        }
        group.add(&self.outer, &self.inner, place);
        Ok(Some(verdict))
    }
}

#[inline]
fn known_provider(last: &mut (Vec<u8>, Provider), name: &[u8]) -> Provider {
    if last.0 != name {
        let mut text = Vec::new();
        push_utf16(name, &mut text);
        *last = (name.to_vec(), Provider::of(&String::from_utf8_lossy(&text)));
    }
    last.1
}

/// The template of the instance that is the fragment at `cursor`, with its values in `slots`; None if it is anything
/// else.
#[inline]
fn instance(cursor: &mut Cursor<'_>, templates: &mut Templates, slots: &mut Slots) -> Result<Option<Rc<Template>>> {
    if cursor.peek() == Some(0x0f) {
        cursor.take(4)?;
    }
    if cursor.peek() != Some(0x0c) {
        return Ok(None);
    }
    cursor.u8()?;
    let definition = read_instance(cursor)?;
    slots.read(cursor)?;
    let whole = matches!(cursor.peek(), None | Some(0x00));
    if whole { templates.get(definition, cursor.chunk).map(Some) } else { Ok(None) }
}

fn general(cursor: Cursor<'_>, place: Place, out: &mut Tables, ledger: &mut Ledger) -> Result<Verdict> {
    let mut at = cursor;
    let reader = Reader { check_names: place.recovered, ..Reader::default() };
    let content = reader.fragment(&mut at, false, 0)?;
    let mut row = Row::default();
    fill_row(&content, &mut row);
    let provider = row.get(Field::ProviderName);
    if provider == Value::Null && row.get(Field::EventId) == Value::Null {
        return cursor.fail("an Event with a System element");
    }
    let verdict = verdict(provider, row.get(Field::EventId), out.events()).unwrap_or(Verdict::OtherProvider);
    if let Verdict::Asked(event) = verdict {
        if event.provider() == Provider::Audit {
            fill_audit(&content, &mut row);
        }
        audit::complete(event, &mut row);
        out.of(event).push(&row, place, ledger);
    }
    Ok(verdict)
}

/// None if the values have types that provider and event id never have.
fn verdict(provider: Value<'_>, event_id: Value<'_>, asked: Events) -> Option<Verdict> {
    let mut name = Vec::new();
    let provider = match provider {
        Value::Text(text) => Some(text),
        Value::Utf16(utf16) => {
            push_utf16(utf16, &mut name);
            std::str::from_utf8(&name).ok()
        }
        Value::Null => None,
        _ => return None,
    };
    let event_id = match event_id {
        Value::Int(id) => Some(id),
        Value::Text(text) => crate::table::value::parse_int(text),
        Value::Null => None,
        _ => return None,
    };
    Some(Verdict::of(provider, event_id, false, asked))
}
