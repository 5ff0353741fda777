//! Cells of text formats: a value as bytes, in the style of its format. Knows nothing of sensors and rows.
//!
//! python/procwire/sinks writes the same, column by column; tests/unit/sinks/test_lines.py holds the two together.

use std::cell::Cell;
use std::io::Write;
use std::net::Ipv6Addr;

/// What stands in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A text.
    Text(&'a str),
    /// A number; where the style says so, a time: microseconds since 1970, UTC.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// 16 bytes, IPv4 as `::ffff:a.b.c.d`.
    Address([u8; 16]),
    /// Bytes, written as upper-case hexadecimal.
    Bytes(&'a [u8]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

macro_rules! integers {
    ($($kind:ty),*) => {
        $(impl From<$kind> for Value<'_> {
            fn from(number: $kind) -> Self {
                Value::Integer(number.into())
            }
        })*
    };
}

integers!(u16, u32, i32, i64);

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        // The columns are signed, and have what is beyond as its complement.
        Value::Integer(number.cast_signed())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

macro_rules! styles {
    ($($(#[$doc:meta])* $style:ident: $name:literal,)*) => {
        /// How a value is written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Style { $($(#[$doc])* $style,)* }

        impl Style {
            /// The style of a name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Style::$style),)* _ => None }
            }
        }
    };
}

styles! {
    /// Texts as they are.
    Plain: "plain",
    /// JSON: texts in quotes; C0, DEL and C1 are escaped.
    Json: "json",
    /// A time in JSON: ISO 8601, three or six digits behind the second.
    JsonTime: "json-time",
    /// A text that is JSON itself, on one line: written as it is, but for C0, DEL and C1.
    JsonValue: "json-value",
    /// CSV: in quotes where it must be, and where it is empty.
    Csv: "csv",
    /// The time of JSON, without quotes.
    CsvTime: "csv-time",
    /// XML, for elements and attributes.
    Xml: "xml",
    /// `2018-04-11 05:29:35.394`, with six digits where the time has them.
    XmlTime: "xml-time",
    /// TimeCreated's: `2018-04-11T05:29:36.333863000Z`.
    SystemTime: "system-time",
    /// XML of an address: IPv6 with all its eight groups.
    XmlAddress: "xml-address",
    /// XML of an element's text, quotes as they are.
    Pcdata: "pcdata",
    /// The same of an address.
    PcdataAddress: "pcdata-address",
    /// `2018-04-11 05:29:35.394`, the rest cut off.
    SysmonTime: "sysmon-time",
    /// XML in lower case.
    Guid: "guid",
    /// A host's name without what would end it.
    Word: "word",
}

/// Append a value; nothing for null.
pub fn write(out: &mut Vec<u8>, value: Value<'_>, style: Style) {
    match value {
        Value::Null => {}
        Value::Text(text) => write_text(out, text, style),
        Value::Integer(number) => write_integer(out, number, style),
        Value::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Value::Address(bytes) => quoted(out, style, |out| write_styled_address(out, bytes, style)),
        Value::Bytes(bytes) => quoted(out, style, |out| {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
        }),
    }
}

fn quoted(out: &mut Vec<u8>, style: Style, inner: impl FnOnce(&mut Vec<u8>)) {
    let quote = matches!(style, Style::Json);
    if quote {
        out.push(b'"');
    }
    inner(out);
    if quote {
        out.push(b'"');
    }
}

fn write_text(out: &mut Vec<u8>, text: &str, style: Style) {
    match style {
        Style::Json => {
            out.push(b'"');
            escape(out, text, &JSON, json_escape);
            out.push(b'"');
        }
        Style::Plain => out.extend_from_slice(text.as_bytes()),
        Style::JsonValue => escape(out, text, &CONTROLS, json_escape),
        Style::Csv => write_csv(out, text),
        Style::XmlAddress | Style::PcdataAddress => match text.parse::<Ipv6Addr>() {
            Ok(address) => write_groups(out, address),
            Err(_) => escape(out, text, &XML, if style == Style::XmlAddress { xml_escape } else { pcdata_escape }),
        },
        Style::Pcdata => escape(out, text, &XML, pcdata_escape),
        Style::Guid => {
            let start = out.len();
            escape(out, text, &XML, xml_escape);
            out[start..].make_ascii_lowercase();
        }
        Style::Word => {
            let mut is_gap = false;
            for character in text.chars() {
                let is_graphic = character.is_ascii_graphic();
                if is_graphic || !is_gap {
                    out.push(if is_graphic { character as u8 } else { b'_' });
                }
                is_gap = !is_graphic;
            }
        }
        Style::Xml | Style::JsonTime | Style::CsvTime | Style::XmlTime | Style::SystemTime | Style::SysmonTime => {
            escape(out, text, &XML, xml_escape);
        }
    }
}

fn write_csv(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() && !text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n')) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

/// Bytes that begin a character which may have to be escaped.
type Special = [bool; 256];

const fn special(more: &[u8]) -> Special {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[0x7F] = true;
    // C1 begins with it, among others.
    table[0xC2] = true;
    let mut index = 0;
    while index < more.len() {
        table[more[index] as usize] = true;
        index += 1;
    }
    table
}

const CONTROLS: Special = special(b"");
const JSON: Special = special(b"\"\\");
// U+FFFE and U+FFFF begin with 0xEF.
const XML: Special = special(b"&<>\"\xEF");

/// Append a text, with `replace` asked of each character that begins with a special byte; it says whether it wrote one
/// in its place.
fn escape(out: &mut Vec<u8>, text: &str, special: &Special, replace: fn(&mut Vec<u8>, char) -> bool) {
    let mut rest = text;
    while let Some(place) = rest.bytes().position(|byte| special[usize::from(byte)]) {
        let (before, from) = rest.split_at(place);
        out.extend_from_slice(before.as_bytes());
        let mut characters = from.chars();
        if let Some(character) = characters.next()
            && !replace(out, character)
        {
            out.extend_from_slice(&from.as_bytes()[..character.len_utf8()]);
        }
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

fn json_escape(out: &mut Vec<u8>, character: char) -> bool {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\0'..='\x1F' | '\x7F'..='\u{9F}' => formatted(out, format_args!("\\u{:04x}", u32::from(character))),
        _ => return false,
    }
    true
}

fn xml_escape(out: &mut Vec<u8>, character: char) -> bool {
    if character == '"' {
        out.extend_from_slice(b"&quot;");
        return true;
    }
    pcdata_escape(out, character)
}

fn pcdata_escape(out: &mut Vec<u8>, character: char) -> bool {
    match character {
        '&' => out.extend_from_slice(b"&amp;"),
        '<' => out.extend_from_slice(b"&lt;"),
        '>' => out.extend_from_slice(b"&gt;"),
        // White space as references, since a parser would normalise it; DEL and C1 because terminals obey them.
        '\t' | '\n' | '\r' | '\x7F'..='\u{9F}' => formatted(out, format_args!("&#{};", u32::from(character))),
        // What XML 1.0 cannot hold at all.
        '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => out.extend_from_slice("\u{FFFD}".as_bytes()),
        _ => return false,
    }
    true
}

fn formatted(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Vec's never fails.
    let _ = out.write_fmt(arguments);
}

/// Append the text of an address (RFC 5952).
pub(super) fn write_address(out: &mut Vec<u8>, bytes: [u8; 16]) {
    write_styled_address(out, bytes, Style::Plain);
}

fn write_styled_address(out: &mut Vec<u8>, bytes: [u8; 16], style: Style) {
    let address = Ipv6Addr::from(bytes);
    match address.to_ipv4_mapped() {
        Some(ipv4) => {
            for (index, octet) in ipv4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                digits(out, octet.into());
            }
        }
        None if matches!(style, Style::XmlAddress | Style::PcdataAddress) => write_groups(out, address),
        None => formatted(out, format_args!("{address}")),
    }
}

/// All eight groups, as Sysmon writes them.
fn write_groups(out: &mut Vec<u8>, address: Ipv6Addr) {
    for (index, group) in address.segments().into_iter().enumerate() {
        formatted(out, format_args!("{}{group:x}", if index > 0 { ":" } else { "" }));
    }
}

fn write_integer(out: &mut Vec<u8>, number: i64, style: Style) {
    match style {
        Style::JsonTime => {
            out.push(b'"');
            write_time(out, number, b'T', Fraction::Exact);
            out.extend_from_slice(b"Z\"");
        }
        Style::CsvTime => {
            write_time(out, number, b'T', Fraction::Exact);
            out.push(b'Z');
        }
        Style::XmlTime => write_time(out, number, b' ', Fraction::Exact),
        Style::SystemTime => {
            write_time(out, number, b'T', Fraction::Micro);
            out.extend_from_slice(b"000Z");
        }
        Style::SysmonTime => write_time(out, number, b' ', Fraction::Milli),
        _ => {
            if number < 0 {
                out.push(b'-');
            }
            digits(out, number.unsigned_abs());
        }
    }
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

fn digits(out: &mut Vec<u8>, mut number: u64) {
    let mut buffer = [0; 20];
    let mut at = buffer.len();
    while number >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    // Of an even number of digits none is left.
    if number > 0 || at == buffer.len() {
        at -= 1;
        buffer[at] = b'0' + number as u8;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Digits behind the second.
#[derive(Clone, Copy)]
enum Fraction {
    /// Three, where the rest is zero; else six.
    Exact,
    Milli,
    Micro,
}

/// A time's text but for its fraction.
#[derive(Clone, Copy)]
struct Second {
    seconds: i64,
    year: i64,
    text: [u8; 26],
}

impl Second {
    fn new(seconds: i64) -> Self {
        const DAY_S: i64 = 86_400;
        let (year, month, day) = civil(seconds.div_euclid(DAY_S));
        let second = seconds.rem_euclid(DAY_S);
        let mut text = *b"0000-00-00T00:00:00.000000";
        for (place, number) in [(5, month), (8, day), (11, second / 3600), (14, second / 60 % 60), (17, second % 60)] {
            two_digits(&mut text, place, number);
        }
        two_digits(&mut text, 0, year / 100 % 100);
        two_digits(&mut text, 2, year % 100);
        Second { seconds, year, text }
    }
}

thread_local! {
    /// The second that was written last: events are many in one.
    static LAST: Cell<Option<Second>> = const { Cell::new(None) };
}

fn write_time(out: &mut Vec<u8>, time_us: i64, between: u8, fraction: Fraction) {
    let (seconds, us) = (time_us.div_euclid(1_000_000), time_us.rem_euclid(1_000_000));
    let second = LAST.get().filter(|last| last.seconds == seconds).unwrap_or_else(|| {
        let second = Second::new(seconds);
        LAST.set(Some(second));
        second
    });
    let Second { year, mut text, .. } = second;
    text[10] = between;
    two_digits(&mut text, 20, us / 10_000);
    two_digits(&mut text, 22, us / 100 % 100);
    two_digits(&mut text, 24, us % 100);
    let is_short = matches!(fraction, Fraction::Milli) || matches!(fraction, Fraction::Exact) && us % 1000 == 0;
    let end = if is_short { text.len() - 3 } else { text.len() };
    if (0..=9999).contains(&year) {
        out.extend_from_slice(&text[..end]);
    } else {
        formatted(out, format_args!("{year:05}"));
        out.extend_from_slice(&text[4..end]);
    }
}

fn two_digits(text: &mut [u8], place: usize, number: i64) {
    text[place..place + 2].copy_from_slice(&PAIRS[number.rem_euclid(100) as usize]);
}

/// Year, month and day of a day since 1970, in the Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    const ERA_DAYS: i64 = 146_097;
    // Counted from 1 March of the year 0, so that the day that is left out comes last.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Value<'_>, style: Style) -> String {
        let mut out = Vec::new();
        write(&mut out, value, style);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_have_the_digits_of_their_format() {
        let whole = Value::Integer(1_523_424_575_394_000);
        let exact = Value::Integer(1_523_424_575_394_001);
        assert_eq!(written(whole, Style::JsonTime), "\"2018-04-11T05:29:35.394Z\"");
        assert_eq!(written(exact, Style::JsonTime), "\"2018-04-11T05:29:35.394001Z\"");
        assert_eq!(written(whole, Style::SystemTime), "2018-04-11T05:29:35.394000000Z");
        assert_eq!(written(exact, Style::SysmonTime), "2018-04-11 05:29:35.394");
        assert_eq!(written(Value::Integer(951_782_400_000_000), Style::XmlTime), "2000-02-29 00:00:00.000");
        assert_eq!(written(Value::Integer(-1), Style::XmlTime), "1969-12-31 23:59:59.999999");
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for number in (0..2_000).chain((0..63).flat_map(|power| [(1_i64 << power) - 1, 1 << power])) {
            assert_eq!(written(Value::Integer(number), Style::Plain), number.to_string());
            assert_eq!(written(Value::Integer(number.wrapping_neg()), Style::Plain), number.wrapping_neg().to_string());
        }
    }

    #[test]
    fn what_a_format_or_a_terminal_would_obey_is_escaped() {
        let text = Value::Text("a\"\\<\u{1b}\u{7f}\u{9b}\u{a0}\u{ffff}é\n");
        assert_eq!(written(text, Style::Json), "\"a\\\"\\\\<\\u001b\\u007f\\u009b\u{a0}\u{ffff}é\\u000a\"");
        assert_eq!(written(text, Style::Xml), "a&quot;\\&lt;\u{fffd}&#127;&#155;\u{a0}\u{fffd}é&#10;");
        assert_eq!(written(Value::Text("\""), Style::Pcdata), "\"");
        assert_eq!(written(Value::Text("a\"b"), Style::Csv), "\"a\"\"b\"");
        assert_eq!(written(Value::Text(""), Style::Csv), "\"\"");
        assert_eq!(written(Value::Text("my host é\n."), Style::Word), "my_host_.");
    }

    #[test]
    fn addresses_are_short_or_in_eight_groups() {
        let ipv6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        assert_eq!(written(Value::Address(ipv6.octets()), Style::Json), "\"2001:db8::1\"");
        assert_eq!(written(Value::Address(ipv6.octets()), Style::XmlAddress), "2001:db8:0:0:0:0:0:1");
        assert_eq!(written(Value::Text("2001:db8::1"), Style::PcdataAddress), "2001:db8:0:0:0:0:0:1");
        let ipv4 = std::net::Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets();
        assert_eq!(written(Value::Address(ipv4), Style::XmlAddress), "192.0.2.1");
    }
}
