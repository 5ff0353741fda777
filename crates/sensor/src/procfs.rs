//! What /proc says of a process that the kernel side did not describe, as far as this account may see it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use crate::described::{Described, Witness, ancestry, command_line};
use crate::guids::TICK_NS;
use crate::records::Owner;
use crate::records::limit::{ANCESTORS, COMMAND_BYTES};

const DELETED: &str = " (deleted)";

/// Fields of /proc/PID/stat after the name, which is in parentheses and may hold any.
const PARENT: usize = 1;
const START: usize = 19;

/// The process, if it still is the one that started then, and did not become another program meanwhile.
pub(crate) fn described(owner: &Owner) -> Option<Described> {
    let parent = parent_of(owner)?;
    let executable = executable(owner.tgid);
    let ancestors = ancestors_from(parent);
    let image = fs::metadata(format!("/proc/{}/exe", owner.tgid)).ok();
    let described = Described {
        device: image.as_ref().map(MetadataExt::dev),
        inode: image.as_ref().map(MetadataExt::ino),
        mount_namespace: fs::metadata(format!("/proc/{}/ns/mnt", owner.tgid)).ok().map(|file| file.ino() as u32),
        image_state: image_state(owner.tgid),
        ancestry: ancestry(&ancestors).map(Into::into),
        command: command(owner.tgid).map(Into::into),
        cgroup: cgroup(owner.tgid).map(Into::into),
        parent_id: Some(parent),
        parent_start_boot_ns: stat(parent).map(|(_, start_ticks)| start_ticks * TICK_NS),
        parent_executable: ancestors.into_iter().next().and_then(|(_, executable)| executable).map(Into::into),
        ..Described::default()
    };
    if parent_of(owner)? != parent || self::executable(owner.tgid) != executable {
        return None;
    }
    let witness = if executable.is_some() { Witness::Proc } else { Witness::Nobody };
    Some(Described { witness, executable: executable.map(Into::into), ..described })
}

/// The command line of a process, if it still is the one that started then.
pub(crate) fn command_of(owner: &Owner) -> Option<String> {
    let command = command(owner.tgid);
    parent_of(owner).and(command)
}

/// The executable of a process, if it still is the one that started then.
pub(crate) fn executable_of(tgid: u32, start_boot_ns: u64) -> Option<String> {
    let executable = executable(tgid);
    parent_of(&Owner { tgid, start_boot_ns, ..Owner::default() }).and(executable)
}

/// A process and its ancestors, with what they run.
fn ancestors_from(tgid: u32) -> Vec<(u32, Option<String>)> {
    let parents = std::iter::successors(Some(tgid), |tgid| stat(*tgid).map(|(parent, _)| parent));
    parents.take_while(|tgid| *tgid != 0).take(ANCESTORS).map(|tgid| (tgid, executable(tgid))).collect()
}

fn parent_of(owner: &Owner) -> Option<u32> {
    let (parent, start_ticks) = stat(owner.tgid)?;
    (start_ticks == owner.start_boot_ns / TICK_NS).then_some(parent)
}

/// Parent and start of a process, in ticks since boot.
fn stat(tgid: u32) -> Option<(u32, u64)> {
    let text = fs::read(format!("/proc/{tgid}/stat")).ok()?;
    let end = text.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<_> = str::from_utf8(&text[end..]).ok()?.split_ascii_whitespace().collect();
    Some((fields.get(PARENT)?.parse().ok()?, fields.get(START)?.parse().ok()?))
}

fn executable(tgid: u32) -> Option<String> {
    let path = link(tgid)?;
    Some(path.strip_suffix(DELETED).unwrap_or(&path).to_owned())
}

fn image_state(tgid: u32) -> Option<&'static str> {
    let path = link(tgid)?;
    let deleted = path.strip_suffix(DELETED)?;
    let memfd = deleted.strip_prefix("/memfd:").is_some_and(|name| !name.contains('/'));
    Some(if memfd { "memfd" } else { "deleted" })
}

fn link(tgid: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{tgid}/exe")).ok()?;
    Some(path.to_string_lossy().into_owned())
}

fn command(tgid: u32) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(format!("/proc/{tgid}/cmdline")).ok()?;
    file.take(COMMAND_BYTES as u64).read_to_end(&mut bytes).ok()?;
    command_line(&bytes)
}

fn cgroup(tgid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{tgid}/cgroup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn me() -> Owner {
        let tgid = std::process::id();
        let (_, start_ticks) = stat(tgid).expect("this process is there");
        Owner { tgid, start_boot_ns: start_ticks * TICK_NS + 1_234_567, ..Owner::default() }
    }

    #[test]
    fn this_process_is_described() {
        let described = described(&me()).expect("this process is there");
        let executable = std::env::current_exe().expect("it has an executable");
        assert_eq!(described.witness, Witness::Proc);
        assert_eq!(described.executable.as_deref(), executable.to_str());
        assert!(described.command.is_some_and(|command| command.contains("sensor")));
        assert!(described.parent_start_boot_ns.is_some());
        let image = fs::metadata(executable).expect("its executable is there");
        assert_eq!((described.device, described.inode), (Some(image.dev()), Some(image.ino())));
        assert!(described.ancestry.is_some_and(|json| json.starts_with('[') && json.contains("\"1")));
    }

    /// Process ids are given again.
    #[test]
    fn another_process_of_the_same_number_is_not() {
        let later = Owner { start_boot_ns: me().start_boot_ns + TICK_NS, ..me() };
        assert_eq!(described(&later), None);
        assert_eq!(command_of(&later), None);
    }
}
