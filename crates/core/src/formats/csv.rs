//! CSV: EvtxECmd's output, exports of Microsoft Sentinel's tables, of Event Viewer, PowerShell, Splunk, Kibana and others,
//! and procwire's own. What a column means is known by its name, or by what its cells hold.

use std::sync::Arc;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, Pending, SYSMON_LINUX, UNKNOWN_FORMAT,
    Verdict, add_overlong, count_lines, is_sysmon, warn_invalid_utf8,
};
use crate::shapes::defender::Key;
use crate::shapes::keys::{Scope, Slot, TimeSource, find_column};
use crate::shapes::lines;
use crate::shapes::mapping::Mapping;
use crate::shapes::message::event_of;
use crate::shapes::names::{Meaning, Path};
use crate::shapes::record::{Nested, Record, Scalar};
use crate::shapes::search::{Found, Search};
use crate::shapes::text::Text;
use crate::shapes::tree::{Node, Tree};
use crate::table::columns::{Place, Row, Tables};
use crate::table::event::{Event, Events};
use crate::table::ledger::Ledger;
use crate::table::schema::{Field, Kind};
use crate::table::value::parse_int;

/// The first line of what PowerShell 5.1's `Export-Csv` writes.
const TYPE_LINE: &[u8] = b"#TYPE ";

/// Whether `head` begins with the header line of a CSV that this reader supports.
pub fn is_header(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Header::read(line).is_some_and(|header| header.holds_events())
}

/// Whether this is a line that may stand before the header.
pub fn is_before_header(line: &[u8]) -> bool {
    line.starts_with(TYPE_LINE) || line.trim_ascii().is_empty()
}

/// Whether `head` is a header line that says nothing, and rows, and what stands at `mark` is in quotation marks in a row
/// of as many cells. None if that needs more bytes than these.
pub fn carries(head: &[u8], mark: usize, whole: bool) -> Option<bool> {
    let end = memchr::memchr(b'\n', head).map_or(head.len(), |end| end + 1);
    let Some(header) = Header::read(&head[..end]).filter(|header| header.is_plausible() && mark >= end) else {
        return Some(false);
    };
    let mut rows = Rows::new(&head[end..], header.delimiter);
    while let Some(range) = rows.next() {
        if end + range.end > mark {
            if !whole && range.end == head.len() - end {
                return None;
            }
            let quoted = [header.delimiter, b'"'];
            let before = &head[end + range.start..mark];
            let is_quoted =
                before.trim_ascii_start().starts_with(b"\"") || memchr::memmem::find(before, &quoted).is_some();
            let cells = header.columns.len();
            let found = rows.fields().len();
            // Without quotation marks, chance could not make as many cells in both lines.
            return Some((is_quoted && found == cells + 1) || (found == cells && (is_quoted || cells > 4)));
        }
    }
    if whole { Some(false) } else { None }
}

/// A column's meaning.
#[derive(Clone, Copy, Debug)]
struct Column {
    slot: Slot,
    scope: Scope,
}

/// A column without a name.
const UNNAMED: Column = Column { slot: Slot::Skip, scope: Scope::Record };

/// Whether `head` begins with the header line of a CSV that has a column which the mapping names.
pub(crate) fn has_mapped_header(head: &[u8], mapping: &Mapping) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Header::read(line).is_some_and(|header| mapping.keys().any(|key| header.names.iter().any(|name| name == key)))
}

/// The meaning of each column.
#[derive(Default)]
struct Header {
    delimiter: u8,
    names: Vec<String>,
    columns: Vec<Column>,
    /// Whether each name can be that of a column.
    is_named: bool,
}

impl Header {
    /// The first line that is not blank.
    fn read(line: &[u8]) -> Option<Header> {
        let names = std::str::from_utf8(line).ok()?.trim_ascii();
        let delimiter = [',', ';', '\t', '|']
            .into_iter()
            .max_by_key(|delimiter| (names.matches(*delimiter).count(), *delimiter == ','))?;
        let delimiter = delimiter as u8;
        let mut rows = Rows::new(names.as_bytes(), delimiter);
        rows.next()?;
        let names: Vec<_> = rows.fields().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let columns = names.iter().map(|name| column(name)).collect();
        let is_named = names.iter().all(|name| is_name(name));
        Some(Header { delimiter, names, columns, is_named })
    }

