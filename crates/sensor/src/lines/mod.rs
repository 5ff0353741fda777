//! Rows to lines of text in one pass: what a recording does where no step of it is Python's.
//!
//! What a line looks like, and all that the sensor does not know (names of users and hosts, containers), is Python's to
//! say: the first once, the others when a value is met that is not known yet.

pub mod cell;
pub mod form;

use std::net::Ipv6Addr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hashbrown::HashMap;

use self::cell::Value;
use self::form::{Cell, Part};
use crate::processes::Described;
use crate::table::{End, Row};

/// Lines are handed over once they have so many bytes: with what reads and writes them they stay in the cache.
const PIECE_BYTES: usize = 192 << 10;
/// The same in rows: of some, a line is short, and of others there is none.
const PIECE_ROWS: u64 = 4096;
const RULED_OUT_ROWS: u64 = 65_536;
/// Names are asked for again after this: accounts, addresses and answers of the DNS change.
const NAMES_KEPT: Duration = Duration::from_millis(250);
/// Processes whose part of the line is kept.
const PROCESSES: usize = 4096;
const CONNECTION: &str = "connection";

/// A host's name, and where it comes from.
pub type HostName = (String, String);

/// What is asked of others, about a value that was not met lately.
pub trait Names: Send {
    /// The account of a uid.
    fn user(&mut self, uid: u32) -> Option<String>;
    /// The name of an address; `is_own` says that it is this machine's, in another network namespace.
    fn host(&mut self, address: &str, is_own: bool) -> Option<HostName>;
    /// The container of a control group.
    fn container(&mut self, cgroup: &str) -> Option<String>;
    /// Whether rows of processes that run this image are recorded.
    fn logs(&mut self, image: Option<&str>) -> bool;
    /// What a syslog daemon writes before a line: the time that it is.
    fn stamp(&mut self) -> String;
}

/// What a recording's lines are made of, beside its rows.
pub struct Layout {
    /// The form of a line.
    pub parts: Vec<Part>,
    /// Columns that have the same value in every line.
    pub constants: HashMap<String, Constant>,
    /// Names of ports, of TCP and of UDP.
    pub ports: HashMap<(u16, bool), String>,
    /// Inode of the network namespace that the recorder is in.
    pub namespace: Option<u32>,
    /// Whether rows of other kinds than connections have no form.
    pub connections_only: bool,
    /// Whether `Names::logs` is asked.
    pub by_image: bool,
}

/// A value that is kept.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Constant {
    Text(String),
    Integer(i64),
    Flag(bool),
    Bytes(Vec<u8>),
}

impl<'a> From<&'a Constant> for Value<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Text(text) => Value::Text(text),
            Constant::Integer(number) => Value::Integer(*number),
            Constant::Flag(flag) => Value::Flag(*flag),
            Constant::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

/// A row with all that was found out of it.
struct Line<'a> {
    row: &'a Row<'a>,
    /// These three are null but where a process's part is written.
    process_guid: Option<&'a str>,
    parent_guid: Option<&'a str>,
    container: Option<&'a str>,
    user: Option<&'a str>,
    source_host: Host<'a>,
    destination_host: Host<'a>,
    source_port_name: Option<&'a str>,
    destination_port_name: Option<&'a str>,
    record_id: i64,
    recorded_us: i64,
    stamp: &'a str,
}

#[derive(Clone, Copy, Default)]
struct Host<'a> {
    name: Option<&'a str>,
    origin: Option<&'a str>,
}

type Get = for<'a> fn(&Line<'a>) -> Value<'a>;

/// What a column depends on: those of the process, or of an address, alone are written once for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Process,
    Source,
    Destination,
    Row,
}

fn is_ipv6(end: &End<'_>) -> bool {
    end.address[..12] != [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]
}

