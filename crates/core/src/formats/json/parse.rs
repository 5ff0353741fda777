//! One JSON object, read in one pass over its bytes: looks up keys, stores the values that matter in the [`Record`],
//! and skips the rest. An object of unknown shape is read again as a tree.

use bumpalo::collections::Vec as BumpVec;

use super::split::MAX_DEPTH;
use crate::shapes::keys::{Keys, Scope, Slot, inner_scope};
use crate::shapes::record::{Record, Scalar};
use crate::shapes::text::Text;
use crate::shapes::tree::{Node, Tree};

/// Where the text stops being JSON, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Index of the byte that is wrong.
    pub(crate) at: usize,
    /// What was expected there.
    pub(crate) expected: &'static str,
}

impl Broken {
    /// Format what was found and what was expected.
    pub(crate) fn describe(&self, text: &str) -> String {
        let found = text.get(self.at..).and_then(|rest| rest.chars().next());
        match found {
            Some(symbol) => format!("found {symbol:?}, expected {}", self.expected),
            None => format!("found the end, expected {}", self.expected),
        }
    }
}

/// Read the object that begins at `start` of `text` into `record`; return where it ends and how many line feeds are in
/// it. Of two equal keys the last one wins.
pub(crate) fn read_object<'a>(
    text: &'a str,
    start: usize,
    scope: Scope,
    keys: &mut Keys,
    record: &mut Record<'a>,
) -> Result<(usize, u64), Broken> {
    let mut parser = Parser { text, bytes: text.as_bytes(), at: start, depth: 0, lines: 0, keys, record };
    parser.object(scope)?;
    Ok((parser.at, parser.lines))
}

/// More values than any record has, and than memory is used for.
const MAX_NODES: usize = 1 << 20;

/// Read the value that begins at `start` of `text` as a tree in `record`'s arena.
pub(crate) fn read_tree<'a>(text: &'a str, start: usize, record: &mut Record<'a>) -> Result<Node<'a>, Broken> {
    let mut keys = Keys::uncached();
    let mut parser = Parser { text, bytes: text.as_bytes(), at: start, depth: 0, lines: 0, keys: &mut keys, record };
    parser.skip_blanks();
    parser.node(&mut { MAX_NODES })
}

/// Strings of up to this many words of eight bytes are searched inline.
const SHORT_WORDS: usize = 6;

/// The high bit of every byte that is a quotation mark, a backslash or a control character; above the lowest such byte
/// it may be wrong.
#[inline]
fn stops(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quotes = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let controls = word.wrapping_sub(ONES * b' ' as u64);
    (quotes | backslashes | controls) & !word & (ONES << 7)
}

/// The range of a string between its quotation marks, and whether it may contain escapes.
#[derive(Clone, Copy)]
struct Quoted {
    start: usize,
    end: usize,
    escaped: bool,
}

struct Parser<'a, 'p> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    lines: u64,
    keys: &'p mut Keys,
    record: &'p mut Record<'a>,
}

