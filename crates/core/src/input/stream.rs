//! One input, byte by byte: recognises it, cuts it into jobs of complete records.

use std::sync::Arc;

use encoding_rs::{Decoder, Encoding};

use crate::format::{Block, Cut, Decode, Format, FormatName, Pending, count_lines};
use crate::formats::csv::has_mapped_header;
use crate::formats::open;
use crate::input::sniff::{Sniffed, sniff};
use crate::shapes::mapping::Mapping;
use crate::table::columns::{Batch, Tables};
use crate::table::event::Events;
use crate::table::ledger::Ledger;

/// How to read inputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Read every input as this format instead of recognising it.
    pub format: Option<FormatName>,
    /// Carve records from slack space and broken chunks.
    pub recover: bool,
    /// Which events to read.
    pub events: Events,
    /// Whether texts and bytes are dictionary-encoded, with each value once.
    pub is_coded: bool,
    /// What the keys of an unknown log mean; see [`Mapping::shared`].
    pub mapping: Option<&'static Mapping>,
}

/// Bytes that show the encoding.
const ENCODING_BYTES: usize = 64;

/// The encoding of UTF-16 text, by its byte order mark or by the positions of its zero bytes.
fn utf16_encoding(head: &[u8]) -> Option<&'static Encoding> {
    match &head[..head.len().min(ENCODING_BYTES)] {
        [0xff, 0xfe, ..] => Some(encoding_rs::UTF_16LE),
        [0xfe, 0xff, ..] => Some(encoding_rs::UTF_16BE),
        head if is_utf16(head, u16::from_le_bytes) => Some(encoding_rs::UTF_16LE),
        head if is_utf16(head, u16::from_be_bytes) => Some(encoding_rs::UTF_16BE),
        _ => None,
    }
}

/// Whether `head` is text in UTF-16 of this byte order: of letters in any script, with blanks or other characters of ASCII
/// among them.
fn is_utf16(head: &[u8], unit: fn([u8; 2]) -> u16) -> bool {
    let units = head.as_chunks::<2>().0.iter().map(|bytes| unit(*bytes));
    let is_text = |unit: u16| matches!(unit, 0x09 | 0x0a | 0x0d | 0x20..=0x7e | 0xa0..=0xd7ff | 0xe000..=0xfffd);
    let is_ascii = |unit: &u16| (0x09..0x7f).contains(unit);
    units.clone().all(is_text) && units.filter(is_ascii).count() >= 2.max(head.len() / 16)
}

/// A block of complete records for a decoder.
pub struct Job {
    bytes: Vec<u8>,
    offset: u64,
    line: u64,
    source: Arc<str>,
    events: Events,
    is_coded: bool,
    decoder: Arc<dyn Decode>,
}

impl Job {
    /// Decode the block; return the batches, what was counted, and the buffer for reuse.
    pub fn run(self) -> (Vec<Batch>, Ledger, Vec<u8>) {
        let mut ledger = Ledger::default();
        let mut tables = Tables::new(self.events, &self.source, self.is_coded);
        let block = Block { bytes: &self.bytes, offset: self.offset, line: self.line };
        self.decoder.decode(block, &mut tables, &mut ledger);
        ledger.sort();
        let mut batches = Vec::new();
        for batch in tables.finish() {
            match batch {
                Ok(batch) => batches.push(batch),
                // The columns match the schema; if they ever do not, the rows are lost, and counted as lost.
                Err(error) => {
                    ledger.damage.add("lost batch", self.offset, Some(self.line), || error.to_string());
                }
            }
        }
        (batches, ledger, self.bytes)
    }
}

/// One input being read.
pub struct Stream {
    source: Arc<str>,
    options: Options,
    format: Option<Box<dyn Format>>,
    encoding: Option<Decoder>,
    started: bool,
    unknown: bool,
    ended: bool,
    pending: Vec<u8>,
    offset: u64,
    line: u64,
    ledger: Ledger,
}

