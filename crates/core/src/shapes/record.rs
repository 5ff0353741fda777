//! Collects the fields of one record, in any order, and makes the event from them.

use std::ops::Range;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::format::Verdict;
use crate::shapes::audit;
use crate::shapes::convert::{epoch, has_zone, number_value, recorded_time, system_value};
use crate::shapes::defender;
use crate::shapes::essentials::{is_event, undo_doubling};
use crate::shapes::keys::{self, Scope, Slot, TimeSource};
use crate::shapes::message;
use crate::shapes::positions::fill_from_list;
pub(crate) use crate::shapes::text::Scalar;
use crate::shapes::text::{Text, halve_backslashes, resolve_entities};
use crate::shapes::tree::Node;
use crate::table::columns::Row;
use crate::table::event::{Event, Events, Provider};
use crate::table::schema::{Field, Kind};
use crate::table::value::Value;

impl<'a> Scalar<'a> {
    /// Its value; `arena` owns a text that needs unescaping. The error says what was expected.
    #[inline(always)]
    pub(crate) fn value(self, arena: &'a Bump) -> Result<Value<'a>, &'static str> {
        Ok(match self {
            Scalar::Text(text) => Value::Text(text.get(arena)?),
            Scalar::Number(number) => number_value(number),
            Scalar::Bool(flag) => Value::Bool(flag),
            Scalar::Null => Value::Null,
        })
    }
}

/// Reads the texts in which records carry events. Errors say what was found and what was expected.
pub(crate) trait Nested: Sync {
    /// Read the event that a line of text holds, after any prefix; None if it holds none.
    fn read_line<'a>(
        &self,
        line: &'a str,
        arena: &'a Bump,
        row: &mut Row<'a>,
        asked: Events,
    ) -> Result<Option<Verdict>, String>;

    /// Read every `<Data Name="...">` of a fragment of XML.
    fn read_data<'a>(&self, xml: &'a str, arena: &'a Bump, row: &mut Row<'a>) -> Result<(), String>;

    /// Read a JSON document of unknown shape; None if it is not JSON.
    fn read_tree<'a>(&self, json: &'a str, arena: &'a Bump) -> Option<Node<'a>>;

    /// Read a JSON object whose keys mean what they do in `scope` into the record.
    fn read_object<'a>(&self, json: &'a str, scope: Scope, record: &mut Record<'a>) -> Result<(), String>;
}

