//! Processes that the kernel side told of: what a connection's owner is called, and its parent.

use std::sync::Arc;

use crate::lru::Lru;
use crate::procfs;
use crate::records::{Description, Owner};

/// More than the kernel side remembers having told.
const CAPACITY: usize = 32_768;
pub(crate) const TICK_NS: u64 = 10_000_000;
/// Marks a key as ours; see `python/procwire/guid.py`, which defines the layout.
const KEY_MARK: u64 = 0xF2 << 56;
const KEY_PID_SHIFT: u32 = 34;

/// Who says what a process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Witness {
    /// The kernel side, when it met the process.
    Kernel,
    /// /proc, when the event was read: exec in between shows.
    Proc,
    /// Nobody: the process is gone, or this account may not see its executable.
    #[default]
    Nobody,
}

/// A process described.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Who says so.
    pub witness: Witness,
    /// Full path of the executable.
    pub executable: Option<String>,
    /// Command line, arguments with spaces between them.
    pub command: Option<String>,
    /// Path of the control group.
    pub cgroup: Option<String>,
    /// The parent's process id.
    pub parent_id: Option<u32>,
    /// The parent's start, nanoseconds since boot; None if it has no parent, or is not known.
    pub parent_start_boot_ns: Option<u64>,
    /// Full path of the parent's executable.
    pub parent_executable: Option<String>,
}

/// The processes used last, by owner.
#[derive(Debug)]
pub struct Processes {
    known: Lru<Owner, Arc<Described>>,
    wanted: Vec<u32>,
}

impl Default for Processes {
    fn default() -> Self {
        Processes { known: Lru::new(CAPACITY), wanted: Vec::new() }
    }
}

/// Two owners differ in their users without being two processes.
fn key(owner: &Owner) -> Owner {
    Owner { uid: 0, euid: 0, ..*owner }
}

impl Processes {
    /// Take note of a process.
    pub fn insert(&mut self, description: &Description<'_>, command: Option<String>) {
        let process = description.process;
        let described = Described {
            witness: Witness::Kernel,
            executable: path(description.executable),
            command: command.or_else(|| command_line(description.command)),
            cgroup: path(description.cgroup).or(Some("/".into())),
            parent_id: Some(process.parent_tgid),
            parent_start_boot_ns: (process.parent_tgid != 0).then_some(process.parent_start_boot_ns),
            parent_executable: path(description.parent_executable),
        };
        self.put(key(&process.owner), Arc::new(described));
    }

    /// The process that an owner is. One that is not known is wanted, and meanwhile what /proc has of it.
    pub fn get(&mut self, owner: &Owner) -> Arc<Described> {
        let key = key(owner);
        if let Some(described) = self.known.get(&key) {
            return Arc::clone(described);
        }
        let described = Arc::new(procfs::described(owner).unwrap_or_default());
        self.wanted.push(owner.tgid);
        self.put(key, Arc::clone(&described));
        described
    }

    /// Processes (their tgids) that the kernel side must describe again when it meets them: it may think them known.
    pub fn take_wanted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.wanted)
    }

    fn put(&mut self, key: Owner, described: Arc<Described>) {
        let forgotten = self.known.insert(key, described);
        self.wanted.extend(forgotten.map(|owner| owner.tgid));
    }
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
    use zerocopy::FromZeros;

    use super::*;
    use crate::records::Process;

    fn insert(processes: &mut Processes, owner: Owner, name: &str) {
        let mut process = Process::new_zeroed();
        process.owner = owner;
        let names = format!("{name}\0");
        let description = Description {
            process: &process,
            executable: names.as_bytes(),
            parent_executable: b"",
            cgroup: b"",
            command: b"",
        };
        processes.insert(&description, None);
    }

    fn owner(tgid: u32) -> Owner {
        // No process of this machine: they start no later than now.
        Owner { tgid, start_boot_ns: u64::MAX, ..Owner::default() }
    }

    /// A busy server stays known, however many clients come and go.
    #[test]
    fn a_process_in_use_is_not_forgotten() {
        let mut processes = Processes::default();
        let server = owner(1);
        insert(&mut processes, server, "server");
        for client in 2..100_000 {
            insert(&mut processes, owner(client), "client");
            assert_eq!(processes.get(&owner(client)).executable.as_deref(), Some("/client"));
            assert_eq!(processes.get(&server).executable.as_deref(), Some("/server"));
        }
        assert!(!processes.take_wanted().contains(&1));
    }

    /// The kernel side is asked again, or it would not describe the process any more.
    #[test]
    fn a_process_forgotten_or_not_known_is_wanted() {
        let mut processes = Processes::default();
        insert(&mut processes, owner(1), "idle");
        for client in 2..=CAPACITY as u32 + 1 {
            insert(&mut processes, owner(client), "client");
        }
        assert_eq!(processes.take_wanted(), [1]);
        assert_eq!(*processes.get(&owner(1)), Described::default());
        assert_eq!(processes.take_wanted(), [1, 2]);
        // Once is enough, and what comes replaces what was not known.
        processes.get(&owner(1));
        assert!(processes.take_wanted().is_empty());
        insert(&mut processes, owner(1), "idle");
        assert_eq!(processes.get(&owner(1)).witness, Witness::Kernel);
    }

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
