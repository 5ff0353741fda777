//! Network events of Microsoft Defender for Endpoint: the rows of `DeviceNetworkEvents`, which its hunting pages, exports and
//! event hubs write as JSON and CSV. They name no provider and have no event id.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use crate::table::columns::Row;
use crate::table::event::Event;
use crate::table::schema::Field;
use crate::table::value::Value;

/// What a row says that is not called as Sysmon calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Action,
    RemoteIp,
    RemotePort,
    RemoteUrl,
    LocalIp,
    LocalPort,
    FileName,
    FolderPath,
    ProcessId,
    AccountDomain,
    AccountName,
    ReportId,
}

/// The columns that only these rows have.
pub(crate) const KEYS: [(&str, Key); 12] = [
    ("ActionType", Key::Action),
    ("RemoteIP", Key::RemoteIp),
    ("RemotePort", Key::RemotePort),
    ("RemoteUrl", Key::RemoteUrl),
    ("LocalIP", Key::LocalIp),
    ("LocalPort", Key::LocalPort),
    ("InitiatingProcessFileName", Key::FileName),
    ("InitiatingProcessFolderPath", Key::FolderPath),
    ("InitiatingProcessId", Key::ProcessId),
    ("InitiatingProcessAccountDomain", Key::AccountDomain),
    ("InitiatingProcessAccountName", Key::AccountName),
    ("ReportId", Key::ReportId),
];

/// Types of action that are connections, and those that are attempts. Others (ports that are listened on, inspections of
/// traffic, which name no process) are no connections.
const CONNECTIONS: [&str; 3] = ["ConnectionSuccess", "InboundConnectionAccepted", "ConnectionFound"];
const ATTEMPTS: [&str; 4] = ["ConnectionFailed", "ConnectionAttempt", "ConnectionRequest", "InboundConnectionBlocked"];
/// How the types of action begin that are of the peer's connections.
const INBOUND: &str = "Inbound";

/// The provider of the rows, which do not name it.
const PROVIDER: &str = "Microsoft Defender for Endpoint";
/// The table of the rows.
const TABLE: &str = "DeviceNetworkEvents";

/// The values of one row.
pub(crate) struct Values<'a>(BumpVec<'a, (Key, Value<'a>)>);

impl<'a> Values<'a> {
    pub(crate) fn new(arena: &'a Bump) -> Self {
        Values(BumpVec::new_in(arena))
    }

    pub(crate) fn put(&mut self, key: Key, value: Value<'a>) {
        self.0.push((key, value));
    }

    fn get(&self, key: Key) -> Value<'a> {
        let mut found = self.0.iter().rev().filter(|(known, _)| *known == key).map(|(_, value)| *value);
        found.find(|value| !matches!(value, Value::Null | Value::Text(""))).unwrap_or_default()
    }

    fn text(&self, key: Key) -> Option<&'a str> {
        match self.get(key) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether these are the values of such a row.
    pub(crate) fn is_row(&self) -> bool {
        self.text(Key::Action).is_some() && self.get(Key::LocalIp) != Value::Null
    }

    /// The event that the row is; None if it is no connection.
    pub(crate) fn event(&self) -> Option<Event> {
        let action = self.text(Key::Action)?;
        let ends = self.get(Key::LocalIp) != Value::Null && self.get(Key::RemoteIp) != Value::Null;
        if CONNECTIONS.contains(&action) && ends {
            Some(Event::DefenderConnection)
        } else if ATTEMPTS.contains(&action) && ends {
            Some(Event::DefenderAttempt)
        } else {
            None
        }
    }

    /// Fill `row`; `time` is when the connection was seen.
    pub(crate) fn fill(&self, time: Value<'a>, protocol: Value<'a>, arena: &'a Bump, row: &mut Row<'a>) {
        let action = self.text(Key::Action).unwrap_or_default();
        let outbound = !action.starts_with(INBOUND);
        let (local, remote) = (
            (Field::SrcIp, Field::SrcPort, Field::SrcIsIpv6, Field::SrcHostName),
            (Field::DstIp, Field::DstPort, Field::DstIsIpv6, Field::DstHostName),
        );
        let (local, remote) = if outbound { (local, remote) } else { (remote, local) };
        for ((ip, port, is_ipv6, _), address, number) in
            [(local, Key::LocalIp, Key::LocalPort), (remote, Key::RemoteIp, Key::RemotePort)]
        {
            let address = self.get(address);
            row.set(ip, address);
            row.set(port, self.get(number));
            if let Value::Text(text) = address {
                row.set(is_ipv6, Value::Bool(text.contains(':')));
            }
        }
        if let Some(url) = self.text(Key::RemoteUrl) {
            row.set(remote.3, Value::Text(host_of(url)));
        }
        row.fill(local.3, row.get(Field::ComputerName));
        row.set(Field::NetworkConnectionInitiated, Value::Bool(outbound));
        row.set(Field::NetworkProtocol, lower_case(protocol, arena));
        row.set(Field::EventCreationTime, time);
        row.set(Field::ProcessId, self.get(Key::ProcessId));
        row.set(Field::ProcessName, self.image(arena));
        row.set(Field::UserName, self.user(arena));
        row.set(Field::RecordId, self.get(Key::ReportId));
        row.set(Field::ProviderName, Value::Text(PROVIDER));
        row.set(Field::Channel, Value::Text(TABLE));
        row.set(Field::EventKeywords, Value::Text(action));
    }

    /// The path of the program, whose last part the folder has in some tables only.
    fn image(&self, arena: &'a Bump) -> Value<'a> {
        let (Some(folder), Some(name)) = (self.text(Key::FolderPath), self.text(Key::FileName)) else {
            return match self.get(Key::FolderPath) {
                Value::Null => self.get(Key::FileName),
                folder => folder,
            };
        };
        let separator = if folder.contains('\\') { '\\' } else { '/' };
        let last = folder.rsplit(separator).next().unwrap_or_default();
        if last.eq_ignore_ascii_case(name) {
            return Value::Text(folder);
        }
        Value::Text(arena.alloc_str(&format!("{}{separator}{name}", folder.trim_end_matches(separator))))
    }

    fn user(&self, arena: &'a Bump) -> Value<'a> {
        match (self.text(Key::AccountDomain), self.text(Key::AccountName)) {
            (Some(domain), Some(name)) => Value::Text(arena.alloc_str(&format!("{domain}\\{name}"))),
            _ => self.get(Key::AccountName),
        }
    }
}

/// The host of a URL, or of what stands for one: `c2.bad.example`, `c2.bad.example:443`, `https://c2.bad.example/path`.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(inside) = host.strip_prefix('[') {
        return inside.split(']').next().unwrap_or_default();
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

fn lower_case<'a>(value: Value<'a>, arena: &'a Bump) -> Value<'a> {
    match value {
        Value::Text(text) => Value::Text(arena.alloc_str(&text.to_ascii_lowercase())),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn hosts_are_found_in_urls() {
        for url in ["h.example", "h.example:443", "https://h.example/a?b", "ftp://u:p@h.example:21/x", "h.example/a:b"]
        {
            assert_eq!(host_of(url), "h.example", "{url}");
        }
        assert_eq!(host_of("https://[fe80::1]:443/"), "fe80::1");
        assert_eq!(host_of("fe80::1"), "fe80::1");
        assert_eq!(host_of(""), "");
    }
}
