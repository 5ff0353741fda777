//! Finds the end of a record by structure alone. The splitter cuts there, and the decoder resumes there after a broken
//! record, so that both always agree.

/// Deeper nesting counts as broken: no event has it, and recursion stays bounded.
pub(crate) const MAX_DEPTH: usize = 128;

/// A line that begins with `{`, indented no deeper than this, begins a record whatever came before: reading resumes
/// there after a broken one. Most pretty-printed logs indent nested objects deeper; in others, a damaged record leaves
/// a few fragments.
const MAX_INDENT: usize = 4;

/// Scans one record, in any number of pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    depth: usize,
    /// One bit a level: set where the container is an array.
    arrays: u128,
    /// The last byte that was neither blank nor in a string; `0` for any scalar.
    previous: u8,
    in_string: bool,
    escaped: bool,
    broken: bool,
}

/// How far [`Scanner::run`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The record ends before this index.
    End(usize),
    /// More bytes are needed; continue from this index.
    More(usize),
}

/// Whether a byte may stand between records: blanks, and the brackets and commas of a list of them.
pub(crate) fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']')
}

/// What follows a line feed.
enum NextLine {
    Object,
    Other,
    Unknown,
}

fn next_line(bytes: &[u8], line_feed: usize) -> NextLine {
    let line = &bytes[line_feed + 1..];
    let blanks = line.iter().take(MAX_INDENT + 1).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match line.get(blanks) {
        _ if blanks > MAX_INDENT => NextLine::Other,
        Some(b'{') => NextLine::Object,
        Some(_) => NextLine::Other,
        None => NextLine::Unknown,
    }
}

impl Scanner {
    /// Continue at `at`, the record's first byte or where the last run stopped.
    pub(crate) fn run(&mut self, bytes: &[u8], mut at: usize) -> Reached {
        loop {
            if self.broken {
                return self.resume(bytes, at);
            }
            if self.in_string {
                match self.string(bytes, at) {
                    Some(next) => at = next,
                    None => return Reached::More(bytes.len()),
                }
                continue;
            }
            let Some(&byte) = bytes.get(at) else { return Reached::More(at) };
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.open(byte),
                b'}' | b']' => {
                    if self.depth == 0 || (self.arrays & 1 == 1) != (byte == b']') {
                        self.broken = true;
                        continue;
                    }
                    self.arrays >>= 1;
                    self.depth -= 1;
                    self.previous = 0;
                    if self.depth == 0 {
                        return Reached::End(at + 1);
                    }
                }
                b':' | b',' => self.previous = byte,
                b'\n' if !self.may_open() => match next_line(bytes, at) {
                    // The record is truncated, and this is the next one.
                    NextLine::Object => return Reached::End(at + 1),
                    NextLine::Other => {}
                    NextLine::Unknown => return Reached::More(at),
                },
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => self.previous = 0,
            }
            self.broken |= self.depth == 0;
            at += 1;
        }
    }

    /// Whether an object may begin here.
    fn may_open(&self) -> bool {
        match self.previous {
            _ if self.depth == 0 => true,
            b'[' => true,
            b',' => self.arrays & 1 == 1,
            b':' => self.arrays & 1 == 0,
            _ => false,
        }
    }

    fn open(&mut self, byte: u8) {
        if !self.may_open() || self.depth == MAX_DEPTH || (self.depth == 0 && byte == b'[') {
            self.broken = true;
            return;
        }
        self.depth += 1;
        self.arrays = self.arrays << 1 | u128::from(byte == b'[');
        self.previous = byte;
    }

    /// Scan inside a string; return where it ends, or where it stops being one. None if more bytes are needed.
    fn string(&mut self, bytes: &[u8], mut at: usize) -> Option<usize> {
        loop {
            if self.escaped {
                let byte = *bytes.get(at)?;
                self.escaped = false;
                at += usize::from(byte != b'\n');
            }
            at += memchr::memchr3(b'"', b'\\', b'\n', &bytes[at..])?;
            match bytes[at] {
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.previous = 0;
                    return Some(at + 1);
                }
                // A string never holds a bare line feed: its end is missing.
                _ => {
                    self.broken = true;
                    return Some(at);
                }
            }
            at += 1;
        }
    }

    /// End a broken record where the next line that looks like a record begins.
    fn resume(&self, bytes: &[u8], mut at: usize) -> Reached {
        while let Some(found) = memchr::memchr(b'\n', &bytes[at..]) {
            match next_line(bytes, at + found) {
                NextLine::Object => return Reached::End(at + found + 1),
                NextLine::Other => at += found + 1,
                NextLine::Unknown => return Reached::More(at + found),
            }
        }
        Reached::More(bytes.len())
    }
}

/// The end of the record that begins at `start`; None if bytes are missing.
pub(crate) fn record_end(bytes: &[u8], start: usize) -> usize {
    match Scanner::default().run(bytes, start) {
        Reached::End(end) => end,
        Reached::More(_) => bytes.len(),
    }
}
