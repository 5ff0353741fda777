//! Reads one `<Event>` element into a row.

use bumpalo::Bump;

use super::markup::{Item, Reader, Tag, found, shorten, unescape};
use crate::format::Verdict;
use crate::shapes::audit;
use crate::table::columns::Row;
use crate::table::event::{Event, Events, Provider};
use crate::table::schema::Field;
use crate::table::value::Value;

/// Read one `<Event>` element into `row`. `arena` owns the values that need unescaping.
///
/// An event that was not requested is read only as far as needed to know that. The error says what was found and what
/// was expected.
pub fn read_event<'a>(xml: &'a str, arena: &'a Bump, row: &mut Row<'a>, asked: Events) -> Result<Verdict, String> {
    let verdict = read_fields(xml, arena, row, asked)?;
    if let Verdict::Asked(event) = verdict {
        audit::complete(event, row);
    }
    Ok(verdict)
}

/// [`read_event`] without [`audit::complete`]: the values of `row` are those of the log.
pub(super) fn read_fields<'a>(
    xml: &'a str,
    arena: &'a Bump,
    row: &mut Row<'a>,
    asked: Events,
) -> Result<Verdict, String> {
    let mut reader = Reader::new(xml);
    let event = first_tag(&mut reader)?;
    if event.name != "Event" {
        return Err(found(&format!("<{}>", shorten(event.name)), "<Event>"));
    }
    while !event.empty
        && let Some(part) = reader.child(event.name)?
    {
        match part.name {
            "System" if !part.empty => {
                if let Some(other) = read_system(&mut reader, arena, row, asked)? {
                    return Ok(other);
                }
            }
            "EventData" if !part.empty => read_event_data(&mut reader, arena, row)?,
            // RenderingInfo has a Level, a Task and more of System's names: they are not fields.
            _ => reader.skip(part)?,
        }
    }
    verdict(row, asked)
}

/// Read every `<Data Name="...">` of a fragment (an `EventData` element, say) into `row`.
pub fn read_data<'a>(xml: &'a str, arena: &'a Bump, row: &mut Row<'a>) -> Result<(), String> {
    let mut reader = Reader::new(xml);
    let mut unnamed = Unnamed::default();
    while let Some(item) = reader.item()? {
        match item {
            Item::Open(tag) if tag.name == "Data" => read_datum(&mut reader, tag, arena, row, &mut unnamed)?,
            _ => {}
        }
    }
    unnamed.place(row)
}

fn first_tag<'a>(reader: &mut Reader<'a>) -> Result<Tag<'a>, String> {
    loop {
        match reader.item()? {
            Some(Item::Open(tag)) => return Ok(tag),
            Some(_) => {}
            None => return Err(found("no element", "<Event>")),
        }
    }
}

/// Read `System`; return the verdict as soon as it is clear that the event was not requested.
fn read_system<'a>(
    reader: &mut Reader<'a>,
    arena: &'a Bump,
    row: &mut Row<'a>,
    asked: Events,
) -> Result<Option<Verdict>, String> {
    while let Some(tag) = reader.child("System")? {
        match Field::from_system_element(tag.name) {
            Some(field) => {
                let text = reader.value(tag, arena)?;
                row.set(field, Value::Text(text));
            }
            None => {
                read_attributes(tag, arena, row)?;
                reader.skip(tag)?;
            }
        }
        if matches!(tag.name, "EventID" | "Provider")
            && let (Value::Text(provider), Some(id)) = (row.get(Field::ProviderName), event_id(row))
            && let other @ (Verdict::OtherEvent | Verdict::OtherProvider) =
                Verdict::of(Some(provider), Some(id), false, asked)
        {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn read_attributes<'a>(tag: Tag<'a>, arena: &'a Bump, row: &mut Row<'a>) -> Result<(), String> {
    for (name, value) in tag.attributes() {
        if let Some(field) = Field::from_system_attribute(tag.name, name) {
            row.set(field, Value::Text(unescape(value, arena)?));
        }
    }
    Ok(())
}

fn read_event_data<'a>(reader: &mut Reader<'a>, arena: &'a Bump, row: &mut Row<'a>) -> Result<(), String> {
    let mut unnamed = Unnamed::default();
    let field_of = field_names(row);
    loop {
        while let Some((field, text)) = reader.usual_datum(field_of) {
            row.set(field, Value::Text(unescape(text, arena)?));
            unnamed.among += 1;
        }
        let Some(tag) = reader.child("EventData")? else { break };
        match tag.name {
            "Data" => read_datum(reader, tag, arena, row, &mut unnamed)?,
            _ => reader.skip(tag)?,
        }
    }
    unnamed.place(row)
}

fn read_datum<'a>(
    reader: &mut Reader<'a>,
    tag: Tag<'a>,
    arena: &'a Bump,
    row: &mut Row<'a>,
    unnamed: &mut Unnamed<'a>,
) -> Result<(), String> {
    let Some((_, name)) = tag.attributes().find(|(attribute, _)| *attribute == "Name") else {
        unnamed.push(reader.value(tag, arena)?);
        return Ok(());
    };
    unnamed.among += 1;
    let behind = reader.rest();
    let read = match field_names(row)(name) {
        Some(field) => reader.value(tag, arena).map(|text| row.set(field, Value::Text(text))),
        None => reader.skip(tag),
    };
    let Err(broken) = read else { return Ok(()) };
    *reader = Reader::new(behind);
    let text = reader.unescaped_value(tag).ok_or(broken)?;
    if let Some(field) = Field::from_data_name(name) {
        row.set(field, Value::Text(unescape(text, arena)?));
    }
    Ok(())
}

/// The fields that the provider's names of `EventData` stand for.
fn field_names(row: &Row<'_>) -> fn(&str) -> Option<Field> {
    match row.get(Field::ProviderName) {
        Value::Text(provider) if Provider::of(provider) == Provider::Audit => audit::field,
        _ => Field::from_data_name,
    }
}

/// Values without names, in Sysmon's order.
#[derive(Default)]
struct Unnamed<'a> {
    values: Vec<&'a str>,
    /// How many values have names.
    among: usize,
}

impl<'a> Unnamed<'a> {
    fn push(&mut self, value: &'a str) {
        self.values.push(value);
    }

    /// Assign the values to the fields that their count determines.
    fn place(self, row: &mut Row<'a>) -> Result<(), String> {
        let count = self.values.len();
        if count == 0 {
            return Ok(());
        }
        let event = event_id(row).and_then(Event::of_id).unwrap_or(Event::Connection);
        let Some(fields) = event.unnamed(count).filter(|_| self.among == 0) else {
            let what = format!("{count} Data without a Name beside {} with one", self.among);
            return Err(found(&what, &format!("{}, or none", event.field_counts())));
        };
        for (field, value) in fields.zip(self.values) {
            row.set(field, Value::Text(value));
        }
        Ok(())
    }
}

fn event_id(row: &Row<'_>) -> Option<i64> {
    row.get(Field::EventId).integer()
}

/// Judge an event that was read to its end.
fn verdict(row: &Row<'_>, asked: Events) -> Result<Verdict, String> {
    let provider = match row.get(Field::ProviderName) {
        Value::Text(name) => Some(name),
        _ => None,
    };
    let looks_like_sysmon = row.get(Field::EventCreationTime) != Value::Null
        || matches!(row.get(Field::Channel), Value::Text(channel) if channel.contains("Sysmon"));
    match (Verdict::of(provider, event_id(row), looks_like_sysmon, asked), event_id(row)) {
        (Verdict::OtherEvent, None) => Err(found("no number in EventID", "one")),
        (verdict, _) => Ok(verdict),
    }
}
