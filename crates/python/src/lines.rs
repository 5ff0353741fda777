//! Lines of text that a recording's rows become: their form, and the names that Python gives them.

use std::collections::HashMap;

#[cfg(target_os = "linux")]
use arrow_array::RecordBatch;
#[cfg(target_os = "linux")]
use procwire_core::event::Event;
use procwire_sensor::lines::Constant;
use procwire_sensor::lines::cell::{Style, Value};
use procwire_sensor::lines::form::{Cell, Part, write_line};
#[cfg(target_os = "linux")]
use procwire_sensor::lines::{HostName, Layout, Lines, Names};
#[cfg(target_os = "linux")]
use pyo3::call::PyCallArgs;
#[cfg(target_os = "linux")]
use pyo3::exceptions::PyTypeError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
#[cfg(target_os = "linux")]
use pyo3::types::{IntoPyDict, PyMemoryView};
use pyo3::types::{PyBool, PyBytes, PyDict};

#[cfg(target_os = "linux")]
use crate::batch::Batch;

/// What stands in a line of text: literally, or as a column's value.
#[pyclass(frozen)]
pub(crate) struct LineForm(Vec<Part>);

#[pymethods]
impl LineForm {
    /// parts: texts, and for columns (name, before, after, in place of null, style).
    #[new]
    fn new(parts: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(LineForm(parts.iter().map(part).collect::<PyResult<_>>()?))
    }

    /// A line of these values, by the columns' names; None and what is not there is null.
    fn line<'py>(&self, py: Python<'py>, columns: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyBytes>> {
        let columns: HashMap<_, _> = values(columns)?.into_iter().collect();
        let mut line = Vec::new();
        write_line(&mut line, &self.0, |name| columns.get(name).map_or(Value::Null, Value::from));
        Ok(PyBytes::new(py, &line))
    }
}

fn part(part: &Bound<'_, PyAny>) -> PyResult<Part> {
    if let Ok(text) = part.extract::<String>() {
        return Ok(Part::Literal(text));
    }
    let (column, before, after, null, style) = part.extract::<(String, String, String, String, String)>()?;
    let style = Style::parse(&style).ok_or_else(|| PyValueError::new_err(format!("found style {style:?}")))?;
    Ok(Part::Cell(Cell { column, before, after, null, style }))
}

/// Values by their names; what is None is left out.
fn values(columns: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Constant)>> {
    let mut values = Vec::new();
    for (name, value) in columns {
        if value.is_none() {
            continue;
        }
        let constant = if let Ok(flag) = value.cast::<PyBool>() {
            Constant::Flag(flag.is_true())
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            Constant::Bytes(bytes.as_bytes().to_vec())
        } else if let Ok(text) = value.extract() {
            Constant::Text(text)
        } else {
            Constant::Integer(value.extract()?)
        };
        values.push((name.extract()?, constant));
    }
    Ok(values)
}

/// Bytes of the core's, which Python reads where they are.
#[pyclass(frozen)]
struct Text(Vec<u8>);

#[pymethods]
impl Text {
    #[allow(unsafe_code, reason = "the buffer protocol is C's")]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut pyo3::ffi::Py_buffer,
        flags: std::ffi::c_int,
    ) -> PyResult<()> {
        let bytes = &slf.get().0;
        let length = isize::try_from(bytes.len()).map_err(|_| PyValueError::new_err("too long"))?;
        // SAFETY: Python gives a view to fill, which holds the object; nobody changes its bytes, and the view is read-only.
        let failed = unsafe {
            pyo3::ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_ptr().cast_mut().cast(), length, 1, flags)
        };
        if failed == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// Lines, how many, how many rows have no form, how many are not recorded, all rows by kind, and whether some of these
/// are left for the next call.
#[cfg(target_os = "linux")]
pub(crate) type PyLines = (Py<PyMemoryView>, u64, u64, u64, Py<PyDict>, bool);

