//! The log formats, one module each; what they have in common is in [`format`](crate::format).

mod carried;
pub mod csv;
pub mod evtx;
pub mod json;
pub mod text;
pub mod xml;

use carried::Carried;

use crate::format::{Format, FormatName};

/// Make a reader of a format. `recover`: whether it carves records from slack space and broken chunks.
pub(crate) fn open(format: FormatName, recover: bool) -> Box<dyn Format> {
    match format {
        FormatName::Evtx => Box::new(evtx::Evtx::new(recover)),
        FormatName::Xml => Box::new(xml::Xml::new(&Carried)),
        FormatName::Json => Box::new(json::Json::new(&Carried)),
        FormatName::Csv => Box::new(csv::Csv::new(&Carried)),
        FormatName::Text => Box::new(text::TextLines::new(&Carried)),
    }
}
