//! Finds an event's fields in a record: by name, in a tree; and, compiled from a template's tree once, by the number of
//! the slot.

use std::collections::HashMap;
use std::rc::Rc;

use super::binxml::{Content, Element, Reader};
use super::cursor::Result;
use super::slots::{Definition, Slots, scalar};
use crate::shapes::audit;
use crate::table::columns::Row;
use crate::table::event::Provider;
use crate::table::schema::Field;
use crate::table::value::Value;

/// Templates stored across a file's chunks; real logs have a few dozen.
const MAX_CACHED: usize = 1_024;

/// Call `leaf` for each field that the elements name, with the field's content.
pub(crate) fn leaves<'t, 'a>(content: &'t [Content<'a>], leaf: &mut impl FnMut(Field, &'t [Content<'a>])) {
    for element in elements(content) {
        match element.name.as_str() {
            "Event" => leaves(&element.content, leaf),
            "System" => elements(&element.content).for_each(|part| system(part, leaf)),
            "EventData" => elements(&element.content).for_each(|data| event_data(data, leaf)),
            _ => {}
        }
    }
}

pub(crate) fn elements<'t, 'a>(content: &'t [Content<'a>]) -> impl Iterator<Item = &'t Element<'a>> {
    content.iter().filter_map(|piece| match piece {
        Content::Element(element) => Some(element),
        _ => None,
    })
}

fn system<'t, 'a>(part: &'t Element<'a>, leaf: &mut impl FnMut(Field, &'t [Content<'a>])) {
    if let Some(field) = Field::from_system_element(&part.name) {
        return leaf(field, &part.content);
    }
    for (name, value) in &part.attributes {
        if let Some(field) = Field::from_system_attribute(&part.name, name) {
            leaf(field, value);
        }
    }
}

fn event_data<'t, 'a>(data: &'t Element<'a>, leaf: &mut impl FnMut(Field, &'t [Content<'a>])) {
    if let Some(field) = data_name(data).and_then(Field::from_data_name) {
        leaf(field, &data.content);
    }
}

/// The name of a `<Data Name="...">`.
fn data_name<'t>(data: &'t Element<'_>) -> Option<&'t str> {
    let name = data.attributes.iter().find(|(name, _)| name == "Name").filter(|_| data.name == "Data");
    match name.map(|(_, value)| value.as_slice()) {
        Some([Content::Text(name)]) => Some(name),
        _ => None,
    }
}

/// Copy the security audit's own fields into a row, in place of fields of Sysmon's with the same names.
pub(crate) fn fill_audit<'t>(content: &'t [Content<'_>], row: &mut Row<'t>) {
    let events = elements(content).filter(|element| element.name == "Event");
    let parts = events.flat_map(|event| elements(&event.content)).filter(|part| part.name == "EventData");
    for data in parts.flat_map(|part| elements(&part.content)) {
        if let Some(field) = data_name(data).and_then(audit::field) {
            row.set(field, leaf_value(&data.content));
        }
    }
}

/// Copy a tree's fields into a row, which borrows their text.
pub(crate) fn fill_row<'t>(content: &'t [Content<'_>], row: &mut Row<'t>) {
    leaves(content, &mut |field, content| row.set(field, leaf_value(content)));
}

fn leaf_value<'t>(content: &'t [Content<'_>]) -> Value<'t> {
    match content {
        [Content::Text(text)] => Value::Text(text),
        [Content::Value(value)] => *value,
        _ => Value::Null,
    }
}

/// Where a template's field comes from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Source {
    #[default]
    Nowhere,
    Slot(u16),
    Literal(String),
}

/// A template, compiled.
#[derive(Debug)]
pub(crate) struct Template {
    /// By the field's number.
    sources: Vec<Source>,
    /// The slots beside `System`: the one with `EventData` is a nested document.
    nested: Vec<u16>,
    /// Whether the slots hold everything; if not, records take the general path.
    pub(crate) is_regular: bool,
    /// The provider; None if the template does not name it.
    pub(crate) provider: Option<Provider>,
}