    /// Whether the columns can hold an event: as one text, or field by field.
    fn holds_events(&self) -> bool {
        let has = |slot: Slot| self.columns.iter().any(|column| column.slot == slot);
        let whole = self.columns.iter().any(|column| {
            matches!(column.slot, Slot::EventData(_) | Slot::Payload | Slot::Original | Slot::Message | Slot::Params)
        });
        let marked = |slot: fn(Field) -> Slot| {
            let beside = [Field::ProcessGuid, Field::ProcessName, Field::SrcIp, Field::DstPort, Field::ProcessId];
            Event::SYSMON
                .into_iter()
                .any(|event| has(slot(event.marks()[0])) && beside.into_iter().any(|field| has(slot(field))))
        };
        let arena = Bump::new();
        let meant: Vec<_> = self.names.iter().filter_map(|name| meaning(name, &arena)).collect();
        let named = Event::SYSMON.into_iter().any(|event| {
            meant.contains(&event.marks()[0]) && meant.iter().filter(|field| event.data().contains(field)).count() > 1
        });
        named
            || (whole && self.columns.len() > 1)
            || marked(Slot::Flat)
            || marked(Slot::Data)
            || (has(Slot::Own(Field::ProcessGuid)) && has(Slot::Own(Field::EventCreationTime)))
            || (has(Slot::Defender(Key::Action)) && has(Slot::Defender(Key::LocalIp)))
    }

    /// Whether this may be a header.
    fn is_plausible(&self) -> bool {
        self.is_named && self.columns.len() > 1
    }
}

fn is_name(name: &str) -> bool {
    let name = name.trim_ascii();
    name.chars().count() <= 64
        && !name.contains(['<', '{', '=', '\n'])
        && !name.contains(": ")
        && parse_int(name).is_none()
}

/// Sentinel's portal names the time zone in the header only.
fn column(name: &str) -> Column {
    let name = name.trim_ascii();
    let lower = name.to_ascii_lowercase();
    // In whichever way its path is written, and behind whatever prefix.
    let is_wazuh = ["win.eventdata.", "win_eventdata_", "win-eventdata-", "win/eventdata/"]
        .iter()
        .any(|path| lower.contains(path));
    let scope = if is_wazuh { Scope::WazuhData } else { Scope::Data };
    let slot = match name.strip_suffix(']').and_then(|name| name.split_once(" [")) {
        None => named(name),
        Some((base, zone)) => match find_column(base) {
            Slot::Time(_) if zone.eq_ignore_ascii_case("UTC") => Slot::Time(TimeSource::System),
            Slot::Time(_) => Slot::Skip,
            slot => slot,
        },
    };
    Column { slot, scope }
}

/// The meaning of a name, with or without blanks in it.
fn named(name: &str) -> Slot {
    match find_column(name) {
        Slot::Skip if name.contains(' ') => match find_column(&name.replace(' ', "")) {
            Slot::Skip => lines::header_field(name).map_or(Slot::Skip, Slot::Second),
            slot => slot,
        },
        slot => slot,
    }
}

/// The field that a name stands for in whatever spelling, behind whatever prefix.
fn meaning(name: &str, arena: &Bump) -> Option<Field> {
    match Path::ROOT.join(name, arena).meaning()?.0 {
        Meaning::Data(field) | Meaning::Alias(field) | Meaning::System(field) => Some(field),
        _ => None,
    }
}

/// What a cell of a column that has no meaning may hold.
fn slot_of_cell(text: &str) -> Slot {
    match text {
        _ if is_sysmon(text) => Slot::Set(Field::ProviderName),
        _ if text.len() > LONG_CELL && event_of(text).is_some() => Slot::Message,
        _ if text.len() > LONG_CELL && text.starts_with("{\"") => Slot::Original,
        _ => Slot::Skip,
    }
}

/// A shorter cell holds no event.
const LONG_CELL: usize = 128;

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
    mapping: Option<&'static Mapping>,
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
            None => Arc::new(CsvDecoder { header: Header::default(), nested: self.nested, mapping: self.mapping }),
        }
    }
}

impl Csv {
    pub(crate) fn new(nested: &'static dyn Nested, mapping: Option<&'static Mapping>) -> Self {
        Csv { nested, mapping, header: None, at: 0, start: 0, quoted: false, dropping: false }
    }

