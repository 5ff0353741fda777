//! Finds the event in a record of unknown shape: by the names of its fields wherever they stand, in a list of values, or in a text
//! that the record carries.
//!
//! A record that the table of [`keys`](crate::shapes::keys) explains never comes here. What is found must be plausible as a whole:
//! see [`is_event`].

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use memchr::memmem;

use crate::format::{SYSMON, SYSMON_LINUX, Verdict, is_sysmon};
use crate::shapes::convert::{epoch, has_zone, recorded_time, system_value};
use crate::shapes::essentials::{has, is_event, undo_doubling};
use crate::shapes::keys::TimeSource;
use crate::shapes::names::{Meaning, Path, is_wrapper};
use crate::shapes::positions::fill_from_list;
use crate::shapes::record::Nested;
use crate::shapes::text::{Scalar, Text, resolve_entities, unescape};
use crate::shapes::tree::{Node, Tree};
use crate::table::columns::Row;
use crate::table::event::{Event, Events};
use crate::table::schema::{Field, Kind};
use crate::table::value::{Value, parse_guid, parse_int, parse_ip, parse_time_us};

/// What a record of unknown shape turns out to be.
pub(crate) enum Found<'a> {
    /// One record: its verdict, and its fields if it was requested.
    Record(Verdict, Box<Row<'a>>),
    /// A document around several records, each of which is read by itself.
    Several(Vec<Part<'a>>),
    /// An event that was requested, by its id or its fields, in a form that cannot be read: the reason.
    Unreadable(String),
    /// Nothing that has to do with Sysmon.
    Nothing,
}

/// One of the records of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Where it begins in the document.
    pub(crate) start: usize,
    /// Its text: an object, or a line that carries an event.
    pub(crate) text: &'a str,
}

/// Whether a record may have to do with Sysmon at all. Most records of other programs end here.
pub(crate) fn may_carry(text: &str) -> bool {
    const MARKS: &[&str] = &[
        "ysmon",
        "YSMON",
        "estinationIp",
        "estinationip",
        "ESTINATIONIP",
        "estination_ip",
        "101,110,116",
        "101, 110, 116",
    ];
    MARKS.iter().any(|mark| memmem::find(text.as_bytes(), mark.as_bytes()).is_some())
}

/// Texts within texts are opened to this depth.
const MAX_DEPTH: usize = 4;
/// Shorter texts carry no event.
const MIN_TEXT: usize = 40;
/// Keys of an unknown record that its report names.
const MAX_KEYS: usize = 40;

/// A value with its path.
#[derive(Clone, Copy)]
struct Leaf<'a> {
    path: Path<'a>,
    scalar: Scalar<'a>,
}

/// An object without its structure.
struct Flat<'a> {
    leaves: BumpVec<'a, Leaf<'a>>,
    /// Values without names.
    lists: BumpVec<'a, BumpVec<'a, Value<'a>>>,
    /// Lists whose elements may be records.
    records: BumpVec<'a, BumpVec<'a, Node<'a>>>,
}

/// Where fields were found; the better ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Xml,
    Names,
    Json,
    List,
    Message,
    Aliases,
}

struct Source<'a> {
    rank: Rank,
    row: Row<'a>,
    /// Whether it may add to another: fields of another object may be of another process or host.
    adds: bool,
}

/// Searches one document.
pub(crate) struct Search<'a> {
    arena: &'a Bump,
    asked: Events,
    nested: &'static dyn Nested,
    /// The text that the nodes' places refer to.
    text: &'a str,
    depth: usize,
}

impl<'a> Search<'a> {
    /// Make one for the document `text`.
    pub(crate) fn new(text: &'a str, arena: &'a Bump, asked: Events, nested: &'static dyn Nested) -> Self {
        Search { arena, asked, nested, text, depth: 0 }
    }

    /// Find the event, or the events, of an object or a list.
    pub(crate) fn find(&self, node: Node<'a>) -> Found<'a> {
        let mut flat = self.empty();
        if let Some(elements) = node.elements() {
            flat.records.push(BumpVec::from_iter_in(elements.iter().copied(), self.arena));
        } else {
            self.flatten(node, Path::ROOT, &mut flat);
        }
        self.judge(&flat)
    }

    fn empty(&self) -> Flat<'a> {
        Flat {
            leaves: BumpVec::new_in(self.arena),
            lists: BumpVec::new_in(self.arena),
            records: BumpVec::new_in(self.arena),
        }
    }

