//! Rows into Arrow columns: the one place where a log's value becomes the table's type.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

use crate::ledger::Ledger;
use crate::schema::{Field, Kind, schema};
use crate::value::{
    Value, ip_bytes, is_garbled_ipv6, parse_bool, parse_guid, parse_int, parse_ip, parse_time_us, write_guid,
    write_hex, write_sid,
};

/// Value of a cell that could not be read as its column's type; the cell is null.
pub const UNREADABLE_VALUE: &str = "unreadable value";
/// An address that is not one (redacted, say): its text is kept, its bytes are null.
pub const NOT_AN_ADDRESS: &str = "not an address";
/// See [`is_garbled_ipv6`].
pub const GARBLED_ADDRESS: &str = "IPv4 garbled as IPv6";

/// Where a record was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Byte offset in the unpacked input.
    pub offset: u64,
    /// Line, counted from 1, where the input has lines.
    pub line: Option<u64>,
    /// Whether it was carved out of slack space or a broken chunk.
    pub recovered: bool,
}

/// One event 3 as a reader found it: a value for each field, [`Value::Null`] unless set.
#[derive(Clone, Debug)]
pub struct Row<'a>([Value<'a>; Field::COUNT]);

impl Default for Row<'_> {
    fn default() -> Self {
        Row([Value::Null; Field::COUNT])
    }
}

impl<'a> Row<'a> {
    /// Set a field.
    #[inline]
    pub fn set(&mut self, field: Field, value: Value<'a>) {
        self.0[field as usize] = value;
    }

    /// The field's value.
    #[inline]
    pub fn get(&self, field: Field) -> Value<'a> {
        self.0[field as usize]
    }

    /// Set a field that has no value yet.
    #[inline]
    pub fn fill(&mut self, field: Field, value: Value<'a>) {
        if self.0[field as usize] == Value::Null {
            self.0[field as usize] = value;
        }
    }
}

/// Bytes of variable length with their offsets: a string or binary column under construction.
#[derive(Debug)]
struct Bytes {
    values: Vec<u8>,
    offsets: Vec<i32>,
    valid: BooleanBufferBuilder,
}

impl Bytes {
    fn new() -> Self {
        Bytes { values: Vec::new(), offsets: vec![0], valid: BooleanBufferBuilder::new(0) }
    }

    /// End the cell whose bytes were appended to `values`; no bytes and `-` are null.
    #[inline]
    fn close_text(&mut self) {
        let start = self.offsets.last().map_or(0, |offset| *offset as usize);
        let cell = &self.values[start..];
        let null = cell.is_empty() || cell == b"-";
        if null {
            self.values.truncate(start);
        }
        self.close(!null);
    }

    #[inline]
    fn close(&mut self, valid: bool) {
        self.offsets.push(self.values.len() as i32);
        self.valid.append(valid);
    }

    fn take(self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        (OffsetBuffer::new(ScalarBuffer::from(self.offsets)), Buffer::from_vec(self.values), nulls(self.valid))
    }
}

fn nulls(mut valid: BooleanBufferBuilder) -> Option<NullBuffer> {
    Some(NullBuffer::new(valid.finish())).filter(|nulls| nulls.null_count() > 0)
}

#[derive(Debug)]
struct Numbers<T> {
    values: Vec<T>,
    valid: BooleanBufferBuilder,
}

impl<T: Copy + Default> Numbers<T> {
    fn new() -> Self {
        Numbers { values: Vec::new(), valid: BooleanBufferBuilder::new(0) }
    }

    #[inline]
    fn push(&mut self, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.valid.append(value.is_some());
    }
}

#[derive(Debug)]
enum Column {
    Bytes(Bytes),
    Int64(Numbers<i64>),
    Int32(Numbers<i32>),
    Bool(BooleanBufferBuilder, BooleanBufferBuilder),
}

