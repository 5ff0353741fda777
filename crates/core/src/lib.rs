//! Decoders: the bytes of a log become Arrow columns of Sysmon's events, connections above all.
//!
//! The way of the data: [`scan`] takes inputs, [`stream`] finds out what each one is and cuts it into
//! blocks of whole records, a [`format::Decode`] turns a block into [`columns`] and says in the
//! [`ledger`] what it saw. Nothing here knows Python, and no input can make it panic.

mod bytes;
pub mod cells;
pub mod columns;
pub mod csv;
pub mod event;
pub mod evtx;
pub mod format;
pub mod json;
pub mod ledger;
pub mod message;
pub mod scan;
pub mod schema;
pub mod stream;
pub mod value;
pub mod xml;
