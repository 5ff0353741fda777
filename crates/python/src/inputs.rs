//! Inputs that Python names or opens, for the core's threads to read.

use std::fs::File;
use std::io::{self, BufReader, Read};

use procwire_core::scan::Input;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator};

/// Bytes asked of a file-like object of Python's at a time.
const PY_READ_BYTES: usize = 1 << 20;

/// A file-like object of Python's, read under the GIL.
struct PyReader(Py<PyAny>);

impl Read for PyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| {
            let bytes = self.0.call_method1(py, "read", (buffer.len(),))?;
            let bytes = bytes.bind(py).cast::<PyBytes>()?.as_bytes();
            let len = bytes.len().min(buffer.len());
            buffer[..len].copy_from_slice(&bytes[..len]);
            Ok(len)
        })
        .map_err(|error: PyErr| io::Error::other(describe(&error)))
    }
}

fn describe(error: &PyErr) -> String {
    Python::attach(|py| error.value(py).to_string())
}

fn open(source: &Bound<'_, PyAny>) -> Result<Box<dyn Read + Send>, String> {
    if let Ok(path) = source.extract::<std::path::PathBuf>() {
        return File::open(path).map(|file| Box::new(file) as Box<dyn Read + Send>).map_err(|error| error.to_string());
    }
    if source.hasattr("read").unwrap_or(false) {
        // Python's reads are dear: few and large ones.
        return Ok(Box::new(BufReader::with_capacity(PY_READ_BYTES, PyReader(source.clone().unbind()))));
    }
    // An error that Python met when it opened the input.
    Err(source.to_string())
}

/// The inputs, as an iterator of Python's yields them: (name, path or file or error, whether live).
pub(crate) struct Inputs(pub(crate) Py<PyIterator>);

impl Iterator for Inputs {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        Python::attach(|py| {
            let item = match self.0.bind(py).clone().next()? {
                Ok(item) => item,
                Err(error) => return Some(Input { name: "inputs".into(), bytes: Err(describe(&error)), live: false }),
            };
            let parsed = item.extract::<(String, Bound<'_, PyAny>, bool)>();
            Some(match parsed {
                Ok((name, source, live)) => Input { name, bytes: open(&source), live },
                Err(error) => Input { name: "inputs".into(), bytes: Err(describe(&error)), live: false },
            })
        })
    }
}
