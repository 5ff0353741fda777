//! Consecutive records of one structure: their values go into the columns field by field, so that what to do with a
//! value is decided once for all of them, not for each.

use std::iter::repeat_n;
use std::rc::Rc;

use super::slots::{DOCUMENT, Slots, Span, is_composite, scalar};
use super::template::{Source, Template};
use crate::table::columns::{Columns, Filling, Place, Rows};
use crate::table::ledger::Ledger;
use crate::table::schema::Field;
use crate::table::value::Value;

/// Records of the same two templates, with values of the same types. All are of one chunk.
#[derive(Default)]
pub(crate) struct Group {
    templates: Option<(Rc<Template>, Rc<Template>)>,
    /// Types of the outer template's values.
    outer: Vec<u8>,
    /// Types of the inner one's.
    inner: Vec<u8>,
    /// Each record's values, outer then inner.
    spans: Vec<Span>,
    places: Vec<Place>,
}

impl Group {
    /// Whether a record has the group's structure.
    #[inline]
    pub(crate) fn takes(&self, templates: (&Rc<Template>, &Rc<Template>), outer: &Slots, inner: &Slots) -> bool {
        let same = self.templates.as_ref().is_some_and(|(known_outer, known_inner)| {
            Rc::ptr_eq(known_outer, templates.0) && Rc::ptr_eq(known_inner, templates.1)
        });
        same && self.outer == outer.kinds && self.inner == inner.kinds
    }

    /// Start a new group with records of this structure (the group is empty). Return false if only the general path can
    /// read them.
    pub(crate) fn begin(&mut self, templates: (&Rc<Template>, &Rc<Template>), outer: &Slots, inner: &Slots) -> bool {
        let (outside, inside) = templates;
        let document = outside.nested().map(usize::from);
        let plain = |(index, kind): (usize, &u8)| !is_composite(*kind) || Some(index) == document && *kind == DOCUMENT;
        let fits = outside.is_regular
            && inside.is_regular
            && inside.nested().is_none()
            && !outside.overlaps(inside)
            && outer.kinds.iter().enumerate().all(plain)
            && !inner.kinds.iter().any(|kind| is_composite(*kind));
        self.templates = fits.then(|| (Rc::clone(outside), Rc::clone(inside)));
        self.outer.clone_from(&outer.kinds);
        self.inner.clone_from(&inner.kinds);
        fits
    }

    #[inline]
    pub(crate) fn add(&mut self, outer: &Slots, inner: &Slots, place: Place) {
        self.spans.extend_from_slice(&outer.spans);
        self.spans.extend_from_slice(&inner.spans);
        self.places.push(place);
    }

    /// Move the group's records to `out`.
    pub(crate) fn flush(&mut self, chunk: &[u8], out: &mut Columns, ledger: &mut Ledger) {
        if !self.places.is_empty() {
            out.extend(&InChunk { group: self, chunk }, &self.places, ledger);
            self.spans.clear();
            self.places.clear();
        }
    }
}

struct InChunk<'g> {
    group: &'g Group,
    chunk: &'g [u8],
}

impl Rows for InChunk<'_> {
    fn fill(&self, field: Field, cells: Filling<'_>) {
        let Some((outer, inner)) = &self.group.templates else { return };
        let outer_len = self.group.outer.len();
        match (outer.source(field), inner.source(field)) {
            (Source::Slot(index), _) => self.fill_slot(&self.group.outer, usize::from(*index), 0, cells),
            (_, Source::Slot(index)) => self.fill_slot(&self.group.inner, usize::from(*index), outer_len, cells),
            (Source::Literal(text), _) | (_, Source::Literal(text)) => self.fill_all(Value::Text(text), cells),
            _ => self.fill_all(Value::Null, cells),
        }
    }
}

impl InChunk<'_> {
    fn fill_all(&self, value: Value<'_>, cells: Filling<'_>) {
        cells.values(repeat_n(value, self.group.places.len()));
    }

    fn fill_slot(&self, kinds: &[u8], index: usize, first: usize, cells: Filling<'_>) {
        let Some(kind) = kinds.get(index) else { return self.fill_all(Value::Null, cells) };
        // One loop for each type that the events have: within it the type is fixed.
        match kind {
            0x01 => self.fill_kind::<0x01>(first + index, cells),
            0x04 => self.fill_kind::<0x04>(first + index, cells),
            0x06 => self.fill_kind::<0x06>(first + index, cells),
            0x08 => self.fill_kind::<0x08>(first + index, cells),
            0x0a => self.fill_kind::<0x0a>(first + index, cells),
            0x0d => self.fill_kind::<0x0d>(first + index, cells),
            0x0f => self.fill_kind::<0x0f>(first + index, cells),
            0x11 => self.fill_kind::<0x11>(first + index, cells),
            0x13 => self.fill_kind::<0x13>(first + index, cells),
            0x15 => self.fill_kind::<0x15>(first + index, cells),
            kind => cells.values(self.bytes(first + index).map(|bytes| scalar(*kind, bytes).unwrap_or_default())),
        }
    }

    fn fill_kind<const KIND: u8>(&self, column: usize, cells: Filling<'_>) {
        cells.values(self.bytes(column).map(|bytes| scalar(KIND, bytes).unwrap_or_default()));
    }

    /// The bytes of each record's value in a column.
    #[inline(always)]
    fn bytes(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        let width = self.group.outer.len() + self.group.inner.len();
        self.group.spans.chunks_exact(width).map(move |spans| spans[column].bytes(self.chunk))
    }
}
