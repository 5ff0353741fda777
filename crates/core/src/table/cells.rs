//! Cells of one column: the one place where a log's value becomes the table's type.

use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, TimestampMicrosecondArray};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer, NullBufferBuilder};
use arrow_schema::ArrowError;

use crate::table::bytes::{Bytes, trim};
use crate::table::ledger::{Ledger, Place};
use crate::table::schema::{Field, Kind};
use crate::table::value::{
    PADDED_IPV4, Value, ip_bytes, is_garbled_ipv6, narrow_utf16, parse_bool, parse_guid, parse_int, parse_ip,
    parse_time_us, push_utf16, write_guid, write_hex, write_ipv6, write_sid,
};

/// Kind of warning: a value that could not be read as its column's type; the cell is null.
pub const UNREADABLE_VALUE: &str = "unreadable value";
/// Kind of warning: an address that is not one (redacted, for example): its text stays, its bytes are null.
pub const NOT_AN_ADDRESS: &str = "not an address";
/// Kind of warning: see [`is_garbled_ipv6`].
pub const GARBLED_ADDRESS: &str = "IPv4 garbled as IPv6";

/// Kind of warning: an event that was written to the log over a minute before it happened: one of its times is not UTC.
pub const RECORDED_EARLY: &str = "recorded before it happened";

/// 0001-01-01 to the end of 9999-12-31, in microseconds since 1970.
const CALENDAR_US: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// Bytes reserved for a cell of text.
const CELL_BYTES: usize = 40;
/// Longer text than any number, time, GUID or address has.
const SHORT_BYTES: usize = 64;

#[derive(Debug)]
pub(crate) struct Numbers<T> {
    values: Vec<T>,
    valid: NullBufferBuilder,
}

impl<T: Copy + Default> Numbers<T> {
    fn new(rows: usize) -> Self {
        Numbers { values: Vec::with_capacity(rows), valid: NullBufferBuilder::new(rows) }
    }

    #[inline(always)]
    fn push(&mut self, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.valid.append(value.is_some());
    }

    fn take(mut self) -> (Vec<T>, Option<NullBuffer>) {
        trim(&mut self.values);
        (self.values, self.valid.finish())
    }
}

/// Text. Caches the original of the last cell, if it was UTF-16: in most columns it repeats.
#[derive(Debug)]
pub(crate) struct Texts {
    bytes: Bytes,
    last: Vec<u8>,
}

/// GUIDs. Caches the last one: a process makes many connections.
#[derive(Debug)]
pub(crate) struct Guids {
    bytes: Bytes,
    last: [u8; 16],
    last_text: Vec<u8>,
    /// The text of the last one, if it was text.
    last_raw: Vec<u8>,
}

/// Addresses as text and as bytes. Caches the last one: most events share an end.
#[derive(Debug)]
pub(crate) struct Ips {
    text: Bytes,
    bytes: Bytes,
    /// The text in the log.
    last: Vec<u8>,
    last_text: Vec<u8>,
    last_bytes: [u8; 16],
}

#[derive(Debug)]
pub(crate) struct Flags {
    values: BooleanBufferBuilder,
    valid: NullBufferBuilder,
}

/// A column under construction.
#[derive(Debug)]
pub(crate) enum Cells {
    Text(Texts),
    Guid(Guids),
    Ip(Ips),
    Time(Numbers<i64>),
    Int64(Numbers<i64>),
    Int32(Numbers<i32>),
    Port(Numbers<i32>),
    Bool(Flags),
}

