//! Text in which collectors pass an event on: a line of syslog, a block of lines, or a list of pairs. A header says where
//! the event comes from; the fields are in a message text or in pairs.

use std::sync::LazyLock;

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;
use memchr::memmem;
use memchr::memmem::Finder;

use crate::format::{SYSMON, SYSMON_LINUX, Verdict, is_sysmon};
use crate::shapes::convert::{epoch, has_zone, system_value};
use crate::shapes::keys::{Scope, find};
use crate::shapes::message::{Message, Names, looks_like_time};
use crate::shapes::pairs::{Pairs, find_key, without_escapes};
use crate::shapes::record::{Nested, Record, Scalar};
use crate::shapes::text::{Text, halve_backslashes};
use crate::table::columns::{Note, Row};
use crate::table::event::{Event, Events, Provider};
use crate::table::schema::Field;
use crate::table::value::{Value, parse_int};

/// OSSEC and old Wazuh agents begin an event with this: `WinEvtLog: channel: LEVEL(id): provider: user: domain:
/// computer: message`.
const OSSEC: &str = "WinEvtLog: ";
/// Snare's agents, and others in its form, begin an event with this.
const SNARE: &str = "MSWinEventLog";

static OSSEC_MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(OSSEC));
static SNARE_MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(SNARE));
static CEF_MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("CEF:"));
static LEEF_MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("LEEF:"));
static ESCAPED_OCTAL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\01"));
static OCTAL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("#01"));
/// Names that only pairs have.
static PAIRS: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["SourceIp=", "ParentProcessGuid=", "QueryName="].map(Finder::new));

/// The marks of a collector stand within this many bytes.
const MAX_HEAD_BYTES: usize = 512;

/// Whether a line may hold an event, or the beginning of one.
pub(crate) fn may_hold_event(line: &[u8]) -> bool {
    let has = |mark: &str| memmem::find(line, mark.as_bytes()).is_some();
    let json = || has("{\"") && ["Sysmon", "EventID", "event_id", "eventID", "EventId"].into_iter().any(has);
    let pairs = || has("ProcessGuid=") && ["DestinationIp=", "ParentProcessGuid=", "QueryName="].into_iter().any(has);
    let siem = || (has("CEF:") || has("LEEF:")) && has("src=") && (has("Sysmon") || has("ProcessGuid"));
    has(OSSEC) || has(SNARE) || json() || has_message_time(line) || pairs() || siem()
}

/// Whether a line has the `UtcTime` of a message text.
fn has_message_time(line: &[u8]) -> bool {
    const MARK: &[u8] = b"UtcTime: ";
    memmem::find_iter(line, MARK).any(|at| {
        let time = &line[at + MARK.len()..];
        let len = time.iter().take_while(|byte| byte.is_ascii_digit() || b" -./:,".contains(byte)).count();
        std::str::from_utf8(&time[..len]).is_ok_and(|time| looks_like_time(time.trim_ascii()))
    })
}

/// Read the event in `text`; None if it holds none.
pub(crate) fn read<'a>(
    text: &'a str,
    arena: &'a Bump,
    row: &mut Row<'a>,
    asked: Events,
    nested: &'static dyn Nested,
) -> Result<Option<Verdict>, String> {
    let text = undo_octal(text, arena);
    let head = &text.as_bytes()[..text.len().min(MAX_HEAD_BYTES)];
    let behind = |mark: &Finder<'static>| mark.find(head).map(|at| at + mark.needle().len());
    let reader = Reader { text, arena, asked };
    if let Some(start) = behind(&OSSEC_MARK) {
        return reader.ossec(start, row).map(Some);
    }
    if let Some(start) = behind(&SNARE_MARK)
        && let Some(verdict) = reader.snare(start, row)?
    {
        return Ok(Some(verdict));
    }
    if let Some(start) = behind(&CEF_MARK)
        && let Some(verdict) = reader.cef(start, row)?
    {
        return Ok(Some(verdict));
    }
    if let Some(start) = behind(&LEEF_MARK)
        && let Some(verdict) = reader.leef(start, row)?
    {
        return Ok(Some(verdict));
    }
    if reader.has_pairs() {
        return reader.pairs(row, nested);
    }
    reader.message(row)
}

