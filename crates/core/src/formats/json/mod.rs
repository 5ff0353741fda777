//! JSON events in the shapes of all supported shippers: lines, lists, consecutive objects.
//!
//! [`split`] finds where records end, [`parse`] reads one into a [`Record`] by the table of
//! [`keys`](crate::shapes::keys). The content of each record decides its shape.

use std::ops::Range;
use std::sync::Arc;

use bumpalo::Bump;

use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, Pending, UNKNOWN_FORMAT, Verdict,
    add_overlong, count_lines, warn_invalid_utf8,
};
use crate::shapes::keys::{Keys, Scope};
use crate::shapes::mapping::Mapping;
use crate::shapes::record::{Nested, Record};
use crate::shapes::search::{Found, Part, Search, may_carry};
use crate::shapes::tree::Node;
use crate::table::columns::{Place, Row, Tables};
use crate::table::event::{Event, Events};
use crate::table::ledger::Ledger;

mod mapped;
pub(crate) mod parse;
mod split;

use parse::read_object;
use split::{Reached, Scanner, is_between, record_end};

/// Read one JSON object into `row`. `arena` owns the values that need unescaping.
///
/// The error says what was found and what was expected.
pub(crate) fn read_event<'a>(
    json: &'a str,
    arena: &'a Bump,
    row: &mut Row<'a>,
    asked: Events,
    nested: &'static dyn Nested,
) -> Result<Verdict, String> {
    let mut record = Record::new(arena, asked, nested);
    read_into(json, Scope::Record, &mut record)?;
    let verdict = record.resolve()?;
    if !record.is_settled(verdict) && may_carry(json) {
        match find(json, arena, asked, nested) {
            Some(Found::Record(verdict, found)) => {
                *row = *found;
                return Ok(verdict);
            }
            Some(Found::Several(parts)) => match parts[..] {
                [part] if part.text.len() < json.len() => {
                    return nested.read_line(part.text, arena, row, asked).map(|found| found.unwrap_or(verdict));
                }
                _ => return Err(format!("found {} records in one text, expected one", parts.len())),
            },
            Some(Found::Unreadable(reason)) => return Err(reason),
            Some(Found::Nothing) | None => {}
        }
    }
    if let Verdict::Asked(event) = verdict
        && !record.is_event(event)
    {
        return Err(unreadable(event));
    }
    *row = record.row().clone();
    Ok(verdict)
}

fn unreadable(event: Event) -> String {
    format!("found an event {} without its fields, expected them under known keys or in a text", event.id())
}

/// Search the object for an event, whatever its shape is; None if it is no JSON.
fn find<'a>(json: &'a str, arena: &'a Bump, asked: Events, nested: &'static dyn Nested) -> Option<Found<'a>> {
    let node = read_tree(json, arena, nested)?;
    Some(Search::new(json, arena, asked, nested).find(node))
}

/// Read a document of unknown shape; None if it is no JSON.
pub(crate) fn read_tree<'a>(json: &'a str, arena: &'a Bump, nested: &'static dyn Nested) -> Option<Node<'a>> {
    let mut record = Record::new(arena, Events::ALL, nested);
    parse::read_tree(json, 0, &mut record).ok()
}

/// Read one JSON object, whose keys have their meaning in `scope`, into `record`.
pub(crate) fn read_into<'a>(json: &'a str, scope: Scope, record: &mut Record<'a>) -> Result<(), String> {
    let start = json.len() - json.trim_ascii_start().len();
    read_object(json, start, scope, &mut Keys::uncached(), record).map(|_| ()).map_err(|broken| broken.describe(json))
}

/// The JSON format.
pub struct Json {
    nested: &'static dyn Nested,
    mapping: Option<&'static Mapping>,
    /// How far the pending bytes have been scanned.
    at: usize,
    /// Where the record that contains `at` begins.
    start: usize,
    /// The state at `at` within that record, once it has begun.
    scanner: Option<Scanner>,
    /// Whether the record is too long and being dropped.
    dropping: bool,
}

impl Format for Json {
    fn name(&self) -> FormatName {
        FormatName::Json
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        if self.dropping {
            return self.drop_rest(pending);
        }
        if pending.at_end {
            return Cut::Take(pending.bytes.len());
        }
        self.advance(pending.bytes);
        match self.start {
            0 if pending.bytes.len() < MAX_RECORD_BYTES => Cut::More,
            0 => {
                ledger.records += 1;
                add_overlong(pending.offset, pending.line, ledger);
                self.dropping = true;
                self.drop_rest(pending)
            }
            end => {
                self.at -= end;
                self.start = 0;
                Cut::Take(end)
            }
        }
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(JsonDecoder { nested: self.nested, mapping: self.mapping })
    }
}

