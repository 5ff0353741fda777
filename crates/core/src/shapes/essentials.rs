//! What a record must have to be an event.

use crate::table::columns::Row;
use crate::table::event::Event;
use crate::table::schema::Field;
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
