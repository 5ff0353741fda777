//! Inputs: read in parallel, recognised, cut into blocks of whole records.

pub mod scan;
pub mod sniff;
pub mod stream;