/// rsyslog writes control characters as `#011` for a tab, `#015#012` for a line end; others have a backslash there.
fn undo_octal<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    const MARKS: [&str; 4] = ["012UtcTime:", "012ProcessGuid:", "011UtcTime:", "011Microsoft-Windows-"];
    let marked = |sign: &str| MARKS.iter().any(|mark| text.contains(&format!("{sign}{mark}")));
    let sign = match text.as_bytes() {
        bytes if OCTAL.find(bytes).is_some() && marked("#") => "#",
        bytes if ESCAPED_OCTAL.find(bytes).is_some() && marked("\\") => "\\",
        _ => return text,
    };
    let mut plain = text.to_owned();
    for (octal, symbol) in [("011", "\t"), ("015", "\r"), ("012", "\n")] {
        plain = plain.replace(&format!("{sign}{octal}"), symbol);
    }
    arena.alloc_str(&plain)
}

/// Reads one text.
#[derive(Clone, Copy)]
struct Reader<'a> {
    text: &'a str,
    arena: &'a Bump,
    asked: Events,
}

impl<'a> Reader<'a> {
    /// Judge by provider and event id. Events of other providers have other texts, which are not read.
    fn judge(&self, provider: Option<&str>, event_id: Option<i64>, assume_sysmon: bool) -> Verdict {
        match verdict_of(provider, event_id, assume_sysmon, self.asked) {
            Verdict::Asked(event) if !Event::SYSMON.contains(&event) => Verdict::OtherProvider,
            verdict => verdict,
        }
    }

    /// Fill the row from a message text that must be complete.
    fn fill_message(&self, text: &'a str, event: Event, row: &mut Row<'a>) -> Result<(), String> {
        self.fill_from(Message::find(text, event), text, event, row)
    }

    fn fill_from(
        &self,
        message: Option<Message<'a>>,
        text: &'a str,
        event: Event,
        row: &mut Row<'a>,
    ) -> Result<(), String> {
        let last = event.last().sysmon();
        let cut_off = || format!("found the end of the line, expected {last}");
        let message = message.ok_or_else(cut_off)?;
        if message.is_misrendered {
            return Err("found a message text whose names do not match its values, expected that of the same version \
                        of Sysmon"
                .into());
        }
        if !message.is_complete {
            return Err(cut_off());
        }
        message.fill(row);
        // syslog-ng writes line ends as `\n`, and then perhaps each backslash twice.
        if message.is_escaped && text.contains("\\\\") {
            for field in event.data() {
                if let Value::Text(value) = row.get(*field) {
                    row.set(*field, Value::Text(halve_backslashes(value, self.arena)));
                }
            }
        }
        Ok(())
    }

    fn ossec(&self, start: usize, row: &mut Row<'a>) -> Result<Verdict, String> {
        let mut parts = self.text[start..].splitn(7, ": ");
        let mut part = || parts.next().ok_or("found the end of the line, expected seven parts");
        let (channel, level_and_id, provider, _user, _domain, computer, message) =
            (part()?, part()?, part()?, part()?, part()?, part()?, part()?);
        let (level, id) = level_and_id.split_once('(').unwrap_or((level_and_id, ""));
        let event_id = parse_int(id.trim_end_matches(')'));
        let verdict = self.judge(Some(provider), event_id, false);
        if let Verdict::Asked(event) = verdict {
            row.set(Field::Channel, Value::Text(channel));
            row.set(Field::ProviderName, Value::Text(provider));
            row.set(Field::ComputerName, Value::Text(computer));
            row.set(Field::EventId, Value::Int(event.id()));
            if level == "INFORMATION" {
                row.set(Field::EventLevel, Value::Int(4));
            }
            self.fill_message(message, event, row)?;
        }
        Ok(verdict)
    }

