//! The kernel side and the decoder together.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use crate::decoder::Decoder;
use crate::kernel::Kernel;
use crate::lines::Lines;
use crate::settings::{Hook, Settings};

/// How often the ring buffer is looked at: the kernel side wakes nobody, which would cost it more than the event.
const TICK: Duration = Duration::from_millis(50);
/// Records taken between two looks at how many lines there are.
const FEW_RECORDS: usize = 16;
/// The same where nothing happened for `QUIET`.
const QUIET_TICK: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_secs(1);
/// A batch costs a millisecond whatever it holds: one is handed on once it has so many rows, or so long after the last,
const BATCH_ROWS: usize = 4096;
const BATCH_EVERY: Duration = Duration::from_millis(100);
/// and later where there are so many that this cost counts.
const BUSY_ROWS: usize = 64;
const BUSY_BATCH_EVERY: Duration = Duration::from_millis(200);

/// How often memory that bursts took is given back.
const SHRINK_EVERY: Duration = Duration::from_secs(30);

/// Records the connections of this machine.
pub struct Sensor {
    kernel: Kernel,
    decoder: Decoder,
    /// When rows, or lines, were handed over last.
    handed_over: Instant,
    /// When memory was given back last.
    shrunk: Instant,
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
        decoder.closes = settings.closes;
        decoder.holds_existing = true;
        decoder.begin_existing();
        kernel.note_open_sockets(|bytes| decoder.feed(bytes));
        decoder.end_existing(settings.existing);
        kernel.request(&decoder.take_wanted());
        let now = Instant::now();
        Ok(Sensor { kernel, decoder, handed_over: now, shrunk: now })
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
            self.shrink(now);
            let decoder = &mut self.decoder;
            let rows = decoder.rows();
            let every = if rows < BUSY_ROWS { BATCH_EVERY } else { BUSY_BATCH_EVERY };
            if rows >= BATCH_ROWS || rows > 0 && (now - self.handed_over >= every || timeout.is_zero()) {
                self.handed_over = now;
                return decoder.take().map(Some).map_err(io::Error::other);
            }
            let left = end.saturating_duration_since(now);
            if left.is_zero() {
                return Ok(None);
            }
            if drained < BATCH_ROWS {
                std::thread::sleep(left.min(self.tick(now)));
            }
        }
    }

    /// Now and then, give back the memory that bursts took.
    fn shrink(&mut self, now: Instant) {
        if now - self.shrunk >= SHRINK_EVERY {
            self.shrunk = now;
            self.decoder.shrink(now_ns(libc::CLOCK_BOOTTIME).cast_unsigned());
            return_free_memory();
        }
    }

    /// How long to wait for the next look.
    fn tick(&self, now: Instant) -> Duration {
        if now - self.handed_over < QUIET { TICK } else { QUIET_TICK }
    }

    /// Let rows become lines from here on.
    pub fn write_lines(&mut self, lines: Lines) {
        self.decoder.lines = Some(Box::new(lines));
    }

    /// The lines of what happened, numbered from `first_record_id` on; rows beyond `most` are only counted. None if
    /// nothing happened within `timeout`, or if rows do not become lines.
    pub fn lines(&mut self, timeout: Duration, first_record_id: i64, most: u64) -> Option<&mut Lines> {
        let end = Instant::now() + timeout;
        let lines = self.decoder.lines.as_mut()?;
        lines.begin(first_record_id, most);
        if lines.resume() {
            return self.decoder.lines.as_deref_mut();
        }
        loop {
            self.decoder.wall_offset_ns = wall_offset_ns();
            while !self.decoder.is_full() {
                let Sensor { kernel, decoder, .. } = self;
                if kernel.drain(FEW_RECORDS, |bytes| decoder.feed(bytes)) < FEW_RECORDS {
                    break;
                }
            }
            // Only now: who claims a flow may have stood in the buffer.
            let until_ns = if timeout.is_zero() { u64::MAX } else { now_ns(libc::CLOCK_BOOTTIME).cast_unsigned() };
            let Sensor { kernel, decoder, .. } = self;
            decoder.release(until_ns, |cookie, peer| kernel.was_read(cookie, peer));
            self.kernel.request(&self.decoder.take_wanted());
            let now = Instant::now();
            self.shrink(now);
            let lines = self.decoder.lines.as_ref()?;
            // In the middle of a burst a piece that is not full waits for the next look.
            let is_due = lines.is_full() || timeout.is_zero() || now - self.handed_over >= TICK;
            if !lines.is_empty() && is_due {
                self.handed_over = now;
                break;
            }
            let left = end.saturating_duration_since(now);
            if left.is_zero() && lines.is_empty() {
                return None;
            }
            let wait =
                if lines.is_empty() { left.min(self.tick(now)) } else { TICK.saturating_sub(now - self.handed_over) };
            std::thread::sleep(wait);
        }
        let lines = self.decoder.lines.as_deref_mut()?;
        lines.finish();
        Some(lines)
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
        warnings.extend(self.decoder.warnings().map(|(cause, count)| (cause.to_owned(), count)));
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

/// Return freed memory to the kernel: glibc keeps what lies below anything that is still used.
#[allow(unsafe_code)]
fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[allow(unsafe_code)]
fn now_ns(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to a timespec of ours; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
