//! Rows to lines of text in one pass.
//!
//! What a line looks like, and all that the sensor does not know (names of users and hosts, containers), is Python's to
//! say: the first once, the others when a value is met that is not known yet. Which rows become lines is Python's too,
//! where rules or a predicate decide: it sees the columns that these refer to, and rows wait for the answer.

mod asked;
pub mod cell;
mod columns;
pub mod form;
mod plan;
mod staged;

use std::hash::Hash;
use std::net::Ipv6Addr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow_array::RecordBatch;
use hashbrown::HashMap;

use self::asked::{Question, Verdict, Verdicts};
use self::columns::{Column, Host, Line};
use self::form::Part;
pub use self::plan::Constant;
use self::plan::{Plan, Step, Texts, texts, write_cell, write_steps};
use self::staged::Staged;
use crate::processes::Described;
use crate::table::{End, Row};

/// Lines are handed over once they have so many bytes: with what reads and writes them they stay in the cache.
const PIECE_BYTES: usize = 384 << 10;
/// What a line seldom exceeds.
const LINE_BYTES: usize = 16 << 10;
/// The same in rows: of some, a line is short, and of others there is none.
const PIECE_ROWS: u64 = 4096;
const RULED_OUT_ROWS: u64 = 65_536;
/// Rows that wait for a decision: to ask costs as much as to write hundreds of lines, however many rows it is of.
const STAGED_ROWS: usize = 2048;
/// Names are asked for again after this: accounts, addresses and answers of the DNS change.
const NAMES_KEPT: Duration = Duration::from_millis(250);
/// Processes whose part of the line is kept, each with what it does.
const PROCESSES: usize = 4096;
const CONNECTION: &str = "connection";
/// As `Row::protocol` has it.
const UDP: &str = "udp";

/// A host's name, and where it comes from.
pub type HostName = (String, String);

/// What is asked of others, about a value that was not met lately.
pub trait Names: Send {
    /// The account of a uid.
    fn user(&mut self, uid: u32) -> Option<String>;
    /// The name of an address; `is_own` says that it is this machine's, in another network namespace. It is looked up
    /// for a holder, see [`crate::records::Owner::holder`].
    fn host(&mut self, address: &str, is_own: bool, holder: u32) -> Option<HostName>;
    /// The container of a control group.
    fn container(&mut self, cgroup: &str) -> Option<String>;
    /// Whether rows of processes that run this image are recorded.
    fn logs(&mut self, image: Option<&str>) -> bool;
    /// What a syslog daemon writes before a line: the time that it is.
    fn stamp(&mut self) -> String;
    /// What the rules say of each row: None where they do not log it, else its name, empty without one. None at all if
    /// they cannot be asked. Depends on the rows alone.
    fn rules(&mut self, rows: RecordBatch) -> Option<Vec<Option<String>>>;
    /// Of each row, whether the predicate keeps it. None if it cannot be asked.
    fn keeps(&mut self, rows: RecordBatch) -> Option<Vec<bool>>;
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
    /// Columns that `Names::rules` refers to; None where it is not asked.
    pub rules: Option<Vec<String>>,
    /// Columns that `Names::keeps` refers to; None where it is not asked.
    pub predicate: Option<Vec<String>>,
    /// Whether hosts and ports have names.
    pub names_hosts: bool,
    /// Columns of texts that are cut, to so many characters, once rules have seen them.
    pub sizes: HashMap<String, usize>,
}

/// Whether a process's rows are recorded; it is held for the same reason.
struct Ruled {
    _process: Option<Arc<Described>>,
    logs: bool,
}

/// A process and what it does, as far as many events have it in common. Texts are compared by where they stand: that of
/// one may stand in two places, but no two in one.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    process: usize,
    users: (Option<u32>, Option<u32>),
    network_namespace_id: u32,
    error_number: Option<u32>,
    initiated: Option<bool>,
    texts: [(usize, usize); 4],
}

impl Kind {
    fn of(row: &Row<'_>) -> Self {
        let text = |text: Option<&'static str>| text.map_or((0, 0), |text| (text.as_ptr().addr(), text.len()));
        Kind {
            process: row.process.map_or(0, |process| Arc::as_ptr(process).addr()),
            users: (row.user_id, row.effective_user_id),
            network_namespace_id: row.network_namespace_id,
            error_number: row.error_number,
            initiated: row.initiated,
            texts: [Some(row.protocol), Some(row.record_kind), row.outcome, row.attribution].map(text),
        }
    }
}

