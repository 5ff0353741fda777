//! Rows that wait for a decision, on their own.

use std::sync::Arc;

use crate::processes::Described;
use crate::table::{End, Row};

/// A row that borrows nothing.
pub(super) struct Staged {
    process: Option<Arc<Described>>,
    source_name: Option<Box<str>>,
    destination_name: Option<Box<str>>,
    host_name_server: Option<Box<str>>,
    /// All else.
    rest: Row<'static>,
}

impl Staged {
    pub(super) fn new(row: &Row<'_>) -> Self {
        let end = |end: &End<'_>| End { address: end.address, port: end.port, name: None };
        let rest = Row {
            time_us: row.time_us,
            holder: row.holder,
            process: None,
            process_guid: row.process_guid,
            process_id: row.process_id,
            process_name: None,
            protocol: row.protocol,
            initiated: row.initiated,
            source: end(&row.source),
            destination: end(&row.destination),
            record_kind: row.record_kind,
            outcome: row.outcome,
            error_number: row.error_number,
            connection_id: row.connection_id,
            attribution: row.attribution,
            user_id: row.user_id,
            command_line: None,
            parent_guid: row.parent_guid,
            parent_id: row.parent_id,
            parent_name: None,
            network_namespace_id: row.network_namespace_id,
            cgroup_path: None,
            duration_us: row.duration_us,
            sent_bytes: row.sent_bytes,
            received_bytes: row.received_bytes,
            sent_packets: row.sent_packets,
            received_packets: row.received_packets,
            effective_user_id: row.effective_user_id,
            image_device: row.image_device,
            image_inode: row.image_inode,
            mount_namespace_id: row.mount_namespace_id,
            image_state: row.image_state,
            name_truncated: row.name_truncated,
            ancestry: None,
            host_name_server: None,
            nat_source: row.nat_source,
            nat_destination: row.nat_destination,
            interface_index: row.interface_index,
        };
        Staged {
            process: row.process.cloned(),
            source_name: row.source.name.map(Into::into),
            destination_name: row.destination.name.map(Into::into),
            host_name_server: row.host_name_server.map(Into::into),
            rest,
        }
    }

    /// The row.
    pub(super) fn row(&self) -> Row<'_> {
        let process = self.process.as_ref();
        let text = |get: fn(&Described) -> &Option<Arc<str>>| process.and_then(|process| get(process).as_deref());
        Row {
            process,
            process_name: text(|process| &process.executable),
            command_line: text(|process| &process.command),
            parent_name: text(|process| &process.parent_executable),
            cgroup_path: text(|process| &process.cgroup),
            ancestry: text(|process| &process.ancestry),
            source: End { name: self.source_name.as_deref(), ..self.rest.source },
            destination: End { name: self.destination_name.as_deref(), ..self.rest.destination },
            host_name_server: self.host_name_server.as_deref(),
            ..self.rest
        }
    }
}
