//! Finds the records of a text: lines, and the groups of lines in which some tools write an event: a header (of Event
//! Viewer, `wevtutil`, PowerShell or Splunk) and the message text, a pair a line; or messages with their length before
//! them.
//!
//! Every decision depends on the lines since the record's first one, so it is the same wherever a block ends.

use std::ops::Range;

use memchr::{memchr, memmem};

use crate::format::MAX_RECORD_BYTES;
use crate::shapes::lines::{self, Syslog};
use crate::shapes::message::looks_like_time;
use crate::table::schema::Field;

/// The longest line that begins a group.
const MAX_OPENING_BYTES: usize = 512;
/// The longest group.
const MAX_GROUP_BYTES: usize = 1 << 20;
/// The longest name of a pair.
const MAX_KEY_BYTES: usize = 48;

/// Finds records from front to back.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Where the next record begins.
    start: usize,
    /// Where the next line begins.
    at: usize,
    group: Option<Group>,
}

impl Scanner {
    /// Where the first record begins that is not complete.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The bytes before `start` are gone.
    pub(super) fn shift(&mut self) {
        self.at -= self.start;
        self.start = 0;
    }

    /// Return the next complete record; None if more bytes are needed.
    pub(super) fn next(&mut self, bytes: &[u8], at_end: bool) -> Option<Range<usize>> {
        loop {
            if self.group.is_none() {
                match frame(&bytes[self.at..]) {
                    Some(len) if self.at + len <= bytes.len() => return Some(self.end(self.at + len)),
                    Some(_) if !at_end => return None,
                    _ => {}
                }
            }
            let line_end = match memchr(b'\n', &bytes[self.at..]) {
                Some(len) => self.at + len + 1,
                None if at_end && self.start < bytes.len() => {
                    if self.at == bytes.len() {
                        return Some(self.end(self.at));
                    }
                    bytes.len()
                }
                None => return None,
            };
            let line = &bytes[self.at..line_end];
            let next = match &mut self.group {
                Some(_) if line_end - self.start > MAX_GROUP_BYTES => Next::Apart,
                Some(group) => group.take(line),
                None => match Group::open(line) {
                    Some(group) => {
                        self.group = Some(group);
                        Next::Join
                    }
                    None => Next::Last,
                },
            };
            match next {
                Next::Join => self.at = line_end,
                Next::Last => return Some(self.end(line_end)),
                Next::Apart => return Some(self.end(self.at)),
            }
        }
    }

    fn end(&mut self, end: usize) -> Range<usize> {
        let record = self.start..end;
        (self.start, self.at, self.group) = (end, end, None);
        record
    }
}

/// The length of a message with its length before it (RFC 6587), which begins `bytes`: `629 <14>1 2024-...`.
fn frame(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = bytes.get(digits..)?.strip_prefix(b" <")?;
    let priority = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || priority == 0 || rest.get(priority) != Some(&b'>') {
        return None;
    }
    let len = std::str::from_utf8(&bytes[..digits]).ok()?.parse::<usize>().ok()?;
    (len < MAX_RECORD_BYTES && len > priority + 2).then_some(digits + 1 + len)
}

/// What a line is to the group that is open.
enum Next {
    /// It belongs to it.
    Join,
    /// It ends it.
    Last,
    /// It comes after it.
    Apart,
}

/// The lines of an event so far.
#[derive(Debug, Default)]
struct Group {
    has_header: bool,
    /// Whether its header is a list of PowerShell's, which may go on behind the message.
    is_list: bool,
    has_rule: bool,
    has_time: bool,
    has_query: bool,
    /// Whether the message text has the last name that every version has.
    is_complete: bool,
    /// Whether its last lines are an event in XML.
    in_xml: bool,
    /// The keys in the header that stand for fields.
    seen: Vec<String>,
}

enum Line<'a> {
    Blank,
    /// `Network connection detected:`.
    Heading {
        is_xml: bool,
    },
    /// The first line of an event.
    Start,
    /// A field of a message text.
    Field(Field),
    /// Another pair.
    Pair {
        /// Its key, if it stands for a field.
        known: Option<&'a str>,
        is_list: bool,
    },
    /// A line with a complete event.
    Whole,
    Other {
        is_indented: bool,
    },
}

