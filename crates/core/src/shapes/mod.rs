//! How shippers rewrite an event: the names of its fields, how they write values, events that carry events.

pub(crate) mod convert;
pub(crate) mod keys;
pub(crate) mod lines;
pub mod message;
pub(crate) mod pairs;
pub(crate) mod record;
pub(crate) mod text;
