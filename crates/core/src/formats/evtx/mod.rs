//! Windows event log files.
//!
//! A file is a header and independent chunks of 64 KiB: blocks are runs of chunks. In a chunk, [`chunk`] walks the
//! records, [`record`] decodes one: on the fast path through [`template`]s compiled by slot, or, if it is unusual, on
//! the general path through [`binxml`]'s trees.
//!
//! Format: libevtx, "Windows XML Event Log (EVTX) format".

mod binxml;
mod chunk;
mod cursor;
mod group;
mod record;
mod slots;
mod template;

use std::sync::Arc;

use arrow_schema::ArrowError;
use memchr::memmem;

use crate::format::{Block, Cut, Decode, Format, FormatName, Pending};
use crate::table::columns::{Batch, Tables};
use crate::table::event::Events;
use crate::table::ledger::Ledger;

pub use chunk::{BAD_CHECKSUM, BAD_CHUNK, CHUNK_BYTES, LOST_REMNANT, TRUNCATED_CHUNK};
use chunk::{CHUNK_MAGIC, NO_CHECKSUMS};
pub use record::Way;

/// Length of the file header.
pub const HEADER_BYTES: usize = 4096;
/// Kind of damage: the file header is missing, broken or truncated.
pub const BAD_HEADER: &str = "bad file header";

const FILE_MAGIC: &[u8] = b"ElfFile\0";

/// The EVTX format.
pub struct Evtx {
    way: Way,
    recover: bool,
    header_seen: bool,
}

impl Evtx {
    /// Read records; with `recover`, also those in slack space and broken chunks.
    pub fn new(recover: bool) -> Self {
        Evtx { way: Way::Fast, recover, header_seen: false }
    }

    /// Read every record on the general path: the oracle of the fast one.
    pub fn general() -> Self {
        Evtx { way: Way::General, recover: false, header_seen: false }
    }

    fn header(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        let bytes = pending.bytes;
        if bytes.len() < HEADER_BYTES + CHUNK_MAGIC.len() && !pending.at_end {
            return Cut::More;
        }
        self.header_seen = true;
        let mut damage = |detail: &str| ledger.damage.add(BAD_HEADER, pending.offset, None, || detail.into());
        if bytes.starts_with(CHUNK_MAGIC) {
            damage("found a chunk, expected the file header");
            return self.chunks(pending);
        }
        match bytes.get(..HEADER_BYTES) {
            None => damage("found the end of the file, expected a header of 4,096 bytes"),
            Some(header) if !header.starts_with(FILE_MAGIC) => damage("found other bytes, expected ElfFile"),
            Some(header)
                if cursor::u32_at(header, 120) & NO_CHECKSUMS == 0
                    && cursor::u32_at(header, 124) != crc32fast::hash(&header[..120]) =>
            {
                damage("found a checksum that the header disagrees with");
            }
            Some(_) => {}
        }
        Cut::Drop(HEADER_BYTES.min(bytes.len()))
    }

    /// Cut a run of chunks, or the bytes up to where the next one begins, which the decoder then judges.
    fn chunks(&self, pending: Pending<'_>) -> Cut {
        let bytes = pending.bytes;
        let whole = bytes.chunks_exact(CHUNK_BYTES).take_while(|chunk| chunk.starts_with(CHUNK_MAGIC)).count();
        if whole > 0 {
            return Cut::Take(whole * CHUNK_BYTES);
        }
        if bytes.starts_with(CHUNK_MAGIC) || bytes.len() < CHUNK_BYTES + CHUNK_MAGIC.len() {
            return if pending.at_end { Cut::Take(bytes.len().min(CHUNK_BYTES)) } else { Cut::More };
        }
        // The last bytes may be the beginning of its mark.
        let without = (bytes.len() - CHUNK_MAGIC.len()) / CHUNK_BYTES * CHUNK_BYTES;
        Cut::Take(memmem::find(bytes, CHUNK_MAGIC).unwrap_or(without))
    }
}

impl Format for Evtx {
    fn name(&self) -> FormatName {
        FormatName::Evtx
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        if self.header_seen { self.chunks(pending) } else { self.header(pending, ledger) }
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(Chunks { way: self.way, recover: self.recover })
    }
}

struct Chunks {
    way: Way,
    recover: bool,
}

impl Decode for Chunks {
    fn decode(&self, block: Block<'_>, out: &mut Tables, ledger: &mut Ledger) {
        let mut decoder = record::Decoder::new(self.way);
        for (index, bytes) in block.bytes.chunks(CHUNK_BYTES).enumerate() {
            let offset = block.offset + (index * CHUNK_BYTES) as u64;
            chunk::Chunk { bytes, offset, recover: self.recover }.read(&mut decoder, out, ledger);
        }
    }
}

/// Decode one chunk that stands at `offset` of `source`: for following a growing log.
pub fn decode_chunk(
    source: &str,
    bytes: &[u8],
    offset: u64,
    events: Events,
) -> Result<(Vec<Batch>, Ledger), ArrowError> {
    let (mut out, mut ledger) = (Tables::new(events, &source.into(), false), Ledger::default());
    let block = Block { bytes, offset, line: 1 };
    Chunks { way: Way::Fast, recover: false }.decode(block, &mut out, &mut ledger);
    let batches = out.finish().collect::<Result<_, _>>()?;
    Ok((batches, ledger))
}
