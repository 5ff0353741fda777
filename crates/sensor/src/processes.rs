//! Processes that the kernel side told of: what a connection's owner is called, and its parent.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::records::{Owner, Process};

/// More than the kernel side remembers having told, so that what it thinks known here is.
const CAPACITY: usize = 32_768;
const TICK_NS: u64 = 10_000_000;
/// Marks a key as ours; see `python/procwire/guid.py`, which defines the layout.
const KEY_MARK: u64 = 0xF2 << 56;
const KEY_PID_SHIFT: u32 = 34;

/// A process described.
#[derive(Debug, PartialEq, Eq)]
pub struct Described {
    /// Full path of the executable.
    pub executable: Option<String>,
    /// Command line, arguments with spaces between them.
    pub command: Option<String>,
    /// Path of the control group.
    pub cgroup: Option<String>,
    /// The parent's process id.
    pub parent_id: u32,
    /// The parent's start, nanoseconds since boot.
    pub parent_start_boot_ns: u64,
    /// Full path of the parent's executable.
    pub parent_executable: Option<String>,
}

/// The latest processes, by owner.
#[derive(Debug, Default)]
pub struct Processes {
    known: HashMap<Owner, Arc<Described>>,
    order: VecDeque<Owner>,
}

/// Two owners differ in uid without being two processes.
fn key(owner: &Owner) -> Owner {
    Owner { uid: 0, ..*owner }
}

impl Processes {
    /// Take note of a process.
    pub fn insert(&mut self, process: &Process, command: Option<String>) {
        let key = key(&process.owner);
        let described = Described {
            executable: path(used(&process.executable, process.executable_bytes)),
            command: command.or_else(|| command_line(used(&process.command, process.command_bytes))),
            cgroup: path(used(&process.cgroup, process.cgroup_bytes)).or(Some("/".into())),
            parent_id: process.parent_tgid,
            parent_start_boot_ns: process.parent_start_boot_ns,
            parent_executable: path(used(&process.parent_executable, process.parent_executable_bytes)),
        };
        if self.known.insert(key, Arc::new(described)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// The process that an owner is.
    pub fn get(&self, owner: &Owner) -> Option<&Arc<Described>> {
        self.known.get(&key(owner))
    }
}

fn used(bytes: &[u8], len: u16) -> &[u8] {
    &bytes[..usize::from(len).min(bytes.len())]
}

/// The path whose names stand leaf first, each ended by a NUL.
fn path(names: &[u8]) -> Option<String> {
    let names = names.strip_suffix(b"\0")?;
    let mut path = String::with_capacity(names.len() + 1);
    for name in names.split(|byte| *byte == 0).rev() {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(name));
    }
    Some(path)
}

/// Arguments, each ended by a NUL, as a line.
pub fn command_line(arguments: &[u8]) -> Option<String> {
    let end = arguments.iter().rposition(|byte| *byte != 0)? + 1;
    let line: Vec<u8> = arguments[..end].iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Writes ProcessGuids of one machine and boot.
#[derive(Clone, Copy, Debug)]
pub struct Guids {
    /// The first 8 digits of /etc/machine-id.
    pub machine_id: u32,
    /// Unix time of the boot, nanoseconds.
    pub boot_time_ns: i64,
}

impl Guids {
    /// The GUID of a process; `python/procwire/guid.py`'s `linux_guid` says the same, and a test holds them together.
    pub fn text(&self, tgid: u32, start_boot_ns: u64) -> String {
        let ticks = start_boot_ns / TICK_NS;
        let start_ns = self.boot_time_ns.saturating_add_unsigned(ticks * TICK_NS);
        let start_s = start_ns.div_euclid(1_000_000_000) as u32;
        let key = KEY_MARK | u64::from(tgid) << KEY_PID_SHIFT | ticks & ((1 << KEY_PID_SHIFT) - 1);
        let k = key.to_le_bytes();
        format!(
            "{{{:08X}-{:04X}-{:04X}-{:02X}{:02X}-{:02X}{:02X}{:02X}{:02X}{:02X}{:02X}}}",
            self.machine_id,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stand_leaf_first() {
        assert_eq!(path(b"curl\0bin\0usr\0").as_deref(), Some("/usr/bin/curl"));
        assert_eq!(path(b"memfd:x\0").as_deref(), Some("/memfd:x"));
        assert_eq!(path(b""), None);
    }

    #[test]
    fn arguments_make_a_line() {
        assert_eq!(command_line(b"curl\0-s\0http://x\0").as_deref(), Some("curl -s http://x"));
        assert_eq!(command_line(b"nginx: worker\0\0\0\0").as_deref(), Some("nginx: worker"));
        assert_eq!(command_line(b"\0\0"), None);
    }

    /// The doctest of `linux_guid` in guid.py has the same numbers.
    #[test]
    fn guids_are_those_of_python() {
        let guids = Guids { machine_id: 0xFFB1_2C03, boot_time_ns: 1_767_225_600_000_000_000 };
        assert_eq!(guids.text(4711, 12_340_000_000), "{FFB12C03-B90C-6955-D204-00009C4900F2}");
        assert_eq!(guids.text(4711, 12_349_999_999), guids.text(4711, 12_340_000_000));
    }
}
