//! Records of the kernel side to rows: joins connections with their processes, flows with those who claim them,
//! addresses with the names that DNS gave. Knows no kernel: tests feed it records.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::dns::{Names, Reassembly, parse_answer};
use crate::lru::Lru;
use crate::pending::Pending;
use crate::processes::{Described, Guids, Processes, Witness};
use crate::procfs;
use crate::records::{Connection, Description, Dns, Event, Nat, Peer, Record, attribution, initiated, kind, state};
use crate::table::{End, Row, Table};

const UDP: u8 = 17;
/// Attributions of rows without their process.
const UNDESCRIBED: &str = "undescribed";
const UNSEEN: &str = "unseen";
/// Names that DNS told, by process and address.
const NAMES: usize = 65_536;
const MIN_TTL_S: u32 = 300;
/// Translations kept for their flows' records.
const TRANSLATIONS: usize = 4096;
/// Connections to DNS servers followed at a time, and bytes of their unfinished messages in all.
const DNS_CONNECTIONS: usize = 1024;
const DNS_BYTES: usize = 4 << 20;

/// Rows in the making.
pub struct Decoder {
    guids: Guids,
    /// Whether flows are claimed: the hooks that see who sends and reads are attached.
    pub claims: bool,
    /// Nanoseconds from the clock of boot to Unix time; kept fresh by the caller, so that steps of the clock count.
    pub wall_offset_ns: i64,
    processes: Processes,
    pending: Pending,
    names: Names,
    segments: Reassembly,
    table: Table,
    /// While existing sockets are told: they come in no order, so listeners are known only at the end.
    existing: Option<Vec<Connection>>,
    /// How the ends of flows are translated on the way, by socket and far end.
    translated: Lru<(u64, Peer), Nat>,
    /// Existing connections that had been accepted: the kernel side cannot tell when they close.
    accepted: HashSet<u64>,
    /// Rows whose process /proc described, when they were read.
    pub described_late: u64,
    /// Rows of a process of which nothing is known but its id, start and user.
    pub undescribed: u64,
    /// Rows of which it is not known whose they are, though it should be.
    pub unseen: u64,
    /// Records of no known form: a mistake of ours.
    pub unknown: u64,
}

impl Decoder {
    /// A decoder for one machine and boot.
    pub fn new(guids: Guids) -> Self {
        Decoder {
            guids,
            claims: true,
            wall_offset_ns: 0,
            processes: Processes::default(),
            pending: Pending::default(),
            names: Names::new(NAMES, MIN_TTL_S),
            segments: Reassembly::new(DNS_CONNECTIONS, DNS_BYTES),
            table: Table::default(),
            existing: None,
            translated: Lru::new(TRANSLATIONS),
            accepted: HashSet::new(),
            described_late: 0,
            undescribed: 0,
            unseen: 0,
            unknown: 0,
        }
    }

    /// Rows that are ready.
    pub fn rows(&self) -> usize {
        self.table.rows()
    }