    /// `MSWinEventLog`, criticality, channel, counter, time, event id, provider, user, kind of user, level, computer,
    /// category, data, message, and perhaps the record's number, with tabs between them. Some collectors make each tab a
    /// space. None if it is another text.
    fn snare(&self, start: usize, row: &mut Row<'a>) -> Result<Option<Verdict>, String> {
        let rest = &self.text[start..];
        if !rest.starts_with('\t') {
            return self.snare_with_spaces(rest, row);
        }
        let mut parts = rest[1..].splitn(13, '\t');
        let mut part = || parts.next();
        let _criticality = part();
        let (Some(channel), _counter, _time, Some(id), Some(provider)) = (part(), part(), part(), part(), part())
        else {
            return Err("found the end of the line, expected Snare's fields".into());
        };
        let verdict = self.judge(Some(provider), parse_int(id), false);
        let Verdict::Asked(event) = verdict else { return Ok(Some(verdict)) };
        let (_user, _kind, Some(level), Some(computer), Some(category), _data, Some(message)) =
            (part(), part(), part(), part(), part(), part(), part())
        else {
            return Err("found the end of the line, expected Snare's fields".into());
        };
        let end = message.rsplit_once('\t').map(|(_, end)| end.trim_ascii());
        self.fill_snare(channel, provider, event, row);
        set_header(row, Field::EventLevel, level);
        set_header(row, Field::ComputerName, computer);
        set_header(row, Field::EventTask, category);
        if let Some(number) = end.filter(|number| is_number(number)) {
            row.set(Field::RecordId, Value::Text(number));
        }
        self.fill_message(message, event, row)?;
        Ok(Some(verdict))
    }

    fn snare_with_spaces(&self, rest: &'a str, row: &mut Row<'a>) -> Result<Option<Verdict>, String> {
        let mut parts = rest.split_ascii_whitespace();
        let (_criticality, channel, _counter) = (parts.next(), parts.next(), parts.next());
        let mut parts = parts.skip(5);
        let (Some(channel), Some(id), Some(provider)) = (channel, parts.next(), parts.next()) else { return Ok(None) };
        let Some(id) = parse_int(id) else { return Ok(None) };
        let verdict = self.judge(Some(provider), Some(id), false);
        let Verdict::Asked(event) = verdict else { return Ok(Some(verdict)) };
        self.fill_snare(channel, provider, event, row);
        self.fill_syslog(row);
        let (message, number) = rest.trim_ascii_end().rsplit_once(' ').unwrap_or((rest, ""));
        let message = if is_number(number) { message } else { rest };
        if is_number(number) {
            row.set(Field::RecordId, Value::Text(number));
        }
        self.fill_message(message, event, row)?;
        Ok(Some(verdict))
    }

    fn fill_snare(&self, channel: &'a str, provider: &'a str, event: Event, row: &mut Row<'a>) {
        row.set(Field::Channel, Value::Text(channel));
        row.set(Field::ProviderName, Value::Text(provider));
        row.set(Field::EventId, Value::Int(event.id()));
    }

    /// `CEF:0|vendor|product|version|signature|name|severity|` and pairs.
    fn cef(&self, start: usize, row: &mut Row<'a>) -> Result<Option<Verdict>, String> {
        let mut parts = self.text[start..].splitn(8, '|');
        let mut part = || parts.next();
        let (Some(_), Some(_), Some(product), Some(_), Some(signature), Some(name), Some(_), Some(rest)) =
            (part(), part(), part(), part(), part(), part(), part(), part())
        else {
            return Ok(None);
        };
        let (provider, id) = signature.rsplit_once(':').unwrap_or(("", signature));
        self.siem(&Siem { product, provider, id, name }, Pairs::new(rest, " "), "\\=|", row)
    }

