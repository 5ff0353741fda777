//! Compares the structures, enums and sizes of bpf/ with those of records.rs, from the BTF of the compiled program: in
//! a test, and before the program is loaded. What is compared is listed in bpf/abi.h and here.

use crate::btf::{Btf, Member};
use crate::layout::{Enum, Struct};
use crate::records::{self, Ancestor, Claim, Connection, Counts, Dns, Image, Nat, Owner, Peer, Process};

/// The structure of bpf/abi.h whose members are all that is shared.
const LIST: &str = "abi";

const ENUMS: [Enum; 9] = [
    records::record_type::ENUM,
    records::kind::ENUM,
    records::attribution::ENUM,
    records::initiated::ENUM,
    records::truncated::ENUM,
    records::image_state::ENUM,
    records::counter::ENUM,
    records::accept_hook::ENUM,
    records::limit::ENUM,
];

const STRUCTS: [Struct; 10] = [
    Owner::LAYOUT,
    Peer::LAYOUT,
    Ancestor::LAYOUT,
    Connection::LAYOUT,
    Counts::LAYOUT,
    Nat::LAYOUT,
    Claim::LAYOUT,
    Process::LAYOUT,
    Image::LAYOUT,
    Dns::LAYOUT,
];

/// Compare what the program in `object` shares with what records.rs declares.
///
/// # Errors
/// The first difference, if there is one, as a sentence for the user.
pub(crate) fn check(object: &[u8]) -> Result<(), String> {
    difference(object).map_or(Ok(()), |difference| {
        Err(format!("the kernel program and its reader come from different builds ({difference}); rebuild procwire"))
    })
}

fn difference(object: &[u8]) -> Option<String> {
    let Some(btf) = Btf::parse(object) else { return Some("the program has no BTF".into()) };
    let Some(shared) = btf.structure(LIST) else { return Some(format!("the program has no struct {LIST}")) };
    let found = |name: &str| shared.iter().find(|member| btf.type_name(member) == name);
    let unknown = shared
        .iter()
        .map(|member| btf.type_name(member))
        .find(|name| STRUCTS.iter().all(|known| known.name != name) && ENUMS.iter().all(|known| known.name != name));
    if let Some(name) = unknown {
        return Some(format!("the reader does not know {name}"));
    }
    let structs = STRUCTS.iter().find_map(|expected| match found(expected.name) {
        Some(member) => compare_struct(&btf, member, expected),
        None => Some(format!("the program has no struct {}", expected.name)),
    });
    structs.or_else(|| {
        ENUMS.iter().find_map(|expected| match found(expected.name) {
            Some(member) => compare_enum(&btf, member, expected),
            None => Some(format!("the program has no enum {}", expected.name)),
        })
    })
}

fn compare_struct(btf: &Btf, shared: &Member, expected: &Struct) -> Option<String> {
    let name = expected.name;
    let members = btf.members_of(shared)?;
    let mut found: Vec<_> =
        members.iter().map(|member| (member.name.as_str(), member.offset, btf.size(member))).collect();
    let mut found_size = btf.size(shared);
    if name == Counts::LAYOUT.name {
        // A close begins with its connection; the reader takes what follows as a structure of its own.
        let front = size_of::<Connection>();
        if found.is_empty() || found.remove(0) != ("connection", 0, Some(front)) {
            return Some(format!("struct {name} does not begin with its connection"));
        }
        for member in &mut found {
            member.1 = member.1.saturating_sub(front);
        }
        found_size = found_size.map(|size| size.saturating_sub(front));
    }
    let wanted: Vec<_> =
        expected.members.iter().map(|member| (c_name(member.name), member.offset, Some(member.size))).collect();
    if let Some((found, wanted)) = first_difference(&found, &wanted) {
        let text = |member: Option<&(&str, usize, Option<usize>)>| match member {
            Some((member, offset, size)) => {
                format!("{member} ({} bytes at offset {offset})", size.map_or("?".into(), |size| size.to_string()))
            }
            None => "no further member".into(),
        };
        return Some(format!("struct {name}: found {}, expected {}", text(found), text(wanted)));
    }
    (found_size != Some(expected.size))
        .then(|| format!("struct {name}: found {found_size:?} bytes, expected {}", expected.size))
}

