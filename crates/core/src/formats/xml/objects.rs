//! Events among PowerShell's objects, as `Export-Clixml` writes them: each child of `<Objs>` is a record, an object with
//! the event's properties or a string with the event in it.

use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;
use memchr::memchr;

use super::markup::{Item, Reader, Tag, cut_off};
use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, MAX_RECORD_BYTES, Pending, Verdict, add_overlong, count_lines, warn_invalid_utf8,
};
use crate::shapes::keys::{Scope, Slot, find};
use crate::shapes::record::{Nested, Record, Scalar};
use crate::shapes::text::Text;
use crate::table::columns::{Place, Row, Tables};
use crate::table::event::Events;
use crate::table::ledger::Ledger;

/// The name of the element around the objects.
const ROOT: &str = "Objs";

/// Whether the root element of `text` is that of PowerShell's objects; None if it is not complete.
pub(super) fn is_root(text: &[u8]) -> Option<bool> {
    let mut rest = text.trim_ascii_start();
    while rest.starts_with(b"<?") || rest.starts_with(b"<!") {
        let end = memchr(b'>', rest)?;
        rest = rest[end + 1..].trim_ascii_start();
    }
    let name = rest.get(1..ROOT.len() + 2)?;
    Some(rest[0] == b'<' && name.starts_with(ROOT.as_bytes()) && matches!(name[ROOT.len()], b' ' | b'>'))
}

/// Finds where objects end.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// How far the text has been scanned.
    at: usize,
    /// Where the object begins that contains `at`.
    start: usize,
    /// The number of elements that are open at `at`.
    depth: usize,
    /// Whether the object is too long and being dropped.
    dropping: bool,
}

impl Objects {
    pub(super) fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        if pending.at_end && !self.dropping {
            return Cut::Take(pending.bytes.len());
        }
        self.advance(pending.bytes);
        let end = std::mem::take(&mut self.start);
        if end > 0 {
            self.at -= end;
            return if std::mem::take(&mut self.dropping) { Cut::Drop(end) } else { Cut::Take(end) };
        }
        if !self.dropping && pending.bytes.len() < MAX_RECORD_BYTES {
            return Cut::More;
        }
        if !self.dropping {
            ledger.records += 1;
            add_overlong(pending.offset, pending.line, ledger);
            self.dropping = true;
        }
        match std::mem::take(&mut self.at) {
            _ if pending.at_end => Cut::Drop(pending.bytes.len()),
            0 if pending.bytes.len() < MAX_RECORD_BYTES => Cut::More,
            // A tag without end.
            0 => Cut::Drop(pending.bytes.len()),
            at => Cut::Drop(at),
        }
    }

    /// Scan complete tags; afterwards `start` is behind the last complete object.
    fn advance(&mut self, bytes: &[u8]) {
        while let Some(open) = memchr(b'<', &bytes[self.at..]).map(|open| self.at + open) {
            let Some(close) = memchr(b'>', &bytes[open..]).map(|close| open + close) else {
                self.at = open;
                return;
            };
            self.at = close + 1;
            match bytes.get(open + 1) {
                Some(b'/') => self.depth = self.depth.saturating_sub(1),
                Some(b'?' | b'!') => continue,
                _ if bytes[close - 1] == b'/' => {}
                _ => {
                    self.depth += 1;
                    // The root.
                    if self.depth == 1 {
                        self.start = self.at;
                    }
                    continue;
                }
            }
            if self.depth <= 1 {
                self.start = self.at;
                if self.dropping {
                    return;
                }
            }
        }
        self.at = bytes.len();
    }
}

/// Reads a block of complete objects.
pub(super) struct ObjectDecoder {
    pub(super) nested: &'static dyn Nested,
}

impl Decode for ObjectDecoder {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let text = String::from_utf8_lossy(block.bytes);
        let is_lossy = matches!(text, std::borrow::Cow::Owned(_));
        // Values live as long as the block, which is short.
        let arena = Bump::new();
        let mut reader = Reader::new(&text);
        let (mut line, mut counted) = (block.line, 0);
        if is_lossy {
            warn_invalid_utf8(Place { offset: block.offset, line: Some(line), recovered: false }, ledger);
        }
        loop {
            let start = text.len() - reader.rest().len();
            let item = reader.item();
            let blank = text[start..].len() - text[start..].trim_ascii_start().len();
            line += count_lines(&text.as_bytes()[counted..start + blank]);
            counted = start + blank;
            let place = Place { offset: block.offset + counted as u64, line: Some(line), recovered: false };
            let result = match item {
                Ok(None) => return,
                Ok(Some(Item::Open(tag))) if tag.name == ROOT => continue,
                Ok(Some(Item::Open(tag))) => self.read(&mut reader, tag, &arena, out, place, ledger),
                Ok(Some(_)) => continue,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = result {
                ledger.records += 1;
                ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || reason);
                // The rest of the object, up to the next one.
                let rest = &text[start..];
                let from = (rest.len() - reader.rest().len()).max(1);
                match rest.get(from..).and_then(|rest| rest.find("<Obj RefId=")) {
                    Some(next) => reader = Reader::new(&rest[from + next..]),
                    None => return,
                }
            }
        }
    }
}