    /// `LEEF:1.0|vendor|product|version|event id|` and pairs with tabs between them; in version 2.0 the separator comes
    /// first.
    fn leef(&self, start: usize, row: &mut Row<'a>) -> Result<Option<Verdict>, String> {
        let mut parts = self.text[start..].splitn(6, '|');
        let mut part = || parts.next();
        let (Some(version), Some(_), Some(product), Some(_), Some(id), Some(rest)) =
            (part(), part(), part(), part(), part(), part())
        else {
            return Ok(None);
        };
        let (mut between, mut pairs) = ("\t", rest);
        if version.starts_with('2')
            && let Some((separator, behind)) = rest.split_once('|')
            && separator.len() < 5
        {
            pairs = behind;
            between = match separator
                .trim_start_matches("0x")
                .strip_prefix('x')
                .unwrap_or(separator.trim_start_matches("0x"))
            {
                "" | "09" => "\t",
                "5E" | "5e" => "^",
                "7C" | "7c" => "|",
                _ => separator,
            };
        }
        self.siem(&Siem { product, provider: "", id, name: "" }, Pairs::new(pairs, between), "", row)
    }

    fn siem(
        &self,
        siem: &Siem<'a>,
        pairs: Pairs<'a>,
        escaped: &str,
        row: &mut Row<'a>,
    ) -> Result<Option<Verdict>, String> {
        // `cs1=x cs1Label=ProcessGuid`.
        let label = |key: &str| pairs.clone().find(|(other, _)| other.strip_suffix("Label") == Some(key));
        for (key, value) in pairs.clone() {
            let key = label(key).map_or(key, |(_, label)| label);
            let value = if escaped.is_empty() { value } else { without_escapes(value, escaped, self.arena) };
            match Field::from_data_name(key) {
                // Beside a connection's fields, this is Sysmon's own process.
                Some(Field::ProcessId) if find_key(self.text, "spid").is_some() => {}
                Some(field) => row.set(field, Value::Text(value)),
                None => set_siem(row, key, value),
            }
        }
        let named = [siem.product, siem.provider, siem.name].into_iter().any(|text| text.contains("Sysmon"))
            || matches!(row.get(Field::Channel), Value::Text(channel) if channel.contains("Sysmon"))
            || matches!(row.get(Field::ProviderName), Value::Text(provider) if is_sysmon(provider));
        let guid = !matches!(row.get(Field::ProcessGuid), Value::Null | Value::Text("" | "-"));
        let id = parse_int(siem.id).or_else(|| match row.get(Field::EventId) {
            Value::Text(id) => parse_int(id),
            _ => None,
        });
        let verdict = self.judge(None, id, named || guid);
        if let Verdict::Asked(event) = verdict {
            if is_sysmon(siem.provider) {
                row.set(Field::ProviderName, Value::Text(siem.provider));
            }
            row.set(Field::EventId, Value::Int(event.id()));
            self.fill_syslog(row);
            if !has_marks(row, event) {
                return Err(lacks(event));
            }
        }
        Ok(Some(verdict))
    }

    /// Whether the fields of an event are pairs.
    fn has_pairs(&self) -> bool {
        let has = |field: &Field| find_key(self.text, field.sysmon()).is_some();
        PAIRS.iter().any(|mark| mark.find(self.text.as_bytes()).is_some())
            && Event::SYSMON.iter().any(|event| event.marks()[..2].iter().all(has))
    }

    fn pairs(&self, row: &mut Row<'a>, nested: &'static dyn Nested) -> Result<Option<Verdict>, String> {
        let known = [Field::ProcessGuid, Field::ProcessId, Field::ProcessName, Field::DstIp, Field::ProcessParentGuid];
        let Some(pairs) = known.iter().find_map(|field| Pairs::around(self.text, field.sysmon())) else {
            return Ok(None);
        };
        let mut record = Record::new(self.arena, self.asked, nested);
        for (key, value) in pairs {
            let raw = without_escapes(value, "\\\"]", self.arena);
            record.put(Scope::Record, find(Scope::Record, key), Scalar::Text(Text { raw, json: false }))?;
        }
        let verdict = record.resolve()?;
        *row = record.row().clone();
        if let Verdict::Asked(event) = verdict {
            self.fill_syslog(row);
            if !has_marks(row, event) {
                return Err(lacks(event));
            }
        }
        Ok(Some(verdict))
    }

