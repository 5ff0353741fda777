//! What a log format must implement: where blocks of complete records end, and what is in them.

use std::sync::Arc;

use crate::table::columns::Tables;
use crate::table::event::{Event, Events, Provider};
use crate::table::ledger::{Ledger, Place};

pub use crate::table::event::{SYSMON, SYSMON_LINUX};

/// The longest record of any format that is read; a longer one is dropped and counted.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Kind of damage: a record that is truncated or inconsistent.
pub const BROKEN_RECORD: &str = "broken record";
/// Kind of damage: a record over [`MAX_RECORD_BYTES`].
pub const OVERLONG_RECORD: &str = "overlong record";

/// Kind of damage: a requested event in a form that cannot be read; the reason has the keys that the record has.
pub const UNKNOWN_FORMAT: &str = "unknown format";

/// Whether a provider's name is Sysmon's, on Windows or Linux.
pub fn is_sysmon(provider: &str) -> bool {
    Provider::of(provider) == Provider::Sysmon
}

/// Kind of warning: bytes that are not UTF-8 and became U+FFFD.
pub const INVALID_UTF8: &str = "invalid UTF-8";

/// The log formats, which are distinguished by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatName {
    /// Windows event log file.
    Evtx,
    /// XML events: documents, sequences, or inside syslog lines.
    Xml,
    /// JSON: lines, arrays, concatenated objects.
    Json,
    /// CSV with a header.
    Csv,
    /// Lines of text with XML, JSON or the message text of an event in them.
    Text,
}

impl FormatName {
    /// Every format.
    pub const ALL: [FormatName; 5] = [Self::Evtx, Self::Xml, Self::Json, Self::Csv, Self::Text];

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            FormatName::Evtx => "evtx",
            FormatName::Xml => "xml",
            FormatName::Json => "json",
            FormatName::Csv => "csv",
            FormatName::Text => "text",
        }
    }

    /// The format that users call `name`; None if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Whether a record becomes a row, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An event that was requested.
    Asked(Event),
    /// Another Sysmon event.
    OtherEvent,
    /// An event of another provider, of which none was requested.
    OtherProvider,
}

impl Verdict {
    /// Judge by provider and event id; if the log does not name the provider, it is Sysmon when `assume_sysmon` is
    /// true.
    pub fn of(provider: Option<&str>, event_id: Option<i64>, assume_sysmon: bool, asked: Events) -> Verdict {
        let assumed = if assume_sysmon { Provider::Sysmon } else { Provider::Other };
        Self::new(provider.map_or(assumed, Provider::of), event_id, asked)
    }

    /// Judge by provider and event id.
    #[inline]
    pub fn new(provider: Provider, event_id: Option<i64>, asked: Events) -> Verdict {
        match event_id.and_then(|id| asked.of(provider, id)) {
            Some(event) => Verdict::Asked(event),
            None if provider == Provider::Sysmon => Verdict::OtherEvent,
            None => Verdict::OtherProvider,
        }
    }

    /// Count a skipped record in `ledger` (a requested one is counted when its row is pushed).
    pub fn count(self, ledger: &mut Ledger) {
        match self {
            Verdict::Asked(_) => {}
            Verdict::OtherEvent => ledger.other_events += 1,
            Verdict::OtherProvider => ledger.other_providers += 1,
        }
    }
}

/// Bytes not yet cut, and their place in the input.
#[derive(Clone, Copy, Debug)]
pub struct Pending<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Offset of the first byte.
    pub offset: u64,
    /// Line of the first byte, counted from 1.
    pub line: u64,
    /// Whether these are the last bytes of the input.
    pub at_end: bool,
}

/// What to do with the pending bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Wait: they do not hold a complete record yet.
    More,
    /// Decode this many of them (more than 0): they are complete records.
    Take(usize),
    /// Drop this many of them (more than 0): they hold nothing to decode; what was lost is already in the ledger.
    Drop(usize),
}

/// A block of complete records.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its offset in the input.
    pub offset: u64,
    /// Line of its first byte, counted from 1.
    pub line: u64,
}

/// Decodes blocks, several at a time in different threads.
pub trait Decode: Send + Sync {
    /// Append those events of the block that `out` takes, and count all its records in `ledger`.
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger);
}

/// One input being read: finds, byte by byte, where blocks end.
pub trait Format: Send {
    /// Which format this is.
    fn name(&self) -> FormatName;

    /// Decide on the pending bytes (never empty). With `at_end`, [`Cut::More`] means that the rest is worthless. Once
    /// [`MAX_RECORD_BYTES`] are pending, it must not return [`Cut::More`].
    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut;

    /// The decoder for the last block that was cut.
    fn decoder(&self) -> Arc<dyn Decode>;
}

/// Warn in `ledger` that the record at `place` has bytes that are not UTF-8.
pub fn warn_invalid_utf8(place: Place, ledger: &mut Ledger) {
    ledger.warnings.add(INVALID_UTF8, place.offset, place.line, || {
        "found bytes that are not UTF-8, expected UTF-8; they became U+FFFD".into()
    });
}

/// Count in `ledger` that the record which begins at `offset` is dropped, since it is over [`MAX_RECORD_BYTES`].
pub fn add_overlong(offset: u64, line: u64, ledger: &mut Ledger) {
    ledger.damage.add(OVERLONG_RECORD, offset, Some(line), || {
        format!("found a record over {} MiB, expected an event", MAX_RECORD_BYTES >> 20)
    });
}

/// The number of line ends in `bytes`.
pub fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