    fn cut_header(&mut self, pending: Pending<'_>) -> Cut {
        let bytes = pending.bytes;
        let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(bytes.len());
        if bytes[start..].starts_with(TYPE_LINE)
            && let Some(end) = memchr::memchr(b'\n', &bytes[start..])
        {
            return Cut::Drop(start + end + 1);
        }
        let end = match memchr::memchr(b'\n', &bytes[start..]) {
            Some(found) => start + found + 1,
            None if pending.at_end || bytes.len() >= MAX_RECORD_BYTES => bytes.len(),
            None => return Cut::More,
        };
        let header = Header::read(&bytes[start..end]).unwrap_or_default();
        self.header = Some(Arc::new(CsvDecoder { header, nested: self.nested, mapping: self.mapping }));
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

/// What a row shows beyond its event.
struct Seen {
    /// Whether it is not UTF-8.
    lossy: bool,
    /// The kind of damage, if it cannot be read.
    damage: &'static str,
}

struct CsvDecoder {
    header: Header,
    nested: &'static dyn Nested,
    mapping: Option<&'static Mapping>,
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
        let (found, expected) = (rows.fields().len(), self.header.columns.len());
        if len > MAX_RECORD_BYTES {
            return add_overlong(place.offset, place.line.unwrap_or_default(), ledger);
        }
        if !self.fits(rows) {
            return ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || {
                format!("found a row of {found} fields, expected {expected}")
            });
        }
        let mut seen = Seen { lossy: false, damage: BROKEN_RECORD };
        let mut row = Row::default();
        match self.read_row(rows, arena, &mut row, &mut seen, out.events()) {
            Ok(Verdict::Asked(event)) => out.of(event).push(&row, place, ledger),
            Ok(other) => other.count(ledger),
            Err(reason) => ledger.damage.add(seen.damage, place.offset, place.line, || reason),
        }
        if seen.lossy {
            warn_invalid_utf8(place, ledger);
        }
    }

