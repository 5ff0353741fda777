//! One cell as read, and the parsing of its text: times, numbers, booleans, GUIDs, addresses.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A value as the log has it; [`crate::table::columns::Columns`] turns it into the column's type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// Absent.
    #[default]
    Null,
    /// UTF-8 text.
    Text(&'a str),
    /// UTF-16 little-endian text, as in EVTX.
    Utf16(&'a [u8]),
    /// A number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A GUID in Windows' byte order (first three parts little-endian).
    Guid([u8; 16]),
    /// Microseconds since 1970, UTC.
    Time(i64),
    /// A bit field, written in hexadecimal.
    Hex(u64),
    /// A Windows security identifier in its binary form.
    Sid(&'a [u8]),
}

impl Value<'_> {
    /// The whole number that it is, or that its text is; None for anything else.
    pub(crate) fn integer(self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(number),
            Value::Text(text) => parse_int(text),
            _ => None,
        }
    }
}

/// Microseconds between 1601 (FILETIME's epoch) and 1970.
const FILETIME_EPOCH_US: i64 = 11_644_473_600_000_000;

/// A Windows FILETIME (100 ns since 1601) as microseconds since 1970.
pub fn filetime_us(filetime: u64) -> i64 {
    (filetime / 10) as i64 - FILETIME_EPOCH_US
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level
/// date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `YYYY-MM-DD HH:MM:SS[.fraction]`, or with `T` instead of the space, and an optional `Z` or `+hh:mm`, as microseconds
/// since 1970; None for other text. Text without a zone is UTC, as Sysmon's `UtcTime` is. Digits beyond the microsecond
/// are truncated, not rounded.
pub fn parse_time_us(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 19 || bytes[4] != b'-' || bytes[7] != b'-' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    if bytes[10] != b' ' && bytes[10] != b'T' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?);
    let (hour, minute, second) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?, digits(&bytes[17..19])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = &bytes[19..];
    let mut fraction_us = 0;
    if let [b'.' | b',', tail @ ..] = rest {
        let len = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len == 0 {
            return None;
        }
        let kept = len.min(6);
        fraction_us = digits(&tail[..kept])? * 10i64.pow(6 - kept as u32);
        rest = &tail[len..];
    }
    let zone_s = parse_zone_s(rest)?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone_s;
    Some(seconds * 1_000_000 + fraction_us)
}

