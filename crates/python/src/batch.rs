//! Batches for Python, and what all classes share: errors and locks.

use std::sync::{Mutex, MutexGuard};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use arrow_array::{Array, RecordBatch, StructArray};
use procwire_core::event::Event;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

/// A batch of one event's rows, taken over by whoever speaks the Arrow PyCapsule interface.
#[pyclass(frozen)]
pub(crate) struct Batch(pub(crate) Event, pub(crate) RecordBatch);

#[pymethods]
impl Batch {
    /// The event's name.
    #[getter]
    fn event(&self) -> &'static str {
        self.0.name()
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        // The consumer casts, if it wants another type.
        let _ = requested_schema;
        let data = StructArray::from(self.1.clone()).into_data();
        let (array, schema): (FFI_ArrowArray, FFI_ArrowSchema) = to_ffi(&data).map_err(arrow_error)?;
        let schema = PyCapsule::new_with_value(py, schema, c"arrow_schema")?;
        let array = PyCapsule::new_with_value(py, array, c"arrow_array")?;
        PyTuple::new(py, [schema.into_any(), array.into_any()])
    }

    fn __len__(&self) -> usize {
        self.1.num_rows()
    }
}

pub(crate) fn arrow_error(error: impl std::fmt::Display) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> PyResult<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| PyRuntimeError::new_err("an earlier call failed"))
}