impl Template {
    fn compile(content: &[Content<'_>]) -> Self {
        let sources = vec![Source::Nowhere; Field::COUNT];
        let mut template = Template { sources, nested: Vec::new(), is_regular: true, provider: None };
        leaves(content, &mut |field, content| {
            let source = match content {
                [Content::Slot(index)] => Source::Slot(*index),
                [Content::Text(text)] => {
                    if field == Field::ProviderName {
                        template.provider = Some(Provider::of(text));
                    }
                    Source::Literal(text.to_string())
                }
                [] => return,
                _ => {
                    template.is_regular = false;
                    return;
                }
            };
            let known = &mut template.sources[field as usize];
            // The general path decides which of the two wins.
            template.is_regular &= matches!(known, Source::Nowhere);
            *known = source;
        });
        for event in elements(content).filter(|element| element.name == "Event") {
            template.nested.extend(event.content.iter().filter_map(|piece| match piece {
                Content::Slot(index) => Some(*index),
                _ => None,
            }));
        }
        template.is_regular &= template.nested.len() <= 1;
        template
    }

    /// The slot with the nested document.
    pub(crate) fn nested(&self) -> Option<u16> {
        self.nested.first().copied()
    }

    /// Whether both templates have the same field: the general path decides which of them wins.
    pub(crate) fn overlaps(&self, other: &Template) -> bool {
        let told = |source: &Source| !matches!(source, Source::Nowhere);
        self.sources.iter().zip(&other.sources).any(|(mine, theirs)| told(mine) && told(theirs))
    }

    /// Where a field comes from.
    pub(crate) fn source(&self, field: Field) -> &Source {
        &self.sources[field as usize]
    }

    /// A field's value, if this template has it.
    pub(crate) fn value<'a>(&'a self, field: Field, slots: &Slots, chunk: &'a [u8]) -> Option<Value<'a>> {
        match self.source(field) {
            Source::Nowhere => None,
            Source::Slot(index) => slots.get(*index).and_then(|(kind, span)| scalar(kind, span.bytes(chunk))),
            Source::Literal(text) => Some(Value::Text(text)),
        }
    }
}

/// Compiled templates: by offset within a chunk; across chunks by offset and bytes, as long as the names outside of
/// them are the same too.
#[derive(Default)]
pub(crate) struct Templates {
    in_chunk: Vec<(usize, Rc<Template>)>,
    in_file: HashMap<(usize, u32), Known>,
}

struct Known {
    bytes: Vec<u8>,
    names_outside: Vec<(usize, Vec<u8>)>,
    template: Rc<Template>,
}

impl Known {
    fn is(&self, bytes: &[u8], chunk: &[u8]) -> bool {
        self.bytes == bytes
            && self.names_outside.iter().all(|(at, name)| chunk.get(*at..*at + name.len()) == Some(name.as_slice()))
    }
}

impl Templates {
    /// Forget the offsets, which are valid within their chunk only.
    pub(crate) fn end_chunk(&mut self) {
        self.in_chunk.clear();
    }

    /// The compiled template.
    #[inline]
    pub(crate) fn get(&mut self, definition: Definition, chunk: &[u8]) -> Result<Rc<Template>> {
        match self.in_chunk.iter().find(|(offset, _)| *offset == definition.offset) {
            Some((_, template)) => Ok(Rc::clone(template)),
            None => self.compile(definition, chunk),
        }
    }

    fn compile(&mut self, definition: Definition, chunk: &[u8]) -> Result<Rc<Template>> {
        let bytes = definition.bytes(chunk);
        let key = (definition.offset, crc32fast::hash(bytes));
        let template = match self.in_file.get(&key).filter(|known| known.is(bytes, chunk)) {
            Some(known) => Rc::clone(&known.template),
            None => {
                let reader = Reader::default();
                let content = reader.fragment(&mut definition.body(chunk), true, 0)?;
                let template = Rc::new(Template::compile(&content));
                if self.in_file.len() < MAX_CACHED {
                    let names_outside = reader.outside.into_inner();
                    let known = Known { bytes: bytes.to_vec(), names_outside, template: Rc::clone(&template) };
                    self.in_file.insert(key, known);
                }
                template
            }
        };
        self.in_chunk.push((definition.offset, Rc::clone(&template)));
        Ok(template)
    }
}