impl<'a> Line<'a> {
    fn of(line: &'a [u8]) -> Self {
        let Ok(line) = std::str::from_utf8(line) else { return Line::Other { is_indented: false } };
        let is_indented = line.starts_with([' ', '\t']);
        let line = line.trim_start_matches('\u{feff}').trim_ascii();
        if line.is_empty() {
            return Line::Blank;
        }
        if is_whole(line) {
            return Line::Whole;
        }
        Self::of_part(line, is_indented)
    }

    /// What a line is that has no event of its own and is not blank.
    fn of_part(line: &'a str, is_indented: bool) -> Self {
        let line = Syslog::read(line).map_or(line, |syslog| syslog.message.trim_ascii());
        if line.starts_with("Event SYSMONEVENT_") || looks_like_time(line) {
            return Line::Start;
        }
        let Some(end) = line.bytes().take(MAX_KEY_BYTES).position(|byte| matches!(byte, b':' | b'=')) else {
            return match line.ends_with(':') {
                true => Line::Heading { is_xml: false },
                false => Line::Other { is_indented },
            };
        };
        let (key, value) = (&line[..end], &line[end + 1..]);
        if value.is_empty() && line.ends_with(':') && Field::from_data_name(key).is_none() {
            let is_xml = key.to_ascii_lowercase().ends_with("xml");
            return Line::Heading { is_xml };
        }
        if line.as_bytes()[end] == b':'
            && let Some(field) = Field::from_data_name(key)
        {
            return Line::Field(field);
        }
        let is_list = value.starts_with(' ') && key.ends_with(' ') && !key.trim_ascii().contains(' ');
        match lines::header_pair(key, value.trim_ascii()) {
            None if key.trim_ascii().contains("  ") => Line::Other { is_indented },
            field => Line::Pair { known: field.map(|_| key.trim_ascii()), is_list },
        }
    }
}

/// Whether a line has an event of its own.
fn is_whole(line: &str) -> bool {
    let has = |mark: &str| memmem::find(line.as_bytes(), mark.as_bytes()).is_some();
    line.starts_with('{')
        || has("<Event")
        || has("&lt;Event")
        || (line.len() > 256 && lines::may_hold_event(line.as_bytes()))
}

