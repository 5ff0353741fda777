//! The message text of an event ("Network connection detected:" and `Name: value` pairs), as Windows shows it, bare or in
//! OSSEC's lines.

use std::sync::LazyLock;

use bumpalo::Bump;
use memchr::memmem;
use memchr::memmem::Finder;

use crate::format::Verdict;
use crate::shapes::text::resolve_entities;
use crate::table::columns::Row;
use crate::table::event::{Event, Events, Provider};
use crate::table::schema::Field;
use crate::table::value::{Value, parse_int};

/// OSSEC and old Wazuh agents begin an event with this: `WinEvtLog: channel: LEVEL(id): provider: user: domain:
/// computer: message`.
pub(crate) const OSSEC: &str = "WinEvtLog: ";

/// The event whose message text this is, in any language: the heading may be translated, the names are not.
pub(crate) fn event_of(message: &str) -> Option<Event> {
    let has = |field: &Field| {
        let name = field.sysmon().as_bytes();
        memmem::find_iter(message.as_bytes(), name).any(|at| message.as_bytes().get(at + name.len()) == Some(&b':'))
    };
    let has_time = has(&Field::EventCreationTime);
    Event::SYSMON.into_iter().find(|event| has_time && event.marks().iter().all(has))
}

/// Fill the fields that `row` does not have yet from the event's message text: `Name: value`, each in a line, or all in
/// one line separated by blanks.
pub fn fill_from_message<'a>(message: &'a str, event: Event, row: &mut Row<'a>) {
    // Wazuh puts quotation marks around it.
    let message = message.trim_ascii();
    let message = message.strip_prefix('"').map_or(message, |inner| inner.strip_suffix('"').unwrap_or(inner));
    if message.contains('\n') {
        for line in message.lines() {
            if let Some((name, value)) = line.split_once(':')
                && let Some(field) = Field::from_data_name(name.trim_ascii())
            {
                row.fill(field, plain(value));
            }
        }
        return;
    }
    let mut previous: Option<(Field, usize)> = None;
    let mut at = 0;
    for field in event.in_order() {
        let Some((start, end)) = find_name(message, at, field.sysmon()) else { continue };
        if let Some((field, value)) = previous {
            row.fill(field, plain(&message[value..start]));
        }
        previous = Some((field, end));
        at = end;
    }
    if let Some((field, value)) = previous {
        row.fill(field, plain(&message[value..]));
    }
}

fn plain(value: &str) -> Value<'_> {
    Value::Text(match value.trim_ascii() {
        "&lt;unknown process&gt;" => "<unknown process>",
        value => value,
    })
}

/// The start and end of ` name:`, at or after `at`.
fn find_name(message: &str, mut at: usize, name: &str) -> Option<(usize, usize)> {
    let bytes = message.as_bytes();
    loop {
        let start = at + memmem::find(&bytes[at..], name.as_bytes())?;
        let end = start + name.len();
        if bytes.get(end) == Some(&b':') && (start == 0 || bytes[start - 1].is_ascii_whitespace()) {
            return Some((start, end + 1));
        }
        at = end;
    }
}

/// Read the event whose message text is in `line`, in OSSEC's form or bare; None if there is none.
pub(crate) fn read_message<'a>(line: &'a str, row: &mut Row<'a>, asked: Events) -> Result<Option<Verdict>, String> {
    if let Some(start) = memmem::find(line.as_bytes(), OSSEC.as_bytes()) {
        return read_ossec(&line[start + OSSEC.len()..], row, asked).map(Some);
    }
    let Some(event) = event_of(line) else { return Ok(None) };
    let verdict = Verdict::new(Provider::Sysmon, Some(event.id()), asked);
    if let Verdict::Asked(event) = verdict {
        check_end(line, event)?;
        fill_from_message(line, event, row);
    }
    Ok(Some(verdict))
}

/// A truncated line lacks the last name; its last value may be truncated too.
fn check_end(message: &str, event: Event) -> Result<(), String> {
    let last = event.last().sysmon();
    match find_name(message, 0, last) {
        Some(_) => Ok(()),
        None => Err(format!("found the end of the line, expected {last}")),
    }
}

fn read_ossec<'a>(line: &'a str, row: &mut Row<'a>, asked: Events) -> Result<Verdict, String> {
    let mut parts = line.splitn(7, ": ");
    let mut part = || parts.next().ok_or("found the end of the line, expected seven parts");
    let (channel, level_and_id, provider, _user, _domain, computer, message) =
        (part()?, part()?, part()?, part()?, part()?, part()?, part()?);
    let (level, id) = level_and_id.split_once('(').unwrap_or((level_and_id, ""));
    let event_id = parse_int(id.trim_end_matches(')'));
    let verdict = Verdict::of(Some(provider), event_id, false, asked);
    if let Verdict::Asked(event) = verdict {
        row.set(Field::Channel, Value::Text(channel));
        row.set(Field::ProviderName, Value::Text(provider));
        row.set(Field::ComputerName, Value::Text(computer));
        row.set(Field::EventId, Value::Int(event.id()));
        if level == "INFORMATION" {
            row.set(Field::EventLevel, Value::Int(4));
        }
        check_end(message, event)?;
        fill_from_message(message, event, row);
    }
    Ok(verdict)
}

/// Find the missing names in the message text as it stands in the input: usually they are missing because they have no
/// value, and unescaping the complete text to find that out would cost more than the record. False if the text has
/// anything other than `\n` between the lines, or a value itself has escapes.
pub(crate) fn fill_from_json_string<'a>(raw: &'a str, event: Event, arena: &'a Bump, row: &mut Row<'a>) -> bool {
    static UNICODE_ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));
    if UNICODE_ESCAPE.find(raw.as_bytes()).is_some() {
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
