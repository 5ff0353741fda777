//! The core's accounts of inputs, as dicts.

use procwire_core::event::Event;
use procwire_core::format::FormatName;
use procwire_core::ledger::{Ledger, Tally};
use procwire_core::scan::FileLedger;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};

fn tally<'py>(py: Python<'py>, tally: &Tally) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (kind, count, examples) in tally.iter() {
        let examples: Vec<_> = examples.iter().map(|place| (place.offset, place.line, place.detail.as_str())).collect();
        dict.set_item(kind, (count, examples))?;
    }
    Ok(dict)
}

/// Return an account with the attributes of procwire.ledger.FileLedger.
pub(crate) fn account<'py>(py: Python<'py>, file: &FileLedger) -> PyResult<Bound<'py, PyDict>> {
    let FileLedger { name, format, bytes, ledger, error, unreadable } = file;
    let Ledger { records, events, recovered, other_events, other_providers, damage, warnings } = ledger;
    let dict = PyDict::new(py);
    dict.set_item("name", name)?;
    dict.set_item("format", format.map(FormatName::name))?;
    dict.set_item("bytes", bytes)?;
    dict.set_item("records", records)?;
    dict.set_item("events", ledger.rows())?;
    let rows: Vec<_> = Event::ALL.into_iter().map(Event::name).zip(events).filter(|(_, rows)| **rows > 0).collect();
    dict.set_item("by_event", rows.into_py_dict(py)?)?;
    dict.set_item("recovered", recovered)?;
    dict.set_item("other_events", other_events)?;
    dict.set_item("other_providers", other_providers)?;
    dict.set_item("damage", tally(py, damage)?)?;
    dict.set_item("warnings", tally(py, warnings)?)?;
    dict.set_item("error", error)?;
    dict.set_item("unreadable", unreadable)?;
    Ok(dict)
}