impl Cells {
    /// is_coded: store each distinct text or value of bytes once, with a number for each cell.
    pub(crate) fn new(kind: Kind, rows: usize, is_coded: bool) -> Self {
        let bytes = |cell_bytes| Bytes::new(rows, cell_bytes, is_coded);
        match kind {
            Kind::Text | Kind::Address => Cells::Text(Texts { bytes: bytes(CELL_BYTES), last: Vec::new() }),
            Kind::Guid => Cells::Guid(Guids {
                bytes: bytes(38),
                last: [0; 16],
                last_text: b"{00000000-0000-0000-0000-000000000000}".to_vec(),
                last_raw: Vec::new(),
            }),
            Kind::Ip => Cells::Ip(Ips {
                text: bytes(CELL_BYTES),
                bytes: bytes(16),
                last: Vec::new(),
                last_text: Vec::new(),
                last_bytes: [0; 16],
            }),
            Kind::Time => Cells::Time(Numbers::new(rows)),
            Kind::Int64 => Cells::Int64(Numbers::new(rows)),
            Kind::Int32 => Cells::Int32(Numbers::new(rows)),
            Kind::Port => Cells::Port(Numbers::new(rows)),
            Kind::Bool => {
                Cells::Bool(Flags { values: BooleanBufferBuilder::new(rows), valid: NullBufferBuilder::new(rows) })
            }
        }
    }

    /// Append values, one for each place. A value that the column cannot store becomes null and a warning.
    #[inline(always)]
    pub(crate) fn extend<'a>(
        &mut self,
        values: impl Iterator<Item = Value<'a>>,
        field: Field,
        places: &[Place],
        ledger: &mut Ledger,
    ) {
        match self {
            Cells::Text(texts) => values.for_each(|value| texts.push(value)),
            Cells::Ip(ips) => values.zip(places).for_each(|(value, place)| ips.push(value, field, place, ledger)),
            Cells::Guid(guids) => each(values, field, places, ledger, |value| guids.push(value)),
            Cells::Bool(flags) => each(values, field, places, ledger, |value| flags.push(value)),
            Cells::Time(numbers) => each(values, field, places, ledger, |value| match value {
                Value::Time(time_us) => number(numbers, in_calendar(time_us)),
                Value::Null => absent(numbers),
                _ => parsed(numbers, value, |text| in_calendar(parse_time_us(text)?)),
            }),
            Cells::Int64(numbers) => each(values, field, places, ledger, |value| match value {
                Value::Int(int) => number(numbers, Some(int)),
                Value::Null => absent(numbers),
                _ => parsed(numbers, value, parse_int),
            }),
            Cells::Int32(numbers) => each(values, field, places, ledger, |value| match value {
                Value::Int(int) => number(numbers, i32::try_from(int).ok()),
                Value::Null => absent(numbers),
                _ => parsed(numbers, value, |text| i32::try_from(parse_int(text)?).ok()),
            }),
            Cells::Port(numbers) => each(values, field, places, ledger, |value| match value {
                Value::Int(int) => number(numbers, u16::try_from(int).ok().map(i32::from)),
                Value::Null => absent(numbers),
                _ => parsed(numbers, value, |text| u16::try_from(parse_int(text)?).ok().map(i32::from)),
            }),
        }
    }

    /// The last `rows` times, null as 0; None if this is not a column of times.
    pub(crate) fn last_times_us(&self, rows: usize) -> &[i64] {
        match self {
            Cells::Time(numbers) => &numbers.values[numbers.values.len().saturating_sub(rows)..],
            _ => &[],
        }
    }

    /// Return the column's array; for addresses, also that of their bytes.
    pub(crate) fn finish(self) -> Result<(ArrayRef, Option<ArrayRef>), ArrowError> {
        let array: ArrayRef = match self {
            Cells::Text(texts) => texts.bytes.strings()?,
            Cells::Guid(guids) => guids.bytes.strings()?,
            Cells::Ip(ips) => return Ok((ips.text.strings()?, Some(ips.bytes.binaries()?))),
            Cells::Time(numbers) => {
                let (values, nulls) = numbers.take();
                Arc::new(TimestampMicrosecondArray::try_new(values.into(), nulls)?.with_timezone("UTC"))
            }
            Cells::Int64(numbers) => {
                let (values, nulls) = numbers.take();
                Arc::new(Int64Array::try_new(values.into(), nulls)?)
            }
            Cells::Int32(numbers) | Cells::Port(numbers) => {
                let (values, nulls) = numbers.take();
                Arc::new(Int32Array::try_new(values.into(), nulls)?)
            }
            Cells::Bool(mut flags) => Arc::new(BooleanArray::new(flags.values.finish(), flags.valid.finish())),
        };
        Ok((array, None))
    }
}

