//! ProcessGuids.

use std::fmt;

pub(crate) const TICK_NS: u64 = 10_000_000;
/// Marks a key as ours; see `python/procwire/guid.py`, which defines the layout.
const KEY_MARK: u64 = 0xF2 << 56;
const KEY_PID_SHIFT: u32 = 34;

/// Writes ProcessGuids of one machine and boot.
#[derive(Clone, Copy, Debug)]
pub struct Guids {
    /// The first 8 digits of /etc/machine-id.
    pub machine_id: u32,
    /// Unix time of the boot, nanoseconds.
    pub boot_time_ns: i64,
}

impl Guids {
    /// The GUID of a process.
    pub fn guid(&self, tgid: u32, start_boot_ns: u64) -> Guid {
        Guid { of: *self, tgid, start_boot_ns }
    }
}

/// The GUID of a process, written when it is asked for; `python/procwire/guid.py`'s `linux_guid` says the same, and a
/// test holds them together.
#[derive(Clone, Copy, Debug)]
pub struct Guid {
    of: Guids,
    tgid: u32,
    start_boot_ns: u64,
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticks = self.start_boot_ns / TICK_NS;
        let start_ns = self.of.boot_time_ns.saturating_add_unsigned(ticks * TICK_NS);
        let start_s = start_ns.div_euclid(1_000_000_000) as u32;
        let key = KEY_MARK | u64::from(self.tgid) << KEY_PID_SHIFT | ticks & ((1 << KEY_PID_SHIFT) - 1);
        let k = key.to_le_bytes();
        write!(
            formatter,
            "{{{:08X}-{:04X}-{:04X}-{:02X}{:02X}-{:02X}{:02X}{:02X}{:02X}{:02X}{:02X}}}",
            self.of.machine_id,
            start_s & 0xFFFF,
            start_s >> 16,
            k[0],
            k[1],
            k[2],
            k[3],
            k[4],
            k[5],
            k[6],
            k[7]
        )
    }
}
