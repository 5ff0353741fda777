//! What a recording is asked to do, and which hooks serve it.

use crate::guids::Guids;

/// What to record, and how.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Size of the ring buffer: a power of two, pages at least.
    pub ring_bytes: u32,
    /// Also UDP, and with it names from DNS; else TCP only.
    pub udp: bool,
    /// After this silence a UDP flow is reported again.
    pub udp_idle_s: f64,
    /// Report connections that failed.
    pub attempts: bool,
    /// Report the ends of connections.
    pub closes: bool,
    /// Report connections that are open already.
    pub existing: bool,
    /// Machine and boot, for ProcessGuids.
    pub guids: Guids,
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
