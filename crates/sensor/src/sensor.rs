//! The kernel side and the decoder together.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use crate::decoder::Decoder;
use crate::kernel::Kernel;
use crate::{Hook, Settings};

/// How often the ring buffer is looked at: the kernel side wakes nobody, which would cost it more than the event.
const TICK: Duration = Duration::from_millis(50);
/// A batch is handed on once it has so many rows, or is so old: a batch costs milliseconds whatever it holds.
const BATCH_ROWS: usize = 4096;
const BATCH_AGE: Duration = Duration::from_millis(100);

/// Records the connections of this machine.
pub struct Sensor {
    kernel: Kernel,
    decoder: Decoder,
    /// When the first of the rows that wait was taken.
    oldest: Option<Instant>,
}

impl Sensor {
    /// Load, attach, and take note of the sockets that are open. Asks for root; what follows does not.
    ///
    /// # Errors
    /// See [`Kernel::attach`].
    pub fn start(cgroup: Option<&Path>, settings: &Settings) -> io::Result<Self> {
        let mut kernel = Kernel::attach(cgroup, settings)?;
        let mut decoder = Decoder::new(settings.guids);
        decoder.wall_offset_ns = wall_offset_ns();
        decoder.attempts = settings.attempts;
        decoder.begin_existing();
        kernel.note_open_sockets(|bytes| decoder.feed(bytes));
        decoder.end_existing(settings.existing);
        kernel.request(&decoder.take_wanted());
        Ok(Sensor { kernel, decoder, oldest: None })
    }

    /// The next batch; None if nothing happened within `timeout`.
    ///
    /// # Errors
    /// Arrow's, for a mistake of ours.
    pub fn step(&mut self, timeout: Duration) -> io::Result<Option<RecordBatch>> {
        let end = Instant::now() + timeout;
        loop {
            self.decoder.wall_offset_ns = wall_offset_ns();
            let Sensor { kernel, decoder, .. } = self;
            let drained = kernel.drain(BATCH_ROWS, |bytes| decoder.feed(bytes));
            // Asked not to wait, as at the end of a recording: what is held is let go too.
            let until_ns = if timeout.is_zero() { u64::MAX } else { now_ns(libc::CLOCK_BOOTTIME).cast_unsigned() };
            decoder.release(until_ns, |cookie, peer| kernel.was_read(cookie, peer));
            kernel.request(&decoder.take_wanted());
            let now = Instant::now();
            if decoder.rows() > 0 {
                let since = *self.oldest.get_or_insert(now);
                if decoder.rows() >= BATCH_ROWS || now - since >= BATCH_AGE || timeout.is_zero() {
                    self.oldest = None;
                    return decoder.take().map(Some).map_err(io::Error::other);
                }
            }
            let left = end.saturating_duration_since(now);
            if left.is_zero() {
                return Ok(None);
            }
            if drained < BATCH_ROWS {
                std::thread::sleep(left.min(TICK));
            }
        }
    }

    /// The hooks, attached and not.
    pub fn hooks(&self) -> &[Hook] {
        &self.kernel.hooks
    }

    /// Rows lost so far, by cause.
    pub fn losses(&self) -> Vec<(String, u64)> {
        let mut losses = self.kernel.losses();
        losses.push(("records of no known form".into(), self.decoder.unknown));
        losses.retain(|(_, count)| *count > 0);
        losses
    }

    /// Rows without their process so far, by what they have as attribution.
    pub fn unattributed(&self) -> Vec<(String, u64)> {
        let counts = self.decoder.unattributed().into_iter().filter(|(_, count)| *count > 0);
        counts.map(|(reason, count)| (reason.to_owned(), count)).collect()
    }

    /// What rows lack, by cause.
    pub fn warnings(&self) -> Vec<(String, u64)> {
        let mut warnings = self.kernel.warnings();
        warnings.push(("events of processes described by /proc, after the event".into(), self.decoder.described_late));
        warnings.extend(self.decoder.dns_warnings().map(|(cause, count)| (cause.to_owned(), count)));
        warnings.retain(|(_, count)| *count > 0);
        warnings
    }
}

/// Nanoseconds from the clock of boot, which counts suspension and never steps, to Unix time as it is now.
fn wall_offset_ns() -> i64 {
    // The tightest of three: whoever is interrupted between the clocks would shift every event.
    (0..3)
        .map(|_| {
            let before = now_ns(libc::CLOCK_BOOTTIME);
            let wall = now_ns(libc::CLOCK_REALTIME);
            let after = now_ns(libc::CLOCK_BOOTTIME);
            (after - before, wall - (before + (after - before) / 2))
        })
        .min()
        .map_or(0, |(_, offset)| offset)
}

#[allow(unsafe_code)]
fn now_ns(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a timespec of ours; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
