//! Parses just enough XML for events: tags, text, CDATA. It skips comments and processing instructions; of entities it
//! knows only the five predefined ones and character references, so nothing expands.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;
use memchr::{memchr, memchr3, memmem};

/// A start tag, or an empty element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    /// Its name, without a prefix: writers of events use one namespace.
    pub(super) name: &'a str,
    attributes: &'a str,
    /// Whether it is `<name/>`.
    pub(super) empty: bool,
}

impl<'a> Tag<'a> {
    fn new(inside: &'a str) -> Self {
        let (inside, empty) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let end = inside.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(inside.len());
        let (name, attributes) = inside.split_at(end);
        Tag { name: local(name), attributes, empty }
    }

    /// The attributes, with their values as written.
    pub(super) fn attributes(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (name, value) = split_once(rest, b'=')?;
            let value = value.trim_ascii_start();
            let quote = quote(value)?;
            let (value, behind) = split_once(&value[1..], quote)?;
            rest = behind;
            Some((name.trim_ascii(), value))
        })
    }
}

/// The next item of the text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    /// `<name …>` or `<name …/>`.
    Open(Tag<'a>),
    /// `</name>`, by its name without a prefix.
    Close(&'a str),
    /// Text as written.
    Text(&'a str),
    /// Text that needs no unescaping.
    Cdata(&'a str),
}

/// Reads XML from front to back.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    pub(super) fn new(xml: &'a str) -> Self {
        Reader(xml)
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.0
    }

    /// Return the next item; None at the end.
    pub(super) fn item(&mut self) -> Result<Option<Item<'a>>, String> {
        loop {
            let Some(markup) = self.0.strip_prefix('<') else {
                let text = self.text();
                return Ok((!text.is_empty()).then_some(Item::Text(text)));
            };
            return Ok(Some(match markup.as_bytes().first() {
                Some(b'/') => Item::Close(self.close()?),
                Some(b'?') => {
                    self.until("<?", "?>")?;
                    continue;
                }
                Some(b'!') if markup.starts_with("!--") => {
                    self.until("<!--", "-->")?;
                    continue;
                }
                Some(b'!') if markup.starts_with("![CDATA[") => Item::Cdata(self.until("<![CDATA[", "]]>")?),
                Some(b'!') => return Err(found("a declaration", "elements and text")),
                _ => Item::Open(self.open()?),
            }));
        }
    }

    /// Return the next child of the element `parent`; None once that is closed.
    pub(super) fn child(&mut self, parent: &str) -> Result<Option<Tag<'a>>, String> {
        loop {
            match self.item()? {
                Some(Item::Open(tag)) => return Ok(Some(tag)),
                Some(Item::Close(name)) => return same(name, parent).map(|()| None),
                Some(Item::Text(_) | Item::Cdata(_)) => {}
                None => return Err(cut_off(parent)),
            }
        }
    }

    /// Return the next element's name and text, if it is written in the usual form of Sysmon's `Data`. None for
    /// anything else, also for a name that is not `known`: the general code reads those.
    #[inline]
    pub(super) fn usual_datum<T>(&mut self, known: impl FnOnce(&str) -> Option<T>) -> Option<(T, &'a str)> {
        let attribute = self.0.trim_ascii_start().strip_prefix("<Data Name=")?;
        let (name, rest) = split_once(attribute.get(1..)?, quote(attribute)?)?;
        let name = known(name)?;
        let (text, rest) = split_once(rest.strip_prefix('>')?, b'<')?;
        self.0 = rest.strip_prefix("/Data>")?;
        Some((name, text))
    }

    /// Skip the rest of the element that `tag` opens.
    pub(super) fn skip(&mut self, tag: Tag<'a>) -> Result<(), String> {
        let mut depth = u64::from(!tag.empty);
        while depth > 0 {
            match self.item()? {
                Some(Item::Open(child)) => depth += u64::from(!child.empty),
                Some(Item::Close(name)) => {
                    depth -= 1;
                    if depth == 0 {
                        same(name, tag.name)?;
                    }
                }
                Some(Item::Text(_) | Item::Cdata(_)) => {}
                None => return Err(cut_off(tag.name)),
            }
        }
        Ok(())
    }

    /// The text in the element that `tag` opens.
    pub(super) fn value(&mut self, tag: Tag<'a>, arena: &'a Bump) -> Result<&'a str, String> {
        if tag.empty {
            return Ok("");
        }
        let text = self.text();
        if let Some(end) = self.0.strip_prefix("</") {
            match end.strip_prefix(tag.name).and_then(|end| end.strip_prefix('>')) {
                Some(rest) => self.0 = rest,
                None => same(self.close()?, tag.name)?,
            }
            return unescape(text, arena);
        }
        let mut whole = BumpString::new_in(arena);
        unescape_into(text, &mut whole)?;
        loop {
            match self.item()? {
                Some(Item::Text(text)) => unescape_into(text, &mut whole)?,
                Some(Item::Cdata(text)) => whole.push_str(text),
                Some(Item::Close(name)) => return same(name, tag.name).map(|()| whole.into_bump_str()),
                Some(Item::Open(child)) => {
                    return Err(found(&format!("<{}>", shorten(child.name)), &format!("text in <{}>", tag.name)));
                }
                None => return Err(cut_off(tag.name)),
            }
        }
    }

    /// The text in the element that `tag` opens, although it holds a `<` that is not escaped, as Sysmon for Linux writes
    /// it: up to the end tag before the next tag. None if it is not clear where it ends.
    pub(super) fn unescaped_value(&mut self, tag: Tag<'a>) -> Option<&'a str> {
        for at in memmem::find_iter(self.0.as_bytes(), "</") {
            let (name, rest) = split_once(&self.0[at + 2..], b'>')?;
            if local(name.trim_ascii_end()) == tag.name {
                let text = &self.0[..at];
                let is_clear =
                    text.contains('<') && !text.contains("<Data") && rest.trim_ascii_start().starts_with('<');
                self.0 = if is_clear { rest } else { self.0 };
                return is_clear.then_some(text);
            }
        }
        None
    }

    /// Text up to the next markup.
    fn text(&mut self) -> &'a str {
        let end = memchr(b'<', self.0.as_bytes()).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest;
        text
    }

    fn open(&mut self) -> Result<Tag<'a>, String> {
        let end = tag_end(self.0.as_bytes()).ok_or_else(|| found(&format!("{:?}", shorten(self.0)), "a tag"))?;
        let inside = &self.0[1..end];
        self.0 = &self.0[end + 1..];
        Ok(Tag::new(inside))
    }

    fn close(&mut self) -> Result<&'a str, String> {
        let end =
            memchr(b'>', self.0.as_bytes()).ok_or_else(|| found(&format!("{:?}", shorten(self.0)), "an end tag"))?;
        let name = &self.0[2..end];
        self.0 = &self.0[end + 1..];
        Ok(local(name.trim_ascii_end()))
    }

    /// Return the text between `open`, which is next, and `close`.
    fn until(&mut self, open: &str, close: &str) -> Result<&'a str, String> {
        let inside = self.0.get(open.len()..).unwrap_or_default();
        let end = memmem::find(inside.as_bytes(), close.as_bytes())
            .ok_or_else(|| found(&format!("{open} without end"), close))?;
        self.0 = &inside[end + close.len()..];
        Ok(&inside[..end])
    }
}

