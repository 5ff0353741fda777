//! The PyO3 module `procwire._core`: conversions between Python and the core, nothing else.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Mutex;
use std::time::Duration;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi};
use arrow_array::{Array, RecordBatch, StructArray};
use procwire_core::columns::Batch as Rows;
use procwire_core::event::{Event, Events};
use procwire_core::evtx::decode_chunk;
use procwire_core::format::FormatName;
use procwire_core::ledger::{Ledger, Tally};
use procwire_core::scan::{FileLedger, Input, Scan, Step};
use procwire_core::stream::{Job, Options, Stream};
#[cfg(target_os = "linux")]
use procwire_sensor::decoder::Decoder;
use procwire_sensor::lines::Constant;
use procwire_sensor::lines::cell::{Style, Value};
use procwire_sensor::lines::form::{Cell, Part, write_line};
#[cfg(target_os = "linux")]
use procwire_sensor::lines::{HostName, Layout, Lines, Names};
#[cfg(target_os = "linux")]
use procwire_sensor::processes::Guids;
#[cfg(target_os = "linux")]
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyBool, PyBytes, PyCapsule, PyDict, PyIterator, PyList, PyMemoryView, PyTuple};

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
struct Inputs(Py<PyIterator>);

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

fn parse_event(name: &str) -> PyResult<Event> {
    Event::parse(name).ok_or_else(|| {
        let all = Event::ALL.map(Event::name).join(", ");
        PyValueError::new_err(format!("found event {name:?}, expected one of {all}"))
    })
}

/// Events by their names; connections without any.
fn asked(events: Option<Vec<String>>) -> PyResult<Events> {
    events.map_or(Ok(Events::default()), |names| names.iter().map(|name| parse_event(name)).collect())
}

fn options(format: Option<&str>, recover: bool, events: Option<Vec<String>>, is_coded: bool) -> PyResult<Options> {
    let format = format
        .map(|name| {
            FormatName::parse(name).ok_or_else(|| {
                PyValueError::new_err(format!("found format {name:?}, expected one of evtx, xml, json, csv, text"))
            })
        })
        .transpose()?;
    Ok(Options { format, recover, events: asked(events)?, is_coded })
}

/// A batch of one event's rows, taken over by whoever speaks the Arrow PyCapsule interface.
#[pyclass(frozen)]
struct Batch(Event, RecordBatch);

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

fn arrow_error(error: impl std::fmt::Display) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

fn tally<'py>(py: Python<'py>, tally: &Tally) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (kind, count, examples) in tally.iter() {
        let examples: Vec<_> = examples.iter().map(|place| (place.offset, place.line, place.detail.as_str())).collect();
        dict.set_item(kind, (count, examples))?;
    }
    Ok(dict)
}

fn account<'py>(py: Python<'py>, file: &FileLedger) -> PyResult<Bound<'py, PyDict>> {
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

/// Reads inputs in threads of its own; batches come in the inputs' order.
#[pyclass(frozen)]
struct Scanner(Mutex<Scan>);

#[pymethods]
impl Scanner {
    #[new]
    #[pyo3(signature = (inputs, *, format=None, recover=false, events=None, coded=false, threads=None))]
    fn new(
        inputs: &Bound<'_, PyAny>,
        format: Option<&str>,
        recover: bool,
        events: Option<Vec<String>>,
        coded: bool,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let inputs = Inputs(inputs.try_iter()?.unbind());
        Ok(Scanner(Mutex::new(Scan::start(inputs, options(format, recover, events, coded)?, threads))))
    }