    /// A message text, and a header before or behind it.
    fn message(&self, row: &mut Row<'a>) -> Result<Option<Verdict>, String> {
        let names = Names::of(self.text);
        let Some(event) = names.event() else { return self.header_alone(row) };
        let text = self.without_prefixes();
        let is_changed = !std::ptr::eq(text, self.text);
        let message = if is_changed { Message::find(text, event) } else { names.message(event) };
        let range = message.as_ref().map_or(0..text.len(), |message| message.range.clone());
        self.fill_header(&text[..range.start], row);
        self.fill_header(&text[range.end..], row);
        let verdict = self.verdict(Some(event), row);
        if let Verdict::Asked(event) = verdict {
            self.fill_syslog(row);
            row.set(Field::EventId, Value::Int(event.id()));
            self.fill_from(message, text, event, row)?;
            if is_list(&text[..range.start]) {
                drop_broken(row, event);
            }
        }
        Ok(Some(verdict))
    }

    /// The header of an event whose text is none of those that are read: the event is another one.
    fn header_alone(&self, row: &mut Row<'a>) -> Result<Option<Verdict>, String> {
        const MARKS: [&str; 4] = ["EventID=", "EventCode=", "Event ID:", "EventIDCode="];
        if !MARKS.iter().any(|mark| memmem::find(self.text.as_bytes(), mark.as_bytes()).is_some()) {
            return Ok(None);
        }
        self.fill_header(self.text, row);
        let is_known =
            !matches!(row.get(Field::ProviderName), Value::Null) && !matches!(row.get(Field::EventId), Value::Null);
        if !is_known {
            return Ok(None);
        }
        match self.verdict(None, row) {
            Verdict::Asked(event) => Err(lacks(event)),
            other => Ok(Some(other)),
        }
    }

    fn verdict(&self, event: Option<Event>, row: &Row<'a>) -> Verdict {
        let provider = match row.get(Field::ProviderName) {
            Value::Text(provider) if !matches!(provider, "" | "-") => Some(provider),
            _ => None,
        };
        let id = match row.get(Field::EventId) {
            Value::Text(id) => parse_int(id),
            _ => None,
        };
        self.judge(provider, id.or(event.map(Event::id)), true)
    }

    /// The text of lines without the syslog header that each of them has, and without their indent.
    fn without_prefixes(&self) -> &'a str {
        let text = self.text;
        let Some((first, rest)) = text.split_once('\n') else { return text };
        let second = rest.split('\n').next().unwrap_or_default();
        if Syslog::read(first).is_none() || Syslog::read(second).is_none() {
            return text;
        }
        let mut plain = BumpString::with_capacity_in(text.len(), self.arena);
        plain.push_str(first);
        for line in rest.split('\n') {
            plain.push('\n');
            plain.push_str(Syslog::read(line).map_or(line, |syslog| syslog.message).trim_ascii());
        }
        plain.into_bump_str()
    }

    /// Read the header's pairs: one a line, or all in one line.
    fn fill_header(&self, header: &'a str, row: &mut Row<'a>) {
        if header.contains('\n') {
            for line in header.lines() {
                let equals = line.find('=').unwrap_or(line.len());
                let colon = line.find(": ").or_else(|| line.trim_ascii_end().ends_with(':').then(|| line.len() - 1));
                let at = equals.min(colon.unwrap_or(line.len()));
                if let (Some(key), Some(value)) = (line.get(..at), line.get(at + 1..)) {
                    fill_header_pair(row, key, value.trim_ascii());
                }
            }
            return;
        }
        let between = if header.contains('\t') { "\t" } else { " " };
        Pairs::new(header, between).for_each(|(key, value)| fill_header_pair(row, key, value));
    }

    /// What the syslog header says, if nothing better does.
    fn fill_syslog(&self, row: &mut Row<'a>) {
        let Some(syslog) = Syslog::read(self.text.lines().next().unwrap_or_default()) else { return };
        if matches!(row.get(Field::ComputerName), Value::Null | Value::Text("" | "-")) {
            row.set(Field::ComputerName, Value::Text(syslog.host));
        }
        if let Some(provider) = [SYSMON, SYSMON_LINUX].into_iter().find(|name| name.eq_ignore_ascii_case(syslog.tag)) {
            row.fill(Field::ProviderName, Value::Text(provider));
        }
    }
}

