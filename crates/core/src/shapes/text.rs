//! Restores text from JSON strings, and from the changes that shippers make to it.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

/// A string as it stands in the input. It is unescaped on demand, since most are never used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// The text between the quotes.
    pub(crate) raw: &'a str,
    /// Whether it is JSON that may contain escapes.
    pub(crate) json: bool,
}

impl<'a> Text<'a> {
    /// Return the text; an error says what was expected.
    #[inline]
    pub(crate) fn get(self, arena: &'a Bump) -> Result<&'a str, &'static str> {
        if self.json { unescape(self.raw, arena) } else { Ok(self.raw) }
    }
}

/// A JSON value that is neither an object nor a list, or a cell of a CSV.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    /// A string.
    Text(Text<'a>),
    /// A number as written.
    Number(&'a str),
    /// A boolean.
    Bool(bool),
    /// Null.
    Null,
}

/// The text of a JSON string, borrowed if it holds no escapes. A lone surrogate becomes U+FFFD.
pub(crate) fn unescape<'a>(raw: &'a str, arena: &'a Bump) -> Result<&'a str, &'static str> {
    let Some(mut escape) = memchr::memchr(b'\\', raw.as_bytes()) else { return Ok(raw) };
    let mut text = BumpString::with_capacity_in(raw.len(), arena);
    let mut rest = raw;
    loop {
        text.push_str(&rest[..escape]);
        rest = &rest[escape + 1..];
        let Some(&kind) = rest.as_bytes().first() else { return Err("an escape") };
        let (symbol, len) = match kind {
            b'"' | b'\\' | b'/' => (char::from(kind), 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'u' => unicode_escape(rest)?,
            _ => return Err("an escape"),
        };
        text.push(symbol);
        rest = &rest[len..];
        // The next escape is near, in most texts that have any.
        match rest.bytes().position(|byte| byte == b'\\') {
            Some(next) => escape = next,
            None => break,
        }
    }
    text.push_str(rest);
    Ok(text.into_bump_str())
}

/// The character of `uXXXX`, or of a surrogate pair `uXXXX\uXXXX`, and its length.
fn unicode_escape(escape: &str) -> Result<(char, usize), &'static str> {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(1).ok_or("four hexadecimal digits")?;
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = unit(7)
    {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Ok((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11));
    }
    Ok((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5))
}

const ENTITIES: [(&str, &str); 5] = [("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&quot;", "\""), ("&apos;", "'")];

/// The text with XML's entities resolved: NXLog leaves them in the values that it extracts from XML.
pub(crate) fn resolve_entities<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    let Some(mut found) = memchr::memchr(b'&', text.as_bytes()) else { return text };
    let mut out = BumpString::with_capacity_in(text.len(), arena);
    let mut rest = text;
    loop {
        out.push_str(&rest[..found]);
        rest = &rest[found..];
        let (entity, plain) = ENTITIES.into_iter().find(|(entity, _)| rest.starts_with(entity)).unwrap_or(("&", "&"));
        out.push_str(plain);
        rest = &rest[entity.len()..];
        match memchr::memchr(b'&', rest.as_bytes()) {
            Some(next) => found = next,
            None => break,
        }
    }
    out.push_str(rest);
    out.into_bump_str()
}

/// The text with every `\\` replaced by `\`, since Wazuh doubles them; unchanged if a single one shows that it did not.
pub(crate) fn halve_backslashes<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if !text.contains('\\') || text.replace("\\\\", "").contains('\\') {
        return text;
    }
    arena.alloc_str(&text.replace("\\\\", "\\"))
}