/// Everything that a record says about its event.
pub(crate) struct Record<'a> {
    arena: &'a Bump,
    asked: Events,
    nested: &'static dyn Nested,
    row: Row<'a>,
    /// Values that apply only if there are no better ones, or only in a certain shape of record.
    spare: BumpVec<'a, (Slot, Value<'a>)>,
    inserts: BumpVec<'a, Value<'a>>,
    times: [Value<'a>; 4],
    item: (Option<&'a str>, Value<'a>),
    item_scope: Scope,
    event_data: Option<Text<'a>>,
    payload: Option<Text<'a>>,
    params: Option<Text<'a>>,
    message: Option<Text<'a>>,
    original: Option<Text<'a>>,
    wrapped: Option<Range<usize>>,
    from_beat: bool,
    by_sysmon_module: bool,
    /// The kind of row, in recordings by procwire; None in other records.
    record_kind: Option<&'a str>,
    /// The computer by a name that is not its own in all shippers, and how little the name is trusted.
    host: Option<(u8, Value<'a>)>,
    /// Whether it is a row that procwire wrote.
    is_own: bool,
    defender: defender::Values<'a>,
}

impl<'a> Record<'a> {
    /// Make an empty record.
    pub(crate) fn new(arena: &'a Bump, asked: Events, nested: &'static dyn Nested) -> Self {
        Record {
            arena,
            asked,
            nested,
            row: Row::default(),
            spare: BumpVec::new_in(arena),
            inserts: BumpVec::new_in(arena),
            times: [Value::Null; 4],
            item: (None, Value::Null),
            item_scope: Scope::Data,
            event_data: None,
            payload: None,
            params: None,
            message: None,
            original: None,
            wrapped: None,
            from_beat: false,
            by_sysmon_module: false,
            record_kind: None,
            host: None,
            is_own: false,
            defender: defender::Values::new(arena),
        }
    }

    pub(crate) fn arena(&self) -> &'a Bump {
        self.arena
    }

    /// Note that an object begins in the place of `slot`'s value.
    pub(crate) fn enter(&mut self, slot: Slot) {
        match slot {
            Slot::Enter(Scope::Winlog) => self.from_beat = true,
            Slot::EventData(scope) => {
                self.item_scope = scope;
                self.from_beat |= scope == Scope::BeatData;
            }
            _ => {}
        }
    }

    /// Note a list of objects, which are records if this object is not one.
    pub(crate) fn wrap(&mut self, list: Range<usize>) {
        self.wrapped = Some(list);
    }

    /// The list that this object wraps, if it is not a record itself.
    pub(crate) fn wrapped(&self) -> Option<Range<usize>> {
        let is_record = self.has(Field::EventId) || self.has(Field::ProviderName) || self.has(Field::Channel);
        // Fields that only process events have may also stand beside a list: a product, a description.
        let of_wrapper = |(slot, _): &(Slot, Value<'a>)| matches!(slot, Slot::Flat(field) if !Event::Connection.data().contains(field));
        self.wrapped.clone().filter(|_| !is_record && self.spare.iter().all(of_wrapper))
    }

    /// Store the value of a key; an error says what was expected.
    pub(crate) fn put(&mut self, scope: Scope, slot: Slot, scalar: Scalar<'a>) -> Result<(), &'static str> {
        match slot {
            Slot::Skip => {}
            Slot::Set(field) => {
                let value = system_value(field, self.value(scalar)?);
                if !matches!(value, Value::Null) {
                    self.row.set(field, value);
                }
            }
            Slot::Second(field) => {
                let value = system_value(field, self.value(scalar)?);
                self.spare.push((slot, value));
            }
            Slot::Flat(field) => {
                let value = self.data_value(field, scalar, Scope::Data)?;
                self.spare.push((slot, value));
            }
            Slot::Own(field) => {
                let value = match scalar {
                    Scalar::Number(number) if field.kind() == Kind::Time => epoch(number),
                    _ => self.value(scalar)?,
                };
                self.spare.push((slot, value));
            }
            Slot::Data(field) => {
                let value = self.data_value(field, scalar, scope)?;
                if !matches!(value, Value::Null) {
                    self.row.set(field, value);
                }
            }
            Slot::Time(source) => {
                self.times[source as usize] = match scalar {
                    Scalar::Number(number) => epoch(number),
                    _ => recorded_time(source, self.value(scalar)?),
                };
            }
            Slot::EventData(scope) => {
                self.item_scope = scope;
                set_text(&mut self.event_data, scalar);
            }
            Slot::Payload => set_text(&mut self.payload, scalar),
            Slot::Params => set_text(&mut self.params, scalar),
            Slot::Message => set_text(&mut self.message, scalar),
            Slot::Original | Slot::Enter(Scope::EcsEvent | Scope::Log) => set_text(&mut self.original, scalar),
            Slot::Host(rank) | Slot::Enter(Scope::Host(rank)) => {
                if let value @ Value::Text(_) = self.value(scalar)?
                    && self.host.is_none_or(|(best, _)| rank < best)
                {
                    self.host = Some((rank, value));
                }
            }
            // An event in the place of its parts.
            Slot::Enter(_) => {
                if let Scalar::Text(text) = scalar
                    && self.original.is_none()
                    && text.raw.len() > SHORT_TEXT
                {
                    self.original = Some(text);
                }
            }
            Slot::Inserts => {
                let value = self.value(scalar)?;
                self.inserts.push(value);
            }
            Slot::ItemName => {
                if let Value::Text(name) = self.value(scalar)? {
                    self.item.0 = Some(name);
                }
            }
            Slot::ItemText => self.item.1 = self.value(scalar)?,
            Slot::Module => {
                if let Value::Text(module) = self.value(scalar)? {
                    self.by_sysmon_module |= module.contains("sysmon");
                }
            }
            Slot::Audit(_) => {
                let value = self.value(scalar)?;
                self.spare.push((slot, value));
            }
            Slot::Defender(key) => {
                let value = self.value(scalar)?;
                self.defender.put(key, value);
            }
            Slot::RecordKind => {
                if let Value::Text(kind) = self.value(scalar)? {
                    self.record_kind = Some(kind);
                }
            }
        }
        Ok(())
    }

    /// Store a complete `{Name, text}`; without a name it is one of the values in order.
    pub(crate) fn end_item(&mut self) {
        let (name, value) = std::mem::take(&mut self.item);
        match name.map(|name| keys::find(Scope::Data, name)) {
            Some(Slot::Data(field)) if value != Value::Null => {
                let value = self.plain(field, value, self.item_scope);
                self.row.set(field, value);
            }
            Some(_) => {}
            None => self.inserts.push(value),
        }
    }

    #[inline(always)]
    fn value(&self, scalar: Scalar<'a>) -> Result<Value<'a>, &'static str> {
        scalar.value(self.arena)
    }

    #[inline(always)]
    fn data_value(&self, field: Field, scalar: Scalar<'a>, scope: Scope) -> Result<Value<'a>, &'static str> {
        match scalar {
            Scalar::Number(number) if field.kind() == Kind::Time => Ok(epoch(number)),
            Scalar::Text(text) => Ok(self.plain(field, Value::Text(text.get(self.arena)?), scope)),
            _ => self.value(scalar),
        }
    }

    /// The value without what shippers add to a text.
    #[inline(always)]
    fn plain(&self, field: Field, value: Value<'a>, scope: Scope) -> Value<'a> {
        match value {
            Value::Text(text) if field.kind() == Kind::Text => {
                let text = if scope == Scope::WazuhData { halve_backslashes(text, self.arena) } else { text };
                Value::Text(resolve_entities(text, self.arena))
            }
            _ => value,
        }
    }

    fn lacks(&self, field: Field) -> bool {
        matches!(self.row.get(field), Value::Null)
    }

    fn has(&self, field: Field) -> bool {
        !matches!(self.row.get(field), Value::Null | Value::Text("" | "-"))
    }

    /// Make the event, once everything is stored.
    pub(crate) fn resolve(&mut self) -> Result<Verdict, String> {
        if let Some(verdict) = self.judge_defender() {
            return Ok(verdict);
        }
        if let Some(event) = self.audited() {
            self.complete_audit(event)?;
            return Ok(Verdict::Asked(event));
        }
        let verdict = self.judge()?;
        if let Verdict::Asked(event) = verdict {
            self.complete(event)?;
        }
        Ok(verdict)
    }

    /// Whether it has what makes the event; rows that procwire wrote are complete as they are.
    pub(crate) fn is_event(&self, event: Event) -> bool {
        self.is_own || is_event(event, &self.row)
    }

    /// Whether nothing better can be found by searching the complete record.
    pub(crate) fn is_settled(&self, verdict: Verdict) -> bool {
        let event_id = self.row.get(Field::EventId).integer();
        match verdict {
            _ if self.is_own => true,
            Verdict::Asked(event) if event.provider() != Provider::Sysmon => true,
            Verdict::Asked(event) => {
                let lacks = |fields: &[Field]| fields.iter().any(|field| !self.has(*field));
                let lacks_core = || lacks(&event.data()[..CORE]) || lacks(&[Field::RecordId, Field::Channel]);
                is_event(event, &self.row) && !(self.original.is_some() && lacks_core())
            }
            Verdict::OtherEvent => event_id.is_some(),
            // An id that no event of ours has needs no provider.
            Verdict::OtherProvider if self.has(Field::ProviderName) => event_id.is_some(),
            Verdict::OtherProvider => event_id.is_some_and(|id| Event::of_id(id).is_none()),
        }
    }

    /// The event's fields.
    pub(crate) fn row(&self) -> &Row<'a> {
        &self.row
    }

    /// Make the row if the record is one of Defender's, and requested.
    fn judge_defender(&mut self) -> Option<Verdict> {
        if !self.defender.is_row() || self.has(Field::EventId) || self.has(Field::ProviderName) {
            return None;
        }
        let Some(event) = self.defender.event().filter(|event| self.asked.contains(*event)) else {
            return Some(Verdict::OtherProvider);
        };
        let is_protocol = |(slot, _): &&(Slot, Value<'a>)| *slot == Slot::Flat(Field::NetworkProtocol);
        let protocol = self.spare.iter().rev().find(is_protocol).map(|(_, value)| *value).unwrap_or_default();
        self.row.fill(Field::ComputerName, self.host.map_or(Value::Null, |(_, name)| name));
        let [system, created, generated, stamp] = self.times;
        let time = [stamp, system, created, generated].into_iter().find(|time| *time != Value::Null);
        self.row.set(Field::EventRecordedTime, generated);
        self.defender.fill(time.unwrap_or_default(), protocol, self.arena, &mut self.row);
        Some(Verdict::Asked(event))
    }

    /// The requested event of the security audit that this is; None if it is none.
    fn audited(&self) -> Option<Event> {
        if !self.asked.has_any_of(Provider::Audit) {
            return None;
        }
        let of_spare =
            |field: Field| self.spare.iter().find(|(slot, _)| *slot == Slot::Second(field)).map(|(_, value)| *value);
        let value = |field: Field| match self.row.get(field) {
            Value::Null => of_spare(field).unwrap_or_default(),
            value => value,
        };
        let Value::Text(provider) = value(Field::ProviderName) else { return None };
        value(Field::EventId)
            .integer()
            .and_then(|id| self.asked.of(Provider::of(provider), id))
            .filter(|event| event.provider() == Provider::Audit)
    }

    fn complete_audit(&mut self, event: Event) -> Result<(), String> {
        let spare = std::mem::replace(&mut self.spare, BumpVec::new_in(self.arena));
        for (slot, value) in spare.into_iter().rev() {
            match slot {
                Slot::Audit(field) => self.row.set(field, value),
                Slot::Flat(field @ (Field::SrcPort | Field::NetworkProtocol)) | Slot::Second(field) => {
                    self.row.fill(field, value);
                }
                _ => {}
            }
        }
        self.read_nested()?;
        self.fill_recorded_time();
        audit::complete(event, &mut self.row);
        Ok(())
    }

    fn judge(&mut self) -> Result<Verdict, String> {
        let own = self.settle_spares();
        self.is_own = own || self.record_kind.is_some();
        // Attempts and ends are not connections, though they have all the fields of one.
        if self.record_kind.is_some_and(|kind| !matches!(kind, "connection" | "existing")) {
            return Ok(Verdict::OtherEvent);
        }
        if !self.has(Field::EventId)
            && !own
            && let Some(verdict) = self.read_original()?
        {
            return Ok(verdict);
        }
        let event_id = self.row.get(Field::EventId).integer();
        let provider = match self.row.get(Field::ProviderName) {
            Value::Text(name) if !matches!(name, "" | "-") => Some(name),
            _ => None,
        };
        if event_id.and_then(|id| self.asked.of_id(id)).is_some() {
            let verdict = Verdict::of(provider, event_id, true, self.asked);
            if verdict == Verdict::OtherProvider {
                return Ok(verdict);
            }
            self.read_nested()?;
        }
        let sysmon = provider.is_some() || own || self.looks_like_sysmon();
        let event_id = match event_id {
            None if sysmon => self.event_told(own)?.map(Event::id),
            _ => event_id,
        };
        Ok(Verdict::of(provider, event_id, sysmon, self.asked))
    }

    /// Whether a record without a provider's name can only be Sysmon's.
    fn looks_like_sysmon(&self) -> bool {
        if let Value::Text(channel) = self.row.get(Field::Channel) {
            return channel.contains("Sysmon");
        }
        (self.has(Field::ProcessGuid) && self.has(Field::EventCreationTime)) || self.message.is_some()
    }

    /// The event whose fields or message text a record without an event id has. A row of procwire's that has none of
    /// them is a connection.
    fn event_told(&self, own: bool) -> Result<Option<Event>, String> {
        if self.record_kind.is_some() {
            return Ok(Some(Event::Connection));
        }
        let marked = Event::SYSMON.into_iter().find(|event| self.has(event.marks()[0]));
        Ok(match self.message {
            _ if marked.is_some() => marked,
            _ if own => Some(Event::Connection),
            Some(text) => message::event_of(text.get(self.arena).map_err(expected)?),
            None => None,
        })
    }

    /// Decide on the values that depend on the record's shape; return whether it is a row that procwire wrote.
    fn settle_spares(&mut self) -> bool {
        let spare = std::mem::replace(&mut self.spare, BumpVec::new_in(self.arena));
        let (mut guid, mut time, mut flat) = (false, false, false);
        for (slot, _) in &spare {
            match slot {
                Slot::Own(Field::ProcessGuid) => guid = true,
                // Empty columns of a CSV are not here: a row may lack its time.
                Slot::Own(Field::EventCreationTime | Field::DstIp) => time = true,
                Slot::Flat(Field::ProcessGuid | Field::EventCreationTime) => flat = true,
                Slot::Flat(Field::DstIp | Field::ProcessParentGuid | Field::DnsQueryName) => flat = true,
                _ => {}
            }
        }
        let own = guid && time;
        // Backwards: of two equal keys the last one wins.
        for (slot, value) in spare.into_iter().rev() {
            match slot {
                Slot::Second(Field::LoggerProcessId) if own => self.row.fill(Field::ProcessId, value),
                Slot::Second(Field::LoggerUserSid) if self.record_kind.is_some() => {}
                Slot::Own(field) if own => self.row.fill(field, value),
                Slot::Second(field) => self.row.fill(field, value),
                Slot::Flat(field) if flat => self.row.fill(field, value),
                // EvtxECmd and PowerShell use this name for Sysmon's own process.
                Slot::Flat(Field::ProcessId) => self.row.fill(Field::LoggerProcessId, value),
                _ => {}
            }
        }
        own
    }

    /// Read a record that only carries the original event.
    fn read_original(&mut self) -> Result<Option<Verdict>, String> {
        for text in [self.original, self.message].into_iter().flatten() {
            let text = text.get(self.arena).map_err(expected)?;
            let carries = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
            if (carries("<Event") || carries("{\"") || carries("WinEvtLog: "))
                && let Some(verdict) = self.nested.read_line(text, self.arena, &mut self.row, self.asked)?
            {
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }

    /// `EventData` as a string.
    fn read_nested(&mut self) -> Result<(), String> {
        for (text, scope) in [(self.event_data, self.item_scope), (self.payload, Scope::Record)] {
            let Some(text) = text else { continue };
            let text = text.get(self.arena).map_err(expected)?.trim_ascii();
            if text.starts_with('{') {
                self.read_nested_json(text, scope)?;
            } else if let Some(start) = memchr::memmem::find(text.as_bytes(), b"<EventData") {
                self.nested.read_data(&text[start..], self.arena, &mut self.row)?;
                self.read_item_time(&text[..start]);
            }
        }
        Ok(())
    }

    fn read_nested_json(&mut self, text: &'a str, scope: Scope) -> Result<(), String> {
        let spare = std::mem::replace(&mut self.spare, BumpVec::new_in(self.arena));
        self.nested.read_object(text, scope, self)?;
        self.spare = spare;
        Ok(())
    }

    /// `<DataItem … time="2023-11-17T11:32:04.8191328+05:30">` around the Event table's `EventData`.
    fn read_item_time(&mut self, head: &'a str) {
        let time = head.split_once(" time=\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some((time, _)) = time {
            self.times[TimeSource::Created as usize] = recorded_time(TimeSource::Created, Value::Text(time));
        }
    }

    /// Fill missing fields from the other places that have them.
    fn complete(&mut self, event: Event) -> Result<(), String> {
        fill_from_list(&self.inserts, event, &mut self.row);
        if let Some(params) = self.params.take() {
            let params = params.get(self.arena).map_err(expected)?;
            self.inserts.clear();
            for param in params.split("<Param>").skip(1) {
                let param = param.split("</Param>").next().unwrap_or_default();
                self.inserts.push(Value::Text(resolve_entities(param, self.arena)));
            }
            fill_from_list(&self.inserts, event, &mut self.row);
        }
        undo_doubling(&mut self.row, self.arena);
        let missing = event.data().iter().any(|field| self.lacks(*field));
        if let Some(text) = self.message.filter(|_| missing && !self.fill_from_raw_message(event)) {
            let text = resolve_entities(text.get(self.arena).map_err(expected)?, self.arena);
            message::fill_from_message(text, event, &mut self.row);
        }
        if !self.is_own {
            self.row.fill(Field::EventId, Value::Int(event.id()));
        }
        if let Some((_, host)) = self.host {
            self.row.fill(Field::ComputerName, host);
        }
        // Hayabusa abbreviates it.
        if self.row.get(Field::Channel) == Value::Text("Sysmon") {
            self.row.set(Field::Channel, Value::Null);
        }
        self.fill_recorded_time();
        Ok(())
    }

    fn fill_from_raw_message(&mut self, event: Event) -> bool {
        let Some(Text { raw, json: true }) = self.message else { return false };
        message::fill_from_json_string(raw, event, self.arena, &mut self.row)
    }

    fn fill_recorded_time(&mut self) {
        let [system, created, generated, stamp] = self.times;
        self.row.fill(Field::EventRecordedTime, system);
        let created = match created {
            // EvtxECmd leaves the zone out, and means UTC.
            Value::Text(text) if !has_zone(text) && self.payload.is_none() => Value::Null,
            _ => created,
        };
        self.row.fill(Field::EventRecordedTime, created);
        self.row.fill(Field::EventRecordedTime, generated);
        // The Sysmon module puts UtcTime there.
        if self.from_beat && !self.by_sysmon_module {
            self.row.fill(Field::EventRecordedTime, stamp);
        }
    }
}

/// Shorter texts carry no event.
const SHORT_TEXT: usize = 40;
/// The first fields of an event: when, and which process.
const CORE: usize = 4;

fn expected(expected: &'static str) -> String {
    format!("found a string that is not JSON's, expected {expected}")
}

fn set_text<'a>(target: &mut Option<Text<'a>>, scalar: Scalar<'a>) {
    if let Scalar::Text(text) = scalar
        && !text.raw.is_empty()
    {
        *target = Some(text);
    }
}
