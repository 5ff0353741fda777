//! Processes that the kernel side described: what a connection's owner is called, and its parent.

use std::collections::HashSet;
use std::sync::Arc;

use crate::described::ancestry;
pub use crate::described::{Described, Witness, command_line};
pub use crate::guids::{Guid, Guids};
use crate::lru::Lru;
use crate::procfs;
use crate::records::{Ancestor, Description, Image, Owner, Process, image_state, truncated};
use crate::shared::{Holder, Shared};

/// More than the kernel side remembers having described, of processes and of images.
const CAPACITY: usize = 32_768;
/// What a process takes, if its texts are no longer than usual: one whose are takes the place of several.
const USUAL_BYTES: u64 = 1024;
/// So many texts are kept at least, shared or not.
const FEW_TEXTS: usize = 1024;
/// Texts that many processes share: each is in memory once.
#[derive(Debug, Default)]
struct Texts {
    known: HashSet<Arc<str>>,
    /// How many there may be before those that nobody has any longer are dropped.
    limit: usize,
}

impl Texts {
    /// The text as all who have the same share it.
    fn share(&mut self, text: String) -> Arc<str> {
        if let Some(known) = self.known.get(text.as_str()) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.limit {
            self.drop_unused();
        }
        let text: Arc<str> = text.into();
        self.known.insert(Arc::clone(&text));
        text
    }

    /// Drop those that nobody has any longer.
    fn drop_unused(&mut self) {
        self.known.retain(|known| Arc::strong_count(known) > 1);
        self.limit = (self.known.len() * 2).max(FEW_TEXTS);
        self.known.shrink_to(self.limit);
    }
}

/// The processes used last, by owner and shared fairly by users, and the programs that their ancestors ran.
#[derive(Debug)]
pub struct Processes {
    known: Shared<Owner, Arc<Described>>,
    images: Lru<u64, Arc<str>>,
    texts: Texts,
    wanted: Vec<u32>,
}

impl Default for Processes {
    fn default() -> Self {
        Processes {
            known: Shared::new(CAPACITY as u64 * USUAL_BYTES),
            images: Lru::new(CAPACITY),
            texts: Texts::default(),
            wanted: Vec::new(),
        }
    }
}

/// Two owners differ in their users without being two processes.
fn key(owner: &Owner) -> Owner {
    Owner { uid: 0, euid: 0, holder: 0, ..*owner }
}

impl Processes {
    /// Take note of a process.
    pub fn insert(&mut self, description: &Description<'_>, command: Option<String>) {
        let process = description.process;
        let cut = |part| process.truncated & part != 0;
        let executable = path(description.executable, cut(truncated::EXECUTABLE));
        let ancestors: Vec<_> =
            description.ancestors.iter().map(|ancestor| (ancestor.tgid, self.image_of(ancestor))).collect();
        let parent = description.ancestors.first();
        let read = command.or_else(|| command_line(description.command));
        let inherits = read.is_none() && executable.is_some();
        let command = if inherits {
            parent.and_then(|parent| self.inherited(process, parent))
        } else {
            read.map(|text| self.texts.share(text))
        };
        let cgroup = path(description.cgroup, cut(truncated::CGROUP)).unwrap_or_else(|| "/".into());
        let described = Described {
            witness: Witness::Kernel,
            truncated: cut(truncated::EXECUTABLE),
            device: executable.is_some().then_some(process.device.into()),
            inode: executable.is_some().then_some(process.inode),
            mount_namespace: (process.mount_namespace != 0).then_some(process.mount_namespace),
            image_state: match process.image_state {
                image_state::DELETED => Some("deleted"),
                image_state::MEMFD => Some("memfd"),
                image_state::REPLACED => Some("replaced"),
                _ => None,
            },
            executable: executable.map(|text| self.texts.share(text)),
            command,
            cgroup: Some(self.texts.share(cgroup)),
            parent_id: Some(parent.map_or(0, |parent| parent.tgid)),
            parent_start_boot_ns: parent.map(|parent| parent.start_boot_ns),
            parent_executable: ancestors.first().and_then(|(_, image)| image.clone()),
            ancestry: ancestry(&ancestors).map(|text| self.texts.share(text)),
        };
        self.put(&process.owner, Arc::new(described));
    }