/// The position of the `>` of the tag that begins `bytes`; one within quotes does not count.
fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr3(b'>', b'"', b'\'', bytes.get(at..)?)?;
        match bytes[at] {
            // No tag has a `<`: then it is truncated, and quotes matched by chance.
            b'>' => return memchr(b'<', &bytes[1..at]).is_none().then_some(at),
            quote => at += memchr(quote, &bytes[at + 1..])? + 2,
        }
    }
}

fn local(name: &str) -> &str {
    // A loop: on words this short a search does not pay off.
    name.bytes().position(|byte| byte == b':').map_or(name, |colon| &name[colon + 1..])
}

/// The quote that begins `text`.
fn quote(text: &str) -> Option<u8> {
    text.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''))
}

fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    debug_assert!(at.is_ascii());
    memchr(at, text.as_bytes()).map(|end| (&text[..end], &text[end + 1..]))
}

fn same(name: &str, expected: &str) -> Result<(), String> {
    if name == expected {
        return Ok(());
    }
    Err(found(&format!("</{}>", shorten(name)), &format!("</{}>", shorten(expected))))
}

pub(super) fn cut_off(name: &str) -> String {
    found("the end", &format!("</{}>", shorten(name)))
}

/// An error's text.
pub(super) fn found(what: &str, expected: &str) -> String {
    format!("found {what}, expected {expected}")
}