impl Group {
    /// The group that a line begins; None if the line is a record of its own.
    fn open(line: &[u8]) -> Option<Group> {
        if line.len() > MAX_OPENING_BYTES {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?.trim_start_matches('\u{feff}').trim_ascii();
        if text.is_empty() {
            return None;
        }
        let mut group = Group::default();
        match Line::of_part(text, false) {
            Line::Start | Line::Heading { .. } => {}
            Line::Field(field @ (Field::RuleName | Field::EventCreationTime)) => group.read_field(field),
            Line::Pair { known, is_list } if known.is_some() || starts_list(line) => group.read_header(known, is_list),
            _ => return None,
        }
        // Last, for few lines come here.
        (!is_whole(text)).then_some(group)
    }

    fn read_header(&mut self, known: Option<&str>, is_list: bool) {
        self.has_header = true;
        self.is_list |= is_list;
        self.seen.extend(known.map(str::to_owned));
    }

    fn read_field(&mut self, field: Field) {
        self.has_rule |= field == Field::RuleName;
        self.has_time |= field == Field::EventCreationTime;
        self.has_query |= field == Field::DnsQueryName;
        self.is_complete |= match field {
            Field::DstPortName | Field::ProcessParentCommandLine => true,
            Field::ProcessName => self.has_query,
            _ => false,
        };
    }

    fn take(&mut self, line: &[u8]) -> Next {
        if self.in_xml {
            return if memmem::find(line, b"</Event>").is_some() { Next::Last } else { Next::Join };
        }
        match Line::of(line) {
            Line::Blank if self.has_time || !self.has_header => Next::Last,
            Line::Blank => Next::Join,
            Line::Whole if self.has_header && line.trim_ascii_start().starts_with(b"<Event") => {
                self.in_xml = true;
                self.take(line)
            }
            Line::Whole => Next::Apart,
            Line::Start if self.has_time || self.has_header => Next::Apart,
            Line::Start => Next::Join,
            Line::Field(field) => self.take_field(field),
            // Of a value in several lines.
            _ if self.has_time && !self.is_complete => Next::Join,
            Line::Heading { is_xml } if self.is_complete => match is_xml && self.has_header {
                true => Next::Join,
                false => Next::Apart,
            },
            Line::Heading { .. } => Next::Join,
            Line::Pair { known, is_list } => {
                let is_next = known.is_some_and(|key| self.seen.iter().any(|seen| seen == key));
                if is_next || (self.is_complete && !self.is_list) || self.has_rule && !self.has_time {
                    return Next::Apart;
                }
                self.read_header(known, is_list);
                Next::Join
            }
            Line::Other { is_indented } if self.is_list && is_indented => Next::Join,
            Line::Other { .. } => Next::Apart,
        }
    }

    fn take_field(&mut self, field: Field) -> Next {
        let is_next = match field {
            Field::RuleName => self.has_rule || self.has_time,
            Field::EventCreationTime => self.has_time,
            _ => false,
        };
        if is_next {
            return Next::Apart;
        }
        let is_of_header = !self.has_time && !matches!(field, Field::RuleName | Field::EventCreationTime);
        if is_of_header {
            // `User` and others are names of headers, too.
            return if self.has_header { Next::Join } else { Next::Apart };
        }
        self.read_field(field);
        let is_last = match field {
            Field::DstPortName | Field::ProcessParentUserName => true,
            Field::UserName => self.has_query,
            _ => false,
        };
        if is_last && !self.has_header { Next::Last } else { Next::Join }
    }
}

/// Whether a pair is one of those with which a list of PowerShell's or a text of `wevtutil` begins.
fn starts_list(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    ["Message ", "TimeCreated ", "Log Name:", "Event["].iter().any(|mark| line.starts_with(mark.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<&str> {
        let mut scanner = Scanner::default();
        std::iter::from_fn(|| scanner.next(text.as_bytes(), true)).map(|record| &text[record]).collect()
    }

    const MESSAGE: &str = "Network connection detected:\nRuleName: -\nUtcTime: 2024-05-14 09:13:27.481\nImage: a\nUser: b\n\
                           DestinationPortName: -\n";

    #[test]
    fn lines_are_joined_to_events() {
        let event_viewer =
            format!("Log Name:  Microsoft-Windows-Sysmon/Operational\nUser:   SYSTEM\nDescription:\n{MESSAGE}");
        let splunk =
            format!("05/14/2024 11:13:28 AM\nLogName=Microsoft-Windows-Sysmon/Operational\nUser=x\nMessage={MESSAGE}");
        let list = format!(
            "Message      : {}Id           : 3\n\n",
            MESSAGE.replace('\n', "\n               ").trim_end_matches(' ')
        );
        let tool = format!("Event[0]:\n  Log Name: Microsoft-Windows-Sysmon/Operational\n  Description: \n{MESSAGE}\n");
        let journal: String =
            MESSAGE.lines().map(|line| format!("Oct 10 12:45:22 lin sysmon[1]: \t{line}\n")).collect();
        for event in [MESSAGE, &event_viewer, &splunk, &list, &tool, &journal] {
            assert_eq!(records(&event.repeat(2)), [event, event], "{event}");
        }
        let framed = format!("{} <14>1 {MESSAGE}", MESSAGE.len() + 6);
        assert_eq!(records(&framed.repeat(2)), [&framed, &framed]);
        let xml = format!("{event_viewer}Event Xml:\n<Event>\n<a>\n</Event>\n");
        assert_eq!(records(&xml.repeat(2)), [&xml, &xml]);
    }

    #[test]
    fn other_lines_are_records_of_their_own() {
        let text = "May 14 09:13:27 lin sshd[1]: error:\n{\"a\":1}\nx: y\nz\n\n";
        assert_eq!(records(text), text.split_inclusive('\n').collect::<Vec<_>>());
        let cut = "RuleName: -\nUtcTime: 2024-05-14 09:13:27.481\nImage: a\n";
        assert_eq!(
            records(&format!("{cut}{MESSAGE}")),
            [format!("{cut}Network connection detected:\n"), MESSAGE.split_once('\n').unwrap().1.to_owned()]
        );
    }
}
