//! Mappings that users write: which keys of an unknown log hold which fields of a connection.

use std::sync::{Mutex, PoisonError};

use bumpalo::Bump;

use crate::format::Verdict;
use crate::shapes::audit::{exchange_ends, fill_families};
use crate::shapes::convert::{epoch, system_value};
use crate::shapes::record::{Nested, Scalar};
use crate::table::columns::Row;
use crate::table::event::{Event, Events};
use crate::table::schema::{Field, Kind};
use crate::table::value::Value;

/// A mapping. A key is the name of a column, or a path of keys with dots between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// `provider_name`, unless a key holds it.
    pub provider: Option<String>,
    /// Keys and the values, in any case, one of which each must have. Without any, every record is a connection.
    pub records: Vec<(String, Vec<String>)>,
    /// Keys that hold the event as text.
    pub texts: Vec<String>,
    /// Fields and their keys, of which the first that has a value counts.
    pub fields: Vec<(Field, Vec<String>)>,
    /// Fields and the meaning of their values: what the log has, in any case, and what it stands for.
    pub values: Vec<(Field, Vec<(String, String)>)>,
    /// Whether the source in `fields` is the computer's own end.
    pub local_first: bool,
}

/// Every mapping that was used; they live as long as the process.
static SHARED: Mutex<Vec<&'static Mapping>> = Mutex::new(Vec::new());

impl Mapping {
    /// The mapping for readers to share. Equal ones are stored once.
    pub fn shared(self) -> &'static Mapping {
        let mut known = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = known.iter().find(|mapping| ***mapping == self) {
            return mapping;
        }
        let mapping: &'static Mapping = Box::leak(Box::new(self));
        known.push(mapping);
        mapping
    }

    /// Every key.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().flat_map(|(_, keys)| keys);
        self.records.iter().map(|(key, _)| key).chain(&self.texts).chain(fields).map(String::as_str)
    }

    /// Read a record, whose values `get` finds by their keys, into `row`. [`Verdict::OtherProvider`] if the mapping does
    /// not take it; the error says what was found and what was expected.
    pub(crate) fn read<'a>(
        &'a self,
        get: &dyn Fn(&str) -> Option<Scalar<'a>>,
        arena: &'a Bump,
        asked: Events,
        nested: &'static dyn Nested,
        row: &mut Row<'a>,
    ) -> Result<Verdict, String> {
        let value = |key: &str| match get(key) {
            Some(scalar) => value_of(scalar, arena),
            None => Ok(Value::Null),
        };
        for (key, values) in &self.records {
            let found = value(key)?;
            if !values.iter().any(|wanted| is(found, wanted)) {
                return Ok(Verdict::OtherProvider);
            }
        }
        for key in &self.texts {
            if let Value::Text(text) = value(key)?
                && let Some(verdict) = nested.read_line(text, arena, row, asked)?
            {
                return Ok(verdict);
            }
        }
        if self.fields.is_empty() {
            return Ok(Verdict::OtherProvider);
        }
        for (field, keys) in &self.fields {
            for key in keys {
                let found = match get(key) {
                    Some(Scalar::Number(number)) if field.kind() == Kind::Time => epoch(number),
                    Some(scalar) => value_of(scalar, arena)?,
                    None => Value::Null,
                };
                if !matches!(found, Value::Null | Value::Text("" | "-")) {
                    row.set(*field, system_value(*field, self.meaning(*field, found)));
                    break;
                }
            }
        }
        let has = |field: Field| row.get(field) != Value::Null;
        if !has(Field::DstIp) && !has(Field::SrcIp) {
            return Err("found no address under the keys of the mapping, expected one".into());
        }
        if let Some(provider) = &self.provider {
            row.fill(Field::ProviderName, Value::Text(provider));
        }
        if self.local_first && is(row.get(Field::NetworkConnectionInitiated), "false") {
            exchange_ends(row);
        }
        fill_families(row);
        Ok(if asked.contains(Event::Connection) { Verdict::Asked(Event::Connection) } else { Verdict::OtherEvent })
    }

    fn meaning<'a>(&'a self, field: Field, found: Value<'a>) -> Value<'a> {
        let of_field = self.values.iter().filter(|(known, _)| *known == field).flat_map(|(_, values)| values);
        let meaning = of_field.into_iter().find(|(value, _)| is(found, value));
        meaning.map_or(found, |(_, meaning)| Value::Text(meaning))
    }
}

fn value_of<'a>(scalar: Scalar<'a>, arena: &'a Bump) -> Result<Value<'a>, String> {
    scalar.value(arena).map_err(|expected| format!("found a text with a broken escape, expected {expected}"))
}

/// Whether a value is this text, in any case.
fn is(value: Value<'_>, text: &str) -> bool {
    match value {
        Value::Text(found) => found.eq_ignore_ascii_case(text),
        Value::Int(number) => text.parse() == Ok(number),
        Value::Bool(flag) => text.eq_ignore_ascii_case(if flag { "true" } else { "false" }),
        _ => false,
    }
}