fn parse_zone_s(zone: &[u8]) -> Option<i64> {
    let zone = zone.trim_ascii();
    match zone {
        b"" | b"Z" | b"z" | b"UTC" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, rest @ ..] => {
            let minutes = match rest {
                [] => 0,
                [b':', m1, m2] | [m1, m2] => digits(&[*m1, *m2])?,
                _ => return None,
            };
            let seconds = digits(&[*h1, *h2])? * 3_600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// A decimal, or `0x` hexadecimal, number.
pub fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    match text.as_bytes() {
        // Too short to overflow.
        [first, ..]
            if text.len() <= 18 && first.is_ascii_digit() && !matches!(text.as_bytes().get(1), Some(b'x' | b'X')) =>
        {
            digits(text.as_bytes())
        }
        [b'0', b'x' | b'X', ..] => u64::from_str_radix(&text[2..], 16).ok().map(|bits| bits as i64),
        _ => text.parse().ok(),
    }
}

/// `true`/`false` in any case, `1`/`0`.
pub fn parse_bool(text: &str) -> Option<bool> {
    let text = text.trim_ascii();
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The value of each hexadecimal digit; of any other byte, a value over 15.
const NIBBLES: [u8; 256] = {
    let mut table = [0x80; 256];
    let mut digit = 0;
    while digit < 16 {
        let byte = b"0123456789abcdef"[digit];
        table[byte as usize] = digit as u8;
        table[byte.to_ascii_uppercase() as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// A GUID's 32 hex digits, with or without braces and dashes, in Windows' byte order.
pub fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim_ascii();
    let text = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    let digits: &[u8] = text.as_bytes();
    let mut plain = [0; 32];
    match digits {
        [..] if digits.len() == 32 => plain.copy_from_slice(digits),
        [..] if digits.len() == 36 && [8, 13, 18, 23].iter().all(|at| digits[*at] == b'-') => {
            for (to, from) in [(0..8, 0..8), (8..12, 9..13), (12..16, 14..18), (16..20, 19..23), (20..32, 24..36)] {
                plain[to].copy_from_slice(&digits[from]);
            }
        }
        _ => return None,
    }
    let mut bytes = [0u8; 16];
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(plain.as_chunks::<2>().0) {
        let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low & 15;
    }
    if seen > 15 {
        return None;
    }
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(bytes)
}

/// Append `{XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}`, upper case as Sysmon on Windows writes it.
pub fn write_guid(guid: &[u8; 16], out: &mut Vec<u8>) {
    const ORDER: [(usize, usize); 16] = [
        (3, 1),
        (2, 3),
        (1, 5),
        (0, 7),
        (5, 10),
        (4, 12),
        (7, 15),
        (6, 17),
        (8, 20),
        (9, 22),
        (10, 25),
        (11, 27),
        (12, 29),
        (13, 31),
        (14, 33),
        (15, 35),
    ];
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = *b"{00000000-0000-0000-0000-000000000000}";
    for (byte, at) in ORDER {
        text[at] = HEX[usize::from(guid[byte] >> 4)];
        text[at + 1] = HEX[usize::from(guid[byte] & 15)];
    }
    out.extend_from_slice(&text);
}

const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";

/// Append the hexadecimal digits, lower case, without leading zeros.
fn write_hex_digits(bits: u64, out: &mut Vec<u8>) {
    let digits = (16 - bits.leading_zeros() / 4).max(1);
    out.extend((0..digits).rev().map(|digit| HEX_LOWER[(bits >> (4 * digit) & 15) as usize]));
}

/// Append `0x` and the digits.
pub fn write_hex(bits: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0x");
    write_hex_digits(bits, out);
}

/// The account that Sysmon and most services run under, S-1-5-18.
const LOCAL_SYSTEM: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0];

/// Append a SID such as `S-1-5-18`; nothing if it is too short for its own count.
pub fn write_sid(sid: &[u8], out: &mut Vec<u8>) {
    if sid == LOCAL_SYSTEM {
        return out.extend_from_slice(b"S-1-5-18");
    }
    let [revision, count, a, b, c, d, e, f, rest @ ..] = sid else { return };
    let parts = rest.chunks_exact(4);
    if parts.len() < usize::from(*count) {
        return;
    }
    let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "S-{revision}-{authority}");
    for part in parts.take(usize::from(*count)) {
        let _ = write!(out, "-{}", u32::from_le_bytes([part[0], part[1], part[2], part[3]]));
    }
}

/// Append the canonical text of RFC 5952: lower case, the longest run of two or more zero groups as `::`, an
/// IPv4-mapped address with a dotted end.
pub fn write_ipv6(address: &Ipv6Addr, out: &mut Vec<u8>) {
    if let Some(v4) = address.to_ipv4_mapped() {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "::ffff:{v4}");
        return;
    }
    let groups = address.segments();
    let (mut run_start, mut run_len) = (8, 1);
    let mut at = 0;
    while at < 8 {
        let len = groups[at..].iter().take_while(|group| **group == 0).count();
        if len > run_len {
            (run_start, run_len) = (at, len);
        }
        at += len.max(1);
    }
    let mut at = 0;
    while at < 8 {
        if at == run_start {
            out.extend_from_slice(b"::");
            at += run_len;
            continue;
        }
        if at > 0 && at != run_start + run_len {
            out.push(b':');
        }
        write_hex_digits(u64::from(groups[at]), out);
        at += 1;
    }
}

/// Bytes of an IPv4 address whose numbers have three digits each.
pub(crate) const PADDED_IPV4: usize = 15;

/// Four numbers. A leading zero is padding if all have three digits; otherwise it is not clear whether the number is octal.
fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let padded = text.len() == PADDED_IPV4;
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 || (part.len() > 1 && part[0] == b'0' && !padded) {
            return None;
        }
        *octet = u8::try_from(digits(part)?).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// Eight hex groups and no `::`: the form in which Sysmon writes IPv6.
fn parse_ipv6_full(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0u16; 8];
    let mut index = 0;
    let mut len = 0;
    for &byte in text {
        if byte == b':' {
            if len == 0 || index == 7 {
                return None;
            }
            index += 1;
            len = 0;
            continue;
        }
        let nibble = (byte as char).to_digit(16)? as u16;
        if len == 4 {
            return None;
        }
        groups[index] = groups[index] << 4 | nibble;
        len += 1;
    }
    (index == 7 && len > 0).then(|| Ipv6Addr::from(groups))
}