/// Push each value; warn of those that `push` rejects.
#[inline(always)]
fn each<'a>(
    values: impl Iterator<Item = Value<'a>>,
    field: Field,
    places: &[Place],
    ledger: &mut Ledger,
    mut push: impl FnMut(Value<'a>) -> bool,
) {
    for (value, place) in values.zip(places) {
        if !push(value) {
            warn_unreadable(field, value, place, ledger);
        }
    }
}

#[inline]
fn number<T: Copy + Default>(numbers: &mut Numbers<T>, value: Option<T>) -> bool {
    numbers.push(value);
    value.is_some()
}

#[inline]
fn absent<T: Copy + Default>(numbers: &mut Numbers<T>) -> bool {
    numbers.push(None);
    true
}

/// The time, if its year is 1 to 9999: a forged one may be of the year 30828, which few tools can represent.
#[inline]
fn in_calendar(time_us: i64) -> Option<i64> {
    CALENDAR_US.contains(&time_us).then_some(time_us)
}

/// A number spelled as text. Null without a warning if the text means absent.
#[inline]
fn parsed<T: Copy + Default>(numbers: &mut Numbers<T>, value: Value<'_>, parse: impl Fn(&str) -> Option<T>) -> bool {
    spelled(value, |text| {
        let found = text.and_then(&parse);
        numbers.push(found);
        found.is_some() || text.is_some_and(is_nothing)
    })
}

fn is_nothing(text: &str) -> bool {
    matches!(text.trim_ascii(), "" | "-")
}

/// Call `read` with the value as text; None if it is too long for anything but text.
#[inline]
fn spelled<R>(value: Value<'_>, read: impl FnOnce(Option<&str>) -> R) -> R {
    let mut buffer = [0; SHORT_BYTES];
    match value {
        Value::Text(text) => read(Some(text)),
        Value::Utf16(utf16) if utf16.len() <= 2 * SHORT_BYTES => {
            let ascii = narrow_utf16(utf16, &mut buffer);
            let text = std::str::from_utf8(&buffer[..utf16.len() / 2]).ok().filter(|_| ascii);
            read(text.map(|text| text.trim_end_matches('\0')))
        }
        Value::Bool(flag) => read(Some(if flag { "true" } else { "false" })),
        Value::Int(int) => read(Some(&int.to_string())),
        Value::Hex(bits) => read(Some(&(bits as i64).to_string())),
        _ => read(None),
    }
}

impl Texts {
    #[inline]
    fn push(&mut self, value: Value<'_>) {
        if let Value::Utf16(utf16) = value {
            return self.push_utf16(utf16);
        }
        self.last.clear();
        let out = &mut self.bytes.values;
        match value {
            Value::Null | Value::Time(_) | Value::Utf16(_) => {}
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
            Value::Hex(bits) => write_hex(bits, out),
            Value::Sid(sid) => write_sid(sid, out),
            Value::Guid(guid) => write_guid(&guid, out),
            Value::Int(_) | Value::Bool(_) => spelled(value, |text| out.extend(text.unwrap_or_default().bytes())),
        }
        self.bytes.close_text();
    }

    #[inline]
    fn push_utf16(&mut self, utf16: &[u8]) {
        if utf16 == self.last && !utf16.is_empty() {
            return self.bytes.repeat();
        }
        self.last.clear();
        self.last.extend_from_slice(utf16);
        push_utf16(utf16, &mut self.bytes.values);
        self.bytes.close_text();
    }
}