#[cfg(target_os = "linux")]
pub(crate) fn py_lines(lines: &mut Lines) -> PyResult<PyLines> {
    let text = Text(lines.take_bytes());
    Python::attach(|py| {
        let counts = lines.counts();
        let captured = counts.captured.iter().map(|(kind, count)| (kind.as_str(), *count));
        let captured = captured.into_py_dict(py)?.unbind();
        let text = PyMemoryView::from(Bound::new(py, text)?.as_any())?.unbind();
        Ok((text, counts.written, counts.skipped, counts.ruled_out, captured, lines.has_rest()))
    })
}

/// What lines are made of, by keywords. constants: columns that are the same in every line. ports: (port, protocol) to
/// name. namespace: inode of the recorder's network namespace. connections_only: whether other rows have no form.
/// by_image: whether it is asked which processes are recorded. rules, predicate: the columns that these refer to, where
/// they are asked which rows are recorded. names_hosts: whether hosts and ports have names. sizes: columns to the length
/// of their texts, after rules.
#[cfg(target_os = "linux")]
pub(crate) fn layout(form: &LineForm, options: Option<&Bound<'_, PyDict>>) -> PyResult<Layout> {
    let option = |name: &str| {
        let found = options.map(|options| options.get_item(name)).transpose()?.flatten();
        found.ok_or_else(|| PyTypeError::new_err(format!("found no {name}")))
    };
    let ports: HashMap<(u16, String), String> = option("ports")?.extract()?;
    let sizes: HashMap<String, usize> = option("sizes")?.extract()?;
    Ok(Layout {
        parts: form.0.clone(),
        constants: values(option("constants")?.cast()?)?.into_iter().collect(),
        ports: ports.into_iter().map(|((port, protocol), name)| ((port, protocol == "udp"), name)).collect(),
        namespace: option("namespace")?.extract()?,
        connections_only: option("connections_only")?.extract()?,
        by_image: option("by_image")?.extract()?,
        rules: option("rules")?.extract()?,
        predicate: option("predicate")?.extract()?,
        names_hosts: option("names_hosts")?.extract()?,
        sizes: sizes.into_iter().collect(),
    })
}

/// An object of Python's that is asked for names. What it raises ends up nowhere but in a null, and on stderr.
#[cfg(target_os = "linux")]
pub(crate) struct PyNames(pub(crate) Py<PyAny>);

#[cfg(target_os = "linux")]
impl PyNames {
    fn ask<T>(&self, method: &str, arguments: impl for<'py> PyCallArgs<'py>) -> Option<T>
    where
        T: for<'a, 'py> FromPyObject<'a, 'py>,
    {
        self.ask_for(method, arguments, |answer| answer.extract::<Option<T>>().ok().flatten())
    }

    fn ask_for<T>(
        &self,
        method: &str,
        arguments: impl for<'py> PyCallArgs<'py>,
        read: impl FnOnce(Bound<'_, PyAny>) -> Option<T>,
    ) -> Option<T> {
        Python::attach(|py| match self.0.bind(py).call_method1(method, arguments) {
            Ok(answer) => read(answer),
            Err(error) => {
                error.write_unraisable(py, Some(self.0.bind(py)));
                None
            }
        })
    }
}

#[cfg(target_os = "linux")]
impl Names for PyNames {
    fn user(&mut self, uid: u32) -> Option<String> {
        self.ask("user", (uid,))
    }

    fn host(&mut self, address: &str, is_own: bool, holder: u32) -> Option<HostName> {
        self.ask("host", (address, is_own, holder))
    }

    fn container(&mut self, cgroup: &str) -> Option<String> {
        self.ask("container", (cgroup,))
    }

    fn logs(&mut self, image: Option<&str>) -> bool {
        // Better a row too many than evidence lost.
        self.ask("logs", (image,)).unwrap_or(true)
    }

    fn stamp(&mut self) -> String {
        self.ask("stamp", ()).unwrap_or_default()
    }

    fn rules(&mut self, rows: RecordBatch) -> Option<Vec<Option<String>>> {
        self.ask("rules", (Batch(Event::Connection, rows),))
    }

    fn keeps(&mut self, rows: RecordBatch) -> Option<Vec<bool>> {
        self.ask_for("keeps", (Batch(Event::Connection, rows),), |kept| {
            Some(kept.cast::<PyBytes>().ok()?.as_bytes().iter().map(|kept| *kept != 0).collect())
        })
    }
}