/// An address in any textual form; a zone (`fe80::1%eth0`) is ignored. None for other text.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    let bytes = text.as_bytes();
    if bytes.len() <= 15 && bytes.contains(&b'.') && !bytes.contains(&b':') {
        return parse_ipv4(bytes).map(IpAddr::V4);
    }
    if let Some(address) = parse_ipv6_full(bytes) {
        return Some(IpAddr::V6(address));
    }
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    text.parse().ok()
}

/// The 16 bytes on which ranges compare; IPv4 as its IPv4-mapped IPv6 address.
pub fn ip_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Whether an "IPv6" address lies outside every block that IANA has allocated: Sysmon 9.01 writes IPv4 addresses in
/// this form, their four bytes first (`a00:20f:...` is 10.0.2.15).
pub fn is_garbled_ipv6(address: &Ipv6Addr) -> bool {
    let first = address.octets()[0];
    !(first == 0 || (0x20..=0x3f).contains(&first) || first >= 0xfc)
}

/// Write UTF-16 little-endian, a byte per unit, to the front of `out`; return whether all of it is ASCII, and the
/// result therefore correct.
///
/// `out` must be half as long as `utf16` or longer.
#[inline]
pub fn narrow_utf16(utf16: &[u8], out: &mut [u8]) -> bool {
    const BEYOND_ASCII: u64 = 0xff80_ff80_ff80_ff80;
    let (blocks, rest) = utf16.as_chunks::<8>();
    let mut seen = 0;
    for (block, narrow) in blocks.iter().zip(out.as_chunks_mut::<4>().0) {
        let wide = u64::from_le_bytes(*block);
        seen |= wide;
        let pairs = (wide | wide >> 8) & 0x0000_ffff_0000_ffff;
        *narrow = ((pairs | pairs >> 16) as u32).to_le_bytes();
    }
    let tail = &mut out[4 * blocks.len()..];
    for (unit, narrow) in rest.as_chunks::<2>().0.iter().zip(tail) {
        seen |= u64::from(u16::from_le_bytes(*unit));
        *narrow = unit[0];
    }
    seen & BEYOND_ASCII == 0
}

/// Append UTF-16 little-endian as UTF-8; trailing NULs are dropped, lone surrogates become U+FFFD.
#[inline]
pub fn push_utf16(utf16: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + utf16.len() / 2, 0);
    if !narrow_utf16(utf16, &mut out[start..]) {
        out.truncate(start);
        push_wide(utf16, out);
    }
    while out.len() > start && out.last() == Some(&0) {
        out.pop();
    }
}