/// What lines have of a process and what it does; it is held, so that no other has its address.
struct OfProcess {
    _process: Option<Arc<Described>>,
    guid: Option<Box<str>>,
    parent_guid: Option<Box<str>>,
    container: Option<Box<str>>,
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

/// What is known of the values that rows have.
struct Known {
    ports: HashMap<(u16, bool), String>,
    namespace: Option<u32>,
    names_hosts: bool,
    names: Box<dyn Names>,
    users: HashMap<u32, Option<String>>,
    addresses: Addresses,
    /// When names are asked for again.
    due: Instant,
    processes: HashMap<Kind, OfProcess>,
    /// Of this step: Unix time in microseconds, and as a syslog daemon has it.
    now: Option<(i64, String)>,
}

impl Known {
    fn begin(&mut self) {
        self.now = None;
        let now = Instant::now();
        if now >= self.due {
            self.due = now + NAMES_KEPT;
            empty(&mut self.users);
            empty(&mut self.addresses);
            empty(&mut self.processes);
        }
    }

    /// What is known of the source and of the destination; None where DNS has named it.
    fn ends(&mut self, row: &Row<'_>) -> (Option<Arc<OfAddress>>, Option<Arc<OfAddress>>) {
        // In another namespace its own addresses are not known, but which end is its is.
        let elsewhere = self.namespace.is_some_and(|namespace| namespace != row.network_namespace_id);
        let is_source = if row.protocol == UDP { Some(row.initiated.unwrap_or(true)) } else { row.initiated };
        let source = self.address(&row.source, elsewhere && is_source == Some(true), row.holder);
        (source, self.address(&row.destination, elsewhere && is_source == Some(false), row.holder))
    }

    fn address(&mut self, end: &End<'_>, is_own: bool, holder: u32) -> Option<Arc<OfAddress>> {
        let Known { addresses, names, names_hosts, .. } = self;
        if end.name.is_some() && *names_hosts {
            return None;
        }
        let asked = || {
            let address = Ipv6Addr::from(end.address);
            let text = address.to_ipv4_mapped().map_or_else(|| address.to_string(), |ipv4| ipv4.to_string());
            let name = if *names_hosts { names.host(&text, is_own, holder) } else { None };
            Arc::new(OfAddress { name, ..OfAddress::default() })
        };
        Some(Arc::clone(addresses.entry((end.address, is_own)).or_insert_with(asked)))
    }

    /// A row with all that is known of it, and what lines have of its process.
    fn line<'a>(
        &'a mut self,
        plan: &Plan,
        row: &'a Row<'a>,
        source: Option<&'a OfAddress>,
        destination: Option<&'a OfAddress>,
    ) -> (Line<'a>, &'a OfProcess) {
        let Known { ports, names_hosts, names, users, processes, now, .. } = self;
        let (recorded_us, stamp) = now.get_or_insert_with(|| (unix_us(), names.stamp()));
        let is_udp = row.protocol == UDP;
        let port_name = |end: &End<'_>| ports.get(&(end.port, is_udp)).filter(|_| *names_hosts).map(String::as_str);
        let mut line = Line {
            row,
            rule_name: None,
            process_guid: None,
            parent_guid: None,
            container: None,
            user: row.user_id.and_then(|uid| users.entry(uid).or_insert_with(|| names.user(uid)).as_deref()),
            source_host: host(&row.source, source),
            destination_host: host(&row.destination, destination),
            source_port_name: port_name(&row.source),
            destination_port_name: port_name(&row.destination),
            record_id: 0,
            recorded_us: *recorded_us,
            stamp,
        };
        if processes.len() >= PROCESSES {
            processes.clear();
        }
        let of_process = processes.entry(Kind::of(row)).or_insert_with(|| of_process(plan, &line, names.as_mut()));
        line.process_guid = of_process.guid.as_deref();
        line.parent_guid = of_process.parent_guid.as_deref();
        line.container = of_process.container.as_deref();
        (line, of_process)
    }
}

/// A row that waits for a decision, or was decided over.
struct Waiting {
    row: Staged,
    /// The place of the rules' verdict.
    verdict: Option<usize>,
    /// The rule's.
    name: Option<Arc<str>>,
    is_kept: bool,
}

impl Waiting {
    fn new(row: &Row<'_>, verdict: Option<usize>) -> Self {
        Waiting { row: Staged::new(row), verdict, name: None, is_kept: true }
    }
}