impl Stream {
    /// Start reading the input with the name `source`.
    pub fn new(source: &str, options: Options) -> Self {
        Stream {
            source: source.into(),
            options,
            format: None,
            encoding: None,
            started: false,
            unknown: false,
            ended: false,
            pending: Vec::new(),
            offset: 0,
            line: 1,
            ledger: Ledger::default(),
        }
    }

    /// The format, once recognised.
    pub fn format(&self) -> Option<FormatName> {
        self.format.as_ref().map(|format| format.name())
    }

    /// Whether the input has no known format.
    pub fn is_unknown(&self) -> bool {
        self.unknown
    }

    /// What was counted while cutting, in addition to what the jobs count.
    pub fn take_ledger(&mut self) -> Ledger {
        std::mem::take(&mut self.ledger)
    }

    /// Move the pending bytes to the front of `buffer`, so that new bytes can be read behind them and all be fed
    /// without a copy.
    pub fn lend(&mut self, buffer: &mut Vec<u8>) {
        if self.encoding.is_none() {
            buffer.append(&mut self.pending);
        }
    }

    /// Accept the next bytes; `at_end` says that they are the last, and later calls do nothing. Complete blocks are
    /// added to `jobs`.
    pub fn feed(&mut self, bytes: Vec<u8>, at_end: bool, jobs: &mut Vec<Job>) {
        if self.unknown || self.ended {
            return;
        }
        self.ended = at_end;
        self.take_in(bytes, at_end);
        if !self.started || (self.format.is_none() && !self.recognise(at_end)) {
            return;
        }
        while !self.pending.is_empty() {
            let Some(format) = self.format.as_mut() else { return };
            let pending = Pending { bytes: &self.pending, offset: self.offset, line: self.line, at_end };
            match format.cut(pending, &mut self.ledger) {
                Cut::More => break,
                Cut::Take(len) => {
                    let decoder = format.decoder();
                    let (offset, line) = (self.offset, self.line);
                    let bytes = self.advance(len);
                    let Options { events, is_coded, .. } = self.options;
                    jobs.push(Job { bytes, offset, line, source: Arc::clone(&self.source), events, is_coded, decoder });
                }
                Cut::Drop(len) => drop(self.advance(len)),
            }
        }
        if at_end {
            self.pending.clear();
        }
    }

    /// Append to the pending bytes, as UTF-8 if the input is UTF-16. Until there are enough to detect the encoding,
    /// they are only stored.
    fn take_in(&mut self, mut bytes: Vec<u8>, at_end: bool) {
        if !self.started {
            if !self.pending.is_empty() {
                bytes.splice(..0, self.pending.drain(..));
            }
            if bytes.len() < ENCODING_BYTES && !at_end {
                self.pending = bytes;
                return;
            }
            self.started = true;
            self.encoding = utf16_encoding(&bytes).map(|encoding| encoding.new_decoder());
        }
        let Some(decoder) = &mut self.encoding else {
            if self.pending.is_empty() {
                self.pending = bytes;
            } else {
                self.pending.extend_from_slice(&bytes);
            }
            return;
        };
        let mut text = String::new();
        if let Some(room) = decoder.max_utf8_buffer_length(bytes.len()) {
            text.reserve(room);
            let _ = decoder.decode_to_string(&bytes, &mut text, at_end);
            self.pending.extend_from_slice(text.as_bytes());
        }
    }

