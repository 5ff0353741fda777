//! CSV: EvtxECmd's output, exports of Microsoft Sentinel's tables, and procwire's own.

use std::sync::Arc;

use bumpalo::Bump;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, Pending, Verdict, add_overlong,
    count_lines, warn_invalid_utf8,
};
use crate::shapes::defender::Key;
use crate::shapes::keys::{Scope, Slot, TimeSource, find_column};
use crate::shapes::record::{Nested, Record, Scalar};
use crate::shapes::text::Text;
use crate::table::columns::{Place, Row, Tables};
use crate::table::event::{Event, Events};
use crate::table::ledger::Ledger;
use crate::table::schema::Field;

/// Whether `head` begins with the header line of a CSV that this reader supports.
pub fn is_header(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Header::read(line).is_some_and(|header| header.holds_events())
}

/// The meaning of each column.
struct Header {
    delimiter: u8,
    slots: Vec<Slot>,
}

impl Header {
    /// The first line that is not blank.
    fn read(line: &[u8]) -> Option<Header> {
        let names = std::str::from_utf8(line).ok()?.trim_ascii();
        let delimiter = [',', ';', '\t']
            .into_iter()
            .max_by_key(|delimiter| (names.matches(*delimiter).count(), *delimiter == ','))?;
        let delimiter = delimiter as u8;
        let mut rows = Rows::new(names.as_bytes(), delimiter);
        rows.next()?;
        let slots = rows.fields().map(|name| column_slot(&String::from_utf8_lossy(name))).collect();
        Some(Header { delimiter, slots })
    }

    /// Whether the columns can hold an event: as one text, or field by field.
    fn holds_events(&self) -> bool {
        let whole = self.slots.iter().any(|slot| {
            matches!(slot, Slot::EventData(_) | Slot::Payload | Slot::Original | Slot::Message | Slot::Params)
        });
        let both = |guid: Slot, other: Slot| self.slots.contains(&guid) && self.slots.contains(&other);
        let marked = |slot: fn(Field) -> Slot| {
            Event::SYSMON.into_iter().any(|event| both(slot(Field::ProcessGuid), slot(event.marks()[0])))
        };
        (whole && self.slots.len() > 1)
            || marked(Slot::Flat)
            || marked(Slot::Data)
            || both(Slot::Own(Field::ProcessGuid), Slot::Own(Field::EventCreationTime))
            || both(Slot::Defender(Key::Action), Slot::Defender(Key::LocalIp))
    }
}

/// Sentinel's portal names the time zone in the header only.
fn column_slot(name: &str) -> Slot {
    let name = name.trim_ascii();
    let Some((base, zone)) = name.strip_suffix(']').and_then(|name| name.split_once(" [")) else {
        return find_column(name);
    };
    match find_column(base) {
        Slot::Time(_) if zone.eq_ignore_ascii_case("UTC") => Slot::Time(TimeSource::System),
        Slot::Time(_) => Slot::Skip,
        slot => slot,
    }
}

/// Rows of a CSV with their fields unquoted, in buffers that are reused for each.
struct Rows<'b> {
    reader: Reader,
    bytes: &'b [u8],
    at: usize,
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
}

impl<'b> Rows<'b> {
    fn new(bytes: &'b [u8], delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Rows { reader, bytes, at: 0, text: vec![0; 4 << 10], text_len: 0, ends: vec![0; 64], ends_len: 0 }
    }

    /// The range of the next row, blank lines before it included.
    fn next(&mut self) -> Option<std::ops::Range<usize>> {
        let start = self.at;
        (self.text_len, self.ends_len) = (0, 0);
        loop {
            let (result, read, written, ended) = self.reader.read_record(
                &self.bytes[self.at..],
                &mut self.text[self.text_len..],
                &mut self.ends[self.ends_len..],
            );
            self.at += read;
            self.text_len += written;
            self.ends_len += ended;
            match result {
                // Empty input signals the end.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return Some(start..self.at),
                ReadRecordResult::End => return None,
            }
        }
    }

    fn fields(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.ends_len).map(|index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            &self.text[start..self.ends[index]]
        })
    }
}

/// The CSV format.
pub struct Csv {
    nested: &'static dyn Nested,
    header: Option<Arc<CsvDecoder>>,
    /// How far the pending bytes have been scanned.
    at: usize,
    /// Where the row that contains `at` begins.
    start: usize,
    quoted: bool,
    /// Whether the row is too long and being dropped.
    dropping: bool,
}

impl Format for Csv {
    fn name(&self) -> FormatName {
        FormatName::Csv
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        let Some(header) = &self.header else { return self.cut_header(pending) };
        if pending.at_end && !self.dropping {
            return Cut::Take(pending.bytes.len());
        }
        let delimiter = header.header.delimiter;
        self.advance(pending.bytes, delimiter);
        if self.dropping {
            return self.drop_rest(pending);
        }
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
        match &self.header {
            Some(decoder) => Arc::clone(decoder) as Arc<dyn Decode>,
            // Blocks are cut only once the header is known.
            None => Arc::new(CsvDecoder { header: Header { delimiter: b',', slots: Vec::new() }, nested: self.nested }),
        }
    }
}

impl Csv {
    pub(crate) fn new(nested: &'static dyn Nested) -> Self {
        Csv { nested, header: None, at: 0, start: 0, quoted: false, dropping: false }
    }