/// The part of `text` that an error shows.
pub(super) fn shorten(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

/// `text` with its references resolved; borrowed unchanged if it has none.
pub(crate) fn unescape<'a>(text: &'a str, arena: &'a Bump) -> Result<&'a str, String> {
    if memchr(b'&', text.as_bytes()).is_none() {
        return Ok(text);
    }
    let mut whole = BumpString::with_capacity_in(text.len(), arena);
    unescape_into(text, &mut whole)?;
    Ok(whole.into_bump_str())
}

/// A reference ends with `;`, or with the space with which Azure's Syslog table replaces it.
fn unescape_into(text: &str, out: &mut BumpString<'_>) -> Result<(), String> {
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        out.push_str(before);
        let len = behind.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
        let (name, end) = (&behind[..len], behind.as_bytes().get(len));
        rest = match (end, resolve(name)) {
            (Some(b';' | b' '), Some(symbol)) => {
                out.push(symbol);
                &behind[len + 1..]
            }
            (Some(b';'), None) if len > 0 => {
                let entity = format!("entity &{};", shorten(name));
                return Err(found(&entity, "a predefined one or a character reference"));
            }
            // Sysmon for Linux does not escape what it writes: this is no reference.
            _ => {
                out.push('&');
                behind
            }
        };
    }
    out.push_str(rest);
    Ok(())
}

fn resolve(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            // For example half a surrogate pair: as in UTF-16, the rest of the text is worth keeping.
            char::from_u32(code.ok()?).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_end_outside_quotes() {
        for (text, end) in
            [("<a>b", Some(2)), ("<a b='>' c=\"'>\">", Some(15)), ("<a b='>", None), ("<a <b>", None), ("<", None)]
        {
            assert_eq!(tag_end(text.as_bytes()), end, "{text}");
        }
    }

    #[test]
    fn attributes_are_read_in_either_quote() {
        let Ok(Some(Item::Open(tag))) = Reader::new("<n:a x = '1'\n n:y=\"'2\"/>").item() else { panic!("no tag") };
        assert_eq!((tag.name, tag.empty), ("a", true));
        assert_eq!(tag.attributes().collect::<Vec<_>>(), [("x", "1"), ("n:y", "'2")]);
    }

    #[test]
    fn text_without_references_is_borrowed() {
        let arena = Bump::new();
        let text = "C:\\a b;c";
        assert!(std::ptr::eq(unescape(text, &arena).unwrap(), text));
        assert_eq!(unescape("&lt;a&#x20;b&gt;", &arena).unwrap(), "<a b>");
        assert!(unescape("a&b;", &arena).unwrap_err().starts_with("found entity &b;"));
        for text in ["a&b", "a & b", "a&&", "&b=1;c"] {
            assert_eq!(unescape(text, &arena).unwrap(), text);
        }
    }

    #[test]
    fn the_usual_datum_is_read_and_all_else_left() {
        let known = |name: &str| (name == "User").then_some(());
        for text in ["<Data Name='User'>u</Data>", " \n<Data Name=\"User\">u</Data>"] {
            assert_eq!(Reader::new(text).usual_datum(known), Some(((), "u")));
        }
        for text in [
            "<Data Name='X'>u</Data>",
            "<Data Name='User' >u</Data>",
            "<Data Name='User'>u<!----></Data>",
            "<Data Name=",
        ] {
            let mut reader = Reader::new(text);
            assert_eq!(reader.usual_datum(known), None);
            assert_eq!(reader.0, text);
        }
    }
}
