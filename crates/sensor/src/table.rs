//! Rows of the event table: the columns that the sensor knows, under the standard names of `procwire.event`.

use std::net::Ipv6Addr;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BinaryBuilder, BooleanBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use crate::processes::{Described, Guid};

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// 16 bytes, IPv4 as `::ffff:a.b.c.d`.
    pub address: [u8; 16],
    /// Port.
    pub port: u16,
    /// The name that a DNS answer gave to the address.
    pub name: Option<&'a str>,
}

/// A row; None is null.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Row<'a> {
    pub time_us: i64,
    /// Who pays for what is remembered of it; no column.
    pub holder: u32,
    /// What the other columns of the process were taken from.
    pub process: Option<&'a Arc<Described>>,
    pub process_guid: Option<Guid>,
    pub process_id: Option<u32>,
    pub process_name: Option<&'a str>,
    pub protocol: &'static str,
    pub initiated: Option<bool>,
    pub source: End<'a>,
    pub destination: End<'a>,
    pub record_kind: &'static str,
    pub outcome: Option<&'static str>,
    pub error_number: Option<u32>,
    pub connection_id: Option<u64>,
    pub attribution: Option<&'static str>,
    pub user_id: Option<u32>,
    pub command_line: Option<&'a str>,
    pub parent_guid: Option<Guid>,
    pub parent_id: Option<u32>,
    pub parent_name: Option<&'a str>,
    pub network_namespace_id: u32,
    pub cgroup_path: Option<&'a str>,
    pub duration_us: Option<u64>,
    pub sent_bytes: Option<u64>,
    pub received_bytes: Option<u64>,
    pub sent_packets: Option<u32>,
    pub received_packets: Option<u32>,
    pub effective_user_id: Option<u32>,
    pub image_device: Option<u64>,
    pub image_inode: Option<u64>,
    pub mount_namespace_id: Option<u32>,
    pub image_state: Option<&'static str>,
    pub name_truncated: Option<bool>,
    /// A JSON array of texts, the parent first.
    pub ancestry: Option<&'a str>,
    pub host_name_server: Option<&'a str>,
    /// 16 bytes, as in [`End`].
    pub nat_source: Option<([u8; 16], u16)>,
    pub nat_destination: Option<([u8; 16], u16)>,
    pub interface_index: Option<u32>,
}

macro_rules! columns {
    ($($name:ident: $builder:ident, $kind:expr;)*) => {
        /// Columns being filled.
        #[derive(Debug)]
        pub struct Table { schema: SchemaRef, places: Vec<Option<usize>>, rows: usize, $($name: $builder,)* }

        impl Default for Table {
            fn default() -> Self {
                let fields = [$(Field::new(stringify!($name), $kind, true),)*];
                let places = |name: &&str| fields.iter().position(|field| field.name() == *name);
                let places: Vec<_> = ORDER.iter().map(places).collect();
                let ordered = ORDER.iter().zip(&places).map(|(name, place)| match place {
                    Some(place) => fields[*place].clone(),
                    None => Field::new(*name, absent_type(name), true),
                });
                Table { schema: Arc::new(Schema::new(ordered.collect::<Vec<_>>())), places, rows: 0, $($name: builder(),)* }
            }
        }

        impl Table {
            /// The rows so far as a batch; the table is empty then.
            ///
            /// # Errors
            /// Columns of different lengths: a mistake here.
            pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
                let rows = std::mem::take(&mut self.rows);
                let columns: Vec<ArrayRef> = vec![$(ArrayBuilder::finish(&mut self.$name),)*];
                let column = |(field, place): (&FieldRef, &Option<usize>)| match place {
                    Some(place) => Arc::clone(&columns[*place]),
                    None => new_null_array(field.data_type(), rows),
                };
                let ordered = self.schema.fields().iter().zip(&self.places).map(column).collect();
                RecordBatch::try_new(Arc::clone(&self.schema), ordered)
            }
        }
    };
}

