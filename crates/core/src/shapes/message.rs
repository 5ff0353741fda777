//! The message text of an event ("Network connection detected:" and `Name: value` pairs), as Windows shows it: one pair a
//! line, or all in one line with blanks, tabs, bars or escaped line ends between them.

use std::ops::Range;
use std::sync::LazyLock;

use bumpalo::Bump;
use memchr::memmem::Finder;

use crate::shapes::text::resolve_entities;
use crate::table::columns::{Note, Row};
use crate::table::event::Event;
use crate::table::schema::{Field, Kind};
use crate::table::value::{Value, parse_bool, parse_guid, parse_int};

/// The most fields of an event.
const MAX_FIELDS: usize = 32;

/// The event whose message text this is, in any language: the heading may be translated, the names are not.
pub(crate) fn event_of(message: &str) -> Option<Event> {
    event_with(names(message))
}

/// The event that has these fields.
fn event_with(names: impl Iterator<Item = (usize, Field)>) -> Option<Event> {
    let mut seen = 0u128;
    names.for_each(|(_, field)| seen |= 1 << field as usize);
    let has = |field: &Field| seen & 1 << *field as usize != 0;
    let has_time = has(&Field::EventCreationTime);
    Event::SYSMON.into_iter().find(|event| has_time && event.marks().iter().all(has))
}

/// Where a few bytes stand. To prepare a search would take longer than most searches.
fn find_short(text: &[u8], short: &[u8]) -> Option<usize> {
    let first = *short.first()?;
    memchr::memchr_iter(first, text).find(|at| text[*at..].starts_with(short))
}

/// Every place where a field's name stands before a colon, and the field.
fn names(text: &str) -> impl Iterator<Item = (usize, Field)> {
    const { assert!(Field::COUNT <= u128::BITS as usize) };
    let bytes = text.as_bytes();
    memchr::memchr_iter(b':', bytes).filter_map(|colon| {
        let before = &bytes[..colon];
        let len = before.iter().rev().take(MAX_NAME_BYTES).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let start = colon - len;
        if len < MIN_NAME_BYTES {
            return None;
        }
        if let Some(field) = Field::from_data_name(&text[start..colon]) {
            return Some((start, field));
        }
        // Behind `\n`.
        let is_escape = start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r' | b't');
        let field = Field::from_data_name(&text[start + 1..colon]).filter(|_| is_escape)?;
        Some((start + 1, field))
    })
}

/// The lengths of the shortest name, `User`, and of the longest.
const MIN_NAME_BYTES: usize = 4;
const MAX_NAME_BYTES: usize = 24;

/// Fill the fields that `row` does not have yet from the event's message text.
///
/// A text that was rendered with the names of another version of Sysmon has its values under the wrong names: nothing of
/// it is used, and the row notes that.
pub fn fill_from_message<'a>(message: &'a str, event: Event, row: &mut Row<'a>) {
    match Message::find(message, event) {
        Some(Message { is_misrendered: true, .. }) => row.note(Note::MisrenderedMessage),
        Some(found) => found.fill(row),
        None => {}
    }
}

/// The pairs of a message text.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    fields: [Option<(Field, &'a str)>; MAX_FIELDS],
    /// Where its first name stands, and where its last value ends.
    pub(crate) range: Range<usize>,
    /// Whether its names are those of another version of Sysmon, so that they do not match the values.
    pub(crate) is_misrendered: bool,
    /// Whether escaped line ends stand between its pairs.
    pub(crate) is_escaped: bool,
    /// Whether it ends with the last name that every version has: a truncated one does not.
    pub(crate) is_complete: bool,
}

/// The places of fields' names in a text.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    text: &'a str,
    places: Vec<(usize, Field)>,
    /// What stands before `text`, in bytes.
    shift: usize,
}