impl Guids {
    #[inline]
    fn push(&mut self, value: Value<'_>) -> bool {
        let (guid, readable) = match value {
            Value::Guid(guid) => {
                self.last_raw.clear();
                (Some(guid), true)
            }
            Value::Null => (None, true),
            Value::Text(text) if text.as_bytes() == self.last_raw && !text.is_empty() => (Some(self.last), true),
            _ => spelled(value, |text| {
                let guid = text.and_then(parse_guid);
                self.last_raw.clear();
                if let (Value::Text(text), Some(_)) = (value, guid) {
                    self.last_raw.extend_from_slice(text.as_bytes());
                }
                (guid, guid.is_some() || text.is_some_and(is_nothing))
            }),
        };
        if let Some(guid) = guid {
            if guid != self.last {
                self.last = guid;
                self.last_text.clear();
                write_guid(&guid, &mut self.last_text);
            } else if self.bytes.is_valid() {
                self.bytes.repeat();
                return readable;
            }
            self.bytes.values.extend_from_slice(&self.last_text);
        }
        self.bytes.close(guid.is_some());
        readable
    }
}

impl Ips {
    #[inline]
    fn push(&mut self, value: Value<'_>, field: Field, place: &Place, ledger: &mut Ledger) {
        let raw = match value {
            Value::Null => return self.close(false),
            Value::Text(text) => text.as_bytes(),
            Value::Utf16(utf16) => utf16,
            _ => &[],
        };
        if raw == self.last && !raw.is_empty() {
            if self.text.is_valid() {
                self.text.repeat();
                return self.bytes.repeat();
            }
            self.text.values.extend_from_slice(&self.last_text);
            self.bytes.values.extend_from_slice(&self.last_bytes);
            return self.close(true);
        }
        self.last.clear();
        spelled(value, |text| match text {
            Some(text) if is_nothing(text) => self.close(false),
            Some(text) => self.push_text(text.trim_ascii(), raw, field, place, ledger),
            None => {
                let mut long = Vec::new();
                if let Value::Utf16(utf16) = value {
                    push_utf16(utf16, &mut long);
                }
                self.push_text(&String::from_utf8_lossy(&long), &[], field, place, ledger)
            }
        })
    }

    fn close(&mut self, valid: bool) {
        self.text.close(valid);
        self.bytes.close(valid);
    }

    fn push_text(&mut self, text: &str, raw: &[u8], field: Field, place: &Place, ledger: &mut Ledger) {
        let Some(address) = parse_ip(text) else {
            self.text.values.extend_from_slice(text.as_bytes());
            self.text.close(!text.is_empty());
            self.bytes.close(false);
            warn(NOT_AN_ADDRESS, place, ledger, || {
                format!("{}: found {:?}, expected an IP address", field.sysmon(), shorten(text))
            });
            return;
        };
        self.last_text.clear();
        match address {
            IpAddr::V4(v4) if text.len() == PADDED_IPV4 => self.last_text.extend(v4.to_string().bytes()),
            IpAddr::V4(_) => self.last_text.extend_from_slice(text.as_bytes()),
            IpAddr::V6(v6) => write_ipv6(&v6, &mut self.last_text),
        }
        self.last_bytes = ip_bytes(address);
        self.text.values.extend_from_slice(&self.last_text);
        self.bytes.values.extend_from_slice(&self.last_bytes);
        match address {
            IpAddr::V6(v6) if is_garbled_ipv6(&v6) => warn(GARBLED_ADDRESS, place, ledger, || {
                let [a, b, c, d, ..] = v6.octets();
                format!("{}: {v6} lies in no IPv6 block in use; it may be {a}.{b}.{c}.{d}", field.sysmon())
            }),
            // Garbled addresses are not cached: each needs its warning.
            _ => self.last.extend_from_slice(raw),
        }
        self.close(true);
    }
}

impl Flags {
    #[inline]
    fn push(&mut self, value: Value<'_>) -> bool {
        let (flag, readable) = match value {
            Value::Bool(flag) => (Some(flag), true),
            Value::Null => (None, true),
            _ => spelled(value, |text| {
                let flag = text.and_then(parse_bool);
                (flag, flag.is_some() || text.is_some_and(is_nothing))
            }),
        };
        self.values.append(flag.unwrap_or_default());
        self.valid.append(flag.is_some());
        readable
    }
}

