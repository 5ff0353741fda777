//! The log formats, one module each; what they have in common is in [`format`](crate::format).

mod carried;
pub mod csv;
pub mod evtx;
pub mod json;
pub mod text;
pub mod xml;

use carried::Carried;

use crate::format::{Format, FormatName};
use crate::shapes::mapping::Mapping;

/// Make a reader of a format. `recover`: whether it carves records from slack space and broken chunks. `mapping`: what the
/// keys of an unknown log mean; only JSON and CSV have keys.
pub(crate) fn open(format: FormatName, recover: bool, mapping: Option<&'static Mapping>) -> Box<dyn Format> {
    match format {
        FormatName::Evtx => Box::new(evtx::Evtx::new(recover)),
        FormatName::Xml => Box::new(xml::Xml::new(&Carried)),
        FormatName::Json => Box::new(json::Json::new(&Carried, mapping)),
        FormatName::Csv => Box::new(csv::Csv::new(&Carried, mapping)),
        FormatName::Text => Box::new(text::TextLines::new(&Carried)),
    }
}
