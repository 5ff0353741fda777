//! What is known of a process, whoever says it, and the texts that it is written in.

use std::sync::Arc;

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
    pub executable: Option<Arc<str>>,
    /// Whether that lacks its front.
    pub truncated: bool,
    /// The executable's device, as stat() writes it.
    pub device: Option<u64>,
    /// The executable's inode.
    pub inode: Option<u64>,
    /// Inode of the mount namespace.
    pub mount_namespace: Option<u32>,
    /// What became of the executable: `deleted`, `memfd` or `replaced`; None of an ordinary file.
    pub image_state: Option<&'static str>,
    /// Command line, arguments with spaces between them.
    pub command: Option<Arc<str>>,
    /// Path of the control group.
    pub cgroup: Option<Arc<str>>,
    /// The parent's process id.
    pub parent_id: Option<u32>,
    /// The parent's start, nanoseconds since boot; None if it has no parent, or is not known.
    pub parent_start_boot_ns: Option<u64>,
    /// Full path of the executable that the parent ran when it forked.
    pub parent_executable: Option<Arc<str>>,
    /// Ancestors up to init, nearest first, as a JSON array of texts; None if none is known.
    pub ancestry: Option<Arc<str>>,
}

impl Described {
    /// Bytes of its texts, whoever shares them.
    pub(crate) fn text_bytes(&self) -> u64 {
        let texts = [&self.executable, &self.command, &self.cgroup, &self.parent_executable, &self.ancestry];
        texts.into_iter().flatten().map(|text| text.len() as u64).sum()
    }
}

/// Process ids and what they ran as a JSON array of texts: `["812 /usr/bin/bash", "2"]`. None if there are none.
pub(crate) fn ancestry<T: AsRef<str>>(ancestors: &[(u32, Option<T>)]) -> Option<String> {
    let mut json = String::from("[");
    for (tgid, image) in ancestors {
        if json.len() > 1 {
            json.push_str(", ");
        }
        json.push('"');
        json.push_str(&tgid.to_string());
        if let Some(image) = image {
            json.push(' ');
            push_escaped(&mut json, image.as_ref());
        }
        json.push('"');
    }
    json.push(']');
    (!ancestors.is_empty()).then_some(json)
}

/// Add a text as JSON's strings have it (RFC 8259).
fn push_escaped(json: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\0'..='\x1F' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => json.push(character),
        }
    }
}

/// Arguments, each ended by a NUL, as a line.
pub fn command_line(arguments: &[u8]) -> Option<String> {
    let end = arguments.iter().rposition(|byte| *byte != 0)? + 1;
    let line: Vec<u8> = arguments[..end].iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
    Some(String::from_utf8_lossy(&line).into_owned())
}
