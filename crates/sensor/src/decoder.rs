//! Records of the kernel side to rows: joins connections with their processes, flows with those who claim them,
//! addresses with the names that DNS gave. Knows no kernel: tests feed it records.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::dns::Dns;
use crate::lines::Lines;
use crate::pending::{Pending, Unanswered};
use crate::processes::{Described, Guids, Processes, Witness};
use crate::procfs;
use crate::records::{Connection, Description, Event, Nat, Peer, Record, attribution, initiated, kind, state};
use crate::shared::{Holder, Shared};
use crate::table::{End, Row, Table, ip_text};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Attributions of rows without their process.
const UNDESCRIBED: &str = "undescribed";
const UNSEEN: &str = "unseen";
/// Translations kept for their flows' records.
const TRANSLATIONS: u64 = 16_384;

/// What was met while existing sockets were reported.
#[derive(Default)]
struct Existing {
    sockets: Vec<Connection>,
    /// Cookies of connections that came to be meanwhile: the walk may meet their sockets too.
    live: HashSet<u64>,
}

/// Rows in the making.
pub struct Decoder {
    guids: Guids,
    /// Nanoseconds from the clock of boot to Unix time; kept fresh by the caller, so that steps of the clock count.
    pub wall_offset_ns: i64,
    processes: Processes,
    /// Whether attempts are asked for.
    pub attempts: bool,
    /// Whether the ends of connections are asked for.
    pub closes: bool,
    pending: Pending,
    dns: Dns,
    unanswered: Unanswered,
    table: Table,
    /// Where rows go instead of the table, where there is one.
    pub lines: Option<Box<Lines>>,
    /// While existing sockets are reported: they come in no order, so listeners are known only at the end.
    existing: Option<Existing>,
    /// Whether rows of existing sockets wait for the first `release`: until then nobody can say where rows go.
    pub holds_existing: bool,
    held: VecDeque<Event>,
    /// How the ends of flows are translated on the way, by socket and far end.
    translated: Shared<(u64, Peer), Nat>,
    /// Of connections, how many were forgotten because the table was full.
    translations_forgotten: u64,
    /// Existing connections that had been accepted: the kernel side does not know when they close.
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
            wall_offset_ns: 0,
            processes: Processes::default(),
            attempts: true,
            closes: true,
            pending: Pending::default(),
            dns: Dns::default(),
            unanswered: Unanswered::default(),
            table: Table::default(),
            lines: None,
            held: VecDeque::new(),
            holds_existing: false,
            existing: None,
            translated: Shared::new(TRANSLATIONS),
            translations_forgotten: 0,
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
        self.existing = Some(Existing::default());
    }

    /// Make rows of the existing connections (if `wanted`), now that it is known who listens where.
    pub fn end_existing(&mut self, wanted: bool) {
        let Existing { sockets, live: mut told } = self.existing.take().unwrap_or_default();
        let listeners: HashSet<(u32, u16)> = sockets
            .iter()
            .filter(|socket| socket.protocol != UDP && socket.state == state::LISTEN)
            .map(|socket| (socket.netns, socket.local_port))
            .collect();
        for mut socket in sockets {
            let skipped = [state::SYN_SENT, state::SYN_RECV, state::CLOSE, state::LISTEN, state::TIME_WAIT];
            let connected =
                if socket.protocol == UDP { socket.peer_port != 0 } else { !skipped.contains(&socket.state) };
            if !connected || !told.insert(socket.cookie) {
                continue;
            }
            let accepted = socket.protocol != UDP && listeners.contains(&(socket.netns, socket.local_port));
            socket.initiated = match socket.protocol {
                UDP => initiated::UNKNOWN,
                _ if accepted => initiated::NO,
                _ => initiated::YES,
            };
            if accepted {
                self.accepted.insert(socket.cookie);
            }
            if wanted {
                let event = Event { connection: socket, counts: None, nat: None };
                if self.holds_existing {
                    // Described now, for later /proc may not be allowed to be asked.
                    if event.connection.owner.tgid != 0 {
                        self.processes.get(&event.connection.owner);
                    }
                    self.held.push_back(event);
                } else {
                    self.push(&event);
                }
            }
        }
    }

    /// Take one record.
    pub fn feed(&mut self, bytes: &[u8]) {
        match Record::parse(bytes) {
            Some(Record::Process(description)) => self.process(&description),
            Some(Record::Connection(connection, counts)) => {
                let nat = self.translation(connection);
                self.event(Event { connection: *connection, counts: counts.copied(), nat });
            }
            Some(Record::Nat(nat)) => {
                let holder = Holder { user: nat.holder, process: 0 };
                self.translated.put(holder, (nat.cookie, nat.peer), *nat, 1);
                while let Some((_, forgotten)) = self.translated.evict() {
                    self.translations_forgotten += u64::from(forgotten.protocol == TCP);
                }
            }
            Some(Record::Claim(claim)) => {
                while let Some(flow) = self.pending.claim(claim) {
                    self.push(&flow);
                    if claim.kind != kind::ACCEPT {
                        break;
                    }
                }
            }
            Some(Record::Image(image, path)) => self.processes.insert_image(image, path),
            Some(Record::Dns(dns, payload)) => self.dns.feed(dns, payload),
            None => self.unknown += 1,
        }
    }

    /// Whether there are as many lines as should be handed over at once.
    pub fn is_full(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.is_full())
    }

    /// Let flows go that waited long enough for their process. `was_read`, of a socket and a far end: whether the owner
    /// has read the flow's first datagram, since nobody else could.
    pub fn release(&mut self, now_boot_ns: u64, was_read: impl Fn(u64, &Peer) -> bool) {
        while !self.is_full()
            && let Some(mut flow) = self.unanswered.due(now_boot_ns)
        {
            // Where flows are seen before netfilter, it is known only now.
            if flow.nat.is_none() {
                flow.nat = self.translated.get(&(flow.connection.cookie, flow.connection.far_end())).copied();
            }
            self.push(&flow);
        }
        while !self.is_full()
            && let Some(event) = self.held.pop_front()
        {
            self.push(&event);
        }
        while !self.is_full()
            && let Some(mut flow) = self.pending.due(now_boot_ns)
        {
            let connection = &mut flow.connection;
            if connection.kind == kind::RECEIVED && was_read(connection.cookie, &connection.far_end()) {
                connection.attribution = attribution::CALLER;
            }
            self.push(&flow);
        }
    }

    /// Give back the memory that a burst took, as far as it is not used any longer.
    pub fn shrink(&mut self, now_boot_ns: u64) {
        self.processes.shrink();
        self.pending.shrink();
        self.unanswered.shrink();
        self.dns.forget_expired(now_boot_ns);
        self.held.shrink_to(self.held.len());
    }

    /// Processes (their tgids) that the kernel side must describe again when it meets them.
    pub fn take_wanted(&mut self) -> Vec<u32> {
        self.processes.take_wanted()
    }

    fn process(&mut self, description: &Description<'_>) {
        // The memory of a process that was not current could not be read; /proc can, while it lives.
        let unread = description.command.is_empty() && !description.executable.is_empty();
        let command = if unread { procfs::command_of(&description.process.owner) } else { None };
        self.processes.insert(description, command);
    }

    /// How the ends of a connection or flow are translated, which is kept as long as another record may ask for it. (Of
    /// a flow that may be refused nothing says when it cannot be any longer.)
    fn translation(&mut self, connection: &Connection) -> Option<Nat> {
        let key = (connection.cookie, connection.far_end());
        let is_kept = match connection.protocol {
            UDP => may_be_refused(connection),
            _ => connection.kind == kind::CONNECT && self.closes,
        };
        if is_kept { self.translated.get(&key).copied() } else { self.translated.remove(&key) }
    }

    fn event(&mut self, event: Event) {
        let connection = &event.connection;
        if let Some(existing) = &mut self.existing {
            match connection.kind {
                kind::EXISTING => {
                    existing.sockets.push(*connection);
                    return;
                }
                kind::CONNECT | kind::ACCEPT => {
                    existing.live.insert(connection.cookie);
                }
                _ => {}
            }
        }
        let let_go = if self.waits(connection) {
            self.pending.hold(event)
        } else if may_be_refused(connection) {
            self.unanswered.hold(event)
        } else {
            if connection.kind == kind::ATTEMPT && connection.protocol == UDP {
                self.unanswered.refuse(connection);
                if !self.attempts {
                    return;
                }
            }
            Some(event)
        };
        if let Some(event) = let_go {
            self.push(&event);
        }
    }

    /// Whether a record is held until it is known whose it is.
    fn waits(&self, connection: &Connection) -> bool {
        match connection.kind {
            kind::ACCEPT => connection.attribution == attribution::PENDING,
            kind::CLOSE => self.pending.holds(connection.cookie),
            _ => connection.attribution == attribution::PENDING,
        }
    }

    fn push(&mut self, event: &Event) {
        let Event { connection, counts, .. } = event;
        let Connection { owner, kind, protocol, .. } = *connection;
        let known = owner.tgid != 0;
        let process = known.then(|| self.processes.get(&owner));
        let process = process.as_ref();
        let attribution = self.attribution(connection, process.map(Arc::as_ref));
        let parent_guid = process
            .and_then(|process| process.parent_id.zip(process.parent_start_boot_ns))
            .map(|(parent, start_boot_ns)| self.guids.guid(parent, start_boot_ns));
        let close = kind == kind::CLOSE;
        // Where it is not known who began, this end is the source.
        let initiated = connection.initiated != initiated::NO && !(close && self.accepted.remove(&connection.cookie));
        let local = End { address: connection.local, port: connection.local_port, name: None };
        let named = self.dns.name(owner.tgid, owner.start_boot_ns, &connection.peer, connection.time_boot_ns);
        let server = named.map(|named| ip_text(named.server));
        let peer = End { address: connection.peer, port: connection.peer_port, name: named.map(|named| named.name) };
        let (source, destination) = if initiated { (local, peer) } else { (peer, local) };
        let (nat_local, nat_peer) = event.nat.as_ref().map_or((None, None), |nat| translated(connection, nat));
        let (nat_source, nat_destination) = if initiated { (nat_local, nat_peer) } else { (nat_peer, nat_local) };
        let wall_ns = self.wall_offset_ns.saturating_add_unsigned(connection.time_boot_ns);
        let row = Row {
            time_us: wall_ns.div_euclid(1000),
            holder: owner.holder,
            process,
            process_guid: known.then(|| self.guids.guid(owner.tgid, owner.start_boot_ns)),
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
            parent_guid,
            parent_id: process.and_then(|process| process.parent_id),
            parent_name: process.and_then(|process| process.parent_executable.as_deref()),
            network_namespace_id: connection.netns,
            cgroup_path: process.and_then(|process| process.cgroup.as_deref()),
            duration_us: counts.filter(|counts| counts.duration_ns != 0).map(|counts| counts.duration_ns / 1000),
            sent_bytes: counts.map(|counts| counts.sent_bytes),
            received_bytes: counts.map(|counts| counts.received_bytes),
            sent_packets: counts.map(|counts| counts.sent_packets),
            received_packets: counts.map(|counts| counts.received_packets),
            effective_user_id: known.then_some(owner.euid),
            image_device: process.and_then(|process| process.device),
            image_inode: process.and_then(|process| process.inode),
            mount_namespace_id: process.and_then(|process| process.mount_namespace),
            image_state: process.and_then(|process| process.image_state),
            name_truncated: process.filter(|process| process.executable.is_some()).map(|process| process.truncated),
            ancestry: process.and_then(|process| process.ancestry.as_deref()),
            host_name_server: server.as_deref(),
            nat_source,
            nat_destination,
            interface_index: (connection.interface != 0).then_some(connection.interface),
        };
        match &mut self.lines {
            Some(lines) => lines.push(&row),
            None => self.table.push(&row),
        }
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

    /// What rows lack, by cause.
    pub fn warnings(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let own = [
            ("events of processes described by /proc, after the event", self.described_late),
            ("translated addresses forgotten: table full", self.translations_forgotten),
        ];
        own.into_iter().chain(self.dns.warnings())
    }

    /// Rows without their process so far, by what they have as attribution.
    pub fn unattributed(&self) -> [(&'static str, u64); 2] {
        [(UNDESCRIBED, self.undescribed), (UNSEEN, self.unseen)]
    }
}

/// Whether an error may be reported that takes a flow back: to a socket that is connected, of what it began.
fn may_be_refused(connection: &Connection) -> bool {
    connection.kind == kind::SENT && connection.state == state::ESTABLISHED && connection.initiated != initiated::NO
}

/// Address and port.
type Place = ([u8; 16], u16);

/// The ends, this one first, that were translated on the way.
fn translated(connection: &Connection, nat: &Nat) -> (Option<Place>, Option<Place>) {
    let other = |place: Place, from: Place| (place != from).then_some(place);
    let local = other((nat.translated_local, nat.local_port), (connection.local, connection.local_port));
    let peer = other((nat.translated_peer, nat.peer_port), (connection.peer, connection.peer_port));
    (local, peer)
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
        (UDP, kind, _) if kind != kind::ATTEMPT => None,
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
