//! Finds where events begin and end in a text that need not be an XML document.
//!
//! A record begins at `<Event` and ends behind the first `</Event>`, or before the next `<Event`: then it is truncated.
//! Both are found by name alone, with any prefix, so that a block of text is cut without parsing it as XML. Comments,
//! and within an event CDATA, hide what they hold.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memmem, memrchr};

use crate::format::MAX_RECORD_BYTES;

static EVENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Event"));
static DECLARATION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("<!"));

/// The longest namespace prefix that is recognised.
const MAX_PREFIX_BYTES: usize = 64;
/// The most bytes from a tag's `<` to the byte behind its `Event`.
const MAX_TAG_BYTES: usize = MAX_PREFIX_BYTES + "</:Event".len();

/// A tag of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    /// `end`: behind its name.
    Open {
        start: usize,
        end: usize,
    },
    Close {
        start: usize,
        end: usize,
    },
}

impl Tag {
    fn start(self) -> usize {
        match self {
            Tag::Open { start, .. } | Tag::Close { start, .. } => start,
        }
    }
}

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With its end tag.
    Whole,
    /// Before it.
    CutOff,
    /// Nowhere within [`MAX_RECORD_BYTES`].
    Overlong,
}

/// One record's place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) how: End,
}

/// Finds records from front to back.
#[derive(Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    at_end: bool,
    /// For each of [`HIDING`]: how far the search for its end failed. Without it, each of many open ones would search
    /// the rest again.
    searched: [usize; HIDING.len()],
    /// How far there is no tag, for the same reason.
    untagged: usize,
}

/// What hides tags: comments anywhere, CDATA in events only.
const HIDING: [(&[u8], &[u8]); 2] = [(b"<!--", b"-->"), (b"<![CDATA[", b"]]>")];

/// The next item that nothing hides.
enum Next {
    Tag(Tag),
    /// Nothing up to the limit; what is hidden ends before `from`.
    Nothing {
        from: usize,
    },
    /// Something that hides, without an end before the limit.
    Open {
        start: usize,
    },
}

impl<'a> Records<'a> {
    /// `at_end`: no more bytes will follow these.
    pub(super) fn new(bytes: &'a [u8], at_end: bool) -> Self {
        Records { bytes, at: 0, at_end, searched: [0; HIDING.len()], untagged: 0 }
    }

    /// How far the text is decided: all before belongs to records already returned, or to none.
    pub(super) fn decided(&self) -> usize {
        self.at
    }

    /// Whether the text has every byte that a record beginning at `start` may have.
    fn has_all(&self, start: usize) -> bool {
        self.at_end || self.bytes.len() - start >= MAX_RECORD_BYTES
    }

    fn limit(&self, start: usize) -> usize {
        self.bytes.len().min(start.saturating_add(MAX_RECORD_BYTES))
    }

    /// Where the next event begins, and where its name ends.
    fn find_start(&mut self) -> Option<(usize, usize)> {
        loop {
            match self.find_tag(self.at, self.bytes.len(), &HIDING[..1]) {
                Next::Tag(Tag::Open { start, end }) => {
                    self.at = start;
                    return Some((start, end));
                }
                Next::Tag(Tag::Close { end, .. }) => self.at = end,
                Next::Open { start } if self.has_all(start) => self.at = start + HIDING[0].0.len(),
                Next::Open { start } => {
                    self.at = start;
                    return None;
                }
                Next::Nothing { from } => {
                    self.at = from.max(tail(self.bytes));
                    return None;
                }
            }
        }
    }

    /// The first tag from `from` on that nothing in `hiding` hides; what is hidden ends within
    /// [`MAX_RECORD_BYTES`], or hides nothing.
    fn find_tag(&mut self, from: usize, limit: usize, hiding: &[(&[u8], &[u8])]) -> Next {
        let bytes = &self.bytes[..limit];
        let mut from = from;
        let mut tag = find_tag(bytes, from.max(self.untagged));
        loop {
            let visible = tag.map_or(limit, Tag::start);
            self.untagged = tag.map_or_else(|| tail(bytes), Tag::start);
            let Some((kind, start)) = find_hiding(&bytes[..visible], from, hiding) else {
                return tag.map_or(Next::Nothing { from }, Next::Tag);
            };
            let Some(end) = self.find_end(kind, start, limit) else {
                return Next::Open { start };
            };
            from = end;
            if visible < from {
                tag = find_tag(bytes, from);
            }
        }
    }

    /// Where the hiding thing that opens at `start` ends.
    fn find_end(&mut self, kind: usize, start: usize, limit: usize) -> Option<usize> {
        let (open, close) = HIDING[kind];
        let limit = limit.min(self.limit(start));
        let from = (start + open.len()).max(self.searched[kind].saturating_sub(close.len() - 1));
        let found = self.bytes.get(from..limit).and_then(|bytes| memmem::find(bytes, close));
        if found.is_none() {
            self.searched[kind] = limit;
        }
        found.map(|at| from + at + close.len())
    }

    /// The end of the record that begins at `start`, and whose tag's name ends at `from`; None if it is not decided
    /// yet.
    fn find_record_end(&mut self, start: usize, from: usize) -> Option<Record> {
        let limit = self.limit(start);
        let record = |end, how| Some(Record { start, end, how });
        let tag = match self.find_tag(from, limit, &HIDING) {
            Next::Tag(tag) => Some(tag),
            _ if !self.has_all(start) => return None,
            Next::Nothing { .. } => None,
            // Never closed, so it hides nothing: the next event is real.
            Next::Open { start } => opens(&self.bytes[..limit], start),
        };
        match tag {
            Some(Tag::Close { end, .. }) => record(end, End::Whole),
            Some(Tag::Open { start: end, .. }) => record(end, End::CutOff),
            None if limit - start < MAX_RECORD_BYTES => record(limit, End::CutOff),
            // A tag across the limit belongs to the next record.
            None => record(tail(&self.bytes[..limit]).max(from), End::Overlong),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let (start, from) = self.find_start()?;
        let record = self.find_record_end(start, from)?;
        self.at = record.end;
        Some(record)
    }
}

/// Whether `bytes` hold nothing that hides tags.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    DECLARATION.find(bytes).is_none()
}