/// Warn of an event whose time of recording cannot be right.
#[cold]
pub(crate) fn warn_recorded_early(early_us: i64, place: &Place, ledger: &mut Ledger) {
    warn(RECORDED_EARLY, place, ledger, || {
        format!("TimeCreated: found a time {} s before UtcTime, expected one after it", early_us / 1_000_000)
    });
}

#[cold]
fn warn(kind: &'static str, place: &Place, ledger: &mut Ledger, detail: impl FnOnce() -> String) {
    ledger.warnings.add(kind, place.offset, place.line, detail);
}

#[cold]
fn warn_unreadable(field: Field, value: Value<'_>, place: &Place, ledger: &mut Ledger) {
    warn(UNREADABLE_VALUE, place, ledger, || {
        let expected = match field.kind() {
            Kind::Time => "a time like 2018-04-11 05:29:35.394, of the years 1 to 9999",
            Kind::Guid => "a GUID",
            Kind::Bool => "true or false",
            Kind::Port => "a port, 0 to 65535",
            _ => "a number",
        };
        let found = spelled(value, |text| text.map_or_else(|| format!("{value:?}"), |text| format!("{text:?}")));
        format!("{}: found {}, expected {expected}", field.sysmon(), shorten(&found))
    });
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn a_time_of_no_year_of_the_calendar_is_null_and_a_warning() {
        let values = [
            Value::Time(CALENDAR_US.start - 1),
            Value::Time(CALENDAR_US.start),
            Value::Text("0000-12-31 23:59:59.999"),
            Value::Text("9999-12-31 23:59:59.999999"),
            Value::Text("9999-12-31 23:59:59-01:00"),
            Value::Time(CALENDAR_US.end),
        ];
        let (mut cells, mut ledger) = (Cells::new(Kind::Time, 0, false), Ledger::default());
        cells.extend(values.into_iter(), Field::EventCreationTime, &[Place::default(); 6], &mut ledger);
        let (array, _) = cells.finish().expect("a column");
        let valid: Vec<bool> = (0..values.len()).map(|row| array.is_valid(row)).collect();
        assert_eq!(valid, [false, true, false, true, false, false]);
        assert_eq!(ledger.warnings.count(UNREADABLE_VALUE), 4);
    }

    /// Cached cells must be those of the same value, whatever came between.
    #[test]
    fn a_cell_that_comes_again_is_the_same_after_any_other() {
        let guid = "{A98268C1-957F-5ACD-0000-0010EB030000}";
        for (kind, text, other) in [
            (Kind::Text, "svchost.exe", "System"),
            (Kind::Ip, "192.168.0.1", "10.0.0.1"),
            (Kind::Guid, guid, "{83989F29-3374-5F6B-0100-000000000301}"),
        ] {
            let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            let (same, different) = (wide(text), wide(other));
            let forms = [Value::Utf16(&same), Value::Text(text)];
            let others =
                [Value::Null, Value::Text("-"), Value::Text(other), Value::Utf16(&[]), Value::Utf16(&different)];
            for (form, again) in forms.into_iter().flat_map(|form| forms.map(|again| (form, again))) {
                for between in others.into_iter().chain(forms).chain([Value::Guid([7; 16])]) {
                    let mut cells = Cells::new(kind, 0, false);
                    let values = [form, between, again, form, again];
                    let places = [Place::default(); 5];
                    cells.extend(values.into_iter(), Field::SrcIp, &places, &mut Ledger::default());
                    let (array, _) = cells.finish().expect("a column");
                    for row in [0, 2, 3, 4] {
                        assert_eq!(array.as_string::<i32>().value(row), text, "{form:?}, {between:?}, {again:?}");
                    }
                }
            }
        }
    }
}