/// Lines in the making.
pub struct Lines {
    plan: Plan,
    known: Known,
    connections_only: bool,
    /// Decisions by process, if it is decided at all.
    ruled: Option<HashMap<usize, Ruled>>,
    rules: Option<Verdicts>,
    predicate: Option<Question>,
    waiting: Vec<Waiting>,
    /// The first of these that is still to be written; None where they have not been decided over.
    decided: Option<usize>,
    bytes: Vec<u8>,
    scratch: String,
    counts: Counts,
    first_record_id: i64,
    most: u64,
}

impl Lines {
    /// Lines of a layout; `names` is asked for what the sensor does not know.
    pub fn new(layout: Layout, names: Box<dyn Names>) -> Self {
        let Layout { parts, constants, ports, namespace, connections_only, by_image, .. } = layout;
        let cut = |name: &str| Column { size: layout.sizes.get(name).copied(), ..Column::asked(name) };
        Lines {
            plan: Plan::new(parts, &constants, layout.rules.is_some(), &layout.sizes),
            known: Known {
                ports,
                namespace,
                names_hosts: layout.names_hosts,
                names,
                users: HashMap::new(),
                addresses: HashMap::new(),
                due: Instant::now(),
                processes: HashMap::new(),
                now: None,
            },
            connections_only,
            ruled: by_image.then(HashMap::new),
            rules: layout.rules.map(|columns| Verdicts::new(Question::new(&columns, Column::asked))),
            predicate: layout.predicate.map(|columns| Question::new(&columns, cut)),
            waiting: Vec::new(),
            decided: None,
            bytes: Vec::new(),
            scratch: String::new(),
            counts: Counts::default(),
            first_record_id: 0,
            most: 0,
        }
    }

    /// Begin a step: rows are numbered from `first_record_id` on, and those beyond `most` only counted.
    pub fn begin(&mut self, first_record_id: i64, most: u64) {
        self.bytes.clear();
        self.bytes.reserve(PIECE_BYTES + LINE_BYTES);
        self.counts = Counts::default();
        (self.first_record_id, self.most) = (first_record_id, most);
        self.known.begin();
        if let Some(rules) = &mut self.rules {
            rules.trim();
        }
    }

