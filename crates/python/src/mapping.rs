//! Mappings of logs, as Python passes them.

use procwire_core::mapping::Mapping;
use procwire_core::schema::Field;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A mapping with the attributes of procwire.sources.mappings.LogMapping.
#[derive(FromPyObject)]
pub(crate) struct LogMapping {
    provider: Option<String>,
    records: Vec<(String, Vec<String>)>,
    text: Vec<String>,
    fields: Vec<(String, Vec<String>)>,
    values: Vec<(String, Vec<(String, String)>)>,
    local_first: bool,
}

impl LogMapping {
    /// The mapping for the core. Raises ValueError for a name that is no column.
    pub(crate) fn shared(self) -> PyResult<&'static Mapping> {
        let LogMapping { provider, records, text: texts, fields, values, local_first } = self;
        let (fields, values) = (of_fields(fields)?, of_fields(values)?);
        Ok(Mapping { provider, records, texts, fields, values, local_first }.shared())
    }
}

fn of_fields<T>(pairs: Vec<(String, T)>) -> PyResult<Vec<(Field, T)>> {
    let of_field = |(column, value): (String, T)| {
        let field = Field::ALL.iter().find(|field| field.column() == column);
        field.map(|field| (*field, value)).ok_or_else(|| PyValueError::new_err(format!("found column {column:?}")))
    };
    pairs.into_iter().map(of_field).collect()
}