    fn read_row<'a>(
        &self,
        rows: &'a Rows<'_>,
        arena: &'a Bump,
        row: &mut Row<'a>,
        seen: &mut Seen,
        asked: Events,
    ) -> Result<Verdict, String> {
        if let Some(mapping) = self.mapping {
            return self.read_mapped(mapping, rows, arena, row, seen, asked);
        }
        let mut record = Record::new(arena, asked, self.nested);
        let columns = self.header.columns.iter().copied().chain(std::iter::repeat(UNNAMED));
        for (field, Column { slot, scope }) in rows.fields().zip(columns) {
            if field.is_empty() || (slot == Slot::Skip && field.len() < SYSMON_LINUX.len()) {
                continue;
            }
            let raw = match std::str::from_utf8(field) {
                Ok(text) => text,
                Err(_) => {
                    seen.lossy = true;
                    arena.alloc_str(&String::from_utf8_lossy(field))
                }
            };
            if field.len() > LONG_CELL
                && matches!(slot, Slot::Skip | Slot::Original)
                && let Some(verdict) = self.read_carried(raw, arena, row, asked)?
            {
                return Ok(verdict);
            }
            if slot == Slot::Skip && memchr::memmem::find(field, lines::BARS.as_bytes()).is_some() {
                for (field, raw) in lines::between_bars(raw) {
                    record.put(scope, Slot::Data(field), Scalar::Text(Text { raw, json: false }))?;
                }
                continue;
            }
            let slot = if slot == Slot::Skip { slot_of_cell(raw) } else { slot };
            let raw = match slot {
                Slot::Time(_) => us_time(raw, arena).unwrap_or(raw),
                _ => ungrouped(slot, raw, arena),
            };
            record.put(scope, slot, Scalar::Text(Text { raw, json: false }))?;
        }
        let verdict = record.resolve()?;
        if !record.is_settled(verdict) {
            match Search::new("", arena, asked, self.nested).find(self.node(rows, arena)) {
                Found::Record(verdict, found) => {
                    *row = *found;
                    return Ok(verdict);
                }
                Found::Unreadable(reason) => {
                    seen.damage = UNKNOWN_FORMAT;
                    return Err(reason);
                }
                Found::Several(_) | Found::Nothing => {}
            }
        }
        if let Verdict::Asked(event) = verdict
            && !record.is_event(event)
        {
            seen.damage = UNKNOWN_FORMAT;
            return Err(format!("found an event {} without its fields, expected columns that have them", event.id()));
        }
        *row = record.row().clone();
        Ok(verdict)
    }

    /// The row as an object whose keys are the columns' names.
    fn node<'a>(&self, rows: &'a Rows<'_>, arena: &'a Bump) -> Node<'a> {
        let mut members = BumpVec::new_in(arena);
        for (cell, name) in rows.fields().zip(&self.header.names) {
            let Ok(raw) = std::str::from_utf8(cell) else { continue };
            let raw = match meaning(name, arena) {
                Some(field) => ungrouped(Slot::Data(field), raw, arena),
                None => raw,
            };
            let value = Tree::Leaf(Scalar::Text(Text { raw, json: false }));
            let name: &'a str = arena.alloc_str(name);
            members.push((name, Node { start: 0, end: 0, value }));
        }
        Node { start: 0, end: 0, value: Tree::Object(members.into_bump_slice()) }
    }

    /// Read a row whose columns a user's mapping explains.
    fn read_mapped<'a>(
        &self,
        mapping: &'static Mapping,
        rows: &'a Rows<'_>,
        arena: &'a Bump,
        row: &mut Row<'a>,
        seen: &mut Seen,
        asked: Events,
    ) -> Result<Verdict, String> {
        let mut cells: Vec<&'a str> = Vec::with_capacity(self.header.names.len());
        for field in rows.fields() {
            seen.lossy |= std::str::from_utf8(field).is_err();
            cells.push(std::str::from_utf8(field).unwrap_or_else(|_| arena.alloc_str(&String::from_utf8_lossy(field))));
        }
        let get = |key: &str| {
            let column = self.header.names.iter().position(|name| name == key)?;
            cells.get(column).map(|raw| Scalar::Text(Text { raw, json: false }))
        };
        mapping.read(&get, arena, asked, self.nested, row)
    }

    /// Read the event that a cell holds complete with where it comes from: as XML, or as Splunk's text.
    fn read_carried<'a>(
        &self,
        text: &'a str,
        arena: &'a Bump,
        row: &mut Row<'a>,
        asked: Events,
    ) -> Result<Option<Verdict>, String> {
        let has = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
        if !(has("<Event>") || has("<Event ") || (has("LogName=") && has("Message="))) {
            return Ok(None);
        }
        match self.nested.read_line(text, arena, row, asked)? {
            Some(Verdict::OtherProvider) | None => {
                *row = Row::default();
                Ok(None)
            }
            verdict => Ok(verdict),
        }
    }

    /// Whether a row has a cell for each column. It may have empty ones behind them, or one without a name that holds a
    /// message text, as Event Viewer writes it; and it may lack the last ones if they are names that are often absent.
    fn fits(&self, rows: &Rows<'_>) -> bool {
        let columns = &self.header.columns;
        let is_text = |cell: &[u8]| std::str::from_utf8(cell).is_ok_and(|text| event_of(text).is_some());
        let is_often_absent = |column: &Column| {
            use Field::{DstHostName, DstPortName, SrcHostName, SrcPortName};
            matches!(
                column.slot,
                Slot::Flat(DstPortName | SrcPortName | DstHostName | SrcHostName)
                    | Slot::Data(DstPortName | SrcPortName | DstHostName | SrcHostName)
            )
        };
        match rows.fields().len() {
            cells if cells == columns.len() => true,
            cells if cells > columns.len() => {
                rows.fields().skip(columns.len()).all(|cell| cell.is_empty() || is_text(cell))
            }
            cells => cells > 1 && columns[cells..].iter().all(is_often_absent),
        }
    }
}

/// A number without what separates its thousands, as Kibana writes it: `50,122`.
fn ungrouped<'a>(slot: Slot, text: &'a str, arena: &'a Bump) -> &'a str {
    let (Slot::Set(field) | Slot::Second(field) | Slot::Flat(field) | Slot::Data(field) | Slot::Own(field)) = slot
    else {
        return text;
    };
    if !matches!(field.kind(), Kind::Int64 | Kind::Int32 | Kind::Port) || text.bytes().all(|byte| byte.is_ascii_digit())
    {
        return text;
    }
    for separator in [',', '.', '\'', '\u{a0}', '\u{202f}'] {
        let mut groups = text.split(separator);
        let is_grouped = groups.next().is_some_and(|first| (1..=3).contains(&first.len()) && is_digits(first))
            && groups.all(|group| group.len() == 3 && is_digits(group));
        if is_grouped && text.contains(separator) {
            return arena.alloc_str(&text.replace(separator, ""));
        }
    }
    text
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
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
