//! Scans many inputs at once: one thread reads, the others decode, batches come out in the inputs' order.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use crate::format::FormatName;
use crate::input::stream::{Job, Options, Stream};
use crate::table::columns::Batch;
use crate::table::concat::concat;
use crate::table::event::Event;
use crate::table::ledger::Ledger;

/// Bytes read at a time. A block fits the second-level cache of its thread.
const BLOCK_BYTES: u64 = 1 << 21;
/// Bytes read at a time from a pipe.
const LIVE_BYTES: usize = 64 << 10;
/// Batches of fewer rows are combined...
const SMALL_BATCH_ROWS: usize = 1 << 10;
/// ... until they have at least this many.
const BATCH_ROWS: usize = 1 << 13;
/// Kind of damage: reading the input failed.
pub const READ_ERROR: &str = "read error";

/// One input: its name, and its bytes or why they cannot be read.
pub struct Input {
    /// The name that goes into `source_file`.
    pub name: String,
    /// Its bytes, or an error.
    pub bytes: Result<Box<dyn Read + Send>, String>,
    /// Whether the bytes arrive live (a pipe): then none waits for a block to fill.
    pub live: bool,
}

/// What was read and counted of one input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileLedger {
    /// The input's name.
    pub name: String,
    /// Its format, if recognised.
    pub format: Option<FormatName>,
    /// Bytes read, unpacked.
    pub bytes: u64,
    /// The records seen in it, and their damage.
    pub ledger: Ledger,
    /// Why it could not be opened or recognised.
    pub error: Option<String>,
    /// Whether `error` says that it could not be opened.
    pub unreadable: bool,
}

/// The next result of a [`Scan`].
pub enum Step {
    /// Rows of one event.
    Batch(Event, RecordBatch),
    /// Nothing within the timeout.
    Idle,
    /// All inputs are done.
    End,
}

enum Item {
    Block { file: usize, result: Receiver<Decoded> },
    End { file: usize, account: FileLedger },
}

/// The result of a block.
type Decoded = (Vec<Batch>, Ledger);
type Task = (Job, SyncSender<Decoded>);

/// A running scan. Dropping it stops its threads.
pub struct Scan {
    items: Receiver<Item>,
    current: Option<(usize, Receiver<Decoded>)>,
    ready: VecDeque<Batch>,
    /// Batches that wait for more rows, by event.
    small: [Vec<RecordBatch>; Event::COUNT],
    accounts: Vec<FileLedger>,
    bytes_read: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    ended: bool,
}