/// Columns by their standard names; None is null in every row.
fn column(name: &str) -> Option<(Scope, Get)> {
    use Scope::{Destination, Process, Row, Source};
    let (scope, get): (Scope, Get) = match name {
        "event_creation_time" => (Row, |line| line.row.time_us.into()),
        "process_guid" => (Process, |line| line.process_guid.into()),
        "process_id" => (Process, |line| line.row.process_id.into()),
        "process_name" => (Process, |line| line.row.process_name.into()),
        "user_name" => (Row, |line| line.user.into()),
        "network_protocol" => (Row, |line| line.row.protocol.into()),
        "network_connection_initiated" => (Row, |line| line.row.initiated.into()),
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
        "record_kind" => (Row, |line| line.row.record_kind.into()),
        "outcome" => (Row, |line| line.row.outcome.into()),
        "error_number" => (Row, |line| line.row.error_number.into()),
        "connection_id" => (Row, |line| line.row.connection_id.into()),
        "attribution" => (Row, |line| line.row.attribution.into()),
        "user_id" => (Row, |line| line.row.user_id.into()),
        "process_command_line" => (Process, |line| line.row.command_line.into()),
        "process_parent_guid" => (Process, |line| line.parent_guid.into()),
        "process_parent_id" => (Process, |line| line.row.parent_id.into()),
        "process_parent_name" => (Process, |line| line.row.parent_name.into()),
        "network_namespace_id" => (Row, |line| line.row.network_namespace_id.into()),
        "cgroup_path" => (Process, |line| line.row.cgroup_path.into()),
        "container_id" => (Process, |line| line.container.into()),
        "src_host_name_origin" => (Source, |line| line.source_host.origin.into()),
        "dst_host_name_origin" => (Destination, |line| line.destination_host.origin.into()),
        "duration_us" => (Row, |line| line.row.duration_us.into()),
        "sent_bytes" => (Row, |line| line.row.sent_bytes.into()),
        "received_bytes" => (Row, |line| line.row.received_bytes.into()),
        "sent_packets" => (Row, |line| line.row.sent_packets.into()),
        "received_packets" => (Row, |line| line.row.received_packets.into()),
        "effective_user_id" => (Row, |line| line.row.effective_user_id.into()),
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
        _ => return None,
    };
    Some((scope, get))
}

fn translated_address(end: Option<([u8; 16], u16)>) -> Value<'static> {
    end.map_or(Value::Null, |(address, _)| Value::Address(address))
}

/// A part of a line, resolved.
enum Step {
    Bytes(Vec<u8>),
    Cell(Cell, Get),
    /// What depends on the process, or an end, alone, by its place among such.
    Process(usize),
    Source(usize),
    Destination(usize),
}

/// The steps of a line, and those of its parts that depend on the process, or on an end, alone.
#[derive(Default)]
struct Plan {
    line: Vec<Step>,
    processes: Vec<Vec<Step>>,
    sources: Vec<Vec<Step>>,
    destinations: Vec<Vec<Step>>,
}

impl Plan {
    fn new(parts: Vec<Part>, constants: &HashMap<String, Constant>) -> Self {
        let mut plan = Plan::default();
        // Steps of one scope, and texts between them.
        let (mut open, mut scope) = (Vec::new(), Scope::Row);
        for part in parts {
            let (bytes, cell) = match part {
                Part::Literal(text) => (text.into_bytes(), None),
                Part::Cell(cell) => match (constants.get(&cell.column), column(&cell.column)) {
                    (Some(constant), _) => {
                        let mut bytes = Vec::new();
                        cell.write(&mut bytes, constant.into());
                        (bytes, None)
                    }
                    (None, None) => (cell.null.into_bytes(), None),
                    (None, Some(found)) => (Vec::new(), Some((cell, found))),
                },
            };
            match cell {
                None => match open.last_mut() {
                    Some(Step::Bytes(before)) => before.extend_from_slice(&bytes),
                    _ => open.push(Step::Bytes(bytes)),
                },
                Some((cell, (found, get))) => {
                    let is_text = open.iter().all(|step| matches!(step, Step::Bytes(_)));
                    if found != scope && !is_text {
                        plan.close(std::mem::take(&mut open), scope);
                    }
                    scope = found;
                    open.push(Step::Cell(cell, get));
                }
            }
        }
        plan.close(open, scope);
        plan
    }

    fn close(&mut self, steps: Vec<Step>, scope: Scope) {
        let (group, step): (_, fn(usize) -> Step) = match scope {
            Scope::Row => {
                self.line.extend(steps);
                return;
            }
            Scope::Process => (&mut self.processes, Step::Process),
            Scope::Source => (&mut self.sources, Step::Source),
            Scope::Destination => (&mut self.destinations, Step::Destination),
        };
        self.line.push(step(group.len()));
        group.push(steps);
    }
}

type Texts = Vec<Box<[u8]>>;

/// The texts of groups of steps.
fn texts(groups: &[Vec<Step>], line: &Line<'_>) -> Texts {
    let text = |steps: &Vec<Step>| {
        let mut text = Vec::new();
        write_steps(&mut text, steps, line);
        text.into_boxed_slice()
    };
    groups.iter().map(text).collect()
}

fn write_steps(out: &mut Vec<u8>, steps: &[Step], line: &Line<'_>) {
    for step in steps {
        match step {
            Step::Bytes(bytes) => out.extend_from_slice(bytes),
            Step::Cell(cell, get) => cell.write(out, get(line)),
            Step::Process(_) | Step::Source(_) | Step::Destination(_) => {}
        }
    }
}

