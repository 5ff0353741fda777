//! Connections in Windows' security audit (events 5156 and 5157 of the Windows Filtering Platform).

use crate::table::columns::Row;
use crate::table::event::{Event, Provider};
use crate::table::schema::Field;
use crate::table::value::Value;

/// The column in which a field of `EventData` is stored until [`complete`]; None if it is in no column.
///
/// The audit's source is this machine's end of the connection, whoever began it.
pub(crate) fn field(name: &str) -> Option<Field> {
    Some(match name {
        // Windows 7 and later write the first of each pair; the documentation has both.
        "ProcessID" | "ProcessId" => Field::ProcessId,
        "Application" => Field::ProcessName,
        "Direction" => Field::NetworkConnectionInitiated,
        "SourceAddress" => Field::SrcIp,
        "SourcePort" => Field::SrcPort,
        "DestAddress" => Field::DstIp,
        "DestPort" => Field::DstPort,
        "Protocol" => Field::NetworkProtocol,
        _ => return None,
    })
}

/// Numbers of messages in the audit's resources, which stand for `Direction`'s words.
const INBOUND: [&str; 2] = ["%%14592", "inbound"];
const OUTBOUND: [&str; 2] = ["%%14593", "outbound"];

/// Turn the audit's values into those of a connection, if `event` is the audit's: who began it decides which end is the
/// source.
///
/// A direction that is none of the two known ones leaves `network_connection_initiated` null, and this machine's end
/// as the source.
pub(crate) fn complete(event: Event, row: &mut Row<'_>) {
    if event.provider() != Provider::Audit {
        return;
    }
    let direction = row.get(Field::NetworkConnectionInitiated);
    let is = |words: [&str; 2]| words.iter().any(|word| equals(direction, word));
    let initiated = if is(OUTBOUND) {
        Value::Bool(true)
    } else if is(INBOUND) {
        exchange_ends(row);
        Value::Bool(false)
    } else {
        Value::Null
    };
    row.set(Field::NetworkConnectionInitiated, initiated);
    complete_protocol(row);
    fill_families(row);
    row.fill(Field::EventCreationTime, row.get(Field::EventRecordedTime));
}

/// Numbers of protocols, and their names.
const PROTOCOLS: [(i64, &str); 4] = [(6, "tcp"), (17, "udp"), (1, "icmp"), (58, "ipv6-icmp")];

/// Name the protocol. One without ports has type and code in their places, which are not stored.
fn complete_protocol(row: &mut Row<'_>) {
    let found = row.get(Field::NetworkProtocol);
    let is = |number: i64| found == Value::Int(number) || equals(found, &number.to_string());
    let Some((number, name)) = PROTOCOLS.into_iter().find(|(number, _)| is(*number)) else { return };
    row.set(Field::NetworkProtocol, Value::Text(name));
    if !matches!(number, 6 | 17) {
        row.set(Field::SrcPort, Value::Null);
        row.set(Field::DstPort, Value::Null);
    }
}

/// Fill whether each end's address is of IPv6, where the row does not say so.
pub(crate) fn fill_families(row: &mut Row<'_>) {
    for (address, is_ipv6) in [(Field::SrcIp, Field::SrcIsIpv6), (Field::DstIp, Field::DstIsIpv6)] {
        match row.get(address) {
            Value::Text(text) => row.fill(is_ipv6, Value::Bool(text.contains(':'))),
            Value::Utf16(units) => row.fill(is_ipv6, Value::Bool(units_of(units).any(|unit| unit == u16::from(b':')))),
            _ => {}
        }
    }
}

/// Make the source the destination, and the destination the source.
pub(crate) fn exchange_ends(row: &mut Row<'_>) {
    swap(row, Field::SrcIp, Field::DstIp);
    swap(row, Field::SrcPort, Field::DstPort);
    swap(row, Field::SrcHostName, Field::DstHostName);
    swap(row, Field::SrcIsIpv6, Field::DstIsIpv6);
}

fn swap(row: &mut Row<'_>, one: Field, other: Field) {
    let kept = row.get(one);
    row.set(one, row.get(other));
    row.set(other, kept);
}

/// Whether a value is this ASCII text, in any case, with or without blanks around it.
fn equals(value: Value<'_>, word: &str) -> bool {
    match value {
        Value::Text(text) => text.trim_ascii().eq_ignore_ascii_case(word),
        Value::Utf16(units) => {
            let found = units_of(units).map(|unit| u8::try_from(unit).unwrap_or(b'?').to_ascii_lowercase());
            found.eq(word.bytes().map(|byte| byte.to_ascii_lowercase()))
        }
        _ => false,
    }
}

/// UTF-16 units, without the zero that may end them.
fn units_of(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).take_while(|unit| *unit != 0)
}