    /// The command line of the parent, if the process has not become another program since its parent made it.
    fn inherited(&mut self, process: &Process, parent: &Ancestor) -> Option<Arc<str>> {
        let Ancestor { tgid, start_boot_ns, .. } = *parent;
        self.known.get(&key(&Owner { tgid, start_boot_ns, ..process.owner }))?.command.clone()
    }

    /// Take note of a program that ancestors ran.
    pub fn insert_image(&mut self, image: &Image, names: &[u8]) {
        if let Some(path) = path(names, image.truncated != 0) {
            let path = self.texts.share(path);
            let forgotten = self.images.insert(image.image, path);
            self.wanted.extend(forgotten.map(slot));
        }
    }

    /// What an ancestor ran. If that is not known it is wanted, and meanwhile what /proc has of it.
    fn image_of(&mut self, ancestor: &Ancestor) -> Option<Arc<str>> {
        if ancestor.image == 0 {
            return None;
        }
        if let Some(path) = self.images.get(&ancestor.image) {
            return Some(Arc::clone(path));
        }
        self.wanted.push(slot(ancestor.image));
        procfs::executable_of(ancestor.tgid, ancestor.start_boot_ns).map(Into::into)
    }

    /// The process that an owner is. One that is not known is wanted, and meanwhile what /proc has of it.
    pub fn get(&mut self, owner: &Owner) -> Arc<Described> {
        let key = key(owner);
        if let Some(described) = self.known.get(&key) {
            return Arc::clone(described);
        }
        let described = Arc::new(procfs::described(owner).unwrap_or_default());
        self.wanted.push(owner.tgid);
        self.put(owner, Arc::clone(&described));
        described
    }

    /// Processes (their tgids) that the kernel side must describe again when it meets them: it may think them known.
    pub fn take_wanted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.wanted)
    }

    /// Give back the memory of texts that nobody has any longer: few new ones come after a burst, which would do it.
    pub(crate) fn shrink(&mut self) {
        self.texts.drop_unused();
    }

    fn put(&mut self, owner: &Owner, described: Arc<Described>) {
        let holder = Holder { user: owner.holder, process: 0 };
        let weight = (size_of::<Described>() as u64 + described.text_bytes()).max(USUAL_BYTES);
        self.known.put(holder, key(owner), described, weight);
        while let Some((forgotten, _)) = self.known.evict() {
            self.wanted.push(forgotten.tgid);
        }
    }
}

/// By which an image is wanted: the kernel side counts requests for it by the same digits.
fn slot(image: u64) -> u32 {
    image as u32
}

/// Stands where the front of a path is missing: no path begins so.
const CUT: &str = "\u{2026}";

