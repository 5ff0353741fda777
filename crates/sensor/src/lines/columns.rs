//! The columns of a line by their standard names: how each is found in a row.

use crate::lines::cell::Value;
use crate::table::{End, Row};

const CONNECTION_ID: i64 = 3;
pub(super) const RULE_NAME: &str = "rule_name";

/// A row with all that was found out of it.
pub(super) struct Line<'a> {
    pub(super) row: &'a Row<'a>,
    pub(super) rule_name: Option<&'a str>,
    pub(super) process_guid: Option<&'a str>,
    pub(super) parent_guid: Option<&'a str>,
    pub(super) container: Option<&'a str>,
    pub(super) user: Option<&'a str>,
    pub(super) source_host: Host<'a>,
    pub(super) destination_host: Host<'a>,
    pub(super) source_port_name: Option<&'a str>,
    pub(super) destination_port_name: Option<&'a str>,
    pub(super) record_id: i64,
    pub(super) recorded_us: i64,
    pub(super) stamp: &'a str,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Host<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) origin: Option<&'a str>,
}

pub(super) type Get = for<'a> fn(&Line<'a>) -> Value<'a>;

/// What a column depends on: those of the process with what it does (see `Kind`), or of an address, alone are written once
/// for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Process,
    Source,
    Destination,
    Row,
}

pub(super) fn is_ipv6(end: &End<'_>) -> bool {
    end.address[..12] != [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]
}

/// Columns by their standard names; None is null in every row.
pub(super) fn column(name: &str) -> Option<(Scope, Get)> {
    use Scope::{Destination, Process, Row, Source};
    let (scope, get): (Scope, Get) = match name {
        "event_creation_time" => (Row, |line| line.row.time_us.into()),
        "process_guid" => (Process, |line| line.process_guid.into()),
        "process_id" => (Process, |line| line.row.process_id.into()),
        "process_name" => (Process, |line| line.row.process_name.into()),
        "user_name" => (Process, |line| line.user.into()),
        "network_protocol" => (Process, |line| line.row.protocol.into()),
        "network_connection_initiated" => (Process, |line| line.row.initiated.into()),
        "src_is_ipv6" => (Source, |line| is_ipv6(&line.row.source).into()),
        "src_ip" => (Source, |line| Value::Address(line.row.source.address)),
        "src_host_name" => (Source, |line| line.source_host.name.into()),
        "src_port" => (Row, |line| line.row.source.port.into()),
        "src_port_name" => (Row, |line| line.source_port_name.into()),
        "dst_is_ipv6" => (Destination, |line| is_ipv6(&line.row.destination).into()),
        "dst_ip" => (Destination, |line| Value::Address(line.row.destination.address)),
        "dst_host_name" => (Destination, |line| line.destination_host.name.into()),
        "dst_port" => (Row, |line| line.row.destination.port.into()),
        "dst_port_name" => (Row, |line| line.destination_port_name.into()),
        "event_recorded_time" => (Row, |line| line.recorded_us.into()),
        "record_id" => (Row, |line| line.record_id.into()),
        "src_ip_bytes" => (Source, |line| Value::Bytes(&line.row.source.address)),
        "dst_ip_bytes" => (Destination, |line| Value::Bytes(&line.row.destination.address)),
        "record_kind" => (Process, |line| line.row.record_kind.into()),
        "outcome" => (Process, |line| line.row.outcome.into()),
        "error_number" => (Process, |line| line.row.error_number.into()),
        "connection_id" => (Row, |line| line.row.connection_id.into()),
        "attribution" => (Process, |line| line.row.attribution.into()),
        "user_id" => (Process, |line| line.row.user_id.into()),
        "process_command_line" => (Process, |line| line.row.command_line.into()),
        "process_parent_guid" => (Process, |line| line.parent_guid.into()),
        "process_parent_id" => (Process, |line| line.row.parent_id.into()),
        "process_parent_name" => (Process, |line| line.row.parent_name.into()),
        "network_namespace_id" => (Process, |line| line.row.network_namespace_id.into()),
        "cgroup_path" => (Process, |line| line.row.cgroup_path.into()),
        "container_id" => (Process, |line| line.container.into()),
        "src_host_name_origin" => (Source, |line| line.source_host.origin.into()),
        "dst_host_name_origin" => (Destination, |line| line.destination_host.origin.into()),
        "duration_us" => (Row, |line| line.row.duration_us.into()),
        "sent_bytes" => (Row, |line| line.row.sent_bytes.into()),
        "received_bytes" => (Row, |line| line.row.received_bytes.into()),
        "sent_packets" => (Row, |line| line.row.sent_packets.into()),
        "received_packets" => (Row, |line| line.row.received_packets.into()),
        "effective_user_id" => (Process, |line| line.row.effective_user_id.into()),
        "process_image_device" => (Process, |line| line.row.image_device.into()),
        "process_image_inode" => (Process, |line| line.row.image_inode.into()),
        "process_mount_namespace_id" => (Process, |line| line.row.mount_namespace_id.into()),
        "process_image_state" => (Process, |line| line.row.image_state.into()),
        "process_name_truncated" => (Process, |line| line.row.name_truncated.into()),
        "process_ancestry" => (Process, |line| line.row.ancestry.into()),
        "host_name_server" => (Row, |line| line.row.host_name_server.into()),
        "nat_src_ip" => (Row, |line| translated_address(line.row.nat_source)),
        "nat_src_port" => (Row, |line| line.row.nat_source.map(|(_, port)| port).into()),
        "nat_dst_ip" => (Row, |line| translated_address(line.row.nat_destination)),
        "nat_dst_port" => (Row, |line| line.row.nat_destination.map(|(_, port)| port).into()),
        "interface_index" => (Row, |line| line.row.interface_index.into()),
        "stamp" => (Row, |line| line.stamp.into()),
        RULE_NAME => (Row, |line| line.rule_name.into()),
        _ => return None,
    };
    Some((scope, get))
}