impl<'a> Names<'a> {
    /// Find the names in a message text.
    pub(crate) fn of(message: &'a str) -> Self {
        // Wazuh puts quotation marks around it.
        let text = message.trim_ascii();
        let text = text.strip_prefix('"').map_or(text, |inner| inner.strip_suffix('"').unwrap_or(inner));
        let mut places = Vec::with_capacity(MAX_FIELDS);
        places.extend(names(text));
        Names { text, places, shift: text.as_ptr() as usize - message.as_ptr() as usize }
    }

    /// The event whose message text this is.
    pub(crate) fn event(&self) -> Option<Event> {
        event_with(self.places.iter().copied())
    }

    /// The pairs of the event's message text; None if there are none.
    pub(crate) fn message(&self, event: Event) -> Option<Message<'a>> {
        let (inner, shift) = (self.text, self.shift);
        let text = Pairs { text: inner, names: &self.places, between: Between::Blank };
        let mut found = match text.anchor() {
            Some((between, time, guid)) => Pairs { between, ..text }.read(event, Some(time), guid),
            None => {
                // Without the pair of names at its start the order is not known either.
                let mut found = match inner.contains('\n') {
                    true => Pairs { between: Between::Lines, ..text }.read_lines(event),
                    false => text.read(event, None, 0),
                };
                let has_no_time = |pair: &Option<(Field, &str)>| {
                    matches!(pair, Some((Field::EventCreationTime, time))
                        if !matches!(*time, "" | "-") && !looks_like_time(time))
                };
                found.is_misrendered |= found.fields.iter().any(has_no_time);
                found
            }
        };
        found.range = found.range.start + shift..found.range.end + shift;
        found.fields[0].is_some().then_some(found)
    }
}

impl<'a> Message<'a> {
    /// Find the pairs of the event's message text; None if there are none.
    pub(crate) fn find(message: &'a str, event: Event) -> Option<Message<'a>> {
        Names::of(message).message(event)
    }

    /// Fill the fields that `row` does not have yet.
    pub(crate) fn fill(&self, row: &mut Row<'a>) {
        for (field, value) in self.fields.iter().map_while(|pair| *pair) {
            row.fill(field, Value::Text(value));
        }
    }
}

/// What stands between a value and the next name.
#[derive(Clone, Copy, Debug)]
enum Between<'a> {
    /// A line end, and perhaps the next line's indent.
    Lines,
    /// Exactly this.
    Text(&'a str),
    /// Any blank.
    Blank,
}

/// A text with pairs.
#[derive(Clone, Copy)]
struct Pairs<'a, 'n> {
    text: &'a str,
    /// Every place of a name.
    names: &'n [(usize, Field)],
    between: Between<'a>,
}

impl<'a> Pairs<'a, '_> {
    /// What separates the pairs, where the value of `UtcTime` stands, and where `ProcessGuid`, which follows it, begins.
    ///
    /// The time has a form that nothing before it has, so a rule's name may hold what it likes.
    fn anchor(&self) -> Option<(Between<'a>, Range<usize>, usize)> {
        let places = |field: Field| {
            self.names.iter().filter(move |(start, found)| *found == field && is_separated(self.text, *start))
        };
        for (start, time) in places(Field::EventCreationTime) {
            let from = start + time.sysmon().len() + 1;
            let end = places(Field::ProcessGuid).find(|(start, _)| *start >= from)?.0;
            let value = without_separator(&self.text[from..end]);
            let between = &self.text[from + value.len()..end];
            if looks_like_time(value.trim_ascii()) && !between.is_empty() {
                let between = if between.contains('\n') { Between::Lines } else { Between::Text(between) };
                return Some((between, from..from + value.len(), end));
            }
        }
        None
    }

