//! The tables that events become: their columns, how a value becomes a cell, and the ledger of what did not.

mod bytes;
pub mod cells;
pub mod columns;
pub(crate) mod concat;
pub mod event;
pub mod ledger;
pub mod schema;
pub mod value;
