//! The message text of event 3 ("Network connection detected:" and `Name: value` pairs), and lines of
//! text that hold it, or XML, or JSON.

use std::sync::Arc;

use crate::columns::{Columns, Row};
use crate::format::{Block, Cut, Decode, Format, FormatName, Pending, cut_lines};
use crate::ledger::Ledger;

/// Whether `head` has a line that we read.
pub fn looks_like_log(_head: &[u8]) -> bool {
    false
}

/// Fill the fields that `row` does not have yet from the message text.
pub fn fill_from_message<'a>(_message: &'a str, _row: &mut Row<'a>) {}

/// The text format.
pub struct TextLines;

struct TextDecoder;

impl Format for TextLines {
    fn name(&self) -> FormatName {
        FormatName::Text
    }

    fn cut(&mut self, pending: Pending<'_>, ledger: &mut Ledger) -> Cut {
        cut_lines(pending, ledger)
    }

    fn decoder(&self) -> Arc<dyn Decode> {
        Arc::new(TextDecoder)
    }
}

impl Decode for TextDecoder {
    fn decode(&self, _block: Block<'_>, _out: &mut Columns, _ledger: &mut Ledger) {}
}