impl Json {
    pub(crate) fn new(nested: &'static dyn Nested, mapping: Option<&'static Mapping>) -> Self {
        Json { nested, mapping, at: 0, start: 0, scanner: None, dropping: false }
    }

    /// Scan the new bytes; afterwards `start` is behind the last complete record.
    fn advance(&mut self, bytes: &[u8]) {
        if let Some(end) = last_line_end(bytes, self.at) {
            (self.at, self.start, self.scanner) = (end, end, None);
        }
        loop {
            let scanner = match &mut self.scanner {
                Some(scanner) => scanner,
                None => {
                    let between = bytes[self.start..].iter().take_while(|byte| is_between(**byte)).count();
                    self.start += between;
                    self.at = self.start;
                    if self.start == bytes.len() {
                        return;
                    }
                    self.scanner.insert(Scanner::default())
                }
            };
            match scanner.run(bytes, self.at) {
                Reached::More(at) => {
                    self.at = at;
                    return;
                }
                Reached::End(end) => (self.start, self.scanner) = (end, None),
            }
        }
    }

    fn drop_rest(&mut self, pending: Pending<'_>) -> Cut {
        let scanner = self.scanner.get_or_insert_default();
        let len = match scanner.run(pending.bytes, self.at) {
            Reached::End(end) => {
                *self = Json::new(self.nested, self.mapping);
                end
            }
            // Keep a line feed until the bytes behind it are known.
            Reached::More(at) if at > 0 && !pending.at_end => {
                self.at = 0;
                at
            }
            Reached::More(_) if pending.at_end => pending.bytes.len(),
            Reached::More(_) => return Cut::More,
        };
        Cut::Drop(len)
    }
}

/// The end of the last line, of those that end at or after `from`, that ends in `}` before a line that begins with `{`.
/// A record ends there whatever came before, since within a record a comma would separate the two.
fn last_line_end(bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memrchr_iter(b'\n', &bytes[from..])
        .map(|found| from + found)
        .find(|at| bytes.get(at + 1) == Some(&b'{') && bytes[..*at].trim_ascii_end().last() == Some(&b'}'))
        .map(|at| at + 1)
}

/// The length of the line `Record 4711` that `evtx_dump` writes before each record; None if it is another line.
pub(crate) fn heading_len(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"Record ")?;
    let end = memchr::memchr(b'\n', &rest[..rest.len().min(MAX_HEADING)])?;
    let number = rest[..end].trim_ascii_end();
    (!number.is_empty() && number.iter().all(u8::is_ascii_digit)).then_some(b"Record ".len() + end + 1)
}

/// More digits than a number of a record has.
const MAX_HEADING: usize = 24;

struct JsonDecoder {
    nested: &'static dyn Nested,
    mapping: Option<&'static Mapping>,
}

impl Decode for JsonDecoder {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let JsonDecoder { nested, mapping } = *self;
        let mut reader =
            Reader { keys: Keys::cached(), nested, mapping, arena: Bump::new(), out, ledger, lossy: false };
        match std::str::from_utf8(block.bytes) {
            Ok(text) => reader.records(text, block.offset, block.line, 0),
            Err(_) => reader.records_lossy(block),
        }
    }
}

/// The deepest nesting of wrappers that is followed.
const MAX_WRAPPERS: usize = 8;

struct Reader<'b> {
    keys: Keys,
    nested: &'static dyn Nested,
    mapping: Option<&'static Mapping>,
    arena: Bump,
    out: &'b mut Tables,
    ledger: &'b mut Ledger,
    lossy: bool,
}

