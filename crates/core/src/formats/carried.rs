//! Opens events that other records carry as text, in any format.

use std::sync::LazyLock;

use bumpalo::Bump;
use memchr::memmem;
use memchr::memmem::Finder;

use crate::format::Verdict;
use crate::formats::{json, xml};
use crate::shapes::keys::Scope;
use crate::shapes::lines;
use crate::shapes::record::{Nested, Record};
use crate::shapes::text::unescape;
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
        let xml = find_event(bytes, &XML);
        let json = JSON.find(bytes);
        if let Some(start) = json.filter(|json| xml.is_none_or(|xml| *json < xml)) {
            let read = json::read_event(&line[start..], arena, row, asked, &Carried);
            // Braces may stand before an event that is not in them.
            match (read, xml) {
                (Err(_) | Ok(Verdict::OtherProvider), Some(_)) => *row = Row::default(),
                (read, _) => return read.map(Some),
            }
        }
        if let Some(start) = xml {
            return xml::read_event(plain_xml(&line[start..], arena), arena, row, asked).map(Some);
        }
        if let Some(start) = find_event(bytes, &ESCAPED) {
            return xml::read_event(xml::unescape(&line[start..], arena)?, arena, row, asked).map(Some);
        }
        lines::read(line, arena, row, asked, &Carried)
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

static XML: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("<Event"));
static ESCAPED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("&lt;Event"));
static JSON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("{\""));

/// Where the tag of an event opens: not `<EventData`.
fn find_event(bytes: &[u8], tag: &Finder<'static>) -> Option<usize> {
    tag.find_iter(bytes).find(|at| {
        let behind = &bytes[at + tag.needle().len()..];
        matches!(behind.first(), Some(b'>' | b' ' | b'\t' | b'\r' | b'\n')) || behind.starts_with(b"&gt;")
    })
}

/// XML whose quotation marks are doubled, as in CSV, or escaped, as in JSON, as it was before.
fn plain_xml<'a>(xml: &'a str, arena: &'a Bump) -> &'a str {
    match xml::escaped_quotes(xml.as_bytes()) {
        Some(b'"') => arena.alloc_str(&xml.replace("\"\"", "\"")),
        Some(b'\\') => {
            let end = memmem::find(xml.as_bytes(), b"</Event>").map_or(xml.len(), |end| end + "</Event>".len());
            unescape(&xml[..end], arena).unwrap_or(xml)
        }
        _ => xml,
    }
}
