//! BinXML as a tree: the general reader, which is slow and obvious and reads everything. The fast path of
//! [`super::template`] compiles its trees; a test compares the two.
//!
//! Tokens and layouts: libevtx, "Windows XML Event Log (EVTX) format", sections 4 and 5.

use std::borrow::Cow;
use std::cell::RefCell;

use super::cursor::{Cursor, Result};
use super::slots::{DOCUMENT, Slots, Span, read_instance, scalar};
use crate::table::value::{Value, push_utf16};

/// How deep elements and nested documents may nest.
const MAX_DEPTH: usize = 64;

/// A piece of an element's or an attribute's content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content<'a> {
    Element(Element<'a>),
    Text(Cow<'a, str>),
    Value(Value<'a>),
    /// Filled in from the template instance's values.
    Slot(u16),
}

/// An element.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element<'a> {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, Vec<Content<'a>>)>,
    pub(crate) content: Vec<Content<'a>>,
}

/// Reads fragments.
#[derive(Default)]
pub(crate) struct Reader {
    /// Check the hash of names: in slack space they may be overwritten.
    pub(crate) check_names: bool,
    /// The names that were found outside the record, with their offsets in the chunk.
    pub(crate) outside: RefCell<Vec<(usize, Vec<u8>)>>,
}

fn utf16(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    push_utf16(bytes, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Windows-1252: the encoding of "ANSI" strings; a log cannot declare another.
fn ansi(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes[..end]).0.into_owned()
}

/// The name at `offset` of the chunk; if it stands at `cursor`, that moves behind it.
fn name(cursor: &mut Cursor<'_>, reader: &Reader) -> Result<String> {
    let offset = cursor.u32()? as usize;
    let inline = offset == cursor.at;
    let mut at = Cursor::new(cursor.chunk, offset, if inline { cursor.end } else { cursor.chunk.len() });
    at.u32()?;
    let hash = at.u16()?;
    let units = usize::from(at.u16()?);
    let bytes_at = at.at;
    let bytes = at.take(2 * units)?;
    at.u16()?;
    if reader.check_names && name_hash(bytes) != hash {
        return cursor.fail("a name that its hash agrees with");
    }
    if inline {
        cursor.at = at.at;
    } else {
        reader.outside.borrow_mut().push((bytes_at, bytes.to_vec()));
    }
    Ok(utf16(bytes))
}

fn name_hash(utf16: &[u8]) -> u16 {
    let hash = utf16.chunks_exact(2).fold(0u32, |hash, unit| {
        hash.wrapping_mul(65_599).wrapping_add(u32::from(u16::from_le_bytes([unit[0], unit[1]])))
    });
    hash as u16
}

impl Reader {
    /// A complete fragment: the content of a record, a nested document, or (`in_template`) a template's body.
    pub(crate) fn fragment<'a>(
        &self,
        cursor: &mut Cursor<'a>,
        in_template: bool,
        depth: usize,
    ) -> Result<Vec<Content<'a>>> {
        let mut content = Vec::new();
        while let Some(token) = cursor.peek() {
            match token {
                0x00 => {
                    cursor.u8()?;
                    break;
                }
                0x0f => drop(cursor.take(4)?),
                _ => self.piece(cursor, in_template, depth, &mut content)?,
            }
        }
        Ok(content)
    }

    /// One token of content.
    fn piece<'a>(
        &self,
        cursor: &mut Cursor<'a>,
        in_template: bool,
        depth: usize,
        into: &mut Vec<Content<'a>>,
    ) -> Result<()> {
        if depth > MAX_DEPTH {
            return cursor.fail("nesting of 64 levels or less");
        }
        let token = cursor.u8()?;
        match token {
            0x01 | 0x41 => into.push(Content::Element(self.element(cursor, token == 0x41, in_template, depth + 1)?)),
            0x05 | 0x45 => into.push(Content::Text(self.literal(cursor)?.into())),
            0x07 | 0x47 => {
                let units = usize::from(cursor.u16()?);
                into.push(Content::Text(utf16(cursor.take(2 * units)?).into()));
            }
            0x08 | 0x48 => {
                let symbol = char::from_u32(u32::from(cursor.u16()?)).unwrap_or(char::REPLACEMENT_CHARACTER);
                into.push(Content::Text(symbol.to_string().into()));
            }
            0x09 | 0x49 => into.push(Content::Text(entity(&name(cursor, self)?).into())),
            // A processing instruction says nothing about an event.
            0x0a => drop(name(cursor, self)?),
            0x0b => {
                let units = usize::from(cursor.u16()?);
                cursor.take(2 * units)?;
            }
            0x0c => self.instance(cursor, depth + 1, into)?,
            0x0d | 0x0e => {
                let slot = cursor.u16()?;
                cursor.u8()?;
                into.push(Content::Slot(slot));
            }
            _ => return cursor.fail("a BinXML token"),
        }
        Ok(())
    }

    fn literal(&self, cursor: &mut Cursor<'_>) -> Result<String> {
        if cursor.u8()? != 0x01 {
            return cursor.fail("a literal of type string");
        }
        let units = usize::from(cursor.u16()?);
        Ok(utf16(cursor.take(2 * units)?))
    }

    fn element<'a>(
        &self,
        cursor: &mut Cursor<'a>,
        attributes: bool,
        in_template: bool,
        depth: usize,
    ) -> Result<Element<'a>> {
        // Only templates' elements carry the number of the slot that they depend on.
        if in_template {
            cursor.u16()?;
        }
        // The element's size is not needed: its end has a token.
        cursor.u32()?;
        let mut element = Element { name: name(cursor, self)?, ..Element::default() };
        if attributes {
            let len = cursor.u32()? as usize;
            let mut list = Cursor::new(cursor.chunk, cursor.at, cursor.at.saturating_add(len));
            if list.end > cursor.end {
                return cursor.fail("attributes within the record");
            }
            while !list.is_done() {
                self.attribute(&mut list, in_template, depth, &mut element)?;
            }
            cursor.at = list.at;
        }
        match cursor.u8()? {
            0x03 => return Ok(element),
            0x02 => {}
            _ => return cursor.fail("the end of a start tag"),
        }
        while cursor.peek() != Some(0x04) {
            if cursor.is_done() {
                return cursor.fail("an end tag");
            }
            self.piece(cursor, in_template, depth, &mut element.content)?;
        }
        cursor.u8()?;
        Ok(element)
    }

    fn attribute<'a>(
        &self,
        list: &mut Cursor<'a>,
        in_template: bool,
        depth: usize,
        element: &mut Element<'a>,
    ) -> Result<()> {
        if !matches!(list.u8()?, 0x06 | 0x46) {
            return list.fail("an attribute");
        }
        let name = name(list, self)?;
        let mut value = Vec::new();
        while !list.is_done() && !matches!(list.peek(), Some(0x06 | 0x46)) {
            self.piece(list, in_template, depth, &mut value)?;
        }
        element.attributes.push((name, value));
        Ok(())
    }

    /// A template with its values: the definition's content, every slot filled.
    fn instance<'a>(&self, cursor: &mut Cursor<'a>, depth: usize, into: &mut Vec<Content<'a>>) -> Result<()> {
        let definition = read_instance(cursor)?;
        let mut slots = Slots::default();
        slots.read(cursor)?;
        let body = self.fragment(&mut definition.body(cursor.chunk), true, depth)?;
        self.fill(body, &slots, cursor.chunk, depth, into)
    }

    fn fill<'a>(
        &self,
        body: Vec<Content<'a>>,
        slots: &Slots,
        chunk: &'a [u8],
        depth: usize,
        into: &mut Vec<Content<'a>>,
    ) -> Result<()> {
        for piece in body {
            match piece {
                Content::Slot(index) => {
                    if let Some((kind, span)) = slots.get(index) {
                        self.value(kind, span, chunk, depth, into)?;
                    }
                }
                Content::Element(mut element) => {
                    let content = std::mem::take(&mut element.content);
                    self.fill(content, slots, chunk, depth, &mut element.content)?;
                    for (_, value) in &mut element.attributes {
                        let filled = std::mem::take(value);
                        self.fill(filled, slots, chunk, depth, value)?;
                    }
                    into.push(Content::Element(element));
                }
                other => into.push(other),
            }
        }
        Ok(())
    }

    fn value<'a>(
        &self,
        kind: u8,
        span: Span,
        chunk: &'a [u8],
        depth: usize,
        into: &mut Vec<Content<'a>>,
    ) -> Result<()> {
        let bytes = span.bytes(chunk);
        if let Some(value) = scalar(kind, bytes) {
            into.push(Content::Value(value));
            return Ok(());
        }
        match kind {
            DOCUMENT => {
                let mut nested = span.document(chunk);
                if depth > MAX_DEPTH {
                    return nested.fail("nesting of 64 levels or less");
                }
                into.extend(self.fragment(&mut nested, false, depth + 1)?);
            }
            0x02 => into.push(Content::Text(ansi(bytes).into())),
            0x81 => into.push(Content::Text(utf16(bytes).trim_end_matches('\0').replace('\0', "\n").into())),
            // Floats, binaries, SYSTEMTIME and arrays occur in no field of event 3.
            _ => {}
        }
        Ok(())
    }
}

fn entity(name: &str) -> &'static str {
    match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
}
