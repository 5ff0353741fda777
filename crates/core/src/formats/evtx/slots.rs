//! Template instances: their definition, and the values that fill its slots.

use super::cursor::{Cursor, Result, u32_at};
use crate::table::value::{Value, filetime_us};

/// A template's definition in its chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    /// Offset in the chunk.
    pub(crate) offset: usize,
    /// Length of its body.
    pub(crate) len: usize,
}

/// Bytes before a definition's body: offset of the next one, GUID, length.
const HEAD_BYTES: usize = 24;

impl Definition {
    /// The body: BinXML with slots.
    pub(crate) fn body<'a>(&self, chunk: &'a [u8]) -> Cursor<'a> {
        let start = self.offset + HEAD_BYTES;
        Cursor::new(chunk, start, start + self.len)
    }

    /// GUID, length and body, which identify the template.
    pub(crate) fn bytes<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        chunk.get(self.offset + 4..self.offset + HEAD_BYTES + self.len).unwrap_or_default()
    }
}

/// The definition that a template instance names (its token is already read); `cursor` moves to the values.
#[inline]
pub(crate) fn read_instance(cursor: &mut Cursor<'_>) -> Result<Definition> {
    cursor.u8()?;
    let id = cursor.u32()?;
    let offset = cursor.u32()? as usize;
    let inline = offset == cursor.at;
    let mut head = Cursor::new(cursor.chunk, offset, cursor.chunk.len());
    head.u32()?;
    let guid = head.guid()?;
    let len = head.u32()? as usize;
    if u32_at(&guid, 0) != id {
        return cursor.fail("a template whose id is the instance's");
    }
    head.take(len)?;
    if inline {
        if head.at > cursor.end {
            return cursor.fail("a template within its record");
        }
        cursor.at = head.at;
    }
    Ok(Definition { offset, len })
}

/// The place of a value in the chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    #[inline(always)]
    pub(crate) fn bytes<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        chunk.get(start..start + self.len as usize).unwrap_or_default()
    }

    /// The value's bytes as BinXML.
    pub(crate) fn document<'a>(&self, chunk: &'a [u8]) -> Cursor<'a> {
        let start = self.start as usize;
        Cursor::new(chunk, start, start + self.len as usize)
    }
}

/// BinXML within a value.
pub(crate) const DOCUMENT: u8 = 0x21;

/// Whether a value of this type is text to be decoded, a list or a document: [`scalar`] cannot return those, but the
/// general path can.
pub(crate) fn is_composite(kind: u8) -> bool {
    matches!(kind, 0x02 | DOCUMENT | 0x81)
}

/// The values of a template instance: the type and the place of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    pub(crate) kinds: Vec<u8>,
    pub(crate) spans: Vec<Span>,
}

impl Slots {
    /// Read the values at `cursor`, which replace the previous ones.
    #[inline]
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        self.kinds.clear();
        self.spans.clear();
        let count = cursor.u32()? as usize;
        let descriptors = match count.checked_mul(4) {
            Some(len) => cursor.take(len)?,
            None => return cursor.fail("fewer values"),
        };
        let descriptors = descriptors.as_chunks::<4>().0;
        self.kinds.extend(descriptors.iter().map(|descriptor| descriptor[2]));
        // At most 65,535 bytes a value, and a chunk bounds their number: no overflow.
        let mut at = cursor.at as u32;
        self.spans.extend(descriptors.iter().map(|[low, high, ..]| {
            let span = Span { start: at, len: u32::from(u16::from_le_bytes([*low, *high])) };
            at += span.len;
            span
        }));
        cursor.take(at as usize - cursor.at).map(drop)
    }

    /// Type and place of a value.
    #[inline]
    pub(crate) fn get(&self, index: u16) -> Option<(u8, Span)> {
        let index = usize::from(index);
        Some((*self.kinds.get(index)?, *self.spans.get(index)?))
    }
}

fn number<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.get(..N).and_then(|bytes| bytes.try_into().ok())
}

/// A value that needs no copy; None for types that need one, and if bytes are missing.
#[inline(always)]
pub(crate) fn scalar(kind: u8, bytes: &[u8]) -> Option<Value<'_>> {
    Some(match kind {
        0x00 => Value::Null,
        0x01 => Value::Utf16(bytes),
        0x03 => Value::Int(i64::from(i8::from_le_bytes(number(bytes)?))),
        0x04 => Value::Int(i64::from(u8::from_le_bytes(number(bytes)?))),
        0x05 => Value::Int(i64::from(i16::from_le_bytes(number(bytes)?))),
        0x06 => Value::Int(i64::from(u16::from_le_bytes(number(bytes)?))),
        0x07 => Value::Int(i64::from(i32::from_le_bytes(number(bytes)?))),
        0x08 => Value::Int(i64::from(u32::from_le_bytes(number(bytes)?))),
        // Only Keywords exceed 2^63, and those are HexInt64.
        0x09 | 0x0a => Value::Int(i64::from_le_bytes(number(bytes)?)),
        0x0d => Value::Bool(bytes.iter().any(|byte| *byte != 0)),
        0x0f => Value::Guid(number(bytes)?),
        0x11 => Value::Time(filetime_us(u64::from_le_bytes(number(bytes)?))),
        0x13 => Value::Sid(bytes),
        0x14 => Value::Hex(u64::from(u32::from_le_bytes(number(bytes)?))),
        0x15 => Value::Hex(u64::from_le_bytes(number(bytes)?)),
        _ => return None,
    })
}