/// Whether a process's rows are recorded; it is held for the same reason.
struct Ruled {
    _process: Option<Arc<Described>>,
    logs: bool,
}

/// What lines have of a process; it is held, so that no other has its address.
struct OfProcess {
    _process: Option<Arc<Described>>,
    texts: Texts,
}

/// What lines have of an address that DNS has not named, as the source and as the destination.
#[derive(Default)]
struct OfAddress {
    name: Option<HostName>,
    source: OnceLock<Texts>,
    destination: OnceLock<Texts>,
}

/// What a step gave.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows by their kinds.
    pub captured: Vec<(String, u64)>,
    /// Rows that are lines.
    pub written: u64,
    /// Rows that have no form, but a record id.
    pub skipped: u64,
    /// Rows of processes that are not recorded.
    pub ruled_out: u64,
}

impl Counts {
    /// Record ids that were used.
    pub fn taken(&self) -> u64 {
        self.written + self.skipped
    }
}

/// Lines in the making.
pub struct Lines {
    plan: Plan,
    ports: HashMap<(u16, bool), String>,
    namespace: Option<u32>,
    connections_only: bool,
    /// Decisions by process, if it is decided at all.
    ruled: Option<HashMap<usize, Ruled>>,
    names: Box<dyn Names>,
    users: HashMap<u32, Option<String>>,
    addresses: Addresses,
    /// When names are asked for again.
    names_due: Instant,
    processes: HashMap<usize, OfProcess>,
    nobody: Option<OfProcess>,
    bytes: Vec<u8>,
    counts: Counts,
    first_record_id: i64,
    most: u64,
    /// Of this step: Unix time in microseconds, and as a syslog daemon has it.
    now: Option<(i64, String)>,
}

impl Lines {
    /// Lines of a layout; `names` is asked for what the sensor does not know.
    pub fn new(layout: Layout, names: Box<dyn Names>) -> Self {
        let Layout { parts, constants, ports, namespace, connections_only, by_image } = layout;
        Lines {
            plan: Plan::new(parts, &constants),
            ports,
            namespace,
            connections_only,
            ruled: by_image.then(HashMap::new),
            names,
            users: HashMap::new(),
            addresses: HashMap::new(),
            names_due: Instant::now(),
            processes: HashMap::new(),
            nobody: None,
            bytes: Vec::with_capacity(PIECE_BYTES * 2),
            counts: Counts::default(),
            first_record_id: 0,
            most: 0,
            now: None,
        }
    }

    /// Begin a step: rows are numbered from `first_record_id` on, and those beyond `most` only counted.
    pub fn begin(&mut self, first_record_id: i64, most: u64) {
        self.bytes.clear();
        // One of a burst is not kept for ever.
        self.bytes.shrink_to(PIECE_BYTES * 2);
        self.counts = Counts::default();
        (self.first_record_id, self.most, self.now) = (first_record_id, most, None);
        let now = Instant::now();
        if now >= self.names_due {
            self.names_due = now + NAMES_KEPT;
            self.users.clear();
            self.addresses.clear();
        }
    }

