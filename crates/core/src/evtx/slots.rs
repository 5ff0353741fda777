//! Template instances: which definition, and the values that fill its slots.

use super::cursor::{Cursor, Result, u32_at};
use crate::value::{Value, filetime_us};

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

    /// GUID, length and body: what makes it this template.
    pub(crate) fn bytes<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        chunk.get(self.offset + 4..self.offset + HEAD_BYTES + self.len).unwrap_or_default()
    }
}

/// The definition that a template instance (its token already taken) names; `cursor` goes on to the
/// values.
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

/// A value of a template instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Offset in the chunk.
    pub(crate) start: usize,
    /// Length in bytes.
    pub(crate) len: usize,
    /// BinXML's value type.
    pub(crate) kind: u8,
}

/// The values of a template instance.
#[inline]
pub(crate) fn read_slots(cursor: &mut Cursor<'_>, slots: &mut Vec<Slot>) -> Result<()> {
    slots.clear();
    let count = cursor.u32()? as usize;
    let descriptors = match count.checked_mul(4) {
        Some(len) => cursor.take(len)?,
        None => return cursor.fail("fewer values"),
    };
    let mut start = cursor.at;
    slots.extend(descriptors.as_chunks::<4>().0.iter().map(|[low, high, kind, _]| {
        let len = usize::from(u16::from_le_bytes([*low, *high]));
        let slot = Slot { start, len, kind: *kind };
        start += len;
        slot
    }));
    cursor.take(start - cursor.at).map(drop)
}

fn number<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.get(..N).and_then(|bytes| bytes.try_into().ok())
}

impl Slot {
    pub(crate) fn bytes<'a>(&self, chunk: &'a [u8]) -> &'a [u8] {
        chunk.get(self.start..self.start + self.len).unwrap_or_default()
    }

    /// The value, where it needs no copy; None for types that do (or that are documents of their own).
    #[inline]
    pub(crate) fn scalar<'a>(&self, chunk: &'a [u8]) -> Option<Value<'a>> {
        let bytes = self.bytes(chunk);
        Some(match self.kind {
            0x00 => Value::Null,
            0x01 => Value::Utf16(bytes),
            0x03 => Value::Int(i64::from(i8::from_le_bytes(number(bytes)?))),
            0x04 => Value::Int(i64::from(u8::from_le_bytes(number(bytes)?))),
            0x05 => Value::Int(i64::from(i16::from_le_bytes(number(bytes)?))),
            0x06 => Value::Int(i64::from(u16::from_le_bytes(number(bytes)?))),
            0x07 => Value::Int(i64::from(i32::from_le_bytes(number(bytes)?))),
            0x08 => Value::Int(i64::from(u32::from_le_bytes(number(bytes)?))),
            // Beyond 2^63 only Keywords go, and those are HexInt64.
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
}
