//! Decoders: the bytes of a log become Arrow columns of Sysmon's events, connections above all.
//!
//! The way of the data: [`input`] takes inputs, finds out what each one is and cuts it into blocks of whole records; a
//! [`format::Decode`] of [`formats`] turns a block into the columns of [`table`] and says in the [`ledger`] what it saw.
//! [`shapes`] knows what shippers make of an event, whatever the format. Each of these knows only those after it.
//! Nothing here knows Python, and no input can make it panic.

pub mod format;
pub mod formats;
pub mod input;
pub mod shapes;
pub mod table;

pub use formats::{csv, evtx, json, text, xml};
pub use input::{scan, stream};
pub use shapes::message;
pub use table::{cells, columns, event, ledger, schema, value};