/// The fixed part of CEF and LEEF.
struct Siem<'a> {
    product: &'a str,
    provider: &'a str,
    id: &'a str,
    name: &'a str,
}

fn set_siem<'a>(row: &mut Row<'a>, key: &str, value: &'a str) {
    let time = || if is_number(value) { epoch(value) } else { Value::Text(value) };
    match key {
        "src" => row.fill(Field::SrcIp, Value::Text(value)),
        "spt" | "srcPort" => row.fill(Field::SrcPort, Value::Text(value)),
        "dst" => row.fill(Field::DstIp, Value::Text(value)),
        "dpt" | "dstPort" => row.fill(Field::DstPort, Value::Text(value)),
        "proto" => row.fill(Field::NetworkProtocol, Value::Text(value)),
        "sproc" => row.fill(Field::ProcessName, Value::Text(value)),
        "spid" => row.fill(Field::ProcessId, Value::Text(value)),
        // NXLog writes Sysmon's own account there.
        "usrName" if !value.ends_with("SYSTEM") => row.fill(Field::UserName, Value::Text(value)),
        "suser" => row.fill(Field::UserName, Value::Text(value)),
        "dvchost" | "identHostName" => row.fill(Field::ComputerName, Value::Text(value)),
        "cat" if value.contains('/') => row.fill(Field::Channel, Value::Text(value)),
        "rt" => row.fill(Field::EventRecordedTime, time()),
        "devTime" if has_zone(value) || is_number(value) => row.fill(Field::EventRecordedTime, time()),
        "EventID" | "externalId" => row.fill(Field::EventId, Value::Text(value)),
        "SourceName" => row.fill(Field::ProviderName, Value::Text(value)),
        "RecordNumber" => row.fill(Field::RecordId, Value::Text(value)),
        "Hostname" => row.fill(Field::ComputerName, Value::Text(value)),
        _ => {}
    }
}

/// The fields of `System` by the names that they have in headers, in lower case without blanks. `User` is Sysmon's own
/// account there.
const HEADER: &[(&str, Field)] = &[
    ("logname", Field::Channel),
    ("agentlogfile", Field::Channel),
    ("channel", Field::Channel),
    ("sourcename", Field::ProviderName),
    ("source", Field::ProviderName),
    ("providername", Field::ProviderName),
    ("eventcode", Field::EventId),
    ("eventid", Field::EventId),
    ("eventidcode", Field::EventId),
    ("id", Field::EventId),
    ("recordnumber", Field::RecordId),
    ("recordid", Field::RecordId),
    ("eventrecordid", Field::RecordId),
    ("computername", Field::ComputerName),
    ("computer", Field::ComputerName),
    ("machinename", Field::ComputerName),
    ("ordinateur", Field::ComputerName),
    ("equipo", Field::ComputerName),
    ("computador", Field::ComputerName),
    ("компьютер", Field::ComputerName),
    ("コンピューター", Field::ComputerName),
    ("计算机", Field::ComputerName),
    ("電腦", Field::ComputerName),
    ("version", Field::EventVersion),
    ("level", Field::EventLevel),
    ("type", Field::EventLevel),
    ("task", Field::EventTask),
    ("taskcategory", Field::EventTask),
    ("opcode", Field::EventOpcode),
    ("keywords", Field::EventKeywords),
    ("processid", Field::LoggerProcessId),
    ("threadid", Field::LoggerThreadId),
    ("sid", Field::LoggerUserSid),
    ("userid", Field::LoggerUserSid),
    ("user", Field::LoggerUserSid),
    ("providerid", Field::ProviderGuid),
];