    fn judge(&self, flat: &Flat<'a>) -> Found<'a> {
        let found = self.one(flat);
        if matches!(found, Found::Record(Verdict::Asked(_), _)) {
            return found;
        }
        let mut parts = Vec::new();
        for list in &flat.records {
            if list.iter().any(|node| self.holds(*node)) {
                parts.extend(list.iter().flat_map(|node| self.parts(*node)));
            }
        }
        if parts.is_empty() { found } else { Found::Several(parts) }
    }

    /// Whether an element of a list holds an event of Sysmon's, or is a document around some.
    fn holds(&self, node: Node<'a>) -> bool {
        match node.value {
            Tree::Leaf(Scalar::Text(text)) => {
                let text = text.get(self.arena).unwrap_or_default();
                matches!(self.open(text), Ok(Some((Verdict::Asked(_) | Verdict::OtherEvent, _, _))))
            }
            Tree::Leaf(_) => false,
            Tree::Object(_) => {
                let text = self.slice(node);
                // A row of a table has the names of its columns elsewhere.
                (text.starts_with('[') || may_carry(text))
                    && !matches!(self.find(node), Found::Nothing | Found::Record(Verdict::OtherProvider, _))
            }
            Tree::List(elements) => elements.iter().any(|element| self.holds(*element)),
        }
    }

    fn slice(&self, node: Node<'a>) -> &'a str {
        self.text.get(node.start..node.end).unwrap_or_default()
    }

    /// The records of an element of a list: an object is one, a text that carries an event is one.
    fn parts(&self, node: Node<'a>) -> Vec<Part<'a>> {
        match node.value {
            Tree::Object(members) => {
                let text = self.slice(node);
                let text = if text.starts_with('{') { text } else { self.row_as_object(members) };
                vec![Part { start: node.start, text }]
            }
            Tree::Leaf(Scalar::Text(text)) if self.holds(node) => match text.get(self.arena) {
                Ok(text) => vec![Part { start: node.start, text }],
                Err(_) => Vec::new(),
            },
            Tree::Leaf(_) => Vec::new(),
            Tree::List(elements) => elements.iter().flat_map(|element| self.parts(*element)).collect(),
        }
    }

    /// The text of a row of a table as an object.
    fn row_as_object(&self, members: &[(&str, Node<'a>)]) -> &'a str {
        let member = |(name, node): &(&str, Node<'a>)| {
            format!("\"{}\":{}", name.replace('\\', "\\\\").replace('"', "\\\""), self.slice(*node))
        };
        let members: Vec<String> = members.iter().map(member).collect();
        self.arena.alloc_str(&format!("{{{}}}", members.join(",")))
    }

    fn flatten(&self, node: Node<'a>, path: Path<'a>, flat: &mut Flat<'a>) {
        match node.value {
            Tree::Leaf(scalar) => flat.leaves.push(Leaf { path, scalar }),
            Tree::Object(members) => {
                if let Some(rows) = self.table(members) {
                    flat.records.push(rows);
                    return;
                }
                if is_numbered(members) {
                    flat.records.push(BumpVec::from_iter_in(members.iter().map(|(_, node)| *node), self.arena));
                    return;
                }
                for (key, node) in members {
                    self.flatten(*node, path.join(key, self.arena), flat);
                }
            }
            Tree::List(elements) => self.flatten_list(elements, path, flat),
        }
    }

    fn flatten_list(&self, elements: &'a [Node<'a>], path: Path<'a>, flat: &mut Flat<'a>) {
        if let [single] = elements {
            return self.flatten(*single, path, flat);
        }
        let named: Option<Vec<_>> = elements.iter().map(|element| pair(*element)).collect();
        if let Some(pairs) = named.filter(|pairs| !pairs.is_empty()) {
            for (name, value) in pairs {
                if let Ok(name) = name.get(self.arena) {
                    self.flatten(value, path.join(name, self.arena), flat);
                }
            }
            return;
        }
        if let Some(bytes) = byte_list(elements) {
            let raw = self.arena.alloc_str(&String::from_utf8_lossy(&bytes));
            flat.leaves.push(Leaf { path, scalar: Scalar::Text(Text { raw, json: false }) });
            return;
        }
        let scalars: Option<Vec<_>> = elements.iter().map(|element| boxed_scalar(*element)).collect();
        match scalars {
            Some(scalars) => {
                let values = scalars.iter().map(|scalar| self.value(*scalar));
                flat.lists.push(BumpVec::from_iter_in(values, self.arena));
                if scalars.len() > 1 && elements.iter().filter(|element| self.holds(**element)).count() > 1 {
                    flat.records.push(BumpVec::from_iter_in(elements.iter().copied(), self.arena));
                } else {
                    flat.leaves.extend(scalars.into_iter().map(|scalar| Leaf { path, scalar }));
                }
            }
            None => flat.records.push(BumpVec::from_iter_in(elements.iter().copied(), self.arena)),
        }
    }

    /// The rows of an object that has names of columns and lists of values, as objects.
    fn table(&self, members: &'a [(&'a str, Node<'a>)]) -> Option<BumpVec<'a, Node<'a>>> {
        let member = |keys: &[&str]| {
            members
                .iter()
                .find(|(key, _)| keys.iter().any(|known| key.eq_ignore_ascii_case(known)))
                .map(|(_, node)| *node)
        };
        let columns = member(&["columns", "fields", "schema", "meta", "header", "headers"])?.elements()?;
        let names: Option<Vec<&'a str>> = columns.iter().map(|column| self.column_name(*column)).collect();
        let names = names.filter(|names| !names.is_empty())?;
        let rows = member(&["rows", "values", "data", "records"])?.elements()?;
        let lists: Option<Vec<_>> = rows.iter().map(|row| row.elements().map(|cells| (*row, cells))).collect();
        let lists = lists.filter(|lists| !lists.is_empty())?;
        Some(BumpVec::from_iter_in(
            lists.into_iter().map(|(row, cells)| {
                let members = names.iter().copied().zip(cells.iter().copied());
                let members = BumpVec::from_iter_in(members, self.arena).into_bump_slice();
                Node { start: row.start, end: row.end, value: Tree::Object(members) }
            }),
            self.arena,
        ))
    }

    fn column_name(&self, column: Node<'a>) -> Option<&'a str> {
        let name = match column.value {
            Tree::Object(members) => {
                let named = |key: &&str| {
                    ["name", "columnname", "field", "label"].iter().any(|known| key.eq_ignore_ascii_case(known))
                };
                members.iter().find(|(key, _)| named(key)).and_then(|(_, node)| node.scalar())?
            }
            Tree::Leaf(scalar) => scalar,
            Tree::List(_) => return None,
        };
        match name {
            Scalar::Text(text) => text.get(self.arena).ok(),
            _ => None,
        }
    }

    fn value(&self, scalar: Scalar<'a>) -> Value<'a> {
        scalar.value(self.arena).unwrap_or_default()
    }

    /// The event of one object.
    fn one(&self, flat: &Flat<'a>) -> Found<'a> {
        let system = self.system(flat);
        let mut groups = self.groups(flat);
        let mut sources: Vec<Source<'a>> = Vec::new();
        let (mut other, mut broken, mut event) = (None, None, None);
        for leaf in &flat.leaves {
            let Scalar::Text(text) = leaf.scalar else { continue };
            if text.raw.len() < MIN_TEXT {
                continue;
            }
            match self.open(text.get(self.arena).unwrap_or_default()) {
                Ok(Some((Verdict::Asked(found), rank, row))) => {
                    event = event.or(Some(found));
                    sources.push(Source { rank, row, adds: true });
                }
                Ok(Some((verdict, Rank::Xml | Rank::Json, _))) => other = other.or(Some(verdict)),
                Ok(_) => {}
                Err(reason) => broken = broken.or(Some(reason)),
            }
        }
        let named = groups.iter().map(|group| group.named).max().unwrap_or(0);
        // A GUID in braces as a process' id is Sysmon's.
        let guid = |group: &Group<'_>| {
            let is_guid = |text: &str| text.starts_with('{') && parse_guid(text).is_some();
            let rows = [&group.row, &group.aliases];
            rows.iter().any(|row| matches!(row.get(Field::ProcessGuid), Value::Text(text) if is_guid(text)))
        };
        let is_named = named >= OWN_NAMES || groups.iter().any(guid);
        let is_ours = system.is_sysmon || system.provider.is_none() && is_named;
        if event.is_none() {
            if system.provider.is_some_and(|provider| !is_sysmon(provider)) && !system.is_sysmon {
                return Found::Record(Verdict::OtherProvider, Box::default());
            }
            if let Some(verdict) = other {
                return Found::Record(verdict, Box::default());
            }
            event = match system.event_id {
                Some(id) if is_ours => match self.asked.of_id(id) {
                    None => return Found::Record(Verdict::OtherEvent, Box::default()),
                    found => found,
                },
                Some(_) => None,
                None if is_ours => groups.iter().find_map(|group| group.marked()),
                None => None,
            };
        }
        let Some(event) = event else {
            return match broken {
                Some(reason) if is_ours => Found::Unreadable(reason),
                _ => Found::Nothing,
            };
        };
        if !self.asked.contains(event) {
            return Found::Record(Verdict::OtherEvent, Box::default());
        }
        for group in &mut groups {
            group.complete(&system, self.arena);
            let rank = if group.named >= group.aliased { Rank::Names } else { Rank::Aliases };
            sources.push(Source {
                rank,
                row: group.row.clone(),
                adds: is_wrapper(group.prefix) || group.prefix.ends_with("data"),
            });
        }
        for list in &flat.lists {
            let mut row = Row::default();
            row.set(Field::EventVersion, system.row.get(Field::EventVersion));
            if fill_from_list(list, event, &mut row) {
                sources.push(Source { rank: Rank::List, row, adds: true });
            }
        }
        match merge(event, sources) {
            Some(mut row) => {
                for field in Field::SYSTEM {
                    row.fill(*field, system.row.get(*field));
                }
                row.fill(Field::EventId, Value::Int(event.id()));
                Found::Record(Verdict::Asked(event), Box::new(row))
            }
            None => Found::Unreadable(broken.unwrap_or_else(|| self.describe(event, flat))),
        }
    }

    fn describe(&self, event: Event, flat: &Flat<'a>) -> String {
        let mut keys: Vec<&str> = flat.leaves.iter().map(|leaf| leaf.path.words()).collect();
        keys.dedup();
        let more = keys.len().saturating_sub(MAX_KEYS);
        keys.truncate(MAX_KEYS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let expected = match event {
            Event::ProcessCreation => "a process",
            Event::DnsQuery => "the name of a query",
            _ => "a process and the destination's address",
        };
        format!("found an event {} with the keys {}{more}, expected {expected}", event.id(), keys.join(", "))
    }

    /// The event that a text carries, and in what form.
    fn open(&self, text: &'a str) -> Result<Option<(Verdict, Rank, Row<'a>)>, String> {
        if self.depth >= MAX_DEPTH {
            return Ok(None);
        }
        let deeper = Search { depth: self.depth + 1, ..*self };
        let holds = |mark: &str| memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
        let trimmed = text.trim_ascii();
        let mut row = Row::default();
        let read = |row: &mut Row<'a>| self.nested.read_line(trimmed, self.arena, row, self.asked);
        if trimmed.starts_with(['{', '['])
            && trimmed.ends_with(['}', ']'])
            && let Some(node) = self.nested.read_tree(trimmed, self.arena)
        {
            return Ok(Search { text: trimmed, ..deeper }.open_tree(node));
        }
        // Escaped once more than the text around it.
        let escaped = holds("{\\\"") || (holds("<") || holds("\\u003c")) && holds("=\\\"");
        if escaped && let Ok(plain) = unescape(trimmed, self.arena) {
            return deeper.open(plain);
        }
        if holds("<Event") && (holds("<Event>") || holds("<Event ")) {
            return Ok(read(&mut row)?.map(|verdict| (verdict, Rank::Xml, row)));
        }
        if holds("<Data Name=") {
            self.nested.read_data(trimmed, self.arena, &mut row)?;
            let event = Event::SYSMON.into_iter().find(|event| has(&row, event.marks()[0]));
            return Ok(event.map(|event| (Verdict::of(None, Some(event.id()), true, self.asked), Rank::Xml, row)));
        }
        if holds("&lt;Event") || holds("&lt;Data") {
            return deeper.open(resolve_entities(trimmed, self.arena));
        }
        if holds("{\"") {
            return Ok(read(&mut row)?.map(|verdict| (verdict, Rank::Json, row)));
        }
        if holds("ProcessGuid") || holds("WinEvtLog: ") {
            return Ok(read(&mut row)?.map(|verdict| (verdict, Rank::Message, row)));
        }
        Ok(None)
    }

    /// The event of a text that is a JSON document.
    fn open_tree(&self, node: Node<'a>) -> Option<(Verdict, Rank, Row<'a>)> {
        match self.find(node) {
            Found::Record(verdict, row) => Some((verdict, Rank::Json, *row)),
            Found::Several(parts) => {
                let [part] = parts[..] else { return None };
                self.open(part.text).ok().flatten()
            }
            Found::Unreadable(_) | Found::Nothing => None,
        }
    }

    /// What the record says beside the event's own fields.
    fn system(&self, flat: &Flat<'a>) -> System<'a> {
        let mut system = System::default();
        let mut beside = None;
        let mut weak = None;
        for leaf in &flat.leaves {
            let value = self.value(leaf.scalar);
            if let Value::Text(text) = value {
                system.recognise(text);
            }
            match leaf.path.meaning() {
                Some((Meaning::System(Field::EventId), prefix)) => {
                    if system.event_id.is_none()
                        && let Some(id) = whole(value)
                    {
                        system.event_id = Some(id);
                        beside = Some(prefix);
                    }
                }
                Some((Meaning::WeakId, prefix)) if is_wrapper(prefix) => weak = weak.or(whole(value)),
                Some((Meaning::Module | Meaning::Stamp, _)) => system.note(leaf.path, value),
                // Hayabusa abbreviates it.
                Some((Meaning::Beside(Field::Channel), _)) if value == Value::Text("Sysmon") => system.is_sysmon = true,
                _ => {}
            }
        }
        if system.event_id.is_none() && weak.is_some_and(|id| Event::of_id(id).is_some()) {
            system.event_id = weak;
        }
        let is_gelf = flat.leaves.iter().any(|leaf| leaf.path.words() == "shortmessage");
        let mut computer: Option<(u8, Value<'a>)> = None;
        for leaf in &flat.leaves {
            let value = self.value(leaf.scalar);
            let empty = matches!(value, Value::Null | Value::Text("" | "-"));
            let Some((meaning, prefix)) = leaf.path.meaning().filter(|_| !empty) else { continue };
            let near = beside == Some(prefix) || is_wrapper(prefix);
            match meaning {
                Meaning::System(field) => system.put(field, value),
                Meaning::Beside(field) if near => {
                    let syslog = is_gelf && matches!(field, Field::EventLevel | Field::EventVersion);
                    if !syslog {
                        system.put(field, value);
                    }
                }
                Meaning::Computer(rank)
                    if (rank == 0 || near)
                        && matches!(value, Value::Text(_))
                        && computer.is_none_or(|(best, _)| rank < best) =>
                {
                    computer = Some((rank, value));
                }
                Meaning::Time(source) => {
                    let value = match leaf.scalar {
                        Scalar::Number(number) => epoch(number),
                        _ => zoned(source, value),
                    };
                    if value != Value::Null {
                        let slot = &mut system.times[source as usize];
                        *slot = if *slot == Value::Null { value } else { *slot };
                    }
                }
                _ => {}
            }
        }
        if let Some((_, value)) = computer {
            system.row.fill(Field::ComputerName, value);
        }
        for time in system.times {
            system.row.fill(Field::EventRecordedTime, time);
        }
        system
            .row
            .fill(Field::ProviderName, system.provider.filter(|name| is_sysmon(name)).map_or(Value::Null, Value::Text));
        system
    }

    /// The event's own fields, by the objects that they stand in; most fields first.
    fn groups(&self, flat: &Flat<'a>) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for leaf in &flat.leaves {
            let Some((meaning, prefix)) = leaf.path.meaning() else { continue };
            let value = match (meaning, leaf.scalar) {
                (Meaning::Data(field) | Meaning::Alias(field), Scalar::Number(number))
                    if field.kind() == Kind::Time =>
                {
                    epoch(number)
                }
                _ => self.value(leaf.scalar),
            };
            if matches!(value, Value::Null | Value::Text("")) {
                continue;
            }
            let at = groups.iter().position(|group| group.prefix == prefix).unwrap_or_else(|| {
                groups.push(Group::new(prefix));
                groups.len() - 1
            });
            groups[at].put(meaning, value, self.arena);
        }
        groups.retain(|group| group.named + group.aliased > 0);
        groups.sort_by_key(|group| std::cmp::Reverse(group.named + group.aliased));
        for group in &mut groups {
            undo_doubling(&mut group.row, self.arena);
        }
        groups
    }
}

/// So many fields by Sysmon's own names show a record that names no provider to be Sysmon's.
const OWN_NAMES: usize = 6;

fn whole(value: Value<'_>) -> Option<i64> {
    match value {
        // Above the number's 16 bits stand its qualifiers.
        Value::Int(number) => Some(number & 0xffff),
        Value::Text(text) => parse_int(text).map(|number| number & 0xffff),
        _ => None,
    }
}

/// A time of writing with its zone; times of ECS and of forensic tools have one.
fn zoned(source: TimeSource, value: Value<'_>) -> Value<'_> {
    match recorded_time(source, value) {
        Value::Text(text) if source != TimeSource::System && !has_zone(text) => Value::Null,
        Value::Text(text) if parse_time_us(text).is_none() => Value::Null,
        value => value,
    }
}

/// The values of rows of the same event in one; None if they do not make the event.
///
/// What the best has counts; another adds what is missing, unless it contradicts.
fn merge<'a>(event: Event, mut sources: Vec<Source<'a>>) -> Option<Row<'a>> {
    sources.sort_by_key(|source| source.rank);
    if let Some(best) = sources.iter().position(|source| is_event(event, &source.row)) {
        sources[..=best].rotate_right(1);
        sources[0].adds = true;
    }
    let mut merged = Row::default();
    for source in sources.iter().filter(|source| source.adds) {
        if agree(&merged, &source.row) {
            for field in Field::ALL {
                let value = source.row.get(*field);
                if value != Value::Null && !has(&merged, *field) {
                    merged.set(*field, value);
                }
            }
        }
    }
    is_event(event, &merged).then_some(merged)
}

/// Whether two rows may be of one event.
fn agree(one: &Row<'_>, other: &Row<'_>) -> bool {
    const IDENTITY: [Field; 6] =
        [Field::ProcessGuid, Field::ProcessId, Field::SrcIp, Field::SrcPort, Field::DstIp, Field::DstPort];
    IDENTITY.iter().all(|field| match (one.get(*field), other.get(*field)) {
        (Value::Null | Value::Text("" | "-"), _) | (_, Value::Null | Value::Text("" | "-")) => true,
        (one, other) => same(*field, one, other),
    })
}

fn same(field: Field, one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => match field.kind() {
            Kind::Ip => one == other || parse_ip(one).is_some() && parse_ip(one) == parse_ip(other),
            Kind::Guid => one == other || parse_guid(one).is_some() && parse_guid(one) == parse_guid(other),
            Kind::Text => one == other,
            _ => parse_int(one).is_some() && parse_int(one) == parse_int(other),
        },
        (Value::Int(number), Value::Text(text)) | (Value::Text(text), Value::Int(number)) => {
            parse_int(text) == Some(number)
        }
        (one, other) => one == other,
    }
}

/// What a record says beside the event's own fields.
#[derive(Default)]
struct System<'a> {
    row: Row<'a>,
    event_id: Option<i64>,
    provider: Option<&'a str>,
    is_sysmon: bool,
    times: [Value<'a>; 4],
    /// The document's time, in documents of Elastic's Sysmon pipelines.
    stamp: Value<'a>,
    by_pipeline: bool,
}

impl<'a> System<'a> {
    /// Recognise the names that only Sysmon has, under any key.
    fn recognise(&mut self, text: &'a str) {
        if is_sysmon(text) {
            self.is_sysmon = true;
            self.provider = Some(text);
        } else if text.len() < 80
            && let Some(channel) = text.strip_suffix("/Operational")
            && let Some(name) = [SYSMON, SYSMON_LINUX].into_iter().find(|name| channel.ends_with(name))
        {
            self.is_sysmon = true;
            self.row.fill(Field::Channel, Value::Text(&text[text.len() - name.len() - "/Operational".len()..]));
        }
    }

    /// What Elastic's pipelines say.
    fn note(&mut self, path: Path<'a>, value: Value<'a>) {
        let Value::Text(text) = value else { return };
        if path.words().ends_with("timestamp") {
            self.stamp = if self.stamp == Value::Null { value } else { self.stamp };
        } else if text.contains("sysmon") {
            self.by_pipeline = true;
            self.is_sysmon = true;
        }
    }

    fn put(&mut self, field: Field, value: Value<'a>) {
        let value = system_value(field, value);
        match (field, value) {
            (Field::EventId, _) => {}
            (Field::ProviderName, Value::Text(name)) => {
                // A name of Sysmon's counts, wherever it stands.
                if !self.provider.is_some_and(is_sysmon) && !name.contains(['/', ':']) {
                    self.provider = Some(name);
                }
            }
            (Field::Channel, Value::Text(channel)) if !channel.contains("Sysmon/") => {}
            (Field::EventLevel | Field::EventOpcode | Field::EventVersion, Value::Int(number))
                if !(0..=16).contains(&number) => {}
            (Field::ProviderGuid, Value::Text(guid)) if parse_guid(guid).is_none() => {}
            (Field::LoggerUserSid, Value::Text(sid)) if !sid.starts_with("S-1-") => {}
            _ => self.row.fill(field, value),
        }
    }
}

/// Fields that stand in one object.
struct Group<'a> {
    prefix: &'a str,
    row: Row<'a>,
    /// Fields by Sysmon's names, and by those of other schemas.
    named: usize,
    aliased: usize,
    aliases: Row<'a>,
    user: [Value<'a>; 2],
    pid: Value<'a>,
    initiated: Value<'a>,
    is_ipv6: Value<'a>,
}

impl<'a> Group<'a> {
    fn new(prefix: &'a str) -> Self {
        Group {
            prefix,
            row: Row::default(),
            named: 0,
            aliased: 0,
            aliases: Row::default(),
            user: [Value::Null; 2],
            pid: Value::Null,
            initiated: Value::Null,
            is_ipv6: Value::Null,
        }
    }

    fn put(&mut self, meaning: Meaning, value: Value<'a>, arena: &'a Bump) {
        let word = match value {
            Value::Text(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match meaning {
            Meaning::Data(field) => {
                let value = match value {
                    Value::Text(text) if field.kind() == Kind::Text => Value::Text(resolve_entities(text, arena)),
                    _ => value,
                };
                if self.row.get(field) == Value::Null {
                    self.named += 1;
                    self.row.set(field, value);
                }
            }
            Meaning::Alias(Field::NetworkProtocol) => {
                let name = ["tcp", "udp"].into_iter().find(|name| word == *name);
                self.alias(Field::NetworkProtocol, name.map_or(Value::Null, Value::Text));
            }
            Meaning::Alias(field) => self.alias(field, value),
            Meaning::Pid => self.pid = value,
            Meaning::UserName => self.user[0] = value,
            Meaning::UserDomain => self.user[1] = value,
            Meaning::Direction => {
                self.initiated = match word.as_str() {
                    "egress" | "outbound" => Value::Bool(true),
                    "ingress" | "inbound" => Value::Bool(false),
                    _ => Value::Null,
                };
            }
            Meaning::Family => {
                self.is_ipv6 = match word.as_str() {
                    "ipv4" => Value::Bool(false),
                    "ipv6" => Value::Bool(true),
                    _ => Value::Null,
                };
            }
            _ => {}
        }
    }

    fn alias(&mut self, field: Field, value: Value<'a>) {
        if self.aliases.get(field) == Value::Null && value != Value::Null {
            self.aliased += 1;
            self.aliases.set(field, value);
        }
    }

    /// The event whose mark is among the fields.
    fn marked(&self) -> Option<Event> {
        let marked = |field| has(&self.row, field) || has(&self.aliases, field);
        Event::SYSMON.into_iter().find(|event| marked(event.marks()[0]))
    }

    /// Fill what Sysmon's names lack from those of other schemas.
    fn complete(&mut self, system: &System<'a>, arena: &'a Bump) {
        for field in Field::ALL {
            self.row.fill(*field, self.aliases.get(*field));
        }
        if self.aliased == 0 {
            return;
        }
        if let (Value::Text(name), domain) = (self.user[0], self.user[1]) {
            let user = match domain {
                Value::Text(domain) if !domain.is_empty() && !name.contains('\\') => {
                    arena.alloc_str(&format!("{domain}\\{name}"))
                }
                _ => name,
            };
            self.row.fill(Field::UserName, Value::Text(user));
        }
        // Beside the record, it is the collector's.
        if !self.prefix.is_empty() {
            self.row.fill(Field::ProcessId, self.pid);
        }
        self.row.fill(Field::NetworkConnectionInitiated, self.initiated);
        self.row.fill(Field::SrcIsIpv6, self.is_ipv6);
        self.row.fill(Field::DstIsIpv6, self.is_ipv6);
        if system.by_pipeline {
            self.row.fill(Field::EventCreationTime, system.stamp);
        }
    }
}

/// The name and the value of an element of a list of pairs.
fn pair<'a>(element: Node<'a>) -> Option<(Text<'a>, Node<'a>)> {
    const NAMES: &[&str] = &["Name", "@Name", "name", "key", "Key", "@name", "field"];
    const VALUES: &[&str] = &["#text", "text", "Value", "value", "content", "$t", "_", "Content", "_text", "#", "val"];
    let members = element.members()?;
    let name = NAMES.iter().find_map(|key| element.member(key)).or_else(|| {
        ["#attributes", "$", "@attributes", "attributes"].iter().find_map(|key| element.member(key)?.member("Name"))
    });
    let Scalar::Text(name) = name?.scalar()? else { return None };
    let value = VALUES.iter().find_map(|key| element.member(key));
    match value {
        Some(value) => (members.len() <= 4).then_some((name, value)),
        None => {
            let absent = Node { start: element.start, end: element.end, value: Tree::Leaf(Scalar::Null) };
            (members.len() == 1).then_some((name, absent))
        }
    }
}

/// The scalar, also of an object around one.
fn boxed_scalar<'a>(element: Node<'a>) -> Option<Scalar<'a>> {
    match element.value {
        Tree::Leaf(scalar) => Some(scalar),
        Tree::Object([(key, node)]) if matches!(*key, "Value" | "value" | "#text" | "_" | "stringValue" | "string") => {
            node.scalar()
        }
        _ => None,
    }
}

/// The bytes of a text that is written as a list of numbers, as the journal does if it is not plain.
fn byte_list(elements: &[Node<'_>]) -> Option<Vec<u8>> {
    if elements.len() < MIN_TEXT {
        return None;
    }
    let byte = |element: &Node<'_>| match element.value {
        Tree::Leaf(Scalar::Number(number)) => number.parse().ok(),
        _ => None,
    };
    elements.iter().map(byte).collect()
}

/// Whether an object is a list in disguise: its members are objects, and their keys differ in a number only.
fn is_numbered(members: &[(&str, Node<'_>)]) -> bool {
    let stem = |key: &str| key.trim_end_matches(|digit: char| digit.is_ascii_digit()).len();
    let Some((first, _)) = members.first() else { return false };
    let stem_len = stem(first);
    stem_len < first.len()
        && members.iter().all(|(key, node)| {
            matches!(node.value, Tree::Object(_))
                && stem(key) == stem_len
                && key.as_bytes()[..stem_len] == first.as_bytes()[..stem_len]
        })
}
