//! Times.

/// Nanoseconds of a second.
pub(super) const NS_PER_S: u64 = 1_000_000_000;
