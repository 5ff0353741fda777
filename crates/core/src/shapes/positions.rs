//! Values without names, in Sysmon's order: which field each one is, if the list is plausible as a whole.

use crate::table::columns::Row;
use crate::table::event::Event;
use crate::table::schema::{Field, Kind};
use crate::table::value::{Value, parse_bool, parse_guid, parse_int, parse_ip, parse_time_us};

/// A shipper that drops empty values leaves this many out at most.
const MAX_DROPPED: usize = 2;

/// Fill the fields that `row` lacks from `values`, in Sysmon's order; return whether they are the event's.
///
/// Each value must be one of its field: a time, a number, an address. Shippers drop empty values, so of event 3 any two may be
/// missing; if what is left could be assigned in several ways, the fields that differ stay null.
pub(crate) fn fill_from_list<'a>(values: &[Value<'a>], event: Event, row: &mut Row<'a>) -> bool {
    if values.is_empty() {
        return false;
    }
    // Version 4 of event 3, of Sysmon 2.0, has a `SequenceNumber` where `RuleName` stands in later ones.
    let numbered = event == Event::Connection && row.get(Field::EventVersion) == Value::Int(4);
    let Some(fields) = assign(values, event) else { return false };
    for (field, value) in fields.into_iter().zip(values) {
        if let Some(field) = field
            && !(numbered && field == Field::RuleName)
        {
            row.fill(field, *value);
        }
    }
    true
}

