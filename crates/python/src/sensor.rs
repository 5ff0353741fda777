//! Records this machine's connections, on Linux.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use procwire_core::event::Event;
use procwire_sensor::decoder::Decoder;
use procwire_sensor::lines::Lines;
use procwire_sensor::processes::Guids;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::batch::{Batch, arrow_error, lock};
use crate::lines::{LineForm, PyLines, PyNames, layout, py_lines};

/// Records this machine's connections: loads and attaches the eBPF program. Only the constructor needs root.
#[pyclass(frozen)]
pub(crate) struct Sensor(Mutex<Option<procwire_sensor::Sensor>>);

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
        let guids = Guids { machine_id, boot_time_ns };
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
    fn losses(&self) -> PyResult<HashMap<String, u64>> {
        Ok(lock(&self.0)?.iter().flat_map(procwire_sensor::Sensor::losses).collect())
    }

    /// Rows without their process so far, by what they have as attribution.
    fn unattributed(&self) -> PyResult<HashMap<String, u64>> {
        Ok(lock(&self.0)?.iter().flat_map(procwire_sensor::Sensor::unattributed).collect())
    }

    /// What rows lack, by cause: how often.
    fn warnings(&self) -> PyResult<HashMap<String, u64>> {
        Ok(lock(&self.0)?.iter().flat_map(procwire_sensor::Sensor::warnings).collect())
    }

    /// Detach.
    fn close(&self) -> PyResult<()> {
        lock(&self.0)?.take();
        Ok(())
    }
}

/// Records as the kernel side sends them, without a kernel: what tests feed becomes batches, or lines.
#[pyclass(frozen)]
pub(crate) struct Replay(Mutex<Decoder>);

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
