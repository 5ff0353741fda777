//! The PyO3 module `procwire._core`: conversions between Python and the core, nothing else.

mod account;
mod batch;
mod inputs;
mod lines;
mod mapping;
mod reading;
#[cfg(target_os = "linux")]
mod sensor;

use pyo3::prelude::*;

/// The columns of an event's table, as (name, Arrow type in Arrow's notation).
#[pyfunction]
fn columns(event: &str) -> PyResult<Vec<(String, String)>> {
    let schema = reading::parse_event(event)?.schema();
    Ok(schema.fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect())
}

/// The columns of a recording's table, likewise.
#[pyfunction]
fn live_columns() -> Vec<(String, String)> {
    let table = procwire_sensor::table::Table::default();
    table.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect()
}

/// The version of the core.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::{columns, live_columns, version};
    #[pymodule_export]
    use crate::batch::Batch;
    #[pymodule_export]
    use crate::lines::LineForm;
    #[pymodule_export]
    use crate::reading::{Feeder, Scanner, evtx_chunk};
    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use crate::sensor::{Replay, Sensor};
}