impl Drop for Scan {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Scan {
    /// Start reading `inputs` with `threads` decoders.
    pub fn start(inputs: impl Iterator<Item = Input> + Send + 'static, options: Options, threads: usize) -> Self {
        let threads = threads.max(1);
        let (item_sender, items) = sync_channel(threads + 2);
        let (task_sender, tasks) = sync_channel::<Task>(threads);
        let (buffer_sender, buffers) = channel();
        let tasks = Arc::new(Mutex::new(tasks));
        let (bytes_read, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        for _ in 0..threads {
            let (tasks, buffers) = (Arc::clone(&tasks), buffer_sender.clone());
            thread::spawn(move || {
                loop {
                    let task = tasks.lock().map(|tasks| tasks.recv());
                    let Ok(Ok((job, reply))) = task else { break };
                    let (batches, ledger, mut buffer) = job.run();
                    // Small buffers are not worth reusing, and one block with many jobs would accumulate them. The
                    // receivers are gone only if the scan was dropped.
                    if (BLOCK_BYTES as usize..=2 * BLOCK_BYTES as usize).contains(&buffer.capacity()) {
                        buffer.clear();
                        let _ = buffers.send(buffer);
                    }
                    let _ = reply.send((batches, ledger));
                }
            });
        }
        let reader = Reader {
            options,
            items: item_sender,
            tasks: task_sender,
            buffers,
            bytes_read: Arc::clone(&bytes_read),
            stop: Arc::clone(&stop),
        };
        thread::spawn(move || reader.run(inputs));
        Scan {
            items,
            current: None,
            ready: VecDeque::new(),
            small: Default::default(),
            accounts: Vec::new(),
            bytes_read,
            stop,
            ended: false,
        }
    }

    /// Bytes read so far, over all inputs, unpacked.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// What was read and counted of each input so far.
    pub fn accounts(&self) -> &[FileLedger] {
        &self.accounts
    }

    /// Return the next batch, after waiting at most `timeout`.
    pub fn step(&mut self, timeout: Duration) -> Result<Step, ArrowError> {
        loop {
            if let Some((event, batch)) = self.ready.pop_front() {
                return Ok(Step::Batch(event, batch));
            }
            if let Some((file, result)) = self.current.take() {
                match result.recv_timeout(timeout) {
                    Ok((batches, ledger)) => {
                        self.account(file).ledger.merge(ledger);
                        for (event, batch) in batches {
                            self.gather(event, batch)?;
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        self.current = Some((file, result));
                        return self.idle();
                    }
                    // A decoder that panicked lost its block: count it.
                    Err(RecvTimeoutError::Disconnected) => {
                        self.account(file).ledger.damage.add("lost block", 0, None, || "the decoder failed".into());
                    }
                }
                continue;
            }
            if self.ended {
                return self.rest(Step::End);
            }
            match self.items.recv_timeout(timeout) {
                Ok(Item::Block { file, result }) => self.current = Some((file, result)),
                Ok(Item::End { file, account }) => {
                    let seen = std::mem::take(&mut self.account(file).ledger);
                    *self.account(file) = account;
                    self.account(file).ledger.merge(seen);
                }
                Err(RecvTimeoutError::Timeout) => return self.idle(),
                Err(RecvTimeoutError::Disconnected) => self.ended = true,
            }
        }
    }

    fn account(&mut self, file: usize) -> &mut FileLedger {
        while self.accounts.len() <= file {
            self.accounts.push(FileLedger::default());
        }
        &mut self.accounts[file]
    }

    fn gather(&mut self, event: Event, batch: RecordBatch) -> Result<(), ArrowError> {
        if batch.num_rows() >= SMALL_BATCH_ROWS {
            self.flush(event)?;
            self.ready.push_back((event, batch));
            return Ok(());
        }
        let small = &mut self.small[event as usize];
        small.push(batch);
        if small.iter().map(RecordBatch::num_rows).sum::<usize>() >= BATCH_ROWS {
            self.flush(event)?;
        }
        Ok(())
    }

    /// Release rows that wait for more of them, since nothing arrived for a while.
    fn idle(&mut self) -> Result<Step, ArrowError> {
        self.rest(Step::Idle)
    }

    /// Return the next rows of those that wait; `nothing` if there are none.
    fn rest(&mut self, nothing: Step) -> Result<Step, ArrowError> {
        for event in Event::ALL {
            self.flush(event)?;
        }
        Ok(self.ready.pop_front().map_or(nothing, |(event, batch)| Step::Batch(event, batch)))
    }

    fn flush(&mut self, event: Event) -> Result<(), ArrowError> {
        let small = std::mem::take(&mut self.small[event as usize]);
        if !small.is_empty() {
            self.ready.push_back((event, concat(&small)?));
        }
        Ok(())
    }
}

/// The reading thread.
struct Reader {
    options: Options,
    items: SyncSender<Item>,
    tasks: SyncSender<Task>,
    buffers: Receiver<Vec<u8>>,
    bytes_read: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// The error of a thread whose scan was dropped.
struct Stopped;

impl Reader {
    fn run(self, inputs: impl Iterator<Item = Input>) {
        for (file, input) in inputs.enumerate() {
            let Ok(account) = self.read(file, input) else { return };
            if self.items.send(Item::End { file, account }).is_err() {
                return;
            }
        }
    }

    fn read(&self, file: usize, input: Input) -> Result<FileLedger, Stopped> {
        let mut account = FileLedger { name: input.name, ..FileLedger::default() };
        let mut bytes = match input.bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                account.error = Some(error);
                account.unreadable = true;
                return Ok(account);
            }
        };
        let mut stream = Stream::new(&account.name, self.options);
        let mut jobs = Vec::new();
        let mut failed = None;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            let mut buffer = self.buffer();
            stream.lend(&mut buffer);
            let lent = buffer.len();
            let result = read_some(&mut bytes, input.live, &mut buffer);
            // Bytes that were read before an error count.
            let read = buffer.len() - lent;
            account.bytes += read as u64;
            self.bytes_read.fetch_add(read as u64, Ordering::Relaxed);
            if let Err(error) = result {
                failed = Some(error.to_string());
            }
            let at_end = read == 0 || failed.is_some();
            stream.feed(buffer, at_end, &mut jobs);
            for job in jobs.drain(..) {
                self.hand_over(file, job)?;
            }
            if at_end || stream.is_unknown() {
                break;
            }
        }
        account.format = stream.format();
        account.ledger = stream.take_ledger();
        if let Some(error) = failed {
            account.ledger.damage.add(READ_ERROR, account.bytes, None, || error);
        }
        if account.format.is_none() {
            account.error = Some(if account.bytes == 0 {
                "found an empty file, expected a log".into()
            } else {
                "found no format that is known, expected EVTX, XML, JSON, CSV or syslog with Sysmon events".into()
            });
        }
        Ok(account)
    }

    fn hand_over(&self, file: usize, job: Job) -> Result<(), Stopped> {
        let (reply, result) = sync_channel(1);
        self.items.send(Item::Block { file, result }).map_err(|_| Stopped)?;
        self.tasks.send((job, reply)).map_err(|_| Stopped)
    }

    fn buffer(&self) -> Vec<u8> {
        match self.buffers.try_recv() {
            Ok(buffer) => buffer,
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                Vec::with_capacity(BLOCK_BYTES as usize + (256 << 10))
            }
        }
    }
}

fn read_some(bytes: &mut impl Read, live: bool, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    if live {
        let start = buffer.len();
        buffer.resize(start + LIVE_BYTES, 0);
        let result = bytes.read(&mut buffer[start..]);
        buffer.truncate(start + *result.as_ref().unwrap_or(&0));
        return result.map(drop);
    }
    bytes.take(BLOCK_BYTES).read_to_end(buffer).map(drop)
}

/// Decode `bytes` in this thread; for tests, fuzzing and growing logs.
pub fn decode(name: &str, bytes: &[u8], options: Options) -> (Vec<Batch>, FileLedger) {
    let mut stream = Stream::new(name, options);
    let mut jobs = Vec::new();
    stream.feed(bytes.to_vec(), true, &mut jobs);
    let mut account = FileLedger { name: name.into(), bytes: bytes.len() as u64, ..FileLedger::default() };
    account.ledger = stream.take_ledger();
    account.format = stream.format();
    let mut batches = Vec::new();
    for job in jobs {
        let (decoded, ledger, _) = job.run();
        account.ledger.merge(ledger);
        batches.extend(decoded);
    }
    if account.format.is_none() {
        account.error = Some("found no format that is known".into());
    }
    (batches, account)
}