    /// Read the pairs. `time`: where the value of `UtcTime` stands, if it is certain; then the name behind it is at
    /// `guid`.
    fn read(&self, event: Event, time: Option<Range<usize>>, guid: usize) -> Message<'a> {
        let mut found = Message {
            fields: [None; MAX_FIELDS],
            range: 0..self.text.len(),
            is_misrendered: false,
            is_escaped: matches!(self.between, Between::Text(between) if between.contains('\\')),
            is_complete: false,
        };
        // Where each name begins, and its value.
        let mut places: [(Field, Option<(usize, usize)>); MAX_FIELDS] = [(Field::RuleName, None); MAX_FIELDS];
        let mut at = 0;
        let mut count = 0;
        for (index, field) in event.in_order().take(MAX_FIELDS).enumerate() {
            count = index + 1;
            let behind = |start: usize| (start, start + field.sysmon().len() + 1);
            let place = match (field, &time) {
                (Field::RuleName, Some(time)) => {
                    let is_first = |(start, name): &&(usize, Field)| {
                        *name == field && *start < time.start && is_separated(self.text, *start)
                    };
                    self.names.iter().find(is_first).map(|(start, _)| behind(*start))
                }
                (Field::EventCreationTime, Some(time)) => Some((time.start - field.sysmon().len() - 1, time.start)),
                (Field::ProcessGuid, Some(_)) => Some(behind(guid)),
                _ => self.find(at, field).map(behind),
            };
            places[index] = (field, place);
            at = place.map_or(at, |(_, value)| value);
        }
        self.move_user(&mut places[..count]);
        self.collect(event, &places[..count], &mut found);
        found
    }

    /// Read pairs that stand in any order, one a line.
    fn read_lines(&self, event: Event) -> Message<'a> {
        let mut found = Message {
            fields: [None; MAX_FIELDS],
            range: 0..self.text.len(),
            is_misrendered: false,
            is_escaped: false,
            is_complete: false,
        };
        let places = event.in_order().filter_map(|field| Some((field, self.places(0, field).next()?)));
        let (mut first, mut last) = (self.text.len(), 0);
        for ((field, start), pair) in places.zip(&mut found.fields) {
            let value = start + field.sysmon().len() + 1;
            let end = self.last_end(field, value);
            *pair = Some((field, self.plain(&self.text[value..end])));
            found.is_complete |= field == event.last();
            (first, last) = (first.min(start), last.max(end));
        }
        found.range = first.min(last)..last;
        found
    }

    /// A user's name has no colon, but the path before it may hold one: the last `User:` before the next name counts.
    fn move_user(&self, places: &mut [(Field, Option<(usize, usize)>)]) {
        let Some(user) = places.iter().position(|(field, _)| *field == Field::UserName) else { return };
        let Some((_, value)) = places[user].1 else { return };
        let Some(next) = places[user + 1..].iter().find_map(|(_, place)| place.map(|(start, _)| start)) else { return };
        let last = self.places(value, Field::UserName).take_while(|start| *start < next).last();
        if let Some(start) = last {
            places[user].1 = Some((start, start + Field::UserName.sysmon().len() + 1));
        }
    }

    fn collect(&self, event: Event, places: &[(Field, Option<(usize, usize)>)], found: &mut Message<'a>) {
        let mut pairs = places.iter().filter_map(|(field, place)| place.map(|place| (*field, place))).peekable();
        if let Some((_, (start, _))) = pairs.peek() {
            found.range.start = *start;
        }
        let mut index = 0;
        while let Some((field, (_, start))) = pairs.next() {
            let end = match pairs.peek() {
                Some((_, (end, _))) => *end,
                None => self.last_end(field, start),
            };
            let value = self.plain(&self.text[start..end]);
            found.is_misrendered |= is_unresolved(value);
            found.is_complete |= field == event.last();
            found.range.end = end;
            found.fields[index] = Some((field, value));
            index += 1;
        }
    }

    /// Where the last value ends: collectors add tabs, counters and bars.
    fn last_end(&self, field: Field, start: usize) -> usize {
        let rest = &self.text.as_bytes()[start..];
        let line = memchr::memchr2(b'\n', b'\t', rest).unwrap_or(rest.len());
        let rest = &rest[..line];
        let end = match self.between {
            Between::Text(between) if between.starts_with('\\') => find_short(rest, between.as_bytes()),
            // The name of a port is one word.
            Between::Text(_) | Between::Blank if field == Field::DstPortName => {
                let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                // A value that is missing leaves nothing but blanks.
                let word = rest[blank..].iter().position(u8::is_ascii_whitespace).map(|end| blank + end);
                if blank > 1 { Some(0) } else { word }
            }
            _ => None,
        };
        start + end.unwrap_or(rest.len())
    }

    /// The first place at or after `from` where the field's name stands and its value may be one; if none may be, the
    /// first place.
    fn find(&self, from: usize, field: Field) -> Option<usize> {
        let behind = field.sysmon().len() + 1;
        let is_value = |start: &usize| {
            let value = &self.text[start + behind..];
            is_plausible(field, self.plain(&value[..self.value_len(value)]))
        };
        let mut places = self.places(from, field).peekable();
        let first = *places.peek()?;
        // Most names stand in one place.
        places.find(is_value).or(Some(first))
    }

    /// The length of a value, if it does not hold what separates the pairs.
    fn value_len(&self, value: &str) -> usize {
        let blank = value.len() - value.trim_ascii_start().len();
        let bytes = value.as_bytes();
        let end = match self.between {
            Between::Lines => memchr::memchr(b'\n', bytes),
            Between::Text(between) => {
                find_short(&bytes[1.min(blank)..], between.as_bytes()).map(|at| at + 1.min(blank))
            }
            Between::Blank => bytes[blank..].iter().position(u8::is_ascii_whitespace).map(|at| at + blank),
        };
        end.unwrap_or(value.len())
    }

    /// The places at or after `from` where the field's name stands behind what separates the pairs.
    fn places(&self, from: usize, field: Field) -> impl Iterator<Item = usize> {
        let is_behind = move |start: usize| {
            let before = &self.text[..start];
            match self.between {
                Between::Lines => {
                    before.trim_end_matches([' ', '\t']).ends_with('\n') || before.trim_ascii().is_empty()
                }
                Between::Text(between) => before.ends_with(between),
                Between::Blank => before.is_empty() || before.ends_with(|symbol: char| symbol.is_ascii_whitespace()),
            }
        };
        let names = &self.names[self.names.partition_point(|(start, _)| *start < from)..];
        names.iter().filter(move |(start, name)| *name == field && is_behind(*start)).map(|(start, _)| *start)
    }

    /// The value without what separates it from the next name, and without what shippers do to it.
    fn plain(&self, value: &'a str) -> &'a str {
        let value = match self.between {
            Between::Text(between) => value.strip_suffix(between).unwrap_or(value),
            Between::Lines | Between::Blank => value,
        };
        let value = value.trim_ascii();
        let value = match self.between {
            Between::Text(between) if between.contains(['|', ';', ',', '\u{a6}']) => {
                value.trim_end_matches(['|', ';', ',', '\u{a6}', ' '])
            }
            _ => value,
        };
        if value == "&lt;unknown process&gt;" { "<unknown process>" } else { value }
    }
}