/// Behind the last end tag.
pub(super) fn last_end(bytes: &[u8]) -> Option<usize> {
    memmem::rfind_iter(bytes, "Event").find_map(|at| match tag_at(bytes, at)? {
        Tag::Close { end, .. } => Some(end),
        Tag::Open { .. } => None,
    })
}

/// Where an incomplete tag may begin.
fn tail(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(MAX_TAG_BYTES);
    memrchr(b'<', &bytes[from..]).map_or(bytes.len(), |at| from + at)
}

fn find_tag(bytes: &[u8], from: usize) -> Option<Tag> {
    EVENT.find_iter(bytes.get(from..)?).find_map(|at| tag_at(bytes, from + at))
}

/// The first start tag.
fn opens(bytes: &[u8], from: usize) -> Option<Tag> {
    EVENT
        .find_iter(&bytes[from..])
        .filter_map(|at| tag_at(bytes, from + at))
        .find(|tag| matches!(tag, Tag::Open { .. }))
}

/// The tag whose name, `Event`, stands at `name`.
fn tag_at(bytes: &[u8], name: usize) -> Option<Tag> {
    let behind = bytes.get(name + EVENT.needle().len()..)?;
    // EventID, EventData and others.
    if !matches!(behind.first()?, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n') {
        return None;
    }
    let before = without_prefix(&bytes[..name]);
    // WS-Management's element around an event has the same name.
    if behind.starts_with(b" Action=") {
        return None;
    }
    if before.ends_with(b"<") {
        return Some(Tag::Open { start: before.len() - 1, end: bytes.len() - behind.len() });
    }
    let start = before.strip_suffix(b"</")?.len();
    let space = behind.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    (behind.get(space) == Some(&b'>')).then(|| Tag::Close { start, end: bytes.len() - behind.len() + space + 1 })
}

fn without_prefix(before: &[u8]) -> &[u8] {
    let Some(prefixed) = before.strip_suffix(b":") else { return before };
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || !byte.is_ascii();
    let len = prefixed.iter().rev().take(MAX_PREFIX_BYTES).take_while(is_name).count();
    &prefixed[..prefixed.len() - len]
}

fn find_hiding(bytes: &[u8], from: usize, hiding: &[(&[u8], &[u8])]) -> Option<(usize, usize)> {
    DECLARATION.find_iter(bytes.get(from..)?).find_map(|at| {
        let start = from + at;
        let kind = hiding.iter().position(|(open, _)| bytes[start..].starts_with(open))?;
        Some((kind, start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, at_end: bool) -> (Vec<(&str, End)>, usize) {
        let mut records = Records::new(text.as_bytes(), at_end);
        let found = records.by_ref().map(|record| (&text[record.start..record.end], record.how)).collect();
        (found, records.decided())
    }

    #[test]
    fn names_that_begin_like_event_are_none() {
        let text = "<Events><EventData/><e:EventID></EventRecordID><Eventful>Event </e:EventData></Events>";
        assert!(records(text, true).0.is_empty());
        assert_eq!(last_end(text.as_bytes()), None);
    }

    #[test]
    fn an_envelope_around_an_event_is_none() {
        for event in ["<Event>1</Event>", "<![CDATA[<Event>1</Event>]]>"] {
            let text = format!("<s:Body><w:Events><w:Event Action='x'>{event}</w:Event></w:Events></s:Body>");
            assert_eq!(records(&text, true).0, [("<Event>1</Event>", End::Whole)]);
        }
    }

    #[test]
    fn a_record_ends_with_its_end_tag_or_before_the_next() {
        let text = "x<e:Event a>1</e:Event >y<Event>2<Event\n>3</Event></Event><Event>4";
        let whole = vec![
            ("<e:Event a>1</e:Event >", End::Whole),
            ("<Event>2", End::CutOff),
            ("<Event\n>3</Event>", End::Whole),
        ];
        assert_eq!(records(text, false), (whole.clone(), text.len() - 8));
        let (all, _) = records(text, true);
        assert_eq!(all, [whole, vec![("<Event>4", End::CutOff)]].concat());
        assert_eq!(last_end(text.as_bytes()), Some(text.len() - 8));
    }

    #[test]
    fn comments_and_cdata_hide_tags() {
        let text = "<Event><!--</Event>--><![CDATA[</Event>--><Event>]]>1</Event><!--<Event>2</Event>-->";
        let (found, decided) = records(text, true);
        assert_eq!((found.len(), decided), (1, text.len()));
        assert!(found[0].0.ends_with("1</Event>"));
        // A comment without an end hides nothing, once it is clear that it has none.
        let text = "<!--<Event><![CDATA[</Event><Event>2</Event>";
        assert_eq!(records(text, false), (vec![], 0));
        assert_eq!(
            records(text, true).0,
            [("<Event><![CDATA[</Event>", End::CutOff), ("<Event>2</Event>", End::Whole)]
        );
    }

    #[test]
    fn a_tag_that_may_still_come_is_kept() {
        for (text, decided) in
            [("abc", 3), ("abc<", 3), ("abc<e:Even", 3), ("abc<Event", 3), ("abc<Event>", 3), ("a<!-", 1)]
        {
            assert_eq!(records(text, false), (vec![], decided), "{text}");
        }
    }
}
