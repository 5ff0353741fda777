//! How shippers rewrite an event: the names of its fields, how they write values, events that carry events.

pub(crate) mod audit;
pub(crate) mod convert;
pub(crate) mod defender;
pub(crate) mod keys;
pub mod message;
pub(crate) mod record;
pub(crate) mod text;