#[cold]
fn push_wide(utf16: &[u8], out: &mut Vec<u8>) {
    let units = utf16.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let mut buffer = [0; 4];
    for unit in char::decode_utf16(units) {
        let symbol = unit.unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(symbol.encode_utf8(&mut buffer).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_form_reach_the_same_microsecond() {
        let expected = Some(1_523_424_575_394_000);
        for text in [
            "2018-04-11 05:29:35.394",
            "2018-04-11T05:29:35.394Z",
            "2018-04-11T05:29:35.3940009Z",
            "2018-04-11T07:29:35.394+02:00",
            "2018-04-11 05:29:35.394 Z",
        ] {
            assert_eq!(parse_time_us(text), expected, "{text}");
        }
        for text in [
            "",
            "2018-04-11",
            "2018-13-11 05:29:35",
            "2018-02-30 05:29:35",
            "2018-04-11 05:29:35.",
            "2018-04-11 05:29:35 CET",
        ] {
            assert_eq!(parse_time_us(text), None, "{text}");
        }
        assert_eq!(parse_time_us("1969-12-31 23:59:59.5"), Some(-500_000));
        assert_eq!(filetime_us(131_532_154_964_022_973), parse_time_us("2017-10-23T06:58:16.4022973Z").unwrap());
    }

    #[test]
    fn utf16_becomes_utf8_whatever_is_in_it() {
        for text in [
            "",
            "a",
            "C:\\Windows\\System32\\svchost.exe",
            "Benutzer\\J\u{f6}rg",
            "\u{65e5}\u{672c}",
            "ab\u{1f600}cdefgh",
        ] {
            let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let mut out = b"before".to_vec();
            push_utf16(&utf16, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("before{text}"));
        }
        let mut out = Vec::new();
        push_utf16(&[b'a', 0, 0x00, 0xd8, b'b', 0, 0, 0, 0, 0], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn guids_keep_their_value_in_any_dress() {
        let bytes = parse_guid("{A98268C1-957F-5ACD-0000-0010EB030000}").unwrap();
        assert_eq!(bytes[..4], [0xc1, 0x68, 0x82, 0xa9]);
        for text in ["a98268c1-957f-5acd-0000-0010eb030000", "a98268c1957f5acd00000010eb030000"] {
            assert_eq!(parse_guid(text), Some(bytes));
        }
        let mut out = Vec::new();
        write_guid(&bytes, &mut out);
        assert_eq!(out, b"{A98268C1-957F-5ACD-0000-0010EB030000}");
        for text in
            ["", "{}", "{A98268C1-957F-5ACD-0000-0010EB0300}", "A98268C1-957F-5ACD-0000-0010EB03000000", "\u{e9}"]
        {
            assert_eq!(parse_guid(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_agree_with_the_standard_library() {
        for text in
            ["10.0.2.15", "0:0:0:0:0:0:0:1", "fe80:0:0:0:90e:17af:263c:5209", "::1", "::ffff:1.2.3.4", "ff02::1:3"]
        {
            assert_eq!(parse_ip(text), Some(text.parse().unwrap()), "{text}");
        }
        for text in [
            "XXX.58.XXX.206",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "10.010.1.1",
            "1.2.3.00",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            ":1:2:3:4:5:6:7",
        ] {
            assert_eq!(parse_ip(text), None, "{text}");
        }
        assert_eq!(parse_ip("203.000.113.077"), Some("203.0.113.77".parse().unwrap()));
        assert_eq!(parse_ip("fe80::1%eth0"), Some("fe80::1".parse().unwrap()));
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        for text in [
            "::",
            "::1",
            "1::",
            "::ffff:1.2.3.4",
            "fe80::1:0:0:2",
            "1:0:0:2::3",
            "1:0:2:3:4:5:6:7",
            "a:b:c:d:e:f:1:0",
            "0:1:0:2:0:3:0:4",
        ] {
            let address: Ipv6Addr = text.parse().unwrap();
            let mut out = Vec::new();
            write_ipv6(&address, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), address.to_string());
        }
    }

    #[test]
    fn identifiers_and_bit_fields_are_written_as_windows_does() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&|out| write_hex(0, out)), "0x0");
        assert_eq!(written(&|out| write_hex(0x8000_0000_0000_0000, out)), "0x8000000000000000");
        assert_eq!(written(&|out| write_sid(LOCAL_SYSTEM, out)), "S-1-5-18");
        let user = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
        assert_eq!(written(&|out| write_sid(&user, out)), "S-1-5-32-544");
        assert_eq!(written(&|out| write_sid(&user[..12], out)), "");
    }

    #[test]
    fn garbled_addresses_of_sysmon_9_are_told_from_real_ones() {
        for text in ["a00:20f:0:0:18a2:6e00:e0:ffff", "e000:fc:0:0:1:2:3:4", "c0a8:102::"] {
            assert!(is_garbled_ipv6(&text.parse().unwrap()), "{text}");
        }
        for text in
            ["::", "::1", "::ffff:1.2.3.4", "64:ff9b::1", "2001:db8::1", "3fff::1", "fe80::1", "fd00::1", "ff02::1"]
        {
            assert!(!is_garbled_ipv6(&text.parse().unwrap()), "{text}");
        }
    }
}
