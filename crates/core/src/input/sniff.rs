//! Recognises a format by its first bytes.

use crate::format::FormatName;
use crate::formats::{csv, json, text, xml};

/// Bytes inspected to recognise a format.
pub const SNIFF_BYTES: usize = 64 << 10;

/// What an input's first bytes show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniffed {
    /// The format.
    Known(FormatName),
    /// More bytes are needed.
    Unsure,
    /// No known format.
    Unknown,
}

/// Where the first chunk of an EVTX file is marked; the file's header may be broken.
const FIRST_CHUNK: std::ops::Range<usize> = 4096..4104;

/// Recognise a format by its first bytes (UTF-8 by now, if it is text).
///
/// The result depends on the bytes alone, not on how many have arrived: unless it is `Unsure`, more bytes do not change
/// it. So a slow pipe is recognised as a file is, by its first line with an event.
pub fn sniff(head: &[u8], at_end: bool) -> Sniffed {
    if head.starts_with(b"ElfFile\0") || head.starts_with(b"ElfChnk\0") {
        return Sniffed::Known(FormatName::Evtx);
    }
    let whole = at_end || head.len() >= SNIFF_BYTES;
    let head = &head[..head.len().min(SNIFF_BYTES)];
    let start = head.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(head.len());
    let text = &head[start..];
    match text {
        [b'<', next, ..] if !next.is_ascii_digit() => return Sniffed::Known(FormatName::Xml),
        [b'{', ..] => return Sniffed::Known(FormatName::Json),
        [b'[', rest @ ..] => match rest.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b']') => return Sniffed::Known(FormatName::Json),
            None if !whole => return Sniffed::Unsure,
            _ => {}
        },
        _ => {}
    }
    sniff_lines(text, whole).unwrap_or_else(|| sniff_binary(head, whole))
}

/// Recognise text line by line, so that a log that grows is recognised by its first line with an event, however short
/// the log is. None if `start` is not text.
fn sniff_lines(start: &[u8], whole: bool) -> Option<Sniffed> {
    let is_journal = JOURNAL.iter().any(|mark| start.starts_with(mark));
    // The first line that may be a CSV's header, and where this line begins.
    let (mut header, mut at) = (None, 0);
    for line in start.split_inclusive(|byte| *byte == b'\n') {
        if line.contains(&0) && !is_journal {
            return None;
        }
        if !whole && !line.ends_with(b"\n") {
            return Some(Sniffed::Unsure);
        }
        let heading = at == 0 && json::heading_len(line).is_some();
        match start.get(line.len()..).map(|rest| rest.first()) {
            Some(Some(b'{')) if heading => return Some(Sniffed::Known(FormatName::Json)),
            Some(None) if heading && !whole => return Some(Sniffed::Unsure),
            _ => {}
        }
        if header.is_none() && !csv::is_before_header(line) {
            header = Some(at);
            if csv::is_header(line) {
                return Some(Sniffed::Known(FormatName::Csv));
            }
        }
        if let Some((found, format)) = sniff_line(line) {
            let table = header.and_then(|header| csv::carries(&start[header..], at + found - header, whole));
            return Some(match table {
                Some(true) => Sniffed::Known(FormatName::Csv),
                Some(false) => format.map_or(Sniffed::Unknown, Sniffed::Known),
                None => Sniffed::Unsure,
            });
        }
        at += line.len();
    }
    Some(if whole { Sniffed::Unknown } else { Sniffed::Unsure })
}

/// What the export format of the systemd journal begins with; lengths in it are binary.
const JOURNAL: [&[u8]; 4] = [b"__CURSOR=", b"__REALTIME_TIMESTAMP=", b"__MONOTONIC_TIMESTAMP=", b"_BOOT_ID="];

/// Where an event stands in a line, or a part of one, and the format that reads it.
fn sniff_line(line: &[u8]) -> Option<(usize, Option<FormatName>)> {
    let find = |mark: &str| memchr::memmem::find(line, mark.as_bytes());
    if let Some(xml) = find("<Event") {
        // In a string of JSON, or with quotation marks that are not XML's own, it is part of a line.
        let is_carried = find("{\"").is_some_and(|json| json < xml) || xml::escaped_quotes(&line[xml..]).is_some();
        return Some((xml, Some(if is_carried { FormatName::Text } else { FormatName::Xml })));
    }
    if let Some(bars) = find("TgtIP: ").filter(|_| find("SrcIP: ").is_some()) {
        return Some((bars, None));
    }
    if text::looks_like_log(line) {
        let mark = ["UtcTime: ", "&lt;Event", "{\""].iter().find_map(|mark| find(mark)).unwrap_or(0);
        return Some((mark, Some(FormatName::Text)));
    }
    None
}

/// Recognise an EVTX file without its header by its first chunk.
fn sniff_binary(head: &[u8], whole: bool) -> Sniffed {
    match head.get(FIRST_CHUNK) {
        Some(b"ElfChnk\0") => Sniffed::Known(FormatName::Evtx),
        None if !whole => Sniffed::Unsure,
        _ => Sniffed::Unknown,
    }
}
