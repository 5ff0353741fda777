//! Texts and bytes of one column: cell by cell, or each distinct value once and a number for each cell.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, StringArray};
use arrow_buffer::{Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use hashbrown::{DefaultHashBuilder, HashTable};

/// The type of a column in which each distinct value stands once.
pub(crate) fn coded(values: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(values))
}

/// Values of variable length. Append a cell's bytes to `values`, then close the cell.
#[derive(Debug)]
pub(crate) struct Bytes {
    pub(crate) values: Vec<u8>,
    offsets: Vec<i32>,
    valid: NullBufferBuilder,
    is_valid: bool,
    codes: Option<Codes>,
}

/// The number of each cell's value among the distinct ones; any number for null.
#[derive(Debug, Default)]
struct Codes {
    cells: Vec<i32>,
    known: HashTable<i32>,
    hasher: DefaultHashBuilder,
}

impl Bytes {
    pub(crate) fn new(rows: usize, cell_bytes: usize, is_coded: bool) -> Self {
        let codes = is_coded.then(|| Codes { cells: Vec::with_capacity(rows), ..Codes::default() });
        let (cells, bytes) = if is_coded { (0, 0) } else { (rows, rows * cell_bytes) };
        let mut offsets = Vec::with_capacity(cells + 1);
        offsets.push(0);
        Bytes {
            values: Vec::with_capacity(bytes),
            offsets,
            valid: NullBufferBuilder::new(rows),
            is_valid: false,
            codes,
        }
    }

    /// Whether there is a last cell, and it is not null.
    #[inline]
    pub(crate) fn is_valid(&self) -> bool {
        self.is_valid
    }

    /// Close the cell whose bytes were appended to `values`.
    #[inline(always)]
    pub(crate) fn close(&mut self, valid: bool) {
        self.is_valid = valid;
        self.valid.append(valid);
        match &mut self.codes {
            None => self.offsets.push(self.values.len() as i32),
            Some(codes) => codes.close(valid, &mut self.values, &mut self.offsets),
        }
    }

    /// Close the cell; no bytes and `-` are null.
    #[inline(always)]
    pub(crate) fn close_text(&mut self) {
        let start = self.offsets[self.offsets.len() - 1] as usize;
        let valid = match &self.values[start..] {
            [] => false,
            [b'-'] => {
                self.values.truncate(start);
                false
            }
            _ => true,
        };
        self.close(valid);
    }

    /// Repeat the last cell.
    #[inline]
    pub(crate) fn repeat(&mut self) {
        self.valid.append(self.is_valid);
        if let Some(codes) = &mut self.codes {
            return codes.cells.push(codes.cells.last().copied().unwrap_or_default());
        }
        let start = self.offsets.iter().rev().nth(1).map_or(0, |offset| *offset as usize);
        self.values.extend_from_within(start..);
        self.offsets.push(self.values.len() as i32);
    }

    pub(crate) fn strings(self) -> Result<ArrayRef, ArrowError> {
        self.finish(|offsets, values, nulls| Ok(Arc::new(StringArray::try_new(offsets, values, nulls)?)))
    }

    pub(crate) fn binaries(self) -> Result<ArrayRef, ArrowError> {
        self.finish(|offsets, values, nulls| Ok(Arc::new(BinaryArray::try_new(offsets, values, nulls)?)))
    }

    fn finish(
        mut self,
        array: impl FnOnce(OffsetBuffer<i32>, Buffer, Option<NullBuffer>) -> Result<ArrayRef, ArrowError>,
    ) -> Result<ArrayRef, ArrowError> {
        trim(&mut self.offsets);
        trim(&mut self.values);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let (values, nulls) = (Buffer::from_vec(self.values), self.valid.finish());
        let Some(mut codes) = self.codes else { return array(offsets, values, nulls) };
        trim(&mut codes.cells);
        let cells = Int32Array::try_new(codes.cells.into(), nulls)?;
        Ok(Arc::new(DictionaryArray::try_new(cells, array(offsets, values, None)?)?))
    }
}

impl Codes {
    /// Close a cell whose bytes are the last of `values`: they stay there if they are new.
    fn close(&mut self, valid: bool, values: &mut Vec<u8>, offsets: &mut Vec<i32>) {
        let end = offsets[offsets.len() - 1] as usize;
        if !valid {
            values.truncate(end);
            return self.cells.push(0);
        }
        let (before, cell) = values.split_at(end);
        let of = |code: i32| &before[offsets[code as usize] as usize..offsets[code as usize + 1] as usize];
        if let Some(last) = self.cells.last().copied().filter(|last| offsets.len() > 1 && of(*last) == cell) {
            values.truncate(end);
            return self.cells.push(last);
        }
        let hash = self.hasher.hash_one(cell);
        let code = match self.known.find(hash, |code| of(*code) == cell) {
            Some(code) => *code,
            None => {
                let code = offsets.len() as i32 - 1;
                self.known.insert_unique(hash, code, |code| self.hasher.hash_one(of(*code)));
                offsets.push(values.len() as i32);
                return self.cells.push(code);
            }
        };
        values.truncate(end);
        self.cells.push(code);
    }
}

/// Free the memory that a small batch does not need: many of them may wait to be combined.
pub(crate) fn trim<T>(values: &mut Vec<T>) {
    if values.capacity() > 2 * values.len() {
        values.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whichever values repeat, and when: the cells are the same, and no value stands twice.
        #[test]
        fn coded_cells_are_those_that_are_not(cells in prop::collection::vec((any::<bool>(), "|-|a|b|a longer one"), 0..40)) {
            let [plain, coded] = [false, true].map(|is_coded| {
                let mut bytes = Bytes::new(cells.len(), 8, is_coded);
                for (number, (again, text)) in cells.iter().enumerate() {
                    if *again && number > 0 {
                        bytes.repeat();
                        continue;
                    }
                    bytes.values.extend_from_slice(text.as_bytes());
                    bytes.close_text();
                }
                bytes.strings().expect("strings")
            });
            let (coded, mut seen) = (coded.as_dictionary::<Int32Type>(), std::collections::HashSet::new());
            prop_assert!(coded.values().as_string::<i32>().iter().all(|value| seen.insert(value)));
            let texts = coded.downcast_dict::<StringArray>().expect("strings");
            prop_assert!(plain.as_string::<i32>().iter().eq(texts));
            prop_assert_eq!(coded.len(), cells.len());
        }
    }
}
