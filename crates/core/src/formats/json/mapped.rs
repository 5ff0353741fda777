//! Records whose keys a user's mapping explains.

use bumpalo::Bump;

use super::{MAX_WRAPPERS, Reader, read_tree};
use crate::format::{BROKEN_RECORD, MAX_RECORD_BYTES, add_overlong, count_lines};
use crate::shapes::mapping::Mapping;
use crate::shapes::record::Scalar;
use crate::shapes::tree::Node;
use crate::table::columns::{Place, Row};

impl Reader<'_> {
    /// Read a document: a record, or one around records.
    pub(super) fn mapped(&mut self, mapping: &'static Mapping, arena: &Bump, json: &str, place: Place) {
        if json.len() > MAX_RECORD_BYTES {
            self.ledger.records += 1;
            return add_overlong(place.offset, place.line.unwrap_or_default(), self.ledger);
        }
        match read_tree(json, arena, self.nested) {
            Some(node) => {
                if !self.mapped_records(mapping, arena, json, node, place, MAX_WRAPPERS) {
                    self.account(Ok(crate::format::Verdict::OtherProvider), &Row::default(), place);
                }
            }
            None => {
                self.ledger.records += 1;
                self.ledger.damage.add(BROKEN_RECORD, place.offset, place.line, || {
                    "found text that is not JSON, expected an object".into()
                });
            }
        }
    }

    /// Read the records of a value; false if there are none. An object that has none of the mapping's keys may be around
    /// some.
    fn mapped_records(
        &mut self,
        mapping: &'static Mapping,
        arena: &Bump,
        json: &str,
        node: Node<'_>,
        place: Place,
        depth: usize,
    ) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let Some(members) = node.members() else {
            let elements = node.elements().unwrap_or_default();
            let mut found = false;
            for element in elements {
                found |= self.mapped_records(mapping, arena, json, *element, place, depth);
            }
            return found;
        };
        if !mapping.keys().any(|key| find(node, key).is_some()) {
            let mut found = false;
            for (_, member) in members {
                found |= self.mapped_records(mapping, arena, json, *member, place, depth);
            }
            return found;
        }
        let before = json.as_bytes().get(..node.start).unwrap_or_default();
        let place = Place {
            offset: place.offset + before.len() as u64,
            line: place.line.map(|line| line + count_lines(before)),
            ..place
        };
        let mut row = Row::default();
        let get = |key: &str| find(node, key);
        let verdict = mapping.read(&get, arena, self.out.events(), self.nested, &mut row);
        self.account(verdict, &row, place);
        true
    }
}

/// The value of a key: a member's name, or a path of names with dots between them, which may have dots themselves.
fn find<'a>(node: Node<'a>, key: &str) -> Option<Scalar<'a>> {
    if let Some(scalar) = node.member(key).and_then(|member| member.scalar()) {
        return Some(scalar);
    }
    key.match_indices('.').find_map(|(dot, _)| find(node.member(&key[..dot])?, &key[dot + 1..]))
}