/// Whether a name at `start` stands at the start of the text, or behind anything that separates pairs.
fn is_separated(text: &str, start: usize) -> bool {
    let before = &text.as_bytes()[..start];
    before.last().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'|' | b';' | b','))
        || [&b"\\n"[..], b"\\r", b"\\t"].iter().any(|escape| before.ends_with(escape))
}

/// What may separate pairs.
const SEPARATORS: [char; 8] = ['|', '\u{a6}', ';', ',', ' ', '\t', '\r', '\n'];

/// `text` without what separates it from the next pair.
fn without_separator(text: &str) -> &str {
    let mut rest = text;
    loop {
        let shorter = rest.trim_end_matches(SEPARATORS);
        let shorter = ["\\n", "\\r", "\\t"].iter().find_map(|escape| shorter.strip_suffix(escape)).unwrap_or(shorter);
        if shorter.len() == rest.len() {
            return rest;
        }
        rest = shorter;
    }
}

/// Whether this is a date and a time in any country's form.
pub(crate) fn looks_like_time(text: &str) -> bool {
    let count = |wanted: fn(&u8) -> bool| text.bytes().filter(wanted).count();
    let of_times = |byte: u8| byte.is_ascii_digit() || b" -./:,TZ+AMPUC".contains(&byte);
    text.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
        && text.bytes().all(of_times)
        && count(|byte| *byte == b':') >= 2
        && count(u8::is_ascii_digit) >= 9
}

