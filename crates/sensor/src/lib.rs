//! The sensor: the eBPF program of bpf/, loaded and attached, and what it reports as Arrow batches.
//!
//! [`decoder`] turns records into rows and knows no kernel; [`kernel`] loads, attaches and reads; [`Sensor`] is the two
//! together.

#[cfg(target_os = "linux")]
mod abi;
#[cfg(test)]
#[path = "../bpf_compiler.rs"]
mod bpf_compiler;
#[cfg(target_os = "linux")]
mod btf;
pub mod decoder;
mod described;
pub mod dns;
mod guids;
#[cfg(target_os = "linux")]
pub mod kernel;
mod layout;
pub mod lines;
mod lru;
mod pending;
pub mod processes;
mod procfs;
pub mod records;
#[cfg(target_os = "linux")]
mod sensor;
mod settings;
mod shared;
pub mod table;

#[cfg(target_os = "linux")]
pub use sensor::Sensor;
pub use settings::{Hook, Settings};