    /// Take the rows that are ready.
    ///
    /// # Errors
    /// See [`Table::take`].
    pub fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.table.take()
    }

    /// From here to `end_existing` records of existing sockets come.
    pub fn begin_existing(&mut self) {
        self.existing = Some(Vec::new());
    }

    /// Make rows of the existing connections (if `wanted`), now that it is known who listens where.
    pub fn end_existing(&mut self, wanted: bool) {
        let sockets = self.existing.take().unwrap_or_default();
        let listeners: HashSet<(u32, u16)> = sockets
            .iter()
            .filter(|socket| socket.protocol != UDP && socket.state == state::LISTEN)
            .map(|socket| (socket.netns, socket.local_port))
            .collect();
        for mut socket in sockets {
            let skipped = [state::SYN_SENT, state::SYN_RECV, state::CLOSE, state::LISTEN, state::TIME_WAIT];
            let connected =
                if socket.protocol == UDP { socket.peer_port != 0 } else { !skipped.contains(&socket.state) };
            if !connected {
                continue;
            }
            let accepted = socket.protocol != UDP && listeners.contains(&(socket.netns, socket.local_port));
            socket.initiated = if accepted { initiated::NO } else { initiated::YES };
            if accepted {
                self.accepted.insert(socket.cookie);
            }
            if wanted {
                self.push(&Event { connection: socket, counts: None, nat: None });
            }
        }
    }

    /// Take one record.
    pub fn feed(&mut self, bytes: &[u8]) {
        match Record::parse(bytes) {
            Some(Record::Process(description)) => self.process(&description),
            Some(Record::Connection(connection, counts)) => {
                let nat = self.translated.get(&(connection.cookie, connection.far_end())).copied();
                self.event(Event { connection: *connection, counts: counts.copied(), nat });
            }
            Some(Record::Nat(nat)) => {
                self.translated.insert((nat.cookie, nat.peer), *nat);
            }
            Some(Record::Claim(claim)) => {
                while let Some(flow) = self.pending.claim(claim) {
                    self.push(&flow);
                    if claim.kind != kind::ACCEPT {
                        break;
                    }
                }
            }
            Some(Record::Dns(dns)) => self.dns(dns),
            None => self.unknown += 1,
        }
    }

    /// Let flows go that waited long enough for their process.
    pub fn release(&mut self, now_boot_ns: u64) {
        while let Some(flow) = self.pending.due(now_boot_ns) {
            self.push(&flow);
        }
    }

    /// Processes (their tgids) that the kernel side must describe again when it meets them.
    pub fn take_wanted(&mut self) -> Vec<u32> {
        self.processes.take_wanted()
    }

    fn process(&mut self, description: &Description<'_>) {
        // The memory of processes that the iterator met could not be read; /proc can, while they live.
        let unread = self.existing.is_some() && description.command.is_empty();
        let command = if unread { procfs::command_of(&description.process.owner) } else { None };
        self.processes.insert(description, command);
    }

    fn event(&mut self, event: Event) {
        if event.connection.kind == kind::EXISTING
            && let Some(existing) = &mut self.existing
        {
            existing.push(event.connection);
        } else if self.waits(&event.connection) {
            if let Some(flow) = self.pending.hold(event) {
                self.push(&flow);
            }
        } else {
            self.push(&event);
        }
    }

    /// Whether a record is held until it is known whose it is.
    fn waits(&self, connection: &Connection) -> bool {
        match connection.kind {
            kind::ACCEPT => connection.attribution == attribution::PENDING,
            kind::CLOSE => self.pending.holds(connection.cookie),
            _ => connection.attribution == attribution::PENDING && self.claims,
        }
    }

    fn dns(&mut self, dns: &Dns) {
        let payload = &dns.payload[..usize::from(dns.payload_bytes).min(dns.payload.len())];
        let Decoder { names, segments, .. } = self;
        let process = process_key(dns.tgid, dns.start_boot_ns);
        let mut learn = |message: &[u8]| {
            if let Some(answer) = parse_answer(message) {
                names.insert(process, &answer, dns.time_boot_ns);
            }
        };
        if dns.over_tcp != 0 {
            segments.push(dns.cookie, dns.sequence, payload, learn);
        } else {
            learn(payload);
        }
    }

    fn push(&mut self, event: &Event) {
        let Event { connection, counts, .. } = event;
        let Connection { owner, kind, protocol, .. } = *connection;
        let known = owner.tgid != 0;
        let process = known.then(|| self.processes.get(&owner));
        let process = process.as_deref();
        let attribution = self.attribution(connection, process);
        let guid = known.then(|| self.guids.text(owner.tgid, owner.start_boot_ns));
        let parent_guid = process
            .and_then(|process| process.parent_id.zip(process.parent_start_boot_ns))
            .map(|(parent, start_boot_ns)| self.guids.text(parent, start_boot_ns));
        let close = kind == kind::CLOSE;
        let initiated = connection.initiated != initiated::NO && !(close && self.accepted.remove(&connection.cookie));
        let local = End { address: connection.local, port: connection.local_port, name: None };
        let name_key = process_key(owner.tgid, owner.start_boot_ns);
        let name = self.names.get(name_key, &connection.peer, connection.time_boot_ns);
        let peer = End { address: connection.peer, port: connection.peer_port, name };
        let (source, destination) = if initiated { (local, peer) } else { (peer, local) };
        let wall_ns = self.wall_offset_ns.saturating_add_unsigned(connection.time_boot_ns);
        self.table.push(&Row {
            time_us: wall_ns.div_euclid(1000),
            process_guid: guid.as_deref(),
            process_id: known.then_some(owner.tgid),
            process_name: process.and_then(|process| process.executable.as_deref()),
            protocol: if protocol == UDP { "udp" } else { "tcp" },
            initiated: (connection.initiated != initiated::UNKNOWN).then_some(initiated),
            source,
            destination,
            record_kind: record_kind(kind),
            outcome: outcome(connection),
            error_number: (connection.error != 0).then_some(connection.error.into()),
            connection_id: (connection.cookie != 0).then_some(connection.cookie),
            attribution,
            user_id: known.then_some(owner.uid),
            command_line: process.and_then(|process| process.command.as_deref()),
            parent_guid: parent_guid.as_deref(),
            parent_id: process.and_then(|process| process.parent_id),
            parent_name: process.and_then(|process| process.parent_executable.as_deref()),
            network_namespace_id: connection.netns,
            cgroup_path: process.and_then(|process| process.cgroup.as_deref()),
            duration_us: counts.filter(|counts| counts.duration_ns != 0).map(|counts| counts.duration_ns / 1000),
            sent_bytes: counts.map(|counts| counts.sent_bytes),
            received_bytes: counts.map(|counts| counts.received_bytes),
            sent_packets: counts.map(|counts| counts.sent_packets),
            received_packets: counts.map(|counts| counts.received_packets),
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
        });
    }

    /// How the process was found; why it is not known, or not by the kernel side, where that is so.
    fn attribution(&mut self, connection: &Connection, process: Option<&Described>) -> Option<&'static str> {
        let (count, name) = match process.map(|process| process.witness) {
            Some(Witness::Kernel) => return attribution_name(connection.attribution),
            Some(Witness::Proc) => (&mut self.described_late, "proc"),
            Some(Witness::Nobody) => (&mut self.undescribed, UNDESCRIBED),
            // Its SYN was sent before the recording began: no loss.
            None if self.existing.is_some() => return Some(UNSEEN),
            None => (&mut self.unseen, UNSEEN),
        };
        *count += 1;
        Some(name)
    }

    /// Rows without their process so far, by what they have as attribution.
    pub fn unattributed(&self) -> [(&'static str, u64); 2] {
        [(UNDESCRIBED, self.undescribed), (UNSEEN, self.unseen)]
    }
}