/// The field of a header's key, in any case, with or without blanks.
pub(crate) fn header_field(key: &str) -> Option<Field> {
    let key = key.trim_matches([' ', '\t', '\u{a0}', '"', '\u{feff}']);
    if key.len() > 48 {
        return None;
    }
    let is = |name: &&(&str, Field)| {
        let plain = key.chars().filter(|symbol| !matches!(symbol, ' ' | '_')).flat_map(char::to_lowercase);
        plain.eq(name.0.chars())
    };
    HEADER.iter().find(is).map(|(_, field)| *field)
}

/// The field of a header's pair.
pub(crate) fn header_pair(key: &str, value: &str) -> Option<Field> {
    // In any language.
    if is_sysmon(value) {
        return Some(Field::ProviderName);
    }
    if value.contains("Sysmon/") && !value.contains(' ') {
        return Some(Field::Channel);
    }
    header_field(key)
}

fn fill_header_pair<'a>(row: &mut Row<'a>, key: &str, value: &'a str) {
    if let Some(field) = header_pair(key, value)
        && matches!(row.get(field), Value::Null)
    {
        set_header(row, field, value);
    }
}

fn set_header<'a>(row: &mut Row<'a>, field: Field, value: &'a str) {
    let value = value.trim_ascii();
    let is_value = match field {
        Field::LoggerUserSid => value.starts_with("S-1-"),
        Field::EventKeywords => value.trim_start_matches('-').bytes().next().is_some_and(|byte| byte.is_ascii_digit()),
        Field::EventId | Field::RecordId | Field::LoggerProcessId | Field::LoggerThreadId => is_number(value),
        _ => !value.is_empty(),
    };
    if is_value {
        row.set(field, system_value(field, Value::Text(value)));
    }
}

/// What stands between Hayabusa's pairs.
pub(crate) const BARS: &str = " \u{a6} ";

/// The fields in Hayabusa's `SrcIP: 10.0.0.1 \u{a6} TgtIP: ...`, which has short names for them, or Sysmon's.
pub(crate) fn between_bars(text: &str) -> impl Iterator<Item = (Field, &str)> {
    text.split(BARS).filter_map(|pair| {
        let (name, value) = pair.split_once(':')?;
        let field = match name.trim_ascii() {
            "Proto" => Field::NetworkProtocol,
            "SrcIP" => Field::SrcIp,
            "SrcPort" => Field::SrcPort,
            "SrcHost" => Field::SrcHostName,
            "TgtIP" => Field::DstIp,
            "TgtPort" => Field::DstPort,
            "TgtHost" => Field::DstHostName,
            "Proc" => Field::ProcessName,
            "PID" => Field::ProcessId,
            "PGUID" => Field::ProcessGuid,
            "Rule" => Field::RuleName,
            name => Field::from_data_name(name)?,
        };
        Some((field, value.trim_ascii()))
    })
}

/// Whether a header is that of PowerShell's `Format-List`: `Key   : value`.
fn is_list(header: &str) -> bool {
    header.lines().any(|line| line.split_once(" : ").is_some_and(|(key, _)| !key.trim_ascii().contains([':', '='])))
}

/// Remove the values that PowerShell broke into several lines: what stood where it broke them is not known.
fn drop_broken(row: &mut Row<'_>, event: Event) {
    for field in event.data() {
        if matches!(row.get(*field), Value::Text(text) if text.contains('\n')) {
            row.set(*field, Value::Null);
            row.note(Note::BrokenLines);
        }
    }
}