impl Reader<'_> {
    /// Read the records of `text`, which begins at `offset`, in `line`.
    fn records(&mut self, text: &str, offset: u64, mut line: u64, wrappers: usize) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(next) = bytes[at..].iter().position(|byte| !is_between(*byte)) {
            line += count_lines(&bytes[at..at + next]);
            at += next;
            if let Some(heading) = heading_len(&bytes[at..]) {
                at += heading;
                line += 1;
                continue;
            }
            let place = Place { offset: offset + at as u64, line: Some(line), recovered: false };
            let (end, lines) = self.record(text, at, place, wrappers);
            line += lines;
            at = end;
        }
    }

    /// Read the record at `start`; return where it ends, and how many lines it has.
    fn record(&mut self, text: &str, start: usize, place: Place, wrappers: usize) -> (usize, u64) {
        let mut arena = std::mem::take(&mut self.arena);
        let (read, wrapped) = self.record_in(&arena, text, start, place, wrappers);
        arena.reset();
        self.arena = arena;
        if let Some(list) = wrapped {
            let line = place.line.unwrap_or_default() + count_lines(&text.as_bytes()[start..list.start]);
            self.records(&text[list.clone()], place.offset + (list.start - start) as u64, line, wrappers + 1);
        }
        read
    }

    /// Read the record at `start`, with the list of records that the object may turn out to wrap; return where it ends,
    /// and how many lines it has.
    fn record_in(
        &mut self,
        arena: &Bump,
        text: &str,
        start: usize,
        place: Place,
        wrappers: usize,
    ) -> ((usize, u64), Option<Range<usize>>) {
        if let Some(mapping) = self.mapping {
            let end = record_end(text.as_bytes(), start);
            self.mapped(mapping, arena, &text[start..end], place);
            return ((end, count_lines(&text.as_bytes()[start..end])), None);
        }
        let mut record = Record::new(arena, self.out.events(), self.nested);
        let read = read_object(text, start, Scope::Record, &mut self.keys, &mut record);
        let (end, lines) = read.unwrap_or_else(|_| {
            let end = record_end(text.as_bytes(), start);
            (end, count_lines(&text.as_bytes()[start..end]))
        });
        if end - start > MAX_RECORD_BYTES {
            self.ledger.records += 1;
            add_overlong(place.offset, place.line.unwrap_or_default(), self.ledger);
            return ((end, lines), None);
        }
        let verdict = match read {
            Ok(_) => match record.wrapped().filter(|_| wrappers < MAX_WRAPPERS) {
                Some(list) => return ((end, lines), Some(list)),
                None => record.resolve(),
            },
            // Bytes behind the record do not make it broken.
            Err(broken) => Err(broken.describe(&text[..end])),
        };
        match verdict {
            Ok(verdict) if !record.is_settled(verdict) => {
                self.search(arena, &text[start..end], verdict, &record, place, wrappers);
            }
            verdict => self.account(verdict, record.row(), place),
        }
        ((end, lines), None)
    }

    /// Search a record whose shape is unknown.
    #[cold]
    fn search(
        &mut self,
        arena: &Bump,
        json: &str,
        verdict: Verdict,
        record: &Record<'_>,
        place: Place,
        wrappers: usize,
    ) {
        let found = match may_carry(json) {
            true => find(json, arena, self.out.events(), self.nested).unwrap_or(Found::Nothing),
            false => Found::Nothing,
        };
        match found {
            Found::Record(verdict, row) => self.account(Ok(verdict), &row, place),
            Found::Several(parts) if wrappers < MAX_WRAPPERS => self.parts(arena, json, &parts, place, wrappers),
            Found::Unreadable(reason) => self.add_unknown(place, reason),
            _ => match verdict {
                Verdict::Asked(event) if !record.is_event(event) => self.add_unknown(place, unreadable(event)),
                verdict => self.account(Ok(verdict), record.row(), place),
            },
        }
    }

    /// Read the records of a document.
    fn parts(&mut self, arena: &Bump, json: &str, parts: &[Part<'_>], place: Place, wrappers: usize) {
        let (mut at, mut line) = (0, place.line.unwrap_or_default());
        for part in parts {
            line += count_lines(&json.as_bytes()[at..part.start]);
            at = part.start;
            let place = Place { offset: place.offset + at as u64, line: Some(line), ..place };
            if part.text.starts_with('{') {
                self.records(part.text, place.offset, line, wrappers + 1);
                continue;
            }
            let mut row = Row::default();
            match self.nested.read_line(part.text, arena, &mut row, self.out.events()) {
                Ok(None) => self.account(Ok(Verdict::OtherProvider), &row, place),
                Ok(Some(verdict)) => self.account(Ok(verdict), &row, place),
                Err(reason) => self.account(Err(reason), &row, place),
            }
        }
    }

    fn add_unknown(&mut self, place: Place, reason: String) {
        self.ledger.records += 1;
        self.ledger.damage.add(UNKNOWN_FORMAT, place.offset, place.line, || reason);
    }

    fn account(&mut self, verdict: Result<Verdict, String>, row: &Row<'_>, place: Place) {
        self.ledger.records += 1;
        match verdict {
            Ok(Verdict::Asked(event)) => self.out.of(event).push(row, place, self.ledger),
            Ok(other) => other.count(self.ledger),
            Err(reason) => self.ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || reason),
        }
        if self.lossy {
            warn_invalid_utf8(place, self.ledger);
        }
    }

    /// Decode the records of a block with bytes that are not UTF-8, one by one.
    fn records_lossy(&mut self, block: Block<'_>) {
        let bytes = block.bytes;
        let (mut at, mut line) = (0, block.line);
        while let Some(next) = bytes[at..].iter().position(|byte| !is_between(*byte)) {
            line += count_lines(&bytes[at..at + next]);
            at += next;
            let end = record_end(bytes, at);
            let text = String::from_utf8_lossy(&bytes[at..end]);
            self.lossy = matches!(text, std::borrow::Cow::Owned(_));
            self.records(&text, block.offset + at as u64, line, 0);
            line += count_lines(&bytes[at..end]);
            at = end;
        }
    }
}
