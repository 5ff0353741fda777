//! One chunk: checks it, walks over its records, and carves records from its slack space.

use memchr::memmem;

use super::cursor::{Broken, u32_at, u64_at};
use super::record::{Decoder, HEAD_BYTES, MIN_BYTES};
use crate::format::BROKEN_RECORD;
use crate::table::columns::{Place, Tables};
use crate::table::ledger::Ledger;

/// Length of a chunk.
pub const CHUNK_BYTES: usize = 1 << 16;
/// Length of its header.
const HEADER_BYTES: usize = 512;
/// Flag in the headers of files and chunks: checksums were not computed.
pub(super) const NO_CHECKSUMS: u32 = 0x4;
pub(super) const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";
const RECORD_MAGIC: &[u8] = b"**\0\0";

/// Kind of damage: bytes that are no chunk where a chunk should be.
pub const BAD_CHUNK: &str = "bad chunk";
/// Kind of damage: a checksum that does not match the bytes.
pub const BAD_CHECKSUM: &str = "bad checksum";
/// Kind of damage: a chunk that is truncated at the file's end.
pub const TRUNCATED_CHUNK: &str = "truncated chunk";
/// Kind of warning: the rest of a record in slack space, which can no longer be decoded.
pub const LOST_REMNANT: &str = "remnant not recoverable";

/// A chunk, or the bytes in the place of one.
#[derive(Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) bytes: &'a [u8],
    /// Offset in the file.
    pub(crate) offset: u64,
    /// Whether to carve records from slack space and broken chunks.
    pub(crate) recover: bool,
}

