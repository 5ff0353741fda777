//! `key=value` pairs in text, as NXLog, Splunk, QRadar, CEF, LEEF and RFC 5424's structured data write them.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;
use memchr::{memchr, memmem};

/// The most pairs that are read: a text with more is none of an event.
const MAX_PAIRS: usize = 512;
/// The longest value in quotation marks.
const MAX_QUOTED_BYTES: usize = 64 << 10;

/// Pairs with the same separator between them, from front to back.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    text: &'a str,
    at: usize,
    count: usize,
    between: &'a str,
    /// Whether the writer puts a backslash before quotation marks and backslashes.
    is_escaped: bool,
}

impl<'a> Pairs<'a> {
    /// The pairs of `text` with `between` between them.
    pub(crate) fn new(text: &'a str, between: &'a str) -> Self {
        Pairs { text, at: 0, count: 0, between, is_escaped: is_escaped(text) }
    }

    /// The pairs of a text in which a pair with the key `known` stands behind another one. None if there is none.
    pub(crate) fn around(text: &'a str, known: &str) -> Option<Self> {
        let start = find_key(text, known)?;
        let before = &text[..start];
        let between = &before[before.trim_end_matches([' ', ',', ';', '\t', '|', '\r', '\n']).len()..];
        Some(Pairs::new(text, if between.is_empty() { " " } else { between }))
    }

    /// Where the next key begins, and where its `=` stands, at or after `from`.
    fn next_key(&self, from: usize) -> Option<(usize, usize)> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            let equals = at + memchr(b'=', &bytes[at..])?;
            at = equals + 1;
            let len = bytes[from..equals].iter().rev().take_while(|byte| is_of_key(**byte)).count();
            let start = equals - len;
            let before = &self.text[..start];
            // Something else may stand before the first one.
            let is_first = self.at == 0 && (before.is_empty() || before.ends_with([' ', '\t', '[', '|', '\n']));
            if len > 0 && (is_first || before.ends_with(self.between)) {
                return Some((start, equals));
            }
        }
    }

    /// Where a value in quotation marks ends: at one that is followed by another pair, or by the end.
    fn quoted_end(&self, from: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let is_end = |at: &usize| {
            let behind = self.text[at + 1..].trim_start_matches([' ', ',', ';', '\t', '|', '\r', '\n']);
            let key = behind.bytes().take_while(|byte| is_of_key(*byte)).count();
            let backslashes = bytes[from..*at].iter().rev().take_while(|byte| **byte == b'\\').count();
            let is_escaped = self.is_escaped && backslashes % 2 == 1;
            let ends = behind.is_empty() || behind.starts_with(']');
            !is_escaped && (ends || (key > 0 && behind.as_bytes().get(key) == Some(&b'=')))
        };
        let end = bytes.len().min(from + MAX_QUOTED_BYTES);
        memchr::memchr_iter(b'"', &bytes[from..end]).map(|at| from + at).find(is_end)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.count += 1;
        let (start, equals) = self.next_key(self.at).filter(|_| self.count <= MAX_PAIRS)?;
        let key = &self.text[start..equals];
        let value = equals + 1;
        if self.text[value..].starts_with('"')
            && let Some(end) = self.quoted_end(value + 1)
        {
            self.at = end + 1;
            return Some((key, &self.text[value + 1..end]));
        }
        self.at = value;
        let end = match self.next_key(value) {
            Some((next, _)) => next,
            None => self.text.len(),
        };
        self.at = end;
        let text = &self.text[value..end];
        Some((key, text.strip_suffix(self.between).unwrap_or(text).trim_ascii()))
    }
}

fn is_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr(b'\\', &bytes[at..]) {
        at += found + 2;
        if !matches!(bytes.get(at - 1), Some(b'\\' | b'"' | b']' | b'=' | b'|')) {
            return false;
        }
        if at > bytes.len() {
            break;
        }
    }
    true
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@')
}

/// Where `key=` stands at the start or behind a separator.
pub(crate) fn find_key(text: &str, key: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memmem::find_iter(bytes, key.as_bytes()).find(|at| {
        bytes.get(at + key.len()) == Some(&b'=')
            && (*at == 0 || matches!(bytes[at - 1], b' ' | b',' | b';' | b'\t' | b'|' | b'[' | b'\n'))
    })
}

/// The text without the backslashes before `escaped` characters; unchanged if one stands before another character, so
/// that the writer did not escape.
pub(crate) fn without_escapes<'a>(text: &'a str, escaped: &str, arena: &'a Bump) -> &'a str {
    if memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    let mut plain = BumpString::with_capacity_in(text.len(), arena);
    let mut symbols = text.chars();
    while let Some(symbol) = symbols.next() {
        plain.push(match symbol {
            '\\' => match symbols.next().filter(|next| escaped.contains(*next)) {
                Some(next) => next,
                None => return text,
            },
            _ => symbol,
        });
    }
    plain.into_bump_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_where_the_separator_stands() {
        let text =
            "<14>May 14 WS-17 Rule=a=1,b=2 c UtcTime=t ProcessGuid={g} Image=\"C:\\a b\\\" User=\"a \"b\" c\" X=";
        let found: Vec<_> = Pairs::around(text, "ProcessGuid").expect("pairs").collect();
        let expected = [
            ("Rule", "a=1,b=2 c"),
            ("UtcTime", "t"),
            ("ProcessGuid", "{g}"),
            ("Image", "C:\\a b\\"),
            ("User", "a \"b\" c"),
            ("X", ""),
        ];
        assert_eq!(found, expected);
        let escaped = "Image=\"C:\\\\a\\\\\", ProcessGuid=\"\", Line=\"\\\"a\\\" b=\\\"c\\\"\"";
        let found: Vec<_> = Pairs::around(escaped, "ProcessGuid").expect("pairs").collect();
        assert_eq!(found, [("Image", "C:\\\\a\\\\"), ("ProcessGuid", ""), ("Line", "\\\"a\\\" b=\\\"c\\\"")]);
        let tabs: Vec<_> = Pairs::new("a=b c\td=e=f\tg", "\t").collect();
        assert_eq!(tabs, [("a", "b c"), ("d", "e=f\tg")]);
        assert!(Pairs::around("x", "ProcessGuid").is_none());
    }

    #[test]
    fn escapes_are_undone_only_if_all_are() {
        let arena = Bump::new();
        assert_eq!(without_escapes(r#"C:\\a\"b\]"#, "\\\"]", &arena), r#"C:\a"b]"#);
        assert_eq!(without_escapes(r"C:\a\\b", "\\\"]", &arena), r"C:\a\\b");
    }
}
