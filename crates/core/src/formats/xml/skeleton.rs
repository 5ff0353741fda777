//! The fast path for events of one writer: they differ in their values only, so the text between the values is
//! compared, not parsed. Its meaning is learnt from an event that [`read_event`](super::read_event) read; that also
//! reads every event that is not like a known one.

use crate::table::columns::Row;
use crate::table::event::Event;
use crate::table::schema::Field;
use crate::table::value::Value;

/// The most texts between values that are stored; a log with more kinds of events gains nothing here.
const MAX_NODES: usize = 4_096;

/// Fields that identify the event: their values are part of the text that is compared.
const FIXED: [Field; 2] = [Field::ProviderName, Field::EventId];

/// Known events as a tree: those with the same beginning share it.
#[derive(Debug, Default)]
pub(crate) struct Skeletons {
    first: Vec<usize>,
    nodes: Vec<Node>,
}

/// A text, and what follows it.
#[derive(Debug)]
struct Node {
    text: Vec<u8>,
    then: Then,
    /// The nodes that may follow the value.
    next: Vec<usize>,
}

#[derive(Debug, PartialEq)]
enum Then {
    /// A field's value, up to this byte.
    Value(Field, u8),
    /// The event's end, with this verdict and [`FIXED`]'s values.
    End(Event, [String; FIXED.len()]),
}

impl Skeletons {
    /// Read an event into `row`, if it is like a known one; if not, the content of `row` is undefined.
    pub(crate) fn read<'a>(&'a self, xml: &'a str, row: &mut Row<'a>) -> Option<Event> {
        let mut rest = xml;
        let mut candidates = &self.first;
        loop {
            let mut nodes = candidates.iter().map(|index| &self.nodes[*index]);
            let node = nodes.find(|node| rest.as_bytes().starts_with(&node.text))?;
            rest = rest.get(node.text.len()..)?;
            match &node.then {
                Then::Value(field, stop) => {
                    let len = memchr::memchr3(*stop, b'&', b'<', rest.as_bytes())?;
                    if rest.as_bytes()[len] != *stop {
                        return None;
                    }
                    let (value, behind) = rest.split_at_checked(len)?;
                    row.set(*field, Value::Text(value));
                    rest = behind;
                }
                Then::End(event, fixed) => {
                    for (field, value) in FIXED.into_iter().zip(fixed) {
                        row.set(field, Value::Text(value));
                    }
                    return rest.is_empty().then_some(*event);
                }
            }
            candidates = &node.next;
        }
    }

    /// Learn the text of `xml` around the values that `row` borrows from it.
    pub(crate) fn learn(&mut self, xml: &str, row: &Row<'_>, event: Event) {
        let Some(values) = values_within(xml, row) else { return };
        let fixed = FIXED.map(|field| match row.get(field) {
            Value::Text(text) => text.to_owned(),
            _ => String::new(),
        });
        let mut at = 0;
        let mut parent = None;
        for (start, len, field) in values {
            let (Some(text), Some(stop)) = (xml.as_bytes().get(at..start), xml.as_bytes().get(start + len)) else {
                return;
            };
            if !matches!(stop, b'<' | b'"' | b'\'') || self.nodes.len() >= MAX_NODES {
                return;
            }
            parent = Some(self.node(parent, text, Then::Value(field, *stop)));
            at = start + len;
        }
        self.node(parent, &xml.as_bytes()[at..], Then::End(event, fixed));
    }

    /// Return the node behind `parent` with this text; make it if there is none.
    fn node(&mut self, parent: Option<usize>, text: &[u8], then: Then) -> usize {
        let candidates = parent.map_or(&self.first, |parent| &self.nodes[parent].next);
        let known =
            candidates.iter().find(|index| self.nodes[**index].text == text && self.nodes[**index].then == then);
        if let Some(known) = known {
            return *known;
        }
        let index = self.nodes.len();
        self.nodes.push(Node { text: text.to_vec(), then, next: Vec::new() });
        match parent {
            Some(parent) => self.nodes[parent].next.push(index),
            None => self.first.push(index),
        }
        index
    }
}

/// The places of the row's values in `xml`, in order: (start, length, field). None if one of them is not a part of
/// `xml`, since it was unescaped.
fn values_within(xml: &str, row: &Row<'_>) -> Option<Vec<(usize, usize, Field)>> {
    let mut values = Vec::new();
    for field in Field::ALL.iter().filter(|field| !FIXED.contains(field)) {
        let text = match row.get(*field) {
            Value::Null => continue,
            Value::Text(text) => text,
            _ => return None,
        };
        let start = (text.as_ptr() as usize).wrapping_sub(xml.as_ptr() as usize);
        if start.saturating_add(text.len()) < xml.len() {
            values.push((start, text.len(), *field));
        } else if !text.is_empty() {
            return None;
        }
    }
    values.sort_unstable_by_key(|(start, ..)| *start);
    values.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0).then_some(values)
}