    /// The next batch; None if there is none within `timeout_s`. Raises StopIteration at the end.
    fn step(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<Batch>> {
        let timeout = Duration::from_secs_f64(timeout_s.clamp(0.0, 3600.0));
        let step = py.detach(|| lock(&self.0).and_then(|mut scan| scan.step(timeout).map_err(arrow_error)))?;
        match step {
            Step::Batch(event, batch) => Ok(Some(Batch(event, batch))),
            Step::Idle => Ok(None),
            Step::End => Err(pyo3::exceptions::PyStopIteration::new_err(())),
        }
    }

    /// Bytes read so far, over all inputs, unpacked.
    #[getter]
    fn bytes_read(&self) -> PyResult<u64> {
        Ok(lock(&self.0)?.bytes_read())
    }

    /// The inputs' accounts so far, as dicts with the attributes of procwire.ledger.FileLedger.
    fn accounts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let scan = lock(&self.0)?;
        let accounts = scan.accounts().iter().map(|file| account(py, file)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, accounts)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> PyResult<std::sync::MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| PyRuntimeError::new_err("an earlier call failed"))
}

fn run(jobs: Vec<Job>, account: &mut Ledger) -> Vec<Batch> {
    jobs.into_iter()
        .flat_map(|job| {
            let (batches, ledger, _) = job.run();
            account.merge(ledger);
            handed_over(batches)
        })
        .collect()
}

fn handed_over(batches: Vec<Rows>) -> Vec<Batch> {
    batches.into_iter().map(|(event, batch)| Batch(event, batch)).collect()
}

/// Decodes an input that is fed to it piece by piece, in the caller's thread: a text log that grows.
#[pyclass(frozen)]
struct Feeder(Mutex<(Stream, FileLedger)>);

#[pymethods]
impl Feeder {
    #[new]
    #[pyo3(signature = (name, *, format=None, events=None))]
    fn new(name: &str, format: Option<&str>, events: Option<Vec<String>>) -> PyResult<Self> {
        let stream = Stream::new(name, options(format, false, events, false)?);
        Ok(Feeder(Mutex::new((stream, FileLedger { name: name.into(), ..FileLedger::default() }))))
    }

    /// Batches that became complete with `bytes`; `at_end` says that no more will come.
    #[pyo3(signature = (bytes, *, at_end=false))]
    fn feed(&self, py: Python<'_>, bytes: &[u8], at_end: bool) -> PyResult<Vec<Batch>> {
        py.detach(|| {
            let mut guard = lock(&self.0)?;
            let (stream, account) = &mut *guard;
            let mut jobs = Vec::new();
            stream.feed(bytes.to_vec(), at_end, &mut jobs);
            account.bytes += bytes.len() as u64;
            account.format = stream.format();
            account.ledger.merge(stream.take_ledger());
            Ok(run(jobs, &mut account.ledger))
        })
    }

    /// The account so far, as a dict with the attributes of procwire.ledger.FileLedger.
    fn account<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        account(py, &lock(&self.0)?.1)
    }
}

/// Decode one EVTX chunk that stands at `offset` of `name`. Returns the batches, one for each event that it has,
/// and the account as a dict.
#[pyfunction]
#[pyo3(signature = (name, bytes, offset, *, events=None))]
fn evtx_chunk<'py>(
    py: Python<'py>,
    name: &str,
    bytes: &[u8],
    offset: u64,
    events: Option<Vec<String>>,
) -> PyResult<(Vec<Batch>, Bound<'py, PyDict>)> {
    let events = asked(events)?;
    let (batches, ledger) = py.detach(|| decode_chunk(name, bytes, offset, events)).map_err(arrow_error)?;
    let file = FileLedger { name: name.into(), format: Some(FormatName::Evtx), ledger, ..FileLedger::default() };
    Ok((handed_over(batches), account(py, &file)?))
}

/// What stands in a line of text: literally, or as a column's value.
#[pyclass(frozen)]
struct LineForm(Vec<Part>);

#[pymethods]
impl LineForm {
    /// parts: texts, and for columns (name, before, after, in place of null, style).
    #[new]
    fn new(parts: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(LineForm(parts.iter().map(part).collect::<PyResult<_>>()?))
    }

