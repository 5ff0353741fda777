//! Opens events that other records carry as text, in any format.

use bumpalo::Bump;
use memchr::memmem;

use crate::format::Verdict;
use crate::formats::{json, xml};
use crate::shapes::keys::Scope;
use crate::shapes::message;
use crate::shapes::record::{Nested, Record};
use crate::shapes::tree::Node;
use crate::table::columns::Row;
use crate::table::event::Events;

/// Every text format; each can carry each.
pub(crate) struct Carried;

impl Nested for Carried {
    fn read_line<'a>(
        &self,
        line: &'a str,
        arena: &'a Bump,
        row: &mut Row<'a>,
        asked: Events,
    ) -> Result<Option<Verdict>, String> {
        let bytes = line.as_bytes();
        let opens = |at: &usize| matches!(bytes.get(at + 6), Some(b'>' | b' '));
        if let Some(start) = memmem::find_iter(bytes, "<Event").find(opens) {
            return xml::read_event(&line[start..], arena, row, asked).map(Some);
        }
        if let Some(start) = memmem::find(bytes, b"{\"") {
            return json::read_event(&line[start..], arena, row, asked, &Carried).map(Some);
        }
        message::read_message(line, row, asked)
    }

    fn read_data<'a>(&self, xml: &'a str, arena: &'a Bump, row: &mut Row<'a>) -> Result<(), String> {
        xml::read_data(xml, arena, row)
    }

    fn read_tree<'a>(&self, json: &'a str, arena: &'a Bump) -> Option<Node<'a>> {
        json::read_tree(json, arena, &Carried)
    }

    fn read_object<'a>(&self, json: &'a str, scope: Scope, record: &mut Record<'a>) -> Result<(), String> {
        json::read_into(json, scope, record)
    }
}
