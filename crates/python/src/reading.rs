//! Reads logs: many inputs in threads of the core, one that grows, one chunk of EVTX.

use std::sync::Mutex;
use std::time::Duration;

use procwire_core::columns::Batch as Rows;
use procwire_core::event::{Event, Events};
use procwire_core::evtx::decode_chunk;
use procwire_core::format::FormatName;
use procwire_core::ledger::Ledger;
use procwire_core::scan::{FileLedger, Scan, Step};
use procwire_core::stream::{Job, Options, Stream};
use pyo3::exceptions::{PyStopIteration, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::account::account;
use crate::batch::{Batch, arrow_error, lock};
use crate::inputs::Inputs;
use crate::mapping::LogMapping;

/// Reads inputs in threads of its own; batches come in the inputs' order.
#[pyclass(frozen)]
pub(crate) struct Scanner(Mutex<Scan>);

#[pymethods]
impl Scanner {
    #[new]
    #[pyo3(signature = (inputs, *, format=None, recover=false, events=None, coded=false, mapping=None, threads=None))]
    fn new(
        inputs: &Bound<'_, PyAny>,
        format: Option<&str>,
        recover: bool,
        events: Option<Vec<String>>,
        coded: bool,
        mapping: Option<LogMapping>,
        threads: Option<usize>,
    ) -> PyResult<Self> {
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let inputs = Inputs(inputs.try_iter()?.unbind());
        Ok(Scanner(Mutex::new(Scan::start(inputs, options(format, recover, events, coded, mapping)?, threads))))
    }

    /// The next batch; None if there is none within `timeout_s`. Raises StopIteration at the end.
    fn step(&self, py: Python<'_>, timeout_s: f64) -> PyResult<Option<Batch>> {
        let timeout = Duration::from_secs_f64(timeout_s.clamp(0.0, 3600.0));
        let step = py.detach(|| lock(&self.0).and_then(|mut scan| scan.step(timeout).map_err(arrow_error)))?;
        match step {
            Step::Batch(event, batch) => Ok(Some(Batch(event, batch))),
            Step::Idle => Ok(None),
            Step::End => Err(PyStopIteration::new_err(())),
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

/// Decodes an input that is fed to it piece by piece, in the caller's thread: a text log that grows.
#[pyclass(frozen)]
pub(crate) struct Feeder(Mutex<(Stream, FileLedger)>);

#[pymethods]
impl Feeder {
    #[new]
    #[pyo3(signature = (name, *, format=None, events=None, mapping=None))]
    fn new(
        name: &str,
        format: Option<&str>,
        events: Option<Vec<String>>,
        mapping: Option<LogMapping>,
    ) -> PyResult<Self> {
        let stream = Stream::new(name, options(format, false, events, false, mapping)?);
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
pub(crate) fn evtx_chunk<'py>(
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

pub(crate) fn parse_event(name: &str) -> PyResult<Event> {
    Event::parse(name).ok_or_else(|| {
        let all = Event::ALL.map(Event::name).join(", ");
        PyValueError::new_err(format!("found event {name:?}, expected one of {all}"))
    })
}

/// Events by their names; connections without any.
fn asked(events: Option<Vec<String>>) -> PyResult<Events> {
    events.map_or(Ok(Events::default()), |names| names.iter().map(|name| parse_event(name)).collect())
}

fn options(
    format: Option<&str>,
    recover: bool,
    events: Option<Vec<String>>,
    is_coded: bool,
    mapping: Option<LogMapping>,
) -> PyResult<Options> {
    let format = format
        .map(|name| {
            FormatName::parse(name).ok_or_else(|| {
                PyValueError::new_err(format!("found format {name:?}, expected one of evtx, xml, json, csv, text"))
            })
        })
        .transpose()?;
    let mapping = mapping.map(LogMapping::shared).transpose()?;
    Ok(Options { format, recover, events: asked(events)?, is_coded, mapping })
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