impl ObjectDecoder {
    fn read<'a>(
        &self,
        reader: &mut Reader<'a>,
        tag: Tag<'a>,
        arena: &'a Bump,
        out: &mut Tables,
        place: Place,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let mut row = Row::default();
        let verdict = match tag.name {
            "S" => {
                let text = plain(reader.value(tag, arena)?, arena);
                self.nested.read_line(text, arena, &mut row, out.events())?
            }
            "Obj" => Some(self.read_object(reader, tag, arena, &mut row, out.events())?),
            _ => {
                reader.skip(tag)?;
                None
            }
        };
        // A string without an event is not a record.
        let Some(verdict) = verdict else { return Ok(()) };
        ledger.records += 1;
        match verdict {
            Verdict::Asked(event) => out.of(event).push(&row, place, ledger),
            other => other.count(ledger),
        }
        Ok(())
    }

    /// Read the properties of an event: those of the object itself, the values of `Properties`, and the account's SID.
    fn read_object<'a>(
        &self,
        reader: &mut Reader<'a>,
        tag: Tag<'a>,
        arena: &'a Bump,
        row: &mut Row<'a>,
        asked: Events,
    ) -> Result<Verdict, String> {
        let mut record = Record::new(arena, asked, self.nested);
        // The objects that are open, and the names under which they stand.
        let mut objects: Vec<&str> = vec![""];
        let mut depth = usize::from(!tag.empty);
        let mut inside: Vec<bool> = vec![true];
        while depth > 0 {
            match reader.item()?.ok_or_else(|| cut_off(tag.name))? {
                Item::Open(child) => {
                    let name = child.attributes().find(|(key, _)| *key == "N").map(|(_, name)| name);
                    let is_container = matches!(
                        child.name,
                        "Obj" | "Props" | "MS" | "LST" | "IE" | "STK" | "QUE" | "DCT" | "En" | "TN"
                    );
                    if !is_container {
                        let value = reader.value(child, arena)?;
                        if let Some(name) = name.filter(|_| child.name != "Nil") {
                            put(&mut record, &objects, name, plain(value, arena))?;
                        }
                        continue;
                    }
                    if !child.empty {
                        depth += 1;
                        inside.push(child.name == "Obj");
                        if child.name == "Obj" {
                            objects.push(name.unwrap_or_default());
                        }
                    }
                }
                Item::Close(_) => {
                    depth -= 1;
                    if inside.pop() == Some(true) {
                        objects.pop();
                    }
                }
                Item::Text(_) | Item::Cdata(_) => {}
            }
        }
        let verdict = record.resolve()?;
        *row = record.row().clone();
        Ok(verdict)
    }
}

/// Store a property of the innermost of `objects`.
fn put<'a>(record: &mut Record<'a>, objects: &[&str], name: &str, raw: &'a str) -> Result<(), &'static str> {
    let slot = match objects {
        [_] => find(Scope::Record, name),
        [_, "Properties", ..] if name == "Value" => Slot::Inserts,
        [_, owner] if name == "Value" => find(Scope::Record, owner),
        _ => return Ok(()),
    };
    record.put(Scope::Record, slot, Scalar::Text(Text { raw, json: false }))
}

/// The text without PowerShell's escapes: `_x000D__x000A_` for a line end.
fn plain<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if !text.contains("_x") {
        return text;
    }
    let mut plain = BumpString::with_capacity_in(text.len(), arena);
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("_x") {
        plain.push_str(before);
        let unit = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok().filter(|_| text[4..].starts_with('_'));
        rest = match unit(behind) {
            None => {
                plain.push_str("_x");
                behind
            }
            Some(high @ 0xd800..0xdc00) if let Some(low) = behind[5..].strip_prefix("_x").and_then(unit) => {
                plain.extend(
                    char::decode_utf16([high, low]).map(|symbol| symbol.unwrap_or(char::REPLACEMENT_CHARACTER)),
                );
                &behind[12..]
            }
            Some(unit) => {
                plain.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
                &behind[5..]
            }
        };
    }
    plain.push_str(rest);
    plain.into_bump_str()
}

/// The decoder of a block of objects.
pub(super) fn decoder(nested: &'static dyn Nested) -> Arc<dyn Decode> {
    Arc::new(ObjectDecoder { nested })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_powershell_are_undone() {
        let arena = Bump::new();
        assert_eq!(plain("a_x000D__x000A_b_xD83D__xDE00__x_x00G0_", &arena), "a\r\nb\u{1f600}_x_x00G0_");
        assert_eq!(plain("_xD83D_", &arena), "\u{fffd}");
    }

    #[test]
    fn the_root_is_recognised_behind_a_declaration() {
        assert_eq!(is_root(b"<?xml version='1.0'?>\n<Objs Version='1'>"), Some(true));
        assert_eq!(is_root(b"<Events>"), Some(false));
        assert_eq!(is_root(b"<Obj"), None);
    }
}