impl Column {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Guid | Kind::Ip | Kind::Address => Column::Bytes(Bytes::new()),
            Kind::Time | Kind::Int64 => Column::Int64(Numbers::new()),
            Kind::Int32 | Kind::Port => Column::Int32(Numbers::new()),
            Kind::Bool => Column::Bool(BooleanBufferBuilder::new(0), BooleanBufferBuilder::new(0)),
        }
    }

    fn finish(self, kind: Kind) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Column::Bytes(bytes) => {
                let (offsets, values, nulls) = bytes.take();
                match kind {
                    Kind::Address => Arc::new(BinaryArray::try_new(offsets, values, nulls)?),
                    _ => Arc::new(StringArray::try_new(offsets, values, nulls)?),
                }
            }
            Column::Int64(numbers) => {
                let (values, nulls) = (ScalarBuffer::from(numbers.values), nulls(numbers.valid));
                match kind {
                    Kind::Time => Arc::new(TimestampMicrosecondArray::try_new(values, nulls)?.with_timezone("UTC")),
                    _ => Arc::new(Int64Array::try_new(values, nulls)?),
                }
            }
            Column::Int32(numbers) => {
                Arc::new(Int32Array::try_new(ScalarBuffer::from(numbers.values), nulls(numbers.valid))?)
            }
            Column::Bool(mut values, valid) => Arc::new(BooleanArray::new(values.finish(), nulls(valid))),
        })
    }
}

/// Rows under construction, from one source.
#[derive(Debug)]
pub struct Columns {
    source: Arc<str>,
    columns: Vec<Column>,
    rows: usize,
    scratch: String,
}

impl Columns {
    /// No rows yet; `source` goes into `source_file` of each.
    pub fn new(source: Arc<str>) -> Self {
        let columns = Field::ALL.iter().map(|field| Column::new(field.kind())).collect();
        Columns { source, columns, rows: 0, scratch: String::new() }
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Append `row`. A value that its column cannot hold becomes null and a warning in `ledger`, which
    /// counts the event.
    pub fn push(&mut self, row: &Row<'_>, place: Place, ledger: &mut Ledger) {
        for &field in Field::ALL {
            match field {
                Field::SourceFile => {
                    let source = Arc::clone(&self.source);
                    self.text(field, &source);
                }
                Field::SourceOffset => self.int64(field, Some(place.offset as i64)),
                Field::SourceLine => self.int64(field, place.line.map(|line| line as i64)),
                Field::Recovered => self.bool(field, Some(place.recovered)),
                // Filled with the text of their address.
                Field::SrcIpBytes | Field::DstIpBytes => {}
                _ => self.cell(field, row.get(field), place, ledger),
            }
        }
        self.rows += 1;
        ledger.events += 1;
        ledger.recovered += u64::from(place.recovered);
    }

    #[inline]
    fn cell(&mut self, field: Field, value: Value<'_>, place: Place, ledger: &mut Ledger) {
        match (field.kind(), value) {
            (Kind::Text, Value::Text(text)) => self.text(field, text),
            (Kind::Text, Value::Utf16(utf16)) => {
                if let Column::Bytes(column) = &mut self.columns[field as usize] {
                    push_utf16(utf16, &mut column.values);
                    column.close_text();
                }
            }
            (Kind::Text, Value::Hex(bits)) => self.written(field, |out| write_hex(bits, out)),
            (Kind::Text, Value::Sid(sid)) => self.written(field, |out| write_sid(sid, out)),
            (Kind::Text, Value::Null) => self.text(field, ""),
            (Kind::Guid, Value::Guid(guid)) => self.guid(field, &guid),
            (Kind::Int64, Value::Int(number)) => self.int64(field, Some(number)),
            (Kind::Time, Value::Time(time_us)) => self.int64(field, Some(time_us)),
            (Kind::Bool, Value::Bool(flag)) => self.bool(field, Some(flag)),
            (Kind::Int32 | Kind::Port, Value::Int(number)) => {
                let fits = fits_int32(field.kind(), number);
                self.int32(field, fits);
                if fits.is_none() {
                    warn_unreadable(field, &number.to_string(), place, ledger);
                }
            }
            (_, Value::Null) => self.null(field),
            _ => self.cell_from_text(field, value, place, ledger),
        }
    }

    /// The value spelled as text, then read as the column's type.
    fn cell_from_text(&mut self, field: Field, value: Value<'_>, place: Place, ledger: &mut Ledger) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let text = match value {
            Value::Text(text) => text,
            Value::Utf16(utf16) => {
                let mut bytes = std::mem::take(&mut scratch).into_bytes();
                push_utf16(utf16, &mut bytes);
                // push_utf16 appends UTF-8 only.
                scratch = String::from_utf8(bytes).unwrap_or_default();
                &scratch
            }
            Value::Int(number) => {
                scratch.push_str(&number.to_string());
                &scratch
            }
            Value::Bool(flag) => {
                if flag {
                    "true"
                } else {
                    "false"
                }
            }
            Value::Hex(bits) => {
                scratch.push_str(&(bits as i64).to_string());
                &scratch
            }
            Value::Guid(guid) => {
                let mut bytes = std::mem::take(&mut scratch).into_bytes();
                write_guid(&guid, &mut bytes);
                scratch = String::from_utf8(bytes).unwrap_or_default();
                &scratch
            }
            Value::Sid(_) | Value::Time(_) | Value::Null => "",
        };
        self.parse_cell(field, text, place, ledger);
        self.scratch = scratch;
    }

