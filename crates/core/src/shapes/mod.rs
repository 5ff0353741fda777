//! How shippers rewrite an event: the names of its fields, how they write values, events that carry events.

pub(crate) mod audit;
pub(crate) mod convert;
pub(crate) mod defender;
pub(crate) mod essentials;
pub(crate) mod keys;
pub(crate) mod lines;
pub mod mapping;
pub mod message;
pub(crate) mod names;
pub(crate) mod pairs;
pub(crate) mod positions;
pub(crate) mod record;
pub(crate) mod search;
pub(crate) mod text;
pub(crate) mod tree;