/// [`Verdict::of`] for texts, in which only Sysmon's events are read.
fn verdict_of(provider: Option<&str>, id: Option<i64>, assume_sysmon: bool, asked: Events) -> Verdict {
    match Verdict::of(provider, id, assume_sysmon, asked) {
        Verdict::Asked(event) if event.provider() != Provider::Sysmon => Verdict::OtherProvider,
        verdict => verdict,
    }
}

fn has_marks(row: &Row<'_>, event: Event) -> bool {
    event.marks().iter().any(|field| !matches!(row.get(*field), Value::Null | Value::Text("" | "-")))
}

fn lacks(event: Event) -> String {
    format!("found no {}, expected one in event {}", event.marks()[0].sysmon(), event.id())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 20 && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// The header of a line of syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syslog<'a> {
    pub(crate) host: &'a str,
    /// The program, without its process id.
    pub(crate) tag: &'a str,
    pub(crate) message: &'a str,
}

impl<'a> Syslog<'a> {
    /// Read the header of RFC 3164, with either form of time, or of RFC 5424. None if there is none.
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        // RFC 6587 writes the length before it.
        let line = line
            .trim_start_matches(|symbol: char| symbol.is_ascii_digit())
            .strip_prefix(" <")
            .map_or(line, |_| line.split_once(' ').map_or(line, |(_, rest)| rest));
        let line = match line.strip_prefix('<') {
            Some(rest) => {
                let (priority, rest) = rest.split_once('>')?;
                is_number(priority).then_some(rest)?
            }
            None => line,
        };
        let (line, is_5424) = line.strip_prefix("1 ").map_or((line, false), |rest| (rest, true));
        let rest = behind_time(line)?;
        let (host, rest) = rest.split_once(' ')?;
        if is_5424 {
            let (tag, rest) = rest.split_once(' ')?;
            let (_, rest) = rest.split_once(' ')?;
            let (_, rest) = rest.split_once(' ')?;
            return Some(Syslog { host, tag, message: rest });
        }
        let end = rest.find([' ', '\t', ':', '[']).unwrap_or(rest.len());
        let (tag, mut behind) = rest.split_at(end);
        if let Some((_, rest)) = behind.strip_prefix('[').and_then(|behind| behind.split_once(']')) {
            behind = rest;
        }
        let message = behind.strip_prefix(':').unwrap_or(behind);
        Some(Syslog { host, tag, message: message.strip_prefix(' ').unwrap_or(message) })
    }
}

/// What follows `May 14 11:13:28 ` or a time of ISO 8601.
fn behind_time(line: &str) -> Option<&str> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    if line.get(..3).is_some_and(|month| MONTHS.contains(&month)) {
        let clock = line.get(7..15)?;
        let rest = line.get(15..)?.strip_prefix(' ')?;
        return (line.as_bytes()[3] == b' ' && looks_like_clock(clock)).then_some(rest);
    }
    let (time, rest) = line.split_once(' ')?;
    (time.len() >= 19 && time.as_bytes()[10] == b'T' && time.get(11..19).is_some_and(looks_like_clock)).then_some(rest)
}

fn looks_like_clock(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_syslog_are_read_in_each_form() {
        for (line, host, tag) in [
            ("<14>May 14 11:13:28 WS-17 Sysmon[31]: text", "WS-17", "Sysmon"),
            ("May  4 11:13:28 ws sysmon: text", "ws", "sysmon"),
            ("2024-05-14T11:13:28+00:00 ws Microsoft-Windows-Sysmon[3028]: text", "ws", "Microsoft-Windows-Sysmon"),
            ("<14>1 2024-05-14T09:13:28.503441+00:00 ws app 31 - text", "ws", "app"),
        ] {
            assert_eq!(Syslog::read(line), Some(Syslog { host, tag, message: "text" }), "{line}");
        }
        for line in ["", "text", "<14>text", "<x>May 14 11:13:28 a b: c", "RuleName: x", "May 14 11-13-28 a b: c"] {
            assert_eq!(Syslog::read(line), None, "{line}");
        }
    }
}