/// The columns of a recording in their order, `procwire.event.LIVE_SCHEMA`; a test holds the two together. Those that the
/// sensor has no value for are null.
const ORDER: &[&str] = &[
    "event_creation_time",
    "process_guid",
    "process_id",
    "process_name",
    "user_name",
    "network_protocol",
    "network_connection_initiated",
    "src_is_ipv6",
    "src_ip",
    "src_host_name",
    "src_port",
    "src_port_name",
    "dst_is_ipv6",
    "dst_ip",
    "dst_host_name",
    "dst_port",
    "dst_port_name",
    "rule_name",
    "event_recorded_time",
    "record_id",
    "computer_name",
    "provider_name",
    "provider_guid",
    "channel",
    "event_id",
    "event_version",
    "event_level",
    "event_task",
    "event_opcode",
    "event_keywords",
    "logger_process_id",
    "logger_thread_id",
    "logger_user_sid",
    "source_file",
    "source_offset",
    "source_line",
    "recovered",
    "src_ip_bytes",
    "dst_ip_bytes",
    "record_kind",
    "outcome",
    "error_number",
    "connection_id",
    "attribution",
    "user_id",
    "process_command_line",
    "process_parent_guid",
    "process_parent_id",
    "process_parent_name",
    "network_namespace_id",
    "cgroup_path",
    "container_id",
    "src_host_name_origin",
    "dst_host_name_origin",
    "duration_us",
    "sent_bytes",
    "received_bytes",
    "sent_packets",
    "received_packets",
    "effective_user_id",
    "process_image_device",
    "process_image_inode",
    "process_mount_namespace_id",
    "process_image_state",
    "process_name_truncated",
    "process_ancestry",
    "host_name_server",
    "nat_src_ip",
    "nat_src_port",
    "nat_dst_ip",
    "nat_dst_port",
    "interface_index",
    "events_lost",
    "logged",
];

/// The type of a column that the sensor has no value for.
fn absent_type(name: &str) -> DataType {
    match name {
        "event_recorded_time" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "record_id" | "logger_process_id" | "logger_thread_id" | "source_offset" | "source_line" | "events_lost" => {
            DataType::Int64
        }
        "event_version" | "event_level" | "event_task" | "event_opcode" => DataType::Int32,
        "recovered" | "logged" => DataType::Boolean,
        _ => DataType::Utf8,
    }
}

trait New {
    fn new() -> Self;
}

macro_rules! new {
    ($($builder:ty: $make:expr;)*) => { $(impl New for $builder { fn new() -> Self { $make } })* };
}

new! {
    StringBuilder: StringBuilder::new();
    BinaryBuilder: BinaryBuilder::new();
    BooleanBuilder: BooleanBuilder::new();
    Int32Builder: Int32Builder::new();
    Int64Builder: Int64Builder::new();
    TimestampMicrosecondBuilder: TimestampMicrosecondBuilder::new().with_timezone("UTC");
}

fn builder<T: New>() -> T {
    T::new()
}

columns! {
    event_creation_time: TimestampMicrosecondBuilder, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    process_guid: StringBuilder, DataType::Utf8;
    process_id: Int64Builder, DataType::Int64;
    process_name: StringBuilder, DataType::Utf8;
    network_protocol: StringBuilder, DataType::Utf8;
    network_connection_initiated: BooleanBuilder, DataType::Boolean;
    src_is_ipv6: BooleanBuilder, DataType::Boolean;
    src_ip: StringBuilder, DataType::Utf8;
    src_host_name: StringBuilder, DataType::Utf8;
    src_port: Int32Builder, DataType::Int32;
    dst_is_ipv6: BooleanBuilder, DataType::Boolean;
    dst_ip: StringBuilder, DataType::Utf8;
    dst_host_name: StringBuilder, DataType::Utf8;
    dst_port: Int32Builder, DataType::Int32;
    event_id: Int32Builder, DataType::Int32;
    src_ip_bytes: BinaryBuilder, DataType::Binary;
    dst_ip_bytes: BinaryBuilder, DataType::Binary;
    record_kind: StringBuilder, DataType::Utf8;
    outcome: StringBuilder, DataType::Utf8;
    error_number: Int32Builder, DataType::Int32;
    connection_id: Int64Builder, DataType::Int64;
    attribution: StringBuilder, DataType::Utf8;
    user_id: Int64Builder, DataType::Int64;
    process_command_line: StringBuilder, DataType::Utf8;
    process_parent_guid: StringBuilder, DataType::Utf8;
    process_parent_id: Int64Builder, DataType::Int64;
    process_parent_name: StringBuilder, DataType::Utf8;
    network_namespace_id: Int64Builder, DataType::Int64;
    cgroup_path: StringBuilder, DataType::Utf8;
    src_host_name_origin: StringBuilder, DataType::Utf8;
    dst_host_name_origin: StringBuilder, DataType::Utf8;
    duration_us: Int64Builder, DataType::Int64;
    sent_bytes: Int64Builder, DataType::Int64;
    received_bytes: Int64Builder, DataType::Int64;
    sent_packets: Int64Builder, DataType::Int64;
    received_packets: Int64Builder, DataType::Int64;
    effective_user_id: Int64Builder, DataType::Int64;
    process_image_device: Int64Builder, DataType::Int64;
    process_image_inode: Int64Builder, DataType::Int64;
    process_mount_namespace_id: Int64Builder, DataType::Int64;
    process_image_state: StringBuilder, DataType::Utf8;
    process_name_truncated: BooleanBuilder, DataType::Boolean;
    process_ancestry: StringBuilder, DataType::Utf8;
    host_name_server: StringBuilder, DataType::Utf8;
    nat_src_ip: StringBuilder, DataType::Utf8;
    nat_src_port: Int32Builder, DataType::Int32;
    nat_dst_ip: StringBuilder, DataType::Utf8;
    nat_dst_port: Int32Builder, DataType::Int32;
    interface_index: Int32Builder, DataType::Int32;
}