    /// Whether the step has as much as it should.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_BYTES
            || self.counts.taken() >= self.most.min(PIECE_ROWS)
            || self.counts.ruled_out >= RULED_OUT_ROWS
            || self.waiting.len() >= STAGED_ROWS
    }

    /// Whether the step has nothing.
    pub fn is_empty(&self) -> bool {
        self.counts.captured.is_empty()
    }

    /// The step's lines.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Take the step's lines.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The step's counts.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Add a row. It may wait for the others of the step, see `finish`.
    pub fn push(&mut self, row: &Row<'_>) {
        self.count(row.record_kind);
        if !self.logs(row) {
            self.counts.ruled_out += 1;
            return;
        }
        let Lines { plan, known, rules, predicate, waiting, counts, scratch, .. } = self;
        let Some(rules) = rules else {
            match predicate {
                None => self.write(row, None),
                Some(_) => waiting.push(Waiting::new(row, None)),
            }
            return;
        };
        let (source, destination) = known.ends(row);
        let (line, _) = known.line(plan, row, source.as_deref(), destination.as_deref());
        let place = rules.place(&line, scratch);
        match rules.given(place) {
            Some(None) => counts.ruled_out += 1,
            Some(Some(name)) if predicate.is_none() && waiting.is_empty() => {
                let name = name.clone();
                self.write(row, name.as_deref());
            }
            _ => waiting.push(Waiting::new(row, Some(place))),
        }
    }

    /// Decide over the rows that wait, and write those that are to be written, in their order: as many as a step should
    /// have, see `has_rest`.
    pub fn finish(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        self.rule_out(&mut waiting);
        let kept = self.kept(&waiting);
        for (place, one) in waiting.iter_mut().enumerate() {
            one.is_kept = kept.as_ref().is_none_or(|kept| kept[place]);
        }
        self.waiting = waiting;
        self.decided = Some(0);
        self.resume();
    }

    /// Write rows that were decided over; whether there were any.
    pub fn resume(&mut self) -> bool {
        let Some(mut next) = self.decided.take() else { return false };
        let mut waiting = std::mem::take(&mut self.waiting);
        while self.bytes.len() < PIECE_BYTES
            && let Some(one) = waiting.get(next)
        {
            if one.is_kept {
                self.write(&one.row.row(), one.name.as_deref());
            }
            next += 1;
        }
        if next < waiting.len() {
            self.decided = Some(next);
        } else {
            waiting.clear();
        }
        self.waiting = waiting;
        true
    }

    /// Whether rows are left for the next step, which `resume`s. They are counted already.
    pub fn has_rest(&self) -> bool {
        self.decided.is_some()
    }

    /// Ask the rules; drop what they do not log, and name the rest.
    fn rule_out(&mut self, waiting: &mut Vec<Waiting>) {
        let Lines { rules, known, counts, .. } = self;
        let Some(rules) = rules else { return };
        rules.settle(|rows| {
            let name = |name: String| if name.is_empty() { None } else { Some(name.into()) };
            let answers = known.names.rules(rows)?;
            Some(answers.into_iter().map(|answer| answer.map(name)).collect::<Vec<Verdict>>())
        });
        waiting.retain_mut(|one| match one.verdict.and_then(|place| rules.given(place)) {
            Some(None) => {
                counts.ruled_out += 1;
                false
            }
            Some(Some(name)) => {
                one.name.clone_from(name);
                true
            }
            None => true,
        });
    }

    /// Ask the predicate; None if it keeps all.
    fn kept(&mut self, waiting: &[Waiting]) -> Option<Vec<bool>> {
        let Lines { plan, known, predicate, scratch, .. } = self;
        let question = predicate.as_mut().filter(|_| !waiting.is_empty())?;
        for one in waiting {
            let row = one.row.row();
            let (source, destination) = known.ends(&row);
            let (mut line, _) = known.line(plan, &row, source.as_deref(), destination.as_deref());
            line.rule_name = one.name.as_deref();
            question.push(&line, scratch);
        }
        let rows = question.take().ok()?;
        known.names.keeps(rows).filter(|kept| kept.len() == waiting.len())
    }

    /// Write a row that is to be written.
    fn write(&mut self, row: &Row<'_>, rule_name: Option<&str>) {
        let taken = self.counts.taken();
        if taken >= self.most {
            return;
        }
        if self.connections_only && row.record_kind != CONNECTION {
            self.counts.skipped += 1;
            return;
        }
        self.counts.written += 1;
        let Lines { plan, known, bytes, .. } = self;
        let (source, destination) = known.ends(row);
        let (mut line, of_process) = known.line(plan, row, source.as_deref(), destination.as_deref());
        line.rule_name = rule_name;
        line.record_id = self.first_record_id.saturating_add_unsigned(taken);
        for step in &plan.line {
            match step {
                Step::Bytes(text) => bytes.extend_from_slice(text),
                Step::Cell(cell, column) => write_cell(bytes, cell, *column, &line),
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
        let names = &mut self.known.names;
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

/// What lines have of the row's process alone.
fn of_process(plan: &Plan, line: &Line<'_>, names: &mut dyn Names) -> OfProcess {
    let row = line.row;
    let guid = row.process_guid.map(|guid| guid.to_string().into_boxed_str());
    let parent_guid = row.parent_guid.map(|guid| guid.to_string().into_boxed_str());
    let container = row.cgroup_path.and_then(|path| names.container(path)).map(String::into_boxed_str);
    let line = Line {
        process_guid: guid.as_deref(),
        parent_guid: parent_guid.as_deref(),
        container: container.as_deref(),
        ..*line
    };
    let texts = texts(&plan.processes, &line);
    OfProcess { _process: row.process.cloned(), guid, parent_guid, container, texts }
}

/// Entries for which memory is kept, however few there were.
const FEW_ENTRIES: usize = 1024;

/// Empty a table, with the memory of no more entries than it had.
fn empty<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    let length = table.len();
    table.clear();
    table.shrink_to(length.max(FEW_ENTRIES));
}

type Addresses = HashMap<([u8; 16], bool), Arc<OfAddress>>;

fn host<'a>(end: &End<'a>, found: Option<&'a OfAddress>) -> Host<'a> {
    match (found, end.name) {
        (Some(OfAddress { name: Some((name, origin)), .. }), _) => Host { name: Some(name), origin: Some(origin) },
        (None, Some(name)) => Host { name: Some(name), origin: Some("dns") },
        _ => Host::default(),
    }
}