    fn recognise(&mut self, at_end: bool) -> bool {
        if self.offset == 0 && self.pending.starts_with(b"\xef\xbb\xbf") {
            self.advance(3);
        }
        let sniffed = match self.options.format {
            Some(format) => Sniffed::Known(format),
            None => match (sniff(&self.pending, at_end), self.options.mapping) {
                // A header of names that only the mapping knows.
                (Sniffed::Unknown, Some(mapping)) if has_mapped_header(&self.pending, mapping) => {
                    Sniffed::Known(FormatName::Csv)
                }
                (sniffed, _) => sniffed,
            },
        };
        match sniffed {
            Sniffed::Known(format) => self.format = Some(open(format, self.options.recover, self.options.mapping)),
            Sniffed::Unsure => {}
            Sniffed::Unknown => {
                self.unknown = true;
                self.pending.clear();
            }
        }
        self.format.is_some()
    }

    /// Remove the first `len` pending bytes.
    fn advance(&mut self, len: usize) -> Vec<u8> {
        debug_assert!(len > 0, "an empty cut would loop forever");
        let len = len.min(self.pending.len());
        // Jobs queue with their buffers: a buffer much larger than its block stays here.
        let taken = if len < self.pending.capacity() / 2 {
            self.pending.drain(..len).collect()
        } else {
            let rest = self.pending.split_off(len);
            std::mem::replace(&mut self.pending, rest)
        };
        self.offset += taken.len() as u64;
        if self.format() != Some(FormatName::Evtx) {
            self.line += count_lines(&taken);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::sniff::SNIFF_BYTES;

    #[test]
    fn the_end_may_be_told_twice_whatever_the_encoding() {
        for bytes in ["<Events>".as_bytes(), b"\xff\xfe<\0E\0v\0", b"\xfe\xff\0<\0E\0v"] {
            let (mut stream, mut jobs) = (Stream::new("twice", Options::default()), Vec::new());
            for _ in 0..2 {
                stream.feed(bytes.to_vec(), true, &mut jobs);
            }
            assert_eq!((stream.format(), jobs.len()), (Some(FormatName::Xml), 1));
        }
    }

    /// Feed `bytes` in pieces of `len`, and then the end.
    fn recognised(bytes: &[u8], len: usize) -> (Option<FormatName>, bool) {
        let (mut stream, mut jobs) = (Stream::new("pieces", Options::default()), Vec::new());
        for piece in bytes.chunks(len) {
            stream.feed(piece.to_vec(), false, &mut jobs);
        }
        stream.feed(Vec::new(), true, &mut jobs);
        (stream.format(), stream.is_unknown())
    }

    #[test]
    fn recognition_depends_on_the_bytes_alone() {
        let headless = |start: &[u8]| {
            let mut log = start.to_vec();
            log.resize(4096, 0);
            [log.as_slice(), b"ElfChnk\0", &[0; 200]].concat()
        };
        let evtx = Some(FormatName::Evtx);
        for (bytes, expected) in [
            (headless(b""), evtx),
            (headless(b"\0\0\n\0"), evtx),
            (headless(b"broken\nhea\0der"), evtx),
            (headless(b"\n\0 <Event>\n"), evtx),
            (headless(b"<Event>"), Some(FormatName::Xml)),
            (headless(b"a line\n<Event>\n"), Some(FormatName::Xml)),
            (b"a\0line\n<Event>\n".to_vec(), None),
            (vec![0; 4100], None),
            (vec![b' '; SNIFF_BYTES + 10], None),
            (b"[ \n 1]".to_vec(), None),
            (b"[ \n {}]".to_vec(), Some(FormatName::Json)),
            (b"\xef\xbb\xbf{}".to_vec(), Some(FormatName::Json)),
            (b"<\0E\0v\0e\0n\0t\0>\0".to_vec(), Some(FormatName::Xml)),
        ] {
            let lens = [1, 2, 3, 7, 100, 4095, 4096, 4097, bytes.len()];
            for len in lens.into_iter().filter(|len| bytes.len() / len < 5_000) {
                let (format, is_unknown) = recognised(&bytes, len);
                assert_eq!(
                    (format, is_unknown),
                    (expected, expected.is_none()),
                    "{len} of {:?}",
                    &bytes[..12.min(bytes.len())]
                );
            }
        }
    }
}
