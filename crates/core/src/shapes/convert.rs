//! Converts numbers, times and the words of the `System` block, as shippers write them, to values.

use crate::shapes::keys::TimeSource;
use crate::table::event::Event;
use crate::table::schema::Field;
use crate::table::value::{Value, filetime_us, parse_int};

/// A number; an integer if it has no fraction.
pub(crate) fn number_value(number: &str) -> Value<'_> {
    if let Ok(whole) = number.parse() {
        return Value::Int(whole);
    }
    match number.parse::<f64>() {
        // Every integer up to 2^53 is exact.
        Ok(float) if float.fract() == 0.0 && float.abs() < 9e15 => Value::Int(float as i64),
        _ => Value::Text(number),
    }
}

/// Seconds since 1970, or milli-, micro-, nanoseconds or a FILETIME, distinguished by size.
pub(crate) fn epoch<'a>(number: &str) -> Value<'a> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let us = match whole.parse::<i64>() {
        Ok(whole) if fraction.bytes().all(|digit| digit.is_ascii_digit()) => match whole.unsigned_abs() {
            0..=99_999_999_999 => {
                let micros = format!("{fraction:0<6.6}").parse().unwrap_or(0);
                Some(whole * 1_000_000 + if number.starts_with('-') { -micros } else { micros })
            }
            100_000_000_000..=99_999_999_999_999 => Some(whole * 1_000),
            100_000_000_000_000..=99_999_999_999_999_999 => Some(whole),
            100_000_000_000_000_000..=999_999_999_999_999_999 => Some(filetime_us(whole.unsigned_abs())),
            _ => Some(whole / 1_000),
        },
        _ => number.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e11).map(|seconds| (seconds * 1e6) as i64),
    };
    us.map_or(Value::Null, Value::Time)
}

/// A time of writing, if it is certainly UTC. NXLog's `EventTime` and some sets' `TimeCreated` are local times without
/// a zone; reading them as UTC would be wrong by hours, unnoticed.
pub(crate) fn recorded_time(source: TimeSource, value: Value<'_>) -> Value<'_> {
    let Value::Text(text) = value else { return Value::Null };
    if let Some(ms) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return epoch(ms);
    }
    // Whether a `TimeCreated` without a zone counts depends on the rest of the record.
    let known = matches!(source, TimeSource::System | TimeSource::Created) || has_zone(text);
    if known && !text.is_empty() { value } else { Value::Null }
}

/// Whether a time has a zone.
pub(crate) fn has_zone(time: &str) -> bool {
    let Some(rest) = time.as_bytes().get(19..) else { return false };
    let zone = rest.iter().find(|byte| !matches!(byte, b'.' | b',' | b'0'..=b'9' | b' '));
    matches!(zone, Some(b'Z' | b'z' | b'+' | b'-' | b'U'))
}

/// Fields of the `System` block are numbers, or the words that Windows shows for them.
#[inline]
pub(crate) fn system_value(field: Field, value: Value<'_>) -> Value<'_> {
    match field {
        Field::EventKeywords | Field::EventLevel | Field::EventTask | Field::EventOpcode | Field::EventVersion => {
            numeric_value(field, value)
        }
        _ => value,
    }
}

fn numeric_value(field: Field, value: Value<'_>) -> Value<'_> {
    match (field, value) {
        (Field::EventKeywords, Value::Int(bits)) => Value::Hex(bits as u64),
        (Field::EventKeywords, Value::Text(text)) => keywords(text),
        (_, Value::Text(text)) => match parse_int(text).or_else(|| named_number(field, text)) {
            Some(number) => Value::Int(number),
            None => Value::Null,
        },
        _ => value,
    }
}

/// A bit field in decimal, signed or not, or in floating point; in hexadecimal it stays unchanged.
fn keywords(text: &str) -> Value<'_> {
    if let Ok(bits) = text.parse::<i64>() {
        return Value::Hex(bits as u64);
    }
    if let Ok(bits) = text.parse::<u64>() {
        return Value::Hex(bits);
    }
    match text.parse::<f64>() {
        Ok(bits) if bits < 0.0 => Value::Hex(bits as i64 as u64),
        Ok(bits) if bits.is_finite() => Value::Hex(bits as u64),
        _ => Value::Text(text),
    }
}

fn named_number(field: Field, name: &str) -> Option<i64> {
    const LEVELS: [&str; 6] = ["logalways", "critical", "error", "warning", "information", "verbose"];
    match field {
        Field::EventLevel if name.eq_ignore_ascii_case("info") => Some(4),
        Field::EventLevel => LEVELS.iter().position(|level| level.eq_ignore_ascii_case(name)).map(|at| at as i64),
        Field::EventTask => Event::of_task(name).map(Event::id),
        Field::EventOpcode if name.eq_ignore_ascii_case("info") => Some(0),
        _ => None,
    }
}