/// The field of each value; None if it could be several.
fn assign(values: &[Value<'_>], event: Event) -> Option<Vec<Option<Field>>> {
    // A complete list, of any version of the event: its texts may be anything.
    if let Some(fields) = event.unnamed(values.len()) {
        let fields: Vec<Field> = fields.collect();
        let texts = |field: Field| matches!(field.kind(), Kind::Text | Kind::Ip);
        if fields.iter().zip(values).all(|(field, value)| texts(*field) || fits(*field, *value)) {
            return Some(fields.into_iter().map(Some).collect());
        }
    }
    if event != Event::Connection {
        return None;
    }
    let order: Vec<Field> = event.in_order().collect();
    let dropped = order.len().checked_sub(values.len()).filter(|dropped| *dropped <= MAX_DROPPED)?;
    let mut agreed: Option<Vec<Option<Field>>> = None;
    for without in subsets(order.len(), dropped) {
        if without.iter().any(|at| CERTAIN.contains(&order[*at])) {
            continue;
        }
        let fields = order.iter().enumerate().filter(|(at, _)| !without.contains(at)).map(|(_, field)| *field);
        let fields: Vec<Field> = fields.collect();
        if !is_plausible(&fields, values) {
            continue;
        }
        match &mut agreed {
            None => agreed = Some(fields.into_iter().map(Some).collect()),
            Some(agreed) => {
                for (one, other) in agreed.iter_mut().zip(fields) {
                    *one = one.filter(|field| *field == other);
                }
            }
        }
    }
    agreed.filter(|agreed| CERTAIN.iter().all(|field| agreed.contains(&Some(*field))))
}

/// Fields that are never empty, so no shipper drops them; their places must be certain.
const CERTAIN: [Field; 6] =
    [Field::EventCreationTime, Field::ProcessId, Field::SrcIp, Field::SrcPort, Field::DstIp, Field::DstPort];

/// Every set of `size` numbers below `below`; `size` is 0 to 2.
fn subsets(below: usize, size: usize) -> Vec<Vec<usize>> {
    match size {
        0 => vec![Vec::new()],
        1 => (0..below).map(|one| vec![one]).collect(),
        _ => (0..below).flat_map(|one| (one + 1..below).map(move |other| vec![one, other])).collect(),
    }
}

fn is_plausible(fields: &[Field], values: &[Value<'_>]) -> bool {
    let value = |field: Field| fields.iter().position(|known| *known == field).map(|at| values[at]);
    let family = |address: Field, flag: Field| match (value(address).and_then(is_ipv6), value(flag).and_then(truth)) {
        (Some(address), Some(flag)) => address == flag,
        _ => true,
    };
    fields.iter().zip(values).all(|(field, value)| fits(*field, *value))
        && family(Field::SrcIp, Field::SrcIsIpv6)
        && family(Field::DstIp, Field::DstIsIpv6)
}

fn is_ipv6(value: Value<'_>) -> Option<bool> {
    let Value::Text(text) = value else { return None };
    parse_ip(text.trim_ascii()).map(|address| address.is_ipv6())
}

fn truth(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(flag),
        Value::Text(text) => parse_bool(text),
        _ => None,
    }
}

/// Whether the value may be the field's.
fn fits(field: Field, value: Value<'_>) -> bool {
    let text = match value {
        Value::Text(text) => text.trim_ascii(),
        Value::Null => "",
        Value::Bool(_) => return field.kind() == Kind::Bool,
        Value::Time(_) => return field.kind() == Kind::Time,
        Value::Guid(_) => return field.kind() == Kind::Guid,
        Value::Int(number) => {
            return match field.kind() {
                Kind::Port => u16::try_from(number).is_ok(),
                Kind::Int64 | Kind::Int32 => true,
                // Some shippers make numbers of texts that look like one.
                _ => matches!(field, Field::RuleName | Field::SrcPortName | Field::DstPortName),
            };
        }
        _ => return false,
    };
    let empty = matches!(text, "" | "-");
    let has = |part: &str| text.contains(part);
    match field {
        Field::EventCreationTime => parse_time_us(text).is_some(),
        Field::ProcessId => parse_int(text).is_some(),
        Field::SrcPort | Field::DstPort => parse_int(text).is_some_and(|port| u16::try_from(port).is_ok()),
        Field::SrcIp | Field::DstIp => parse_ip(text).is_some(),
        Field::ProcessName => empty || is_path(text) || matches!(text, "System" | "Registry" | "<unknown process>"),
        Field::UserName => !is_path(text) && parse_bool(text).is_none() && !is_protocol(text),
        Field::NetworkProtocol => empty || is_protocol(text),
        Field::SrcHostName | Field::DstHostName | Field::SrcPortName | Field::DstPortName => {
            parse_bool(text).is_none() && parse_int(text).is_none() && !has("\\") && !has("{")
        }
        Field::RuleName => parse_time_us(text).is_none() && parse_guid(text).is_none(),
        _ => match field.kind() {
            Kind::Time => parse_time_us(text).is_some(),
            Kind::Guid => empty || parse_guid(text).is_some(),
            Kind::Bool => empty || parse_bool(text).is_some(),
            Kind::Int64 | Kind::Int32 | Kind::Port => empty || parse_int(text).is_some(),
            Kind::Ip => parse_ip(text).is_some(),
            Kind::Text | Kind::Address => true,
        },
    }
}

fn is_protocol(text: &str) -> bool {
    ["tcp", "udp", "icmp"].iter().any(|name| text.eq_ignore_ascii_case(name))
}

/// A path of Windows or Linux, or the name of a program.
fn is_path(text: &str) -> bool {
    let drive = text.as_bytes().get(1..3).is_some_and(|after| after == b":\\" || after == b":/");
    drive || text.starts_with(['/', '\\']) || text.to_ascii_lowercase().ends_with(".exe")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [&str; 18] = [
        "technique_id=T1571",
        "2024-05-14 09:13:27.481",
        "{A1B2C3D4-5E6F-6643-9A01-000000001A00}",
        "6712",
        r"C:\Temp\upd.exe",
        r"CORP\mara",
        "tcp",
        "true",
        "false",
        "10.20.30.41",
        "WS-17",
        "50122",
        "-",
        "false",
        "203.0.113.77",
        "c2.bad.example",
        "4444",
        "-",
    ];

    fn filled(values: &[&'static str]) -> Option<Row<'static>> {
        let mut row = Row::default();
        let values: Vec<_> = values.iter().map(|text| Value::Text(text)).collect();
        fill_from_list(&values, Event::Connection, &mut row).then_some(row)
    }

    #[test]
    fn a_list_may_lack_any_field_and_gives_no_field_the_value_of_another() {
        let order: Vec<Field> = Event::Connection.in_order().collect();
        for dropped in (0..18).flat_map(|one| (one..18).map(move |other| [one, other])) {
            let left: Vec<_> = (0..18).filter(|at| !dropped.contains(at)).collect();
            let values: Vec<_> = left.iter().map(|at| VALUES[*at]).collect();
            let Some(row) = filled(&values) else {
                let lacking = dropped.iter().any(|at| CERTAIN.contains(&order[*at]));
                assert!(lacking, "{dropped:?}");
                continue;
            };
            for (at, field) in order.iter().enumerate() {
                let value = row.get(*field);
                assert!(
                    value == Value::Null || value == Value::Text(VALUES[at]),
                    "{dropped:?}: {field:?} is {value:?}"
                );
            }
            assert_eq!(row.get(Field::DstIp), Value::Text("203.0.113.77"));
        }
    }

    #[test]
    fn a_list_of_anything_else_is_no_event() {
        assert!(filled(&["System.Diagnostics.Eventing.Reader.EventProperty"; 18]).is_none());
        assert!(filled(&VALUES[..15]).is_none());
        let mut shifted = VALUES;
        shifted.rotate_left(1);
        assert!(filled(&shifted).is_none());
    }
}