    /// A line of these values, by the columns' names; None and what is not there is null.
    fn line<'py>(&self, py: Python<'py>, columns: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyBytes>> {
        let columns: std::collections::HashMap<_, _> = values(columns)?.into_iter().collect();
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
        // SAFETY: Python gives a view to fill, which holds the object; nobody changes its bytes, and read-only it is told so.
        let failed = unsafe {
            pyo3::ffi::PyBuffer_FillInfo(view, slf.as_ptr(), bytes.as_ptr().cast_mut().cast(), length, 1, flags)
        };
        if failed == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// Lines, how many, how many rows have no form, how many are not recorded, all rows by kind, and whether some of these
/// are left for the next call.
#[cfg(target_os = "linux")]
type PyLines = (Py<PyMemoryView>, u64, u64, u64, Py<PyDict>, bool);

#[cfg(target_os = "linux")]
fn py_lines(lines: &mut Lines) -> PyResult<PyLines> {
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
fn layout(form: &LineForm, options: Option<&Bound<'_, PyDict>>) -> PyResult<Layout> {
    let option = |name: &str| {
        let found = options.map(|options| options.get_item(name)).transpose()?.flatten();
        found.ok_or_else(|| PyTypeError::new_err(format!("found no {name}")))
    };
    let ports: std::collections::HashMap<(u16, String), String> = option("ports")?.extract()?;
    let sizes: std::collections::HashMap<String, usize> = option("sizes")?.extract()?;
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
struct PyNames(Py<PyAny>);

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

/// Records this machine's connections: loads and attaches the eBPF program. Only the constructor needs root.
#[cfg(target_os = "linux")]
#[pyclass(frozen)]
struct Sensor(Mutex<Option<procwire_sensor::Sensor>>);

#[cfg(target_os = "linux")]
#[pymethods]
impl Sensor {
    #[new]
    #[pyo3(signature = (*, cgroup, ring_bytes, udp, udp_idle_s, attempts, closes, existing, boot_time_ns, machine_id))]
    #[allow(clippy::too_many_arguments, reason = "keywords of Python's")]
    fn new(
        py: Python<'_>,
        cgroup: Option<std::path::PathBuf>,
        ring_bytes: u32,
        udp: bool,
        udp_idle_s: f64,
        attempts: bool,
        closes: bool,
        existing: bool,
        boot_time_ns: i64,
        machine_id: u32,
    ) -> PyResult<Self> {
        let guids = procwire_sensor::processes::Guids { machine_id, boot_time_ns };
        let settings = procwire_sensor::Settings { ring_bytes, udp, udp_idle_s, attempts, closes, existing, guids };
        let sensor = py.detach(|| procwire_sensor::Sensor::start(cgroup.as_deref(), &settings))?;
        Ok(Sensor(Mutex::new(Some(sensor))))
    }

    /// The next batch; None if nothing happened within `timeout_s`, or after `close`.
    fn step(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<Batch>> {
        let timeout = Duration::from_secs_f64(timeout_s.clamp(0.0, 3600.0));
        py.detach(|| match lock(&self.0)?.as_mut() {
            Some(sensor) => Ok(sensor.step(timeout)?.map(|batch| Batch(Event::Connection, batch))),
            None => Ok(None),
        })
    }

    /// Let rows become lines from here on, which `lines` gives. form: of a line; options: see `layout`; names: asked for
    /// users, hosts, containers and stamps, and which rows are recorded.
    #[pyo3(signature = (form, names, **options))]
    fn write_lines(&self, form: &LineForm, names: Py<PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let lines = Lines::new(layout(form, options)?, Box::new(PyNames(names)));
        if let Some(sensor) = lock(&self.0)?.as_mut() {
            sensor.write_lines(lines);
        }
        Ok(())
    }

    /// Lines of what happened, see `PyLines`; None if nothing happened within `timeout_s`, or after `close`. Rows beyond
    /// `most` are only counted.
    fn lines(&self, py: Python<'_>, timeout_s: f64, first_record_id: i64, most: u64) -> PyResult<Option<PyLines>> {
        let timeout = Duration::from_secs_f64(timeout_s.clamp(0.0, 3600.0));
        // Names are asked for meanwhile, so the GIL is free.
        py.detach(|| {
            let mut guard = lock(&self.0)?;
            let lines = guard.as_mut().and_then(|sensor| sensor.lines(timeout, first_record_id, most));
            lines.map(py_lines).transpose()
        })
    }

    /// The hooks: name, whether attached, why not.
    fn hooks(&self) -> PyResult<Vec<(String, bool, Option<String>)>> {
        let guard = lock(&self.0)?;
        let hooks = guard.iter().flat_map(procwire_sensor::Sensor::hooks);
        Ok(hooks.map(|hook| (hook.name.to_owned(), hook.attached, hook.reason.clone())).collect())
    }

    /// Rows lost so far, by cause.
    fn losses(&self) -> PyResult<std::collections::HashMap<String, u64>> {
        Ok(lock(&self.0)?.iter().flat_map(procwire_sensor::Sensor::losses).collect())
    }

    /// Rows without their process so far, by what they have as attribution.
    fn unattributed(&self) -> PyResult<std::collections::HashMap<String, u64>> {
        Ok(lock(&self.0)?.iter().flat_map(procwire_sensor::Sensor::unattributed).collect())
    }

    /// What rows lack, by cause: how often.
    fn warnings(&self) -> PyResult<std::collections::HashMap<String, u64>> {
        Ok(lock(&self.0)?.iter().flat_map(procwire_sensor::Sensor::warnings).collect())
    }

    /// Detach.
    fn close(&self) -> PyResult<()> {
        lock(&self.0)?.take();
        Ok(())
    }
}

/// Records as the kernel side sends them, without a kernel: what tests feed becomes batches, or lines.
#[cfg(target_os = "linux")]
#[pyclass(frozen)]
struct Replay(Mutex<Decoder>);

#[cfg(target_os = "linux")]
#[pymethods]
impl Replay {
    #[new]
    #[pyo3(signature = (*, boot_time_ns, machine_id))]
    fn new(boot_time_ns: i64, machine_id: u32) -> Self {
        let mut decoder = Decoder::new(Guids { machine_id, boot_time_ns });
        decoder.wall_offset_ns = boot_time_ns;
        Replay(Mutex::new(decoder))
    }

    /// See `Sensor.write_lines`.
    #[pyo3(signature = (form, names, **options))]
    fn write_lines(&self, form: &LineForm, names: Py<PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let lines = Lines::new(layout(form, options)?, Box::new(PyNames(names)));
        lock(&self.0)?.lines = Some(Box::new(lines));
        Ok(())
    }

    /// A batch of the rows of these records.
    fn batch(&self, records: Vec<Vec<u8>>) -> PyResult<Batch> {
        let mut decoder = lock(&self.0)?;
        records.iter().for_each(|record| decoder.feed(record));
        decoder.release(u64::MAX, |_, _| false);
        Ok(Batch(Event::Connection, decoder.take().map_err(arrow_error)?))
    }

    /// Lines of these records, see `Sensor.lines`; None before `write_lines`.
    fn lines(
        &self,
        py: Python<'_>,
        records: Vec<Vec<u8>>,
        first_record_id: i64,
        most: u64,
    ) -> PyResult<Option<PyLines>> {
        py.detach(|| {
            let mut decoder = lock(&self.0)?;
            if let Some(lines) = &mut decoder.lines {
                lines.begin(first_record_id, most);
                if lines.resume() {
                    return py_lines(lines).map(Some);
                }
            }
            records.iter().for_each(|record| decoder.feed(record));
            decoder.release(u64::MAX, |_, _| false);
            let Some(lines) = &mut decoder.lines else { return Ok(None) };
            lines.finish();
            py_lines(lines).map(Some)
        })
    }
}

/// The columns of an event's table, as (name, Arrow type in Arrow's notation).
#[pyfunction]
fn columns(event: &str) -> PyResult<Vec<(String, String)>> {
    let schema = parse_event(event)?.schema();
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
    use super::{Batch, Feeder, LineForm, Scanner, columns, evtx_chunk, live_columns, version};

    #[cfg(target_os = "linux")]
    #[pymodule_export]
    use super::{Replay, Sensor};
}