impl Table {
    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns' schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Add a row.
    pub fn push(&mut self, row: &Row<'_>) {
        self.rows += 1;
        self.event_creation_time.append_value(row.time_us);
        self.process_guid.append_option(row.process_guid.map(|guid| guid.to_string()));
        self.process_id.append_option(row.process_id.map(i64::from));
        self.process_name.append_option(row.process_name);
        self.network_protocol.append_value(row.protocol);
        self.network_connection_initiated.append_option(row.initiated);
        let (v6, text) = address(row.source.address);
        self.src_is_ipv6.append_value(v6);
        self.src_ip.append_value(text);
        self.src_host_name.append_option(row.source.name);
        self.src_port.append_value(row.source.port.into());
        let (v6, text) = address(row.destination.address);
        self.dst_is_ipv6.append_value(v6);
        self.dst_ip.append_value(text);
        self.dst_host_name.append_option(row.destination.name);
        self.dst_port.append_value(row.destination.port.into());
        self.event_id.append_value(3);
        self.src_ip_bytes.append_value(row.source.address);
        self.dst_ip_bytes.append_value(row.destination.address);
        self.record_kind.append_value(row.record_kind);
        self.outcome.append_option(row.outcome);
        self.error_number.append_option(row.error_number.map(u32::cast_signed));
        self.connection_id.append_option(row.connection_id.map(u64::cast_signed));
        self.attribution.append_option(row.attribution);
        self.user_id.append_option(row.user_id.map(i64::from));
        self.process_command_line.append_option(row.command_line);
        self.process_parent_guid.append_option(row.parent_guid.map(|guid| guid.to_string()));
        self.process_parent_id.append_option(row.parent_id.map(i64::from));
        self.process_parent_name.append_option(row.parent_name);
        self.network_namespace_id.append_value(row.network_namespace_id.into());
        self.cgroup_path.append_option(row.cgroup_path);
        self.src_host_name_origin.append_option(row.source.name.map(|_| "dns"));
        self.dst_host_name_origin.append_option(row.destination.name.map(|_| "dns"));
        self.duration_us.append_option(row.duration_us.map(u64::cast_signed));
        self.sent_bytes.append_option(row.sent_bytes.map(u64::cast_signed));
        self.received_bytes.append_option(row.received_bytes.map(u64::cast_signed));
        self.sent_packets.append_option(row.sent_packets.map(i64::from));
        self.received_packets.append_option(row.received_packets.map(i64::from));
        self.effective_user_id.append_option(row.effective_user_id.map(i64::from));
        self.process_image_device.append_option(row.image_device.map(u64::cast_signed));
        self.process_image_inode.append_option(row.image_inode.map(u64::cast_signed));
        self.process_mount_namespace_id.append_option(row.mount_namespace_id.map(i64::from));
        self.process_image_state.append_option(row.image_state);
        self.process_name_truncated.append_option(row.name_truncated);
        self.process_ancestry.append_option(row.ancestry);
        self.host_name_server.append_option(row.host_name_server);
        self.nat_src_ip.append_option(row.nat_source.map(|(ip, _)| address(ip).1));
        self.nat_src_port.append_option(row.nat_source.map(|(_, port)| port.into()));
        self.nat_dst_ip.append_option(row.nat_destination.map(|(ip, _)| address(ip).1));
        self.nat_dst_port.append_option(row.nat_destination.map(|(_, port)| port.into()));
        self.interface_index.append_option(row.interface_index.map(u32::cast_signed));
    }
}

