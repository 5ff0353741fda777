//! What a record must have to be an event.

use bumpalo::Bump;

use crate::shapes::text::halve_backslashes;
use crate::table::columns::Row;
use crate::table::event::Event;
use crate::table::schema::{Field, Kind};
use crate::table::value::Value;

/// Whether `row` has a value for the field.
pub(crate) fn has(row: &Row<'_>, field: Field) -> bool {
    !matches!(row.get(field), Value::Null | Value::Text("" | "-"))
}

/// Whether `row` has what makes the event. Of a connection: the process (its GUID, id or image) and the destination's address.
pub(crate) fn is_event(event: Event, row: &Row<'_>) -> bool {
    let process = || has(row, Field::ProcessGuid) || has(row, Field::ProcessId) || has(row, Field::ProcessName);
    match event {
        Event::ProcessCreation => process(),
        Event::DnsQuery => has(row, Field::DnsQueryName),
        _ => has(row, Field::DstIp) && process(),
    }
}

/// Undo the doubling of every backslash, which Wazuh does; the image's drive shows it.
pub(crate) fn undo_doubling<'a>(row: &mut Row<'a>, arena: &'a Bump) {
    let doubled = |text: &str| text.get(1..).is_some_and(|rest| rest.starts_with(":\\\\"));
    if !matches!(row.get(Field::ProcessName), Value::Text(image) if doubled(image)) {
        return;
    }
    for field in Field::data().filter(|field| field.kind() == Kind::Text) {
        if let Value::Text(text) = row.get(field) {
            row.set(field, Value::Text(halve_backslashes(text, arena)));
        }
    }
}
