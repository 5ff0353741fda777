//! The message text of an event ("Network connection detected:" and `Name: value` pairs), and lines of text
//! that hold it, or XML, or JSON.

use std::sync::Arc;

use bumpalo::Bump;
use memchr::memmem;

use crate::columns::{Place, Row, Tables};
use crate::event::{Event, Events};
use crate::format::{
    BROKEN_RECORD, Block, Cut, Decode, Format, FormatName, MAX_RECORD_BYTES, Pending, Verdict, add_overlong,
    warn_invalid_utf8,
};
use crate::json;
use crate::ledger::Ledger;
use crate::schema::Field;
use crate::value::{Value, parse_int};
use crate::xml;

/// OSSEC and old Wazuh agents begin an event so: `WinEvtLog: channel: LEVEL(id): provider: user: domain:
/// computer: message`.
const OSSEC: &str = "WinEvtLog: ";

/// Whether `head` has a line that we read.
pub fn looks_like_log(head: &[u8]) -> bool {
    let has = |mark: &str| memmem::find(head, mark.as_bytes()).is_some();
    let json = has("{\"") && ["Sysmon", "EventID", "event_id", "eventID", "EventId"].into_iter().any(has);
    let message =
        || has("ProcessGuid: ") && ["DestinationIp: ", "ParentProcessGuid: ", "QueryName: "].into_iter().any(has);
    json || has("<Event>") || has("<Event ") || has(OSSEC) || message()
}

/// The event that `message` is of, in any language: the heading may be translated, the names are not.
pub(crate) fn event_of(message: &str) -> Option<Event> {
    let has = |field: &Field| {
        let name = field.sysmon().as_bytes();
        memmem::find_iter(message.as_bytes(), name).any(|at| message.as_bytes().get(at + name.len()) == Some(&b':'))
    };
    let has_time = has(&Field::EventCreationTime);
    Event::ALL.into_iter().find(|event| has_time && event.marks().iter().all(has))
}

/// Fill the fields that `row` does not have yet from the event's message text: `Name: value`, each in a line, or
/// all in one line with blanks between.
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

/// Where ` name:` begins and ends, at or after `at`.
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

/// Read the event that a line of text holds: XML, JSON or the message text, after any prefix.
///
/// None if it holds none of them; the error says what was found and what was expected.
pub(crate) fn read_line<'a>(
    line: &'a str,
    arena: &'a Bump,
    row: &mut Row<'a>,
    asked: Events,
) -> Result<Option<Verdict>, String> {
    let bytes = line.as_bytes();
    if let Some(start) = memmem::find_iter(bytes, "<Event").find(|at| matches!(bytes.get(at + 6), Some(b'>' | b' '))) {
        return xml::read_event(&line[start..], arena, row, asked).map(Some);
    }
    if let Some(start) = memmem::find(bytes, b"{\"") {
        return json::read_event(&line[start..], arena, row, asked).map(Some);
    }
    if let Some(start) = memmem::find(bytes, OSSEC.as_bytes()) {
        return read_ossec(&line[start + OSSEC.len()..], row, asked).map(Some);
    }
    let Some(event) = event_of(line) else { return Ok(None) };
    let verdict = Verdict::new(true, Some(event.id()), asked);
    if let Verdict::Asked(event) = verdict {
        check_end(line, event)?;
        fill_from_message(line, event, row);
    }
    Ok(Some(verdict))
}

/// A line that was cut off lacks the last name; what it has may be cut too.
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

/// The text format.
#[derive(Default)]
pub struct TextLines {
    /// Within a line that was too long: its rest is dropped.
    overlong: bool,
}

struct TextDecoder;

impl Format for TextLines {
    fn name(&self) -> FormatName {
        FormatName::Text
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        if self.overlong {
            let end = memchr::memchr(b'\n', pending.bytes);
            self.overlong = end.is_none();
            return Cut::Drop(end.map_or(pending.bytes.len(), |end| end + 1));
        }
        if pending.at_end {
            return Cut::Take(pending.bytes.len());
        }
        match memchr::memrchr(b'\n', pending.bytes) {
            Some(end) => Cut::Take(end + 1),
            None if pending.bytes.len() < MAX_RECORD_BYTES => Cut::More,
            None => {
                self.overlong = true;
                ledger.records += 1;
                add_overlong(pending.offset, pending.line, ledger);
                Cut::Drop(pending.bytes.len())
            }
        }
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(TextDecoder)
    }
}

impl Decode for TextDecoder {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let mut arena = Bump::new();
        let mut place = Place { offset: block.offset, line: Some(block.line), recovered: false };
        for line in block.bytes.split_inclusive(|byte| *byte == b'\n') {
            decode_line(line, &arena, place, out, ledger);
            arena.reset();
            place.offset += line.len() as u64;
            place.line = place.line.map(|number| number + 1);
        }
    }
}

/// A line that holds no event is no record.
fn decode_line(line: &[u8], arena: &Bump, place: Place, out: &mut Tables, ledger: &mut Ledger) {
    let text = String::from_utf8_lossy(line.trim_ascii_end());
    let mut row = Row::default();
    let verdict = match read_line(&text, arena, &mut row, out.events()) {
        Ok(None) => return,
        Ok(Some(verdict)) => Ok(verdict),
        Err(reason) => Err(reason),
    };
    ledger.records += 1;
    match verdict {
        Ok(Verdict::Asked(event)) => out.of(event).push(&row, place, ledger),
        Ok(other) => other.count(ledger),
        Err(reason) => ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || reason),
    }
    if matches!(text, std::borrow::Cow::Owned(_)) {
        warn_invalid_utf8(place, ledger);
    }
}