    fn parse_cell(&mut self, field: Field, text: &str, place: Place, ledger: &mut Ledger) {
        let absent = matches!(text.trim_ascii(), "" | "-");
        let kind = field.kind();
        let readable = match kind {
            Kind::Text => {
                self.text(field, text);
                true
            }
            _ if absent => {
                self.null(field);
                true
            }
            Kind::Guid => match parse_guid(text) {
                Some(guid) => {
                    self.guid(field, &guid);
                    true
                }
                None => {
                    self.null(field);
                    false
                }
            },
            Kind::Ip => {
                self.ip(field, text, place, ledger);
                true
            }
            Kind::Time => {
                let time_us = parse_time_us(text);
                self.int64(field, time_us);
                time_us.is_some()
            }
            Kind::Int64 => {
                let number = parse_int(text);
                self.int64(field, number);
                number.is_some()
            }
            Kind::Int32 | Kind::Port => {
                let number = parse_int(text).and_then(|number| fits_int32(kind, number));
                self.int32(field, number);
                number.is_some()
            }
            Kind::Bool => {
                let flag = parse_bool(text);
                self.bool(field, flag);
                flag.is_some()
            }
            Kind::Address => {
                self.null(field);
                true
            }
        };
        if !readable {
            warn_unreadable(field, text, place, ledger);
        }
    }

    #[inline]
    fn text(&mut self, field: Field, text: &str) {
        if let Column::Bytes(column) = &mut self.columns[field as usize] {
            column.values.extend_from_slice(text.as_bytes());
            column.close_text();
        }
    }

    #[inline]
    fn written(&mut self, field: Field, write: impl FnOnce(&mut Vec<u8>)) {
        if let Column::Bytes(column) = &mut self.columns[field as usize] {
            write(&mut column.values);
            column.close_text();
        }
    }

    #[inline]
    fn guid(&mut self, field: Field, guid: &[u8; 16]) {
        if let Column::Bytes(column) = &mut self.columns[field as usize] {
            write_guid(guid, &mut column.values);
            column.close(true);
        }
    }

    #[inline]
    fn int64(&mut self, field: Field, number: Option<i64>) {
        if let Column::Int64(column) = &mut self.columns[field as usize] {
            column.push(number);
        }
    }

    #[inline]
    fn int32(&mut self, field: Field, number: Option<i32>) {
        if let Column::Int32(column) = &mut self.columns[field as usize] {
            column.push(number);
        }
    }

    #[inline]
    fn bool(&mut self, field: Field, flag: Option<bool>) {
        if let Column::Bool(values, valid) = &mut self.columns[field as usize] {
            values.append(flag.unwrap_or_default());
            valid.append(flag.is_some());
        }
    }