    /// Whether the step has as much as it should.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_BYTES
            || self.counts.taken() >= self.most.min(PIECE_ROWS)
            || self.counts.ruled_out >= RULED_OUT_ROWS
    }

    /// Whether the step has nothing.
    pub fn is_empty(&self) -> bool {
        self.counts.captured.is_empty()
    }

    /// The step's lines.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The step's counts.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Add a row.
    pub fn push(&mut self, row: &Row<'_>) {
        self.count(row.record_kind);
        if !self.logs(row) {
            self.counts.ruled_out += 1;
            return;
        }
        let taken = self.counts.taken();
        if taken >= self.most {
            return;
        }
        if self.connections_only && row.record_kind != CONNECTION {
            self.counts.skipped += 1;
            return;
        }
        self.counts.written += 1;
        let Lines { plan, ports, namespace, names, users, addresses, processes, nobody, bytes, now, .. } = self;
        let (recorded_us, stamp) = now.get_or_insert_with(|| (unix_us(), names.stamp()));
        let is_udp = row.protocol == "udp";
        // In another namespace its own addresses are not known, but which end is its is.
        let elsewhere = namespace.is_some_and(|namespace| namespace != row.network_namespace_id);
        let is_source = if is_udp { Some(row.initiated.unwrap_or(true)) } else { row.initiated };
        let source = address(addresses, names.as_mut(), &row.source, elsewhere && is_source == Some(true));
        let destination = address(addresses, names.as_mut(), &row.destination, elsewhere && is_source == Some(false));
        let line = Line {
            row,
            process_guid: None,
            parent_guid: None,
            container: None,
            user: row.user_id.and_then(|uid| users.entry(uid).or_insert_with(|| names.user(uid)).as_deref()),
            source_host: host(&row.source, source.as_deref()),
            destination_host: host(&row.destination, destination.as_deref()),
            source_port_name: ports.get(&(row.source.port, is_udp)).map(String::as_str),
            destination_port_name: ports.get(&(row.destination.port, is_udp)).map(String::as_str),
            record_id: self.first_record_id.saturating_add_unsigned(taken),
            recorded_us: *recorded_us,
            stamp,
        };
        let of_process = match row.process {
            None => nobody.get_or_insert_with(|| of_process(plan, &line, names.as_mut())),
            Some(process) => {
                if processes.len() >= PROCESSES {
                    processes.clear();
                }
                processes.entry(Arc::as_ptr(process).addr()).or_insert_with(|| of_process(plan, &line, names.as_mut()))
            }
        };
        for step in &plan.line {
            match step {
                Step::Bytes(text) => bytes.extend_from_slice(text),
                Step::Cell(cell, get) => cell.write(bytes, get(&line)),
                Step::Process(place) => bytes.extend_from_slice(&of_process.texts[*place]),
                Step::Source(place) => match &source {
                    Some(found) => {
                        let texts = found.source.get_or_init(|| texts(&plan.sources, &line));
                        bytes.extend_from_slice(&texts[*place]);
                    }
                    None => write_steps(bytes, &plan.sources[*place], &line),
                },
                Step::Destination(place) => match &destination {
                    Some(found) => {
                        let texts = found.destination.get_or_init(|| texts(&plan.destinations, &line));
                        bytes.extend_from_slice(&texts[*place]);
                    }
                    None => write_steps(bytes, &plan.destinations[*place], &line),
                },
            }
        }
    }

    /// Whether a row is recorded; asked once for a process.
    fn logs(&mut self, row: &Row<'_>) -> bool {
        let Some(ruled) = &mut self.ruled else { return true };
        if ruled.len() >= PROCESSES {
            ruled.clear();
        }
        let key = row.process.map_or(0, |process| Arc::as_ptr(process).addr());
        let names = &mut self.names;
        let asked = || Ruled { logs: names.logs(row.process_name), _process: row.process.cloned() };
        ruled.entry(key).or_insert_with(asked).logs
    }

    fn count(&mut self, kind: &str) {
        match self.counts.captured.iter_mut().find(|(name, _)| name == kind) {
            Some((_, count)) => *count += 1,
            None => self.counts.captured.push((kind.to_owned(), 1)),
        }
    }
}

/// Unix time in microseconds.
fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The parts of a line that depend on the row's process alone.
fn of_process(plan: &Plan, line: &Line<'_>, names: &mut dyn Names) -> OfProcess {
    let row = line.row;
    let guid = row.process_guid.map(|guid| guid.to_string());
    let parent_guid = row.parent_guid.map(|guid| guid.to_string());
    let container = row.cgroup_path.and_then(|path| names.container(path));
    let line = Line {
        process_guid: guid.as_deref(),
        parent_guid: parent_guid.as_deref(),
        container: container.as_deref(),
        ..*line
    };
    OfProcess { texts: texts(&plan.processes, &line), _process: row.process.cloned() }
}

type Addresses = HashMap<([u8; 16], bool), Arc<OfAddress>>;

/// What is known of an end's address; None where DNS has named it.
fn address(known: &mut Addresses, names: &mut dyn Names, end: &End<'_>, is_own: bool) -> Option<Arc<OfAddress>> {
    if end.name.is_some() {
        return None;
    }
    let asked = || {
        let address = Ipv6Addr::from(end.address);
        let text = address.to_ipv4_mapped().map_or_else(|| address.to_string(), |ipv4| ipv4.to_string());
        Arc::new(OfAddress { name: names.host(&text, is_own), ..OfAddress::default() })
    };
    Some(Arc::clone(known.entry((end.address, is_own)).or_insert_with(asked)))
}

fn host<'a>(end: &End<'a>, found: Option<&'a OfAddress>) -> Host<'a> {
    match (end.name, found.and_then(|found| found.name.as_ref())) {
        (Some(name), _) => Host { name: Some(name), origin: Some("dns") },
        (None, Some((name, origin))) => Host { name: Some(name), origin: Some(origin) },
        (None, None) => Host::default(),
    }
}