    fn cut_header(&mut self, pending: Pending<'_>) -> Cut {
        let bytes = pending.bytes;
        let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
        let end = match memchr::memchr(b'\n', &bytes[start..]) {
            Some(found) => start + found + 1,
            None if pending.at_end || bytes.len() >= MAX_RECORD_BYTES => bytes.len(),
            None => return Cut::More,
        };
        let header = Header::read(&bytes[start..end]).unwrap_or(Header { delimiter: b',', slots: Vec::new() });
        self.header = Some(Arc::new(CsvDecoder { header, nested: self.nested }));
        Cut::Drop(end)
    }

    /// Skip complete rows, or to the end of the one that is being dropped: line feeds within quotation marks end no
    /// row. Afterwards `start` is behind the last row.
    fn advance(&mut self, bytes: &[u8], delimiter: u8) {
        while let Some(found) = memchr::memchr2(b'"', b'\n', &bytes[self.at..]) {
            let at = self.at + found;
            self.at = at + 1;
            match bytes[at] {
                b'"' if self.quoted => match bytes.get(at + 1) {
                    Some(b'"') => self.at = at + 2,
                    Some(_) => self.quoted = false,
                    None => {
                        self.at = at;
                        return;
                    }
                },
                // Except at the beginning of a field, it is an ordinary character.
                b'"' => self.quoted = at == self.start || [delimiter, b'\n', b'\r'].contains(&bytes[at - 1]),
                _ if self.quoted => {}
                _ => {
                    self.start = at + 1;
                    if self.dropping {
                        return;
                    }
                }
            }
        }
        self.at = bytes.len();
    }

    fn drop_rest(&mut self, pending: Pending<'_>) -> Cut {
        if self.start > 0 {
            self.at -= self.start;
            self.dropping = false;
            return Cut::Drop(std::mem::take(&mut self.start));
        }
        if pending.at_end {
            return Cut::Drop(pending.bytes.len());
        }
        // Keep this byte: what a quotation mark means depends on the byte before it.
        match self.at {
            0 | 1 => Cut::More,
            at => {
                self.at = 1;
                Cut::Drop(at - 1)
            }
        }
    }
}

struct CsvDecoder {
    header: Header,
    nested: &'static dyn Nested,
}

impl Decode for CsvDecoder {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let mut arena = Bump::new();
        let mut rows = Rows::new(block.bytes, self.header.delimiter);
        let mut line = block.line;
        while let Some(range) = rows.next() {
            // A row's range may begin with the line end of the row before, or with blank lines.
            let bytes = &block.bytes[range.clone()];
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let place = Place {
                offset: block.offset + (range.start + blank) as u64,
                line: Some(line + count_lines(&bytes[..blank])),
                recovered: false,
            };
            self.decode_row(&rows, bytes.len() - blank, &arena, place, out, ledger);
            arena.reset();
            line += count_lines(bytes);
        }
    }
}

impl CsvDecoder {
    fn decode_row(
        &self,
        rows: &Rows<'_>,
        len: usize,
        arena: &Bump,
        place: Place,
        out: &mut Tables,
        ledger: &mut Ledger,
    ) {
        ledger.records += 1;
        let (found, expected) = (rows.fields().len(), self.header.slots.len());
        if len > MAX_RECORD_BYTES {
            return add_overlong(place.offset, place.line.unwrap_or_default(), ledger);
        }
        if found != expected {
            return ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || {
                format!("found a row of {found} fields, expected {expected}")
            });
        }
        let mut lossy = false;
        let mut row = Row::default();
        match self.read_row(rows, arena, &mut row, &mut lossy, out.events()) {
            Ok(Verdict::Asked(event)) => out.of(event).push(&row, place, ledger),
            Ok(other) => other.count(ledger),
            Err(reason) => ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || reason),
        }
        if lossy {
            warn_invalid_utf8(place, ledger);
        }
    }

    fn read_row<'a>(
        &self,
        rows: &'a Rows<'_>,
        arena: &'a Bump,
        row: &mut Row<'a>,
        lossy: &mut bool,
        asked: Events,
    ) -> Result<Verdict, String> {
        let mut record = Record::new(arena, asked, self.nested);
        for (field, slot) in rows.fields().zip(&self.header.slots) {
            if *slot == Slot::Skip || field.is_empty() {
                continue;
            }
            let raw = match std::str::from_utf8(field) {
                Ok(text) => text,
                Err(_) => {
                    *lossy = true;
                    arena.alloc_str(&String::from_utf8_lossy(field))
                }
            };
            let raw = match slot {
                Slot::Time(_) => us_time(raw, arena).unwrap_or(raw),
                _ => raw,
            };
            record.put(Scope::Data, *slot, Scalar::Text(Text { raw, json: false }))?;
        }
        let verdict = record.resolve()?;
        *row = record.row().clone();
        Ok(verdict)
    }
}

/// `11/17/2023, 6:02:04.819 AM`, as Sentinel's portal writes times, converted to `2023-11-17 06:02:04.819`.
fn us_time<'a>(text: &str, arena: &'a Bump) -> Option<&'a str> {
    let (date, time) = text.split_once(", ")?;
    let (clock, half) = time.rsplit_once(' ')?;
    let mut date = date.splitn(3, '/').map(str::parse::<u32>);
    let (month, day, year) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (hour, rest) = clock.split_once(':')?;
    let hour = hour.parse::<u32>().ok()? % 12 + if half.eq_ignore_ascii_case("PM") { 12 } else { 0 };
    Some(arena.alloc_str(&format!("{year:04}-{month:02}-{day:02} {hour:02}:{rest}")))
}
