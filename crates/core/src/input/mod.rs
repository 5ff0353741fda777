//! Inputs: read in parallel, recognised, cut into blocks of complete records.

pub mod scan;
pub mod sniff;
pub mod stream;