impl<'a> Parser<'a, '_> {
    fn broken<T>(&self, expected: &'static str) -> Result<T, Broken> {
        Err(Broken { at: self.at, expected })
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_blanks(&mut self) {
        if self.peek() <= b' ' {
            self.skip_any_blanks();
        }
    }

    #[inline(never)]
    fn skip_any_blanks(&mut self) {
        while let blank @ (b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.lines += u64::from(blank == b'\n');
            self.at += 1;
        }
    }

    fn deeper(&mut self) -> Result<(), Broken> {
        if self.depth == MAX_DEPTH {
            return self.broken("less nesting");
        }
        self.depth += 1;
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    fn object(&mut self, scope: Scope) -> Result<(), Broken> {
        if self.peek() != b'{' {
            return self.broken("an object");
        }
        self.deeper()?;
        if self.peek() != b'}' {
            self.members(scope)?;
        }
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    fn members(&mut self, scope: Scope) -> Result<(), Broken> {
        loop {
            if self.peek() != b'"' {
                return self.broken("a key");
            }
            let slot = self.key(scope)?;
            self.skip_blanks();
            if self.peek() != b':' {
                return self.broken("a colon");
            }
            self.at += 1;
            self.skip_blanks();
            // Most values are strings.
            if self.peek() == b'"' {
                self.string_value(scope, slot)?;
            } else {
                self.value(scope, slot)?;
            }
            self.skip_blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => return Ok(()),
                _ => return self.broken("a comma or the object's end"),
            }
            self.skip_blanks();
        }
    }

    /// The meaning of the key that begins here.
    #[inline]
    fn key(&mut self, scope: Scope) -> Result<Slot, Broken> {
        let key = self.string()?;
        if !key.escaped {
            return Ok(self.keys.find(scope, self.text, key.start, key.end));
        }
        match self.text(key).get(self.record.arena()) {
            Ok(key) => Ok(self.keys.find(scope, key, 0, key.len())),
            Err(_) => self.broken("a key with proper escapes"),
        }
    }

    #[inline(always)]
    fn string_value(&mut self, scope: Scope, slot: Slot) -> Result<(), Broken> {
        let string = self.string()?;
        match slot {
            Slot::Skip => Ok(()),
            slot => self.put(scope, slot, Scalar::Text(self.text(string))),
        }
    }

    fn value(&mut self, scope: Scope, slot: Slot) -> Result<(), Broken> {
        match self.peek() {
            b'"' => self.string_value(scope, slot),
            b'{' => {
                let inner = inner_scope(slot);
                self.record.enter(slot);
                self.object(inner)?;
                if inner == Scope::DataItem && scope != Scope::DataItem {
                    self.record.end_item();
                }
                Ok(())
            }
            b'[' => self.array(scope, slot),
            _ => {
                let scalar = self.scalar()?;
                self.put(scope, slot, scalar)
            }
        }
    }

    #[inline]
    fn put(&mut self, scope: Scope, slot: Slot, scalar: Scalar<'a>) -> Result<(), Broken> {
        match self.record.put(scope, slot, scalar) {
            Ok(()) => Ok(()),
            Err(expected) => self.broken(expected),
        }
    }

    fn node(&mut self, left: &mut usize) -> Result<Node<'a>, Broken> {
        let Some(fewer) = left.checked_sub(1) else { return self.broken("fewer values") };
        *left = fewer;
        let start = self.at;
        let value = match self.peek() {
            b'{' => self.object_node(left)?,
            b'[' => self.list_node(left)?,
            b'"' => {
                let string = self.string()?;
                Tree::Leaf(Scalar::Text(self.text(string)))
            }
            _ => Tree::Leaf(self.scalar()?),
        };
        Ok(Node { start, end: self.at, value })
    }

    fn object_node(&mut self, left: &mut usize) -> Result<Tree<'a>, Broken> {
        let arena = self.record.arena();
        let mut members = BumpVec::new_in(arena);
        self.deeper()?;
        while self.peek() != b'}' {
            if self.peek() != b'"' {
                return self.broken("a key");
            }
            let key = self.string()?;
            let Ok(key) = self.text(key).get(arena) else { return self.broken("a key with proper escapes") };
            self.skip_blanks();
            if self.peek() != b':' {
                return self.broken("a colon");
            }
            self.at += 1;
            self.skip_blanks();
            members.push((key, self.node(left)?));
            self.skip_blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return self.broken("a comma or the object's end"),
            }
            self.skip_blanks();
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Tree::Object(members.into_bump_slice()))
    }

    fn list_node(&mut self, left: &mut usize) -> Result<Tree<'a>, Broken> {
        let mut elements = BumpVec::new_in(self.record.arena());
        self.deeper()?;
        while self.peek() != b']' {
            elements.push(self.node(left)?);
            self.skip_blanks();
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return self.broken("a comma or the list's end"),
            }
            self.skip_blanks();
        }
        self.at += 1;
        self.depth -= 1;
        Ok(Tree::List(elements.into_bump_slice()))
    }

    /// Read a list: of records, of `{Name, text}`, of values without names, or one whose last value wins.
    fn array(&mut self, scope: Scope, slot: Slot) -> Result<(), Broken> {
        let start = self.at;
        self.deeper()?;
        let element_slot = match slot {
            Slot::EventData(_) => Slot::Enter(Scope::DataItem),
            Slot::Inserts => Slot::Inserts,
            // The records of a list are read one by one, once the end of the list is known.
            Slot::Enter(_) => Slot::Skip,
            other => other,
        };
        let mut objects = false;
        if self.peek() != b']' {
            loop {
                objects |= self.peek() == b'{';
                let slot = match self.peek() {
                    b'{' | b'[' => element_slot,
                    _ if matches!(slot, Slot::EventData(_)) => Slot::Inserts,
                    _ => element_slot,
                };
                self.value(scope, slot)?;
                self.skip_blanks();
                match self.peek() {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return self.broken("a comma or the list's end"),
                }
                self.skip_blanks();
            }
        }
        self.at += 1;
        self.depth -= 1;
        if objects && matches!(slot, Slot::Enter(_)) {
            self.record.wrap(start..self.at);
        }
        Ok(())
    }

    #[inline]
    fn text(&self, string: Quoted) -> Text<'a> {
        Text { raw: &self.text[string.start..string.end], json: string.escaped }
    }

    /// Skip the string that begins here.
    #[inline(always)]
    fn string(&mut self) -> Result<Quoted, Broken> {
        let start = self.at + 1;
        // Most strings are short: this loop finds their end faster than a call would.
        let mut end = start;
        let (words, _) = self.bytes[start..].as_chunks::<8>();
        for word in words.iter().take(SHORT_WORDS) {
            let word = u64::from_le_bytes(*word);
            let found = stops(word);
            if found == 0 {
                end += 8;
                continue;
            }
            end += found.trailing_zeros() as usize / 8;
            if word >> (found.trailing_zeros() & !7) & 0xff != u64::from(b'"') {
                break;
            }
            self.at = end + 1;
            return Ok(Quoted { start, end, escaped: false });
        }
        self.long_string(start, end)
    }

    /// Skip the string that begins here and does not end before `end`.
    #[inline(never)]
    fn long_string(&mut self, start: usize, mut end: usize) -> Result<Quoted, Broken> {
        loop {
            // A bare line feed is never part of a string: the record is truncated.
            let Some(found) = memchr::memchr2(b'"', b'\n', &self.bytes[end..]) else {
                self.at = self.bytes.len();
                return self.broken("a quotation mark");
            };
            end += found;
            if self.bytes[end] == b'\n' {
                self.at = end;
                return self.broken("a quotation mark");
            }
            let backslashes = self.bytes[start..end].iter().rev().take_while(|byte| **byte == b'\\').count();
            if backslashes % 2 == 0 {
                break;
            }
            end += 1;
        }
        self.at = end + 1;
        Ok(Quoted { start, end, escaped: true })
    }

    fn scalar(&mut self) -> Result<Scalar<'a>, Broken> {
        match self.peek() {
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true", Scalar::Bool(true)),
            b'f' => self.literal("false", Scalar::Bool(false)),
            b'n' => self.literal("null", Scalar::Null),
            _ => self.broken("a value"),
        }
    }

    fn literal(&mut self, word: &'static str, scalar: Scalar<'a>) -> Result<Scalar<'a>, Broken> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.broken(word);
        }
        self.at += word.len();
        Ok(scalar)
    }

    fn number(&mut self) -> Result<Scalar<'a>, Broken> {
        let start = self.at;
        self.at += usize::from(self.peek() == b'-');
        let leading_zero = self.peek() == b'0';
        let whole = self.digits();
        if whole == 0 || (leading_zero && whole > 1) {
            self.at = start;
            return self.broken("a number");
        }
        if self.peek() == b'.' {
            self.at += 1;
            if self.digits() == 0 {
                return self.broken("a digit");
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            if self.digits() == 0 {
                return self.broken("a digit");
            }
        }
        Ok(Scalar::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }
}
