//! CSV: EvtxECmd's output and exports of Microsoft Sentinel's tables.

use std::sync::Arc;

use crate::columns::Columns;
use crate::format::{Block, Cut, Decode, Format, FormatName, Pending, cut_lines};
use crate::ledger::Ledger;

/// Whether `head` begins with the header line of a CSV that we read.
pub fn is_header(_head: &[u8]) -> bool {
    false
}

/// The CSV format.
#[derive(Default)]
pub struct Csv;

struct CsvDecoder;

impl Format for Csv {
    fn name(&self) -> FormatName {
        FormatName::Csv
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        cut_lines(pending, ledger)
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(CsvDecoder)
    }
}

impl Decode for CsvDecoder {
    fn decode(&self, _block: Block<'_>, _out: &mut Columns, _ledger: &mut Ledger) {}
}