fn compare_enum(btf: &Btf, shared: &Member, expected: &Enum) -> Option<String> {
    let name = expected.name;
    let values = btf.values_of(shared)?;
    let short = |value: &str| value.strip_prefix(expected.prefix).unwrap_or(value).to_owned();
    let found: Vec<_> = values.iter().map(|(value, number)| (short(value), *number)).collect();
    let wanted: Vec<_> = expected.values.iter().map(|(value, number)| ((*value).to_owned(), *number)).collect();
    first_difference(&found, &wanted).map(|(found, wanted)| {
        let text = |value: Option<&(String, usize)>| match value {
            Some((value, number)) => format!("{value} = {number}"),
            None => "no further value".into(),
        };
        format!("enum {name}: found {}, expected {}", text(found), text(wanted))
    })
}

/// The first place at which two lists differ: what each has there.
fn first_difference<'a, T: PartialEq>(found: &'a [T], wanted: &'a [T]) -> Option<(Option<&'a T>, Option<&'a T>)> {
    let length = found.len().max(wanted.len());
    (0..length).map(|index| (found.get(index), wanted.get(index))).find(|(found, wanted)| found != wanted)
}

/// `type` is a keyword of Rust.
fn c_name(member: &'static str) -> &'static str {
    if member == "record" { "type" } else { member }
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::check;
    use crate::bpf_compiler;

    static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sensor.bpf.o"));
    const ARCH: &str = if cfg!(target_arch = "x86_64") { "x86" } else { "arm64" };

    #[test]
    fn the_program_and_its_reader_agree_on_every_member_and_value() {
        assert_eq!(check(OBJECT), Ok(()));
    }

    #[test]
    fn an_object_without_btf_is_refused() {
        assert!(check(&[]).unwrap_err().contains("no BTF"));
        let mut cut = OBJECT.to_vec();
        cut.truncate(OBJECT.len() / 2);
        assert!(check(&cut).is_err());
    }

    /// The result of `check` for the program compiled in `folder` from a copy of bpf/ whose records.h has `to` for `from`.
    fn check_changed(folder: &Path, from: &str, to: &str) -> Result<(), String> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bpf");
        for entry in fs::read_dir(sources).expect("bpf/ is there") {
            let path = entry.expect("it can be listed").path();
            fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("it can be copied");
        }
        let header = folder.join("records.h");
        let text = fs::read_to_string(&header).expect("it can be read");
        assert_eq!(text.matches(from).count(), 1, "{from:?}");
        fs::write(&header, text.replace(from, to)).expect("it can be written");
        let object = folder.join("sensor.bpf.o");
        bpf_compiler::compile(ARCH, &folder.join("sensor.bpf.c"), &object);
        check(&fs::read(object).expect("it was compiled"))
    }

    #[test]
    fn a_changed_header_is_found_even_if_every_size_remains() {
        let folder = PathBuf::from(env!("OUT_DIR")).join(format!("abi-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("OUT_DIR can be written");
        for (from, to, name) in [
            (
                "\tu64 sent_bytes;\n\tu64 received_bytes;",
                "\tu64 received_bytes;\n\tu64 sent_bytes;",
                "struct close_record",
            ),
            (
                "\tu8 local[16];\n\tu8 peer[16];\n\t/*",
                "\tu8 peer[16];\n\tu8 local[16];\n\t/*",
                "struct connection_record",
            ),
            ("\tu32 uid;\n\tu32 euid;\n", "\tu32 euid;\n\tu32 uid;\n", "struct owner"),
            ("KIND_SENT = 3", "KIND_SENT = 13", "enum connection_kind"),
            ("COUNTER_EVICTED = 6", "COUNTER_EVICTED = 16", "enum counter"),
            ("REQUESTS = 4096", "REQUESTS = 8192", "enum limit"),
        ] {
            let error = check_changed(&folder, from, to).expect_err(name);
            assert!(error.contains(name), "found {error:?}, expected {name}");
        }
        fs::remove_dir_all(&folder).expect("it can be removed");
    }
}