/// `%18`: Windows leaves this where the event has no value for a name.
fn is_unresolved(value: &str) -> bool {
    value.strip_prefix('%').is_some_and(|number| {
        !number.is_empty() && number.len() < 4 && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn is_plausible(field: Field, value: &str) -> bool {
    if matches!(value, "" | "-") {
        return true;
    }
    match (field.kind(), field) {
        (Kind::Guid, _) => parse_guid(value).is_some(),
        (Kind::Int64 | Kind::Int32 | Kind::Port, _) => parse_int(value).is_some(),
        (Kind::Bool, _) => parse_bool(value).is_some() || !value.contains([' ', ':']),
        (Kind::Ip, _) => !value.contains(' '),
        (_, Field::NetworkProtocol) => value.len() < 9 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        _ => true,
    }
}

/// Find the missing names in the message text as it stands in the input: usually they are missing because they have no
/// value, and unescaping the complete text to find that out would cost more than the record. False if the text has
/// anything other than `\n` between the lines, if a value itself has escapes, or if the names may not match the values.
pub(crate) fn fill_from_json_string<'a>(raw: &'a str, event: Event, arena: &'a Bump, row: &mut Row<'a>) -> bool {
    static UNICODE_ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));
    static UNRESOLVED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(": %"));
    if UNICODE_ESCAPE.find(raw.as_bytes()).is_some() || UNRESOLVED.find(raw.as_bytes()).is_some() {
        return false;
    }
    let Some(at) = find_raw_line(raw, Field::EventCreationTime) else { return false };
    let time = &raw[at + Field::EventCreationTime.sysmon().len() + 1..];
    if !looks_like_time(time[..memchr::memchr(b'\\', time.as_bytes()).unwrap_or(time.len())].trim_ascii()) {
        return false;
    }
    let mut rest = raw;
    for field in event.in_order() {
        if !matches!(row.get(field), Value::Null) {
            continue;
        }
        let Some(at) = find_raw_line(rest, field) else { continue };
        rest = &rest[at + field.sysmon().len() + 1..];
        let end = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        if !matches!(rest.as_bytes().get(end + 1), None | Some(b'n' | b'r')) {
            return false;
        }
        row.fill(field, Value::Text(resolve_entities(rest[..end].trim_ascii(), arena)));
    }
    // A text with none of the names may not have lines at all.
    rest.len() < raw.len() || find_raw_line(raw, Field::ProcessGuid).is_some()
}

/// The start of a line that begins with the field's name, in a JSON string.
fn find_raw_line(raw: &str, field: Field) -> Option<usize> {
    static FINDERS: LazyLock<Vec<Finder<'static>>> =
        LazyLock::new(|| Field::ALL.iter().map(|field| Finder::new(field.sysmon())).collect());
    let bytes = raw.as_bytes();
    FINDERS[field as usize].find_iter(bytes).find(|at| {
        let before = &bytes[..*at];
        let line_feed = before.ends_with(b"\\n") && !before.ends_with(b"\\\\n");
        line_feed && bytes.get(at + field.sysmon().len()) == Some(&b':')
    })
}