/// A column's value, as it is written or asked about.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) get: Get,
    /// Characters that a text may have.
    pub(super) size: Option<usize>,
}

impl Column {
    /// A column that is null.
    pub(super) const NULL: Column = Column { get: |_| Value::Null, size: None };

    /// A column as rules, or a predicate, see it: what comes after them is not there yet.
    pub(super) fn asked(name: &str) -> Self {
        match name {
            "event_id" => Column { get: |_| Value::Integer(CONNECTION_ID), size: None },
            "event_recorded_time" | "record_id" | "stamp" => Column::NULL,
            _ => column(name).map_or(Column::NULL, |(_, get)| Column { get, size: None }),
        }
    }

    /// The value; `scratch` holds a text that was cut.
    #[inline]
    pub(super) fn value<'a>(&self, line: &Line<'a>, scratch: &'a mut String) -> Value<'a> {
        let value = (self.get)(line);
        match (self.size, value) {
            (Some(size), Value::Text(text)) => cut(text, size, scratch),
            _ => value,
        }
    }
}

/// As Sysmon cuts a text to a size: its end is `...`; where that has no place it is left empty.
pub(super) fn cut<'a>(text: &'a str, size: usize, scratch: &'a mut String) -> Value<'a> {
    const END: &str = "...";
    if text.char_indices().nth(size).is_none() {
        return Value::Text(text);
    }
    let Some(kept) = size.checked_sub(END.len()) else { return Value::Null };
    scratch.clear();
    scratch.extend(text.chars().take(kept));
    scratch.push_str(END);
    Value::Text(scratch)
}

pub(super) fn translated_address(end: Option<([u8; 16], u16)>) -> Value<'static> {
    end.map_or(Value::Null, |(address, _)| Value::Address(address))
}
