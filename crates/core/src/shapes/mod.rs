//! What shippers make of an event: the names of its fields, the way they write values, events that carry events.

pub(crate) mod convert;
pub(crate) mod keys;
pub mod message;
pub(crate) mod record;
pub(crate) mod text;