/// Tells processes of a boot apart.
fn process_key(tgid: u32, start_boot_ns: u64) -> u64 {
    start_boot_ns.rotate_left(22) ^ u64::from(tgid)
}

fn record_kind(kind: u8) -> &'static str {
    match kind {
        kind::ATTEMPT => "attempt",
        kind::CLOSE => "close",
        kind::EXISTING => "existing",
        _ => "connection",
    }
}

fn attribution_name(attribution: u8) -> Option<&'static str> {
    match attribution {
        attribution::CALLER => Some("caller"),
        attribution::LISTENER => Some("listener"),
        attribution::OWNER | attribution::PENDING => Some("owner"),
        _ => None,
    }
}

fn outcome(connection: &Connection) -> Option<&'static str> {
    /// What a reset leaves behind where the peer had closed already.
    const EPIPE: u16 = 32;
    const ECONNRESET: u16 = 104;
    const ETIMEDOUT: u16 = 110;
    match (connection.protocol, connection.kind, connection.error) {
        (UDP, ..) => None,
        (_, kind::ATTEMPT, error) => Some(match error {
            0 => "abandoned",
            ECONNRESET => "reset",
            ETIMEDOUT => "timed-out",
            111 => "refused",
            101 | 113 => "unreachable",
            _ => "failed",
        }),
        (_, kind::CLOSE, ECONNRESET | EPIPE) => Some("reset-by-peer"),
        (_, kind::CLOSE, ETIMEDOUT) => Some("timed-out"),
        (_, kind::CLOSE, 0) => Some(match connection.state {
            state::LAST_ACK | state::CLOSE_WAIT => "closed-by-peer",
            state::FIN_WAIT1 | state::FIN_WAIT2 | state::CLOSING | state::TIME_WAIT => "closed-here",
            _ => "reset-here",
        }),
        (_, kind::CLOSE, _) => Some("failed"),
        _ => Some("established"),
    }
}
