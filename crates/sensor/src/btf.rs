//! Reads structures and enums out of an object's BTF (the kernel's Documentation/bpf/btf.rst).

use object::{Object, ObjectSection};

/// Kinds of types, and those bits of their second word that hold the kind.
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const ENUM: u32 = 6;
const POINTER: u32 = 2;
const TYPEDEF_TO_RESTRICT: std::ops::RangeInclusive<u32> = 8..=11;

const MAGIC: u16 = 0xEB9F;
const HEADER_WORDS: usize = 6;
/// More nested than any type of ours; bounds a circle of typedefs.
const DEPTH: u32 = 16;

/// A member of a structure: its name, its offset in bytes, its type.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) offset: usize,
    type_id: u32,
}

struct Type {
    name: u32,
    kind: u32,
    count: usize,
    bit_fields: bool,
    /// Of arrays and integers nothing; of references the type they refer to.
    size_or_type: u32,
    details: Vec<u32>,
}

/// The types of an object.
pub(crate) struct Btf {
    types: Vec<Type>,
    strings: Vec<u8>,
}

impl Btf {
    /// None if `object` is no ELF file with a .BTF section, or if that is damaged.
    pub(crate) fn parse(object: &[u8]) -> Option<Self> {
        let file = object::File::parse(object).ok()?;
        let bytes = file.section_by_name(".BTF")?.data().ok()?;
        let header = words(bytes.get(..4 * HEADER_WORDS)?);
        if header[0] & 0xFFFF != u32::from(MAGIC) {
            return None;
        }
        let part = |offset: u32, length: u32| {
            let start = (header[1] as usize).checked_add(offset as usize)?;
            bytes.get(start..start.checked_add(length as usize)?)
        };
        let mut rest = &words(part(header[2], header[3])?)[..];
        let mut types = Vec::new();
        while let [name, info, size_or_type, details @ ..] = rest {
            let (kind, count) = (info >> 24 & 0x1F, (info & 0xFFFF) as usize);
            let length = match kind {
                1 | 14 | 17 => 1,
                ARRAY => 3,
                STRUCT | 5 | 15 | 19 => 3 * count,
                ENUM | 13 => 2 * count,
                _ => 0,
            };
            let (details, after) = details.split_at_checked(length)?;
            rest = after;
            types.push(Type {
                name: *name,
                kind,
                count,
                bit_fields: info >> 31 == 1,
                size_or_type: *size_or_type,
                details: details.to_vec(),
            });
        }
        Some(Self { types, strings: part(header[4], header[5])?.to_vec() })
    }

    /// The members of the structure of this name.
    pub(crate) fn structure(&self, name: &str) -> Option<Vec<Member>> {
        let structure = self.types.iter().find(|known| known.kind == STRUCT && self.name(known.name) == name)?;
        Some(self.members(structure))
    }

    /// The name of a member's type, "" if it has none.
    pub(crate) fn type_name(&self, member: &Member) -> String {
        self.resolve(member.type_id).map(|known| self.name(known.name)).unwrap_or_default()
    }

    /// The members of the structure that a member is; None if it is none.
    pub(crate) fn members_of(&self, member: &Member) -> Option<Vec<Member>> {
        self.resolve(member.type_id).filter(|known| known.kind == STRUCT).map(|known| self.members(known))
    }

    /// The values of the enum that a member is; None if it is none.
    pub(crate) fn values_of(&self, member: &Member) -> Option<Vec<(String, usize)>> {
        let known = self.resolve(member.type_id).filter(|known| known.kind == ENUM)?;
        Some(known.details.chunks_exact(2).map(|value| (self.name(value[0]), value[1] as usize)).collect())
    }

    /// How many bytes a member takes; None if its type is incomplete.
    pub(crate) fn size(&self, member: &Member) -> Option<usize> {
        self.size_of(member.type_id, DEPTH)
    }

    fn members(&self, structure: &Type) -> Vec<Member> {
        let offset = |bits: u32| (if structure.bit_fields { bits & 0xFF_FFFF } else { bits }) as usize / 8;
        let members = structure.details.chunks_exact(3).take(structure.count);
        members
            .map(|member| Member { name: self.name(member[0]), offset: offset(member[2]), type_id: member[1] })
            .collect()
    }

    fn size_of(&self, id: u32, depth: u32) -> Option<usize> {
        let known = self.by_id(id)?;
        match known.kind {
            POINTER => Some(8),
            ARRAY => self.size_of(known.details[0], depth.checked_sub(1)?)?.checked_mul(known.details[2] as usize),
            kind if TYPEDEF_TO_RESTRICT.contains(&kind) => self.size_of(known.size_or_type, depth.checked_sub(1)?),
            _ => Some(known.size_or_type as usize),
        }
    }

    /// A type without its typedefs and qualifiers.
    fn resolve(&self, id: u32) -> Option<&Type> {
        let mut known = self.by_id(id)?;
        for _ in 0..DEPTH {
            if !TYPEDEF_TO_RESTRICT.contains(&known.kind) {
                return Some(known);
            }
            known = self.by_id(known.size_or_type)?;
        }
        None
    }

    fn by_id(&self, id: u32) -> Option<&Type> {
        // Type 0, void, is not listed.
        self.types.get((id as usize).checked_sub(1)?)
    }

    fn name(&self, offset: u32) -> String {
        let name = self.strings.get(offset as usize..).unwrap_or_default();
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..end]).into_owned()
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}