    fn null(&mut self, field: Field) {
        match &mut self.columns[field as usize] {
            Column::Bytes(column) => column.close(false),
            Column::Int64(column) => column.push(None),
            Column::Int32(column) => column.push(None),
            Column::Bool(..) => self.bool(field, None),
        }
        if let Some(bytes) = address_of(field) {
            self.null(bytes);
        }
    }

    fn ip(&mut self, field: Field, text: &str, place: Place, ledger: &mut Ledger) {
        let text = text.trim_ascii();
        let address = parse_ip(text);
        if let Column::Bytes(column) = &mut self.columns[field as usize] {
            match address {
                // Dotted IPv4 has only one text form.
                None | Some(std::net::IpAddr::V4(_)) => column.values.extend_from_slice(text.as_bytes()),
                Some(std::net::IpAddr::V6(v6)) => {
                    use std::io::Write as _;
                    // Writing to a Vec cannot fail.
                    let _ = write!(column.values, "{v6}");
                }
            }
            column.close(true);
        }
        if let Some(Column::Bytes(column)) = address_of(field).map(|bytes| &mut self.columns[bytes as usize]) {
            if let Some(address) = address {
                column.values.extend_from_slice(&ip_bytes(address));
            }
            column.close(address.is_some());
        }
        match address {
            None => ledger.warnings.add(NOT_AN_ADDRESS, place.offset, place.line, || {
                format!("{}: found {:?}, expected an IP address", field.sysmon(), shorten(text))
            }),
            Some(std::net::IpAddr::V6(v6)) if is_garbled_ipv6(&v6) => {
                ledger.warnings.add(GARBLED_ADDRESS, place.offset, place.line, || {
                    let [a, b, c, d, ..] = v6.octets();
                    format!("{}: {v6} lies in no IPv6 block in use; it may be {a}.{b}.{c}.{d}", field.sysmon())
                });
            }
            Some(_) => {}
        }
    }

    /// The rows as a batch of [`schema`].
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let arrays = Field::ALL
            .iter()
            .zip(self.columns)
            .map(|(field, column)| column.finish(field.kind()))
            .collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(schema(), arrays)
    }
}

fn address_of(field: Field) -> Option<Field> {
    match field {
        Field::SrcIp => Some(Field::SrcIpBytes),
        Field::DstIp => Some(Field::DstIpBytes),
        _ => None,
    }
}

fn fits_int32(kind: Kind, number: i64) -> Option<i32> {
    match kind {
        Kind::Port => u16::try_from(number).ok().map(i32::from),
        _ => i32::try_from(number).ok(),
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn warn_unreadable(field: Field, text: &str, place: Place, ledger: &mut Ledger) {
    ledger.warnings.add(UNREADABLE_VALUE, place.offset, place.line, || {
        let expected = match field.kind() {
            Kind::Time => "a time like 2018-04-11 05:29:35.394",
            Kind::Guid => "a GUID",
            Kind::Bool => "true or false",
            Kind::Port => "a port, 0 to 65535",
            _ => "a number",
        };
        format!("{}: found {:?}, expected {expected}", field.sysmon(), shorten(text))
    });
}

/// Append UTF-16 little-endian as UTF-8; trailing NULs are dropped, lone surrogates become U+FFFD.
pub fn push_utf16(utf16: &[u8], out: &mut Vec<u8>) {
    let mut units = utf16.chunks_exact(2);
    let start = out.len();
    out.resize(start + utf16.len() / 2, 0);
    let mut ascii = 0;
    for (byte, unit) in out[start..].iter_mut().zip(units.by_ref()) {
        *byte = unit[0];
        ascii |= u16::from_le_bytes([unit[0], unit[1]]);
    }
    if ascii >= 0x80 {
        out.truncate(start);
        let units = utf16.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let mut buffer = [0; 4];
        for unit in char::decode_utf16(units) {
            let symbol = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(symbol.encode_utf8(&mut buffer).as_bytes());
        }
    }
    while out.len() > start && out.last() == Some(&0) {
        out.pop();
    }
}