/// The path whose names stand leaf first, each ended by a NUL (but the last, of one that is cut).
fn path(names: &[u8], cut: bool) -> Option<String> {
    let names = if cut { names.strip_suffix(b"\0").unwrap_or(names) } else { names.strip_suffix(b"\0")? };
    if names.is_empty() {
        return None;
    }
    let mut path = String::with_capacity(names.len() + 1 + CUT.len());
    if cut {
        path.push_str(CUT);
    }
    for name in names.split(|byte| *byte == 0).rev() {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(name));
    }
    Some(path)
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
        let description =
            Description { process: &process, ancestors: &[], executable: names.as_bytes(), cgroup: b"", command: b"" };
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

    /// The kernel side receives another request, or it would not describe the process any longer.
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

    /// Their texts may be long: some kilobytes each.
    #[test]
    fn whoever_has_long_texts_takes_no_more_memory_and_no_other_users_processes() {
        let mut processes = Processes::default();
        insert(&mut processes, owner(1), "idle");
        let long = "x".repeat(4_000);
        for client in 2..=20_000 {
            insert(&mut processes, Owner { holder: 1000, ..owner(client) }, &format!("{long}{client}"));
        }
        assert!(processes.known.len() < CAPACITY / 3, "{}", processes.known.len());
        assert_eq!(processes.get(&owner(1)).executable.as_deref(), Some("/idle"));
    }

    /// A thousand processes of one program are not a thousand texts, and texts of processes that are gone are dropped.
    #[test]
    fn what_processes_have_in_common_is_kept_once() {
        let mut processes = Processes::default();
        for client in 1..=1000 {
            insert(&mut processes, owner(client), "client");
        }
        let (one, other) = (processes.get(&owner(1)), processes.get(&owner(1000)));
        assert!(Arc::ptr_eq(one.executable.as_ref().unwrap(), other.executable.as_ref().unwrap()));
        for client in 1..=4 * CAPACITY as u32 {
            insert(&mut processes, owner(client), &client.to_string());
        }
        assert!(processes.texts.known.len() <= 2 * CAPACITY + FEW_TEXTS, "{}", processes.texts.known.len());
    }

    #[test]
    fn texts_of_a_burst_are_dropped_though_no_others_come() {
        let mut processes = Processes::default();
        for client in 1..=2 * CAPACITY as u32 {
            insert(&mut processes, owner(client), &client.to_string());
        }
        for client in 0..CAPACITY as u32 {
            insert(&mut processes, owner(u32::MAX - client), "client");
        }
        processes.shrink();
        // The executable and the control group.
        assert_eq!(processes.texts.known.len(), 2);
        assert!(processes.texts.known.capacity() <= 2 * FEW_TEXTS, "{}", processes.texts.known.capacity());
    }

    #[test]
    fn paths_stand_leaf_first() {
        assert_eq!(path(b"curl\0bin\0usr\0", false).as_deref(), Some("/usr/bin/curl"));
        assert_eq!(path(b"memfd:x\0", false).as_deref(), Some("/memfd:x"));
        assert_eq!(path(b"", false), None);
        assert_eq!(path(b"", true), None);
    }

    /// One that lacks its front looks like no other.
    #[test]
    fn a_path_that_is_cut_does_not_look_complete() {
        assert_eq!(path(b"curl\0bin\0", true).as_deref(), Some("\u{2026}/bin/curl"));
        assert_eq!(path(b"curl\0bi", true).as_deref(), Some("\u{2026}/bi/curl"));
    }

    #[test]
    fn ancestry_is_json_whatever_a_file_is_called() {
        let ancestors = [(812, Some("/bin/\"a\\b\n\u{1}\u{fffd}ö")), (2, None)];
        let json = ancestry(&ancestors).expect("there are some");
        assert_eq!(json, "[\"812 /bin/\\\"a\\\\b\\u000a\\u0001\u{fffd}ö\", \"2\"]");
        assert_eq!(ancestry::<&str>(&[]), None);
    }

    /// Whoever is one of many is sent once; forgotten, it is asked for.
    #[test]
    fn what_an_ancestor_ran_is_known_by_its_image() {
        let mut processes = Processes::default();
        let mut image = Image::new_zeroed();
        image.image = 1 << 40 | 7;
        processes.insert_image(&image, b"bash\0bin\0");
        let ancestor = |image| Ancestor { start_boot_ns: u64::MAX, image, tgid: 5, pad: 0 };
        assert_eq!(processes.image_of(&ancestor(image.image)).as_deref(), Some("/bin/bash"));
        assert!(processes.take_wanted().is_empty());
        assert_eq!(processes.image_of(&ancestor(1 << 40 | 8)), None);
        assert_eq!(processes.take_wanted(), [8]);
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
        assert_eq!(guids.guid(4711, 12_340_000_000).to_string(), "{FFB12C03-B90C-6955-D204-00009C4900F2}");
        assert_eq!(guids.guid(4711, 12_349_999_999).to_string(), guids.guid(4711, 12_340_000_000).to_string());
    }
}
