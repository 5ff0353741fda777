//! Counts the records of a source: seen, decoded, recovered, skipped; and its damage, with the place.

use std::collections::BTreeMap;

use crate::table::event::Event;

/// The most places that are stored per kind of damage or warning; further ones are only counted.
pub const EXAMPLES_PER_KIND: usize = 1_000;

/// Where a record was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Byte offset in the unpacked input.
    pub offset: u64,
    /// Line, counted from 1; None if the input has no lines.
    pub line: Option<u64>,
    /// Whether it was carved out of slack space or a broken chunk.
    pub recovered: bool,
}

/// Where something was found, and what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Byte offset in the (unpacked) input.
    pub offset: u64,
    /// Line, counted from 1; None if the input has no lines.
    pub line: Option<u64>,
    /// What was found, and what was expected.
    pub detail: String,
}

/// Counts by kind, each with its first [`EXAMPLES_PER_KIND`] examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<&'static str, (u64, Vec<Example>)>);

impl Tally {
    /// Count one thing of `kind`; `detail` is called only while examples are still stored.
    pub fn add(&mut self, kind: &'static str, offset: u64, line: Option<u64>, detail: impl FnOnce() -> String) {
        let (count, examples) = self.0.entry(kind).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_PER_KIND {
            examples.push(Example { offset, line, detail: detail() });
        }
    }

    /// Every kind with its count and examples, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, &[Example])> {
        self.0.iter().map(|(kind, (count, examples))| (*kind, *count, examples.as_slice()))
    }

    /// The count of `kind`.
    pub fn count(&self, kind: &str) -> u64 {
        self.0.get(kind).map_or(0, |(count, _)| *count)
    }

    /// The count of all kinds.
    pub fn total(&self) -> u64 {
        self.0.values().map(|(count, _)| count).sum()
    }

    /// Sort the examples by place: rows that are decoded together warn field by field.
    fn sort(&mut self) {
        for (_, examples) in self.0.values_mut() {
            examples.sort_by_key(|example| example.offset);
        }
    }

    fn merge(&mut self, other: Tally) {
        for (kind, (count, examples)) in other.0 {
            let (total, kept) = self.0.entry(kind).or_default();
            *total += count;
            let room = EXAMPLES_PER_KIND.saturating_sub(kept.len());
            kept.extend(examples.into_iter().take(room));
        }
    }
}

/// What was counted in one input, or in a part of it.
///
/// `records == rows() + other_events + other_providers + damage of single records`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Records seen, of any event.
    pub records: u64,
    /// Rows of each event, recovered ones included.
    pub events: [u64; Event::COUNT],
    /// Rows carved from slack space or from broken chunks.
    pub recovered: u64,
    /// Sysmon records of an event that was not requested.
    pub other_events: u64,
    /// Records of another provider.
    pub other_providers: u64,
    /// Damage: what could not be read.
    pub damage: Tally,
    /// Warnings: what was read but deserves attention.
    pub warnings: Tally,
}

impl Ledger {
    /// The number of rows of all events.
    pub fn rows(&self) -> u64 {
        self.events.iter().sum()
    }

    /// Sort examples by place.
    pub fn sort(&mut self) {
        self.damage.sort();
        self.warnings.sort();
    }

    /// Add the counts of another part to this one.
    pub fn merge(&mut self, other: Ledger) {
        self.records += other.records;
        self.events.iter_mut().zip(other.events).for_each(|(rows, more)| *rows += more);
        self.recovered += other.recovered;
        self.other_events += other.other_events;
        self.other_providers += other.other_providers;
        self.damage.merge(other.damage);
        self.warnings.merge(other.warnings);
    }
}
