//! The sensor: the eBPF program of bpf/, loaded and attached, and what it tells as Arrow batches.
//!
//! [`decoder`] turns records into rows and knows no kernel; [`kernel`] loads, attaches and reads; [`Sensor`] is the two
//! together.

mod abi;
#[cfg(test)]
#[path = "../bpf_compiler.rs"]
mod bpf_compiler;
#[cfg(target_os = "linux")]
mod btf;
pub mod decoder;
pub mod dns;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod lines;
mod lru;
mod pending;
pub mod processes;
mod procfs;
pub mod records;
#[cfg(target_os = "linux")]
mod sensor;
mod shared;
pub mod table;

#[cfg(target_os = "linux")]
pub use sensor::Sensor;

/// What to record, and how.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Size of the ring buffer: a power of two, pages at least.
    pub ring_bytes: u32,
    /// Also UDP, and with it names from DNS; else TCP only.
    pub udp: bool,
    /// After this silence a UDP flow is told again.
    pub udp_idle_s: f64,
    /// Tell of connections that failed.
    pub attempts: bool,
    /// Tell of the ends of connections.
    pub closes: bool,
    /// Tell of connections that are open already.
    pub existing: bool,
    /// Machine and boot, for ProcessGuids.
    pub guids: processes::Guids,
}

/// A hook of the kernel side: its name, whether it is attached, and why not.
#[derive(Clone, Debug)]
pub struct Hook {
    /// As in `tp_btf/inet_sock_set_state`.
    pub name: &'static str,
    /// Whether it is attached.
    pub attached: bool,
    /// Why it is not.
    pub reason: Option<String>,
}
