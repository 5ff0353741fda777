//! Reads bytes of a chunk by position: names and templates are found by their offset in it.

/// An inconsistent record: where in the chunk, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

pub(crate) type Result<T> = std::result::Result<T, Broken>;

/// The part of a chunk from `at` to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) chunk: &'a [u8],
    pub(crate) at: usize,
    pub(crate) end: usize,
}

impl<'a> Cursor<'a> {
    /// `chunk[at..end]`, limited to the chunk's bytes.
    pub(crate) fn new(chunk: &'a [u8], at: usize, end: usize) -> Self {
        let end = end.min(chunk.len());
        Cursor { chunk, at: at.min(end), end }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    pub(crate) fn fail<T>(&self, expected: &'static str) -> Result<T> {
        Err(Broken { at: self.at, expected })
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.chunk[..self.end].get(self.at).copied()
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        match self.at.checked_add(len).filter(|end| *end <= self.end) {
            Some(end) => {
                let bytes = &self.chunk[self.at..end];
                self.at = end;
                Ok(bytes)
            }
            None => self.fail("more bytes"),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn guid(&mut self) -> Result<[u8; 16]> {
        self.array()
    }
}

/// The 32-bit number at `at`, 0 beyond the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

/// The 64-bit number at `at`, 0 beyond the end.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
