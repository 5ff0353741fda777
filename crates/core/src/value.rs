//! One cell as a reader found it, and the parsing of its text: times, numbers, booleans, GUIDs, addresses.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A value as the log holds it; [`crate::columns::Columns`] turns it into the column's type.
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

/// `YYYY-MM-DD HH:MM:SS[.fraction]`, or the same with `T`, and an optional `Z` or `+hh:mm`, as
/// microseconds since 1970. Text without a zone is UTC, as Sysmon's `UtcTime` is. Digits beyond the
/// microsecond are cut off, not rounded.
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
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|bits| bits as i64),
        None => text.parse().ok(),
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

/// A GUID's 32 hex digits, with or without braces and dashes, in Windows' byte order.
pub fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim_ascii();
    let text = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
    let mut bytes = [0u8; 16];
    let mut nibbles = 0;
    for (position, byte) in text.bytes().enumerate() {
        if byte == b'-' && matches!(position, 8 | 13 | 18 | 23) {
            continue;
        }
        let nibble = (byte as char).to_digit(16)? as u8;
        let slot = bytes.get_mut(nibbles / 2)?;
        *slot = *slot << 4 | nibble;
        nibbles += 1;
    }
    if nibbles != 32 {
        return None;
    }
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    Some(bytes)
}

/// Append `{XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX}`, upper case as Sysmon on Windows writes it.
pub fn write_guid(guid: &[u8; 16], out: &mut Vec<u8>) {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = [b'-'; 38];
    text[0] = b'{';
    text[37] = b'}';
    let mut at = 1;
    for (count, index) in ORDER.into_iter().enumerate() {
        if matches!(count, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(guid[index] >> 4)];
        text[at + 1] = HEX[usize::from(guid[index] & 15)];
        at += 2;
    }
    out.extend_from_slice(&text);
}

/// Append `0x` and the digits, lower case.
pub fn write_hex(bits: u64, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "0x{bits:x}");
}

/// Append `S-1-5-18` and the like; a SID that is too short for its own count is written as nothing.
pub fn write_sid(sid: &[u8], out: &mut Vec<u8>) {
    let [revision, count, a, b, c, d, e, f, rest @ ..] = sid else { return };
    let parts = rest.chunks_exact(4);
    if parts.len() < usize::from(*count) {
        return;
    }
    let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
    let _ = write!(out, "S-{revision}-{authority}");
    for part in parts.take(usize::from(*count)) {
        let _ = write!(out, "-{}", u32::from_le_bytes([part[0], part[1], part[2], part[3]]));
    }
}

fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 {
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

/// An address in any textual form; a zone (`fe80::1%eth0`) is not part of it.
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

/// The 16 bytes on which ranges compare: IPv4 as its IPv4-mapped IPv6 address.
pub fn ip_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Whether an "IPv6" address lies outside every block that IANA has handed out: Sysmon 9.01 writes IPv4
/// addresses so, their four bytes first (`a00:20f:...` is 10.0.2.15).
pub fn is_garbled_ipv6(address: &Ipv6Addr) -> bool {
    let first = address.octets()[0];
    !(first == 0 || (0x20..=0x3f).contains(&first) || first >= 0xfc)
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
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            ":1:2:3:4:5:6:7",
        ] {
            assert_eq!(parse_ip(text), None, "{text}");
        }
        assert_eq!(parse_ip("fe80::1%eth0"), Some("fe80::1".parse().unwrap()));
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
