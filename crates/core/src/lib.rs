//! Decoders: turn the bytes of a log into Arrow columns of Sysmon's events, connections above all.
//!
//! Data flow: [`input`] takes inputs, recognises the format of each one and cuts it into blocks of complete records; a
//! [`format::Decode`] of [`formats`] turns a block into the columns of [`table`] and counts in the [`ledger`] what it
//! saw. [`shapes`] describes how shippers rewrite an event, in every format. Each of these imports only those after it.
//! Nothing here depends on Python, and no input can make it panic.

pub mod format;
pub mod formats;
pub mod input;
pub mod shapes;
pub mod table;

pub use formats::{csv, evtx, json, text, xml};
pub use input::{scan, stream};
pub use shapes::{mapping, message};
pub use table::{cells, columns, event, ledger, schema, value};