/// The text of an address (RFC 5952).
pub(crate) fn ip_text(bytes: [u8; 16]) -> String {
    address(bytes).1
}

/// Whether it is IPv6, and its text (RFC 5952).
fn address(bytes: [u8; 16]) -> (bool, String) {
    let address = Ipv6Addr::from(bytes);
    match address.to_ipv4_mapped() {
        Some(ipv4) => (false, ipv4.to_string()),
        None => (true, address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int32Type, Int64Type};

    use super::*;

    fn row() -> Row<'static> {
        let end = End { address: [0; 16], port: 0, name: None };
        Row {
            time_us: 0,
            holder: 0,
            process: None,
            process_guid: None,
            process_id: None,
            process_name: None,
            protocol: "udp",
            initiated: None,
            source: end,
            destination: end,
            record_kind: "connection",
            outcome: None,
            error_number: None,
            connection_id: None,
            attribution: None,
            user_id: None,
            command_line: None,
            parent_guid: None,
            parent_id: None,
            parent_name: None,
            network_namespace_id: 0,
            cgroup_path: None,
            duration_us: None,
            sent_bytes: None,
            received_bytes: None,
            sent_packets: None,
            received_packets: None,
            effective_user_id: None,
            image_device: None,
            image_inode: None,
            mount_namespace_id: None,
            image_state: None,
            name_truncated: None,
            ancestry: None,
            host_name_server: None,
            nat_source: None,
            nat_destination: None,
            interface_index: None,
        }
    }

    #[test]
    fn values_stand_in_the_columns_of_their_names() {
        let ipv4 = std::net::Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped().octets();
        let ipv6 = Ipv6Addr::LOCALHOST.octets();
        let mut table = Table::default();
        table.push(&Row {
            effective_user_id: Some(u32::MAX),
            image_device: Some(64_769),
            image_inode: Some(u64::MAX),
            mount_namespace_id: Some(4_026_531_841),
            image_state: Some("memfd"),
            name_truncated: Some(true),
            ancestry: Some(r#"["1 /init"]"#),
            host_name_server: Some("::2"),
            nat_source: Some((ipv4, 65_535)),
            nat_destination: Some((ipv6, 8_053)),
            interface_index: Some(2),
            ..row()
        });
        table.push(&row());
        let batch = table.take().unwrap();
        let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
        let long = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(0);
        let int = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(0);
        assert_eq!(long("effective_user_id"), i64::from(u32::MAX));
        assert_eq!((long("process_image_device"), long("process_image_inode")), (64_769, -1));
        assert_eq!(long("process_mount_namespace_id"), 4_026_531_841);
        assert_eq!((text("process_image_state"), text("process_ancestry")), ("memfd".into(), r#"["1 /init"]"#.into()));
        assert!(batch.column_by_name("process_name_truncated").unwrap().as_boolean().value(0));
        assert_eq!(text("host_name_server"), "::2");
        assert_eq!((text("nat_src_ip"), int("nat_src_port")), ("203.0.113.7".into(), 65_535));
        assert_eq!((text("nat_dst_ip"), int("nat_dst_port")), ("::1".into(), 8_053));
        assert_eq!(int("interface_index"), 2);
        let first = batch.schema().index_of("effective_user_id").unwrap();
        assert!(batch.columns()[first..].iter().all(|column| column.is_null(1)));
        assert_eq!((batch.num_columns(), batch.column_by_name("user_name").unwrap().null_count()), (ORDER.len(), 2));
    }
}
