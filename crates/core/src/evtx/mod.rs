//! Windows event log files.

use std::sync::Arc;

use crate::columns::Columns;
use crate::format::{Block, Cut, Decode, Format, FormatName, Pending};
use crate::ledger::Ledger;

/// The EVTX format.
pub struct Evtx {
    recover: bool,
}

impl Evtx {
    /// Read records; with `recover`, slack space too.
    pub fn new(recover: bool) -> Self {
        Evtx { recover }
    }
}

struct ChunkDecoder {
    #[allow(dead_code)]
    recover: bool,
}

impl Format for Evtx {
    fn name(&self) -> FormatName {
        FormatName::Evtx
    }

    fn cut(&mut self, _pending: Pending<'_>, _ledger: &mut Ledger) -> Cut {
        Cut::More
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(ChunkDecoder { recover: self.recover })
    }
}

impl Decode for ChunkDecoder {
    fn decode(&self, _block: Block<'_>, _out: &mut Columns, _ledger: &mut Ledger) {}
}

/// Decode one chunk that stands at `offset` of `source`, passing over records that start at or before the
/// offset `after`.
pub fn decode_chunk(
    source: &str,
    _bytes: &[u8],
    _offset: u64,
    _after: Option<u64>,
) -> Result<(Option<arrow_array::RecordBatch>, Ledger), arrow_schema::ArrowError> {
    let _ = source;
    Ok((None, Ledger::default()))
}