impl Chunk<'_> {
    pub(crate) fn read(&self, decoder: &mut Decoder, out: &mut Tables, ledger: &mut Ledger) {
        self.read_records(decoder, out, ledger);
        decoder.end_chunk(self.bytes, out, ledger);
    }

    fn read_records(&self, decoder: &mut Decoder, out: &mut Tables, ledger: &mut Ledger) {
        if !self.bytes.starts_with(CHUNK_MAGIC) {
            if self.bytes.iter().all(|byte| *byte == 0) {
                return;
            }
            ledger.damage.add(BAD_CHUNK, self.offset, None, || {
                let head = &self.bytes[..self.bytes.len().min(8)];
                format!("found {} and {} bytes in all, expected ElfChnk", head.escape_ascii(), self.bytes.len())
            });
            return self.carve(0, decoder, out, ledger);
        }
        self.check(ledger);
        let end = self.walk(decoder, out, ledger);
        self.carve(end, decoder, out, ledger);
    }

    /// Where the records end according to the header.
    fn free_space(&self) -> usize {
        (u32_at(self.bytes, 48) as usize).clamp(HEADER_BYTES, CHUNK_BYTES)
    }

    fn check(&self, ledger: &mut Ledger) {
        if self.bytes.len() < CHUNK_BYTES {
            ledger.damage.add(TRUNCATED_CHUNK, self.offset, None, || {
                format!("found {} bytes, expected {CHUNK_BYTES}", self.bytes.len())
            });
        }
        if u32_at(self.bytes, 120) & NO_CHECKSUMS != 0 {
            return;
        }
        if let (Some(head), Some(tables)) = (self.bytes.get(..120), self.bytes.get(128..HEADER_BYTES)) {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(head);
            hasher.update(tables);
            self.compare(u32_at(self.bytes, 124), hasher.finalize(), "header", ledger);
        }
        if let Some(records) = self.bytes.get(HEADER_BYTES..self.free_space()) {
            self.compare(u32_at(self.bytes, 52), crc32fast::hash(records), "records", ledger);
        }
    }

    fn compare(&self, stored: u32, computed: u32, what: &str, ledger: &mut Ledger) {
        if stored != computed {
            ledger.damage.add(BAD_CHECKSUM, self.offset, None, || {
                format!("chunk's {what}: found {stored:#010x}, expected {computed:#010x}")
            });
        }
    }

    /// Decode every record, from the first; return the end of the last one.
    ///
    /// The header of a log that was copied while in use is stale, so records that continue behind its end of records,
    /// with consecutive numbers, are live ones.
    fn walk(&self, decoder: &mut Decoder, out: &mut Tables, ledger: &mut Ledger) -> usize {
        let free_space = self.free_space();
        let mut last_number = None;
        let mut at = HEADER_BYTES;
        while at < self.bytes.len() {
            let stale = at >= free_space;
            match self.record_at(at, last_number) {
                Some(size) if !stale || self.follows(at, size, last_number) => {
                    last_number = Some(u64_at(self.bytes, at + 8));
                    self.record(at, size, false, decoder, out, ledger);
                    at += size;
                }
                _ if stale => break,
                _ => {
                    let next = self.next_record(at + 1, free_space, last_number);
                    // What a truncated chunk lacks is reported once, for the chunk.
                    if next.is_some() || self.bytes.len() == CHUNK_BYTES {
                        ledger.records += 1;
                        ledger.damage.add(BROKEN_RECORD, self.offset + at as u64, None, || {
                            let lost = next.unwrap_or(free_space) - at;
                            format!("found no record's head in {lost} bytes, expected one")
                        });
                    }
                    match next {
                        Some(next) => at = next,
                        None => return free_space.min(self.bytes.len()),
                    }
                }
            }
        }
        at.min(self.bytes.len())
    }

    /// The size of the record at `at`, if one begins there and lies within the chunk.
    fn record_at(&self, at: usize, last_number: Option<u64>) -> Option<usize> {
        let head = self.bytes.get(at..at + HEAD_BYTES)?;
        let size = u32_at(head, 4) as usize;
        let number = u64_at(head, 8);
        let plausible = head.starts_with(RECORD_MAGIC)
            && size >= MIN_BYTES
            && size <= self.bytes.len() - at
            && last_number.is_none_or(|last| number > last && number - last < 1 << 32);
        plausible.then_some(size)
    }

    /// Whether the record at `at` has the next number and is complete.
    fn follows(&self, at: usize, size: usize, last_number: Option<u64>) -> bool {
        let next = last_number.map(|last| last.wrapping_add(1));
        next == Some(u64_at(self.bytes, at + 8)) && u32_at(self.bytes, at + size - 4) as usize == size
    }

    fn next_record(&self, from: usize, to: usize, last_number: Option<u64>) -> Option<usize> {
        let area = self.bytes.get(from..to.min(self.bytes.len()))?;
        memmem::find_iter(area, RECORD_MAGIC)
            .map(|found| from + found)
            .find(|at| self.record_at(*at, last_number).is_some())
    }

    /// Decode the record at `at` and count it.
    fn record(
        &self,
        at: usize,
        size: usize,
        recovered: bool,
        decoder: &mut Decoder,
        out: &mut Tables,
        ledger: &mut Ledger,
    ) {
        let offset = self.offset + at as u64;
        let place = Place { offset, line: None, recovered };
        let end = at + size - 4;
        let decoded = match u32_at(self.bytes, end) {
            // A page that never reached the disk is zeros: the part of the record in it would be read as empty names
            // and port 0.
            0 => Err(Broken { at: end, expected: "the record's size once more" }),
            _ => decoder.decode(self.bytes, at + HEAD_BYTES, end, place, out, ledger),
        };
        match decoded {
            Ok(verdict) => {
                ledger.records += 1;
                verdict.count(ledger);
            }
            Err(Broken { at, expected }) => {
                let (tally, kind) = if recovered {
                    (&mut ledger.warnings, LOST_REMNANT)
                } else {
                    ledger.records += 1;
                    (&mut ledger.damage, BROKEN_RECORD)
                };
                tally.add(kind, offset, None, || {
                    format!("found something else at offset {}, expected {expected}", self.offset + at as u64)
                });
            }
        }
    }

    /// Carve records from `start` on, where none is expected.
    fn carve(&self, start: usize, decoder: &mut Decoder, out: &mut Tables, ledger: &mut Ledger) {
        if !self.recover {
            return;
        }
        let mut from = start;
        while let Some(at) = self.next_record(from, self.bytes.len(), None) {
            let size = self.record_at(at, None).unwrap_or(MIN_BYTES);
            let before = ledger.records;
            self.record(at, size, true, decoder, out, ledger);
            // A remnant that does not decode may contain a complete record within its claimed length.
            from = at + if ledger.records > before { size } else { RECORD_MAGIC.len() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::evtx::record::Way;
    use crate::table::event::Events;

    #[test]
    fn zeros_where_a_chunk_should_be_are_no_damage() {
        let (mut out, mut ledger) = (Tables::new(Events::default(), &"zeros".into(), false), Ledger::default());
        let chunk = Chunk { bytes: &[0; CHUNK_BYTES], offset: 4096, recover: true };
        chunk.read(&mut Decoder::new(Way::Fast), &mut out, &mut ledger);
        assert_eq!(ledger, Ledger::default());
    }
}
