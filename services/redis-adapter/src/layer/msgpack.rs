//! Events as msgpack, as Python's `msgpack` writes and reads them.

use rmp::{Marker, encode};
use serde_json::{Map, Number, Value};

use super::error::Unreadable;
use super::event::{GroupEvent, MAX_KEYS};

/// Deeper is no chat event.
const MAX_DEPTH: usize = 16;

/// The head of a map in its widest form. Python writes it from 65536 keys on, so here it says that Natter wrote the
/// map, and each reader takes it.
const WIDE_MAP: u8 = 0xdf;

/// The event's bytes, in the narrowest forms; `wide` marks it as Natter's.
pub(crate) fn encode(event: &GroupEvent, head: Head) -> Vec<u8> {
    let mut bytes = Vec::new();
    let n_fields = u32::try_from(event.fields().len()).expect("an event has few keys");
    match head {
        Head::Narrow => write(encode::write_map_len(&mut bytes, n_fields)),
        Head::Wide => {
            bytes.push(WIDE_MAP);
            bytes.extend(n_fields.to_be_bytes());
        }
    }
    for (key, value) in event.fields() {
        write(encode::write_str(&mut bytes, key));
        push(&mut bytes, value);
    }
    bytes
}

/// How the head of an event's map is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// As Python does.
    Narrow,
    /// As only Natter does.
    Wide,
}

/// The head of these bytes, if they are a map.
pub(crate) fn head(bytes: &[u8]) -> Head {
    if bytes.first() == Some(&WIDE_MAP) && bytes.get(1..3) == Some(&[0, 0]) { Head::Wide } else { Head::Narrow }
}

fn push(bytes: &mut Vec<u8>, value: &Value) {
    let length = |n: usize| u32::try_from(n).expect("a value is smaller than 4 GiB");
    match value {
        Value::Null => write(encode::write_nil(bytes)),
        Value::Bool(value) => write(encode::write_bool(bytes, *value)),
        Value::Number(number) => push_number(bytes, number),
        Value::String(text) => write(encode::write_str(bytes, text)),
        Value::Array(values) => {
            write(encode::write_array_len(bytes, length(values.len())));
            values.iter().for_each(|value| push(bytes, value));
        }
        Value::Object(map) => {
            write(encode::write_map_len(bytes, length(map.len())));
            for (key, value) in map {
                write(encode::write_str(bytes, key));
                push(bytes, value);
            }
        }
    }
}

fn push_number(bytes: &mut Vec<u8>, number: &Number) {
    if let Some(number) = number.as_u64() {
        write(encode::write_uint(bytes, number));
    } else if let Some(number) = number.as_i64() {
        write(encode::write_sint(bytes, number));
    } else {
        write(encode::write_f64(bytes, number.as_f64().expect("a number is an integer or a float")));
    }
}

fn write<T, E: std::fmt::Debug>(written: Result<T, E>) {
    written.expect("a vector takes all that is written");
}

/// The event in these bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<GroupEvent, Unreadable> {
    let mut reader = Reader { rest: bytes };
    let n_fields = match reader.marker()? {
        Marker::FixMap(n) => n.into(),
        Marker::Map16 => reader.number(2)? as usize,
        Marker::Map32 => reader.number(4)? as usize,
        marker => {
            reader.value(marker, 0)?;
            reader.end()?;
            return Err(Unreadable::NotAMap);
        }
    };
    let mut fields = Vec::new();
    for _ in 0..reader.bounded(n_fields)? {
        fields.push(reader.field(0)?);
    }
    reader.end()?;
    Ok(GroupEvent::received(fields))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Unreadable::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn end(&self) -> Result<(), Unreadable> {
        if self.rest.is_empty() { Ok(()) } else { Err(Unreadable::Trailing) }
    }

    fn marker(&mut self) -> Result<Marker, Unreadable> {
        Ok(Marker::from_u8(self.take(1)?[0]))
    }

    /// A big-endian number of so many bytes.
    fn number(&mut self, n_bytes: usize) -> Result<u64, Unreadable> {
        Ok(self.take(n_bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, n_bytes: usize) -> Result<i64, Unreadable> {
        let unused_bits = 64 - 8 * n_bytes as u32;
        Ok((self.number(n_bytes)?.cast_signed() << unused_bits) >> unused_bits)
    }

    fn text(&mut self, n_bytes: usize) -> Result<String, Unreadable> {
        let text = std::str::from_utf8(self.take(n_bytes)?).map_err(|_| Unreadable::Malformed)?;
        Ok(text.to_owned())
    }

    fn bounded(&self, n_keys: usize) -> Result<usize, Unreadable> {
        if n_keys > self.rest.len() {
            return Err(Unreadable::Truncated);
        }
        if n_keys > MAX_KEYS { Err(Unreadable::TooDeep) } else { Ok(n_keys) }
    }

    fn field(&mut self, depth: usize) -> Result<(String, Value), Unreadable> {
        let n_bytes = match self.marker()? {
            Marker::FixStr(n) => n.into(),
            Marker::Str8 => self.number(1)? as usize,
            Marker::Str16 => self.number(2)? as usize,
            Marker::Str32 => self.number(4)? as usize,
            Marker::Reserved => return Err(Unreadable::Malformed),
            _ => return Err(Unreadable::Unsendable),
        };
        let key = self.text(n_bytes)?;
        let marker = self.marker()?;
        Ok((key, self.value(marker, depth + 1)?))
    }

    fn value(&mut self, marker: Marker, depth: usize) -> Result<Value, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        Ok(match marker {
            Marker::Null => Value::Null,
            Marker::True => true.into(),
            Marker::False => false.into(),
            Marker::FixPos(number) => number.into(),
            Marker::FixNeg(number) => number.into(),
            Marker::U8 => self.number(1)?.into(),
            Marker::U16 => self.number(2)?.into(),
            Marker::U32 => self.number(4)?.into(),
            Marker::U64 => self.number(8)?.into(),
            Marker::I8 => self.signed(1)?.into(),
            Marker::I16 => self.signed(2)?.into(),
            Marker::I32 => self.signed(4)?.into(),
            Marker::I64 => self.signed(8)?.into(),
            Marker::F32 => float(f32::from_bits(self.number(4)? as u32).into())?,
            Marker::F64 => float(f64::from_bits(self.number(8)?))?,
            Marker::FixStr(n) => self.text(n.into())?.into(),
            Marker::Str8 => self.sized(1, Self::text)?.into(),
            Marker::Str16 => self.sized(2, Self::text)?.into(),
            Marker::Str32 => self.sized(4, Self::text)?.into(),
            Marker::FixArray(n) => self.array(n.into(), depth)?,
            Marker::Array16 => self.sized(2, |reader, n| reader.array(n, depth))?,
            Marker::Array32 => self.sized(4, |reader, n| reader.array(n, depth))?,
            Marker::FixMap(n) => self.map(n.into(), depth)?,
            Marker::Map16 => self.sized(2, |reader, n| reader.map(n, depth))?,
            Marker::Map32 => self.sized(4, |reader, n| reader.map(n, depth))?,
            Marker::Reserved => return Err(Unreadable::Malformed),
            // Binary values and extensions.
            _ => return Err(Unreadable::Unsendable),
        })
    }

    /// What has its size before it.
    fn sized<T>(
        &mut self,
        size_bytes: usize,
        read: impl FnOnce(&mut Self, usize) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        let size = self.number(size_bytes)? as usize;
        read(self, size)
    }

    fn array(&mut self, n: usize, depth: usize) -> Result<Value, Unreadable> {
        let mut values = Vec::new();
        for _ in 0..n {
            let marker = self.marker()?;
            values.push(self.value(marker, depth + 1)?);
        }
        Ok(values.into())
    }

    fn map(&mut self, n: usize, depth: usize) -> Result<Value, Unreadable> {
        let mut map = Map::new();
        for _ in 0..self.bounded(n)? {
            let (key, value) = self.field(depth)?;
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

fn float(number: f64) -> Result<Value, Unreadable> {
    Number::from_f64(number).map(Value::Number).ok_or(Unreadable::Unsendable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::event::Kind;

    #[test]
    fn what_natter_wrote_is_known_by_its_head_and_reads_the_same() {
        let event = GroupEvent::new(Kind::ChatMessage)
            .with("message_id", 70_000)
            .with("x", serde_json::json!({"a": [1.5, null]}));
        for shape in [Head::Narrow, Head::Wide] {
            let bytes = encode(&event, shape);
            assert_eq!(head(&bytes), shape);
            assert_eq!(decode(&bytes).unwrap(), event);
        }
    }

    #[test]
    fn each_length_but_the_whole_is_cut_short() {
        let bytes = encode(&GroupEvent::new(Kind::ChatMessage).with("n", -70_000).with("f", 0.5), Head::Wide);
        for n in 0..bytes.len() {
            assert_eq!(decode(&bytes[..n]), Err(Unreadable::Truncated), "{n} bytes");
        }
    }

    #[test]
    fn what_says_it_is_larger_than_memory_takes_none() {
        for bytes in [&b"\xdf\xff\xff\xff\xff"[..], b"\x81\xa1a\xdd\xff\xff\xff\xff", b"\x81\xa1a\xdb\xff\xff\xff\xff"]
        {
            assert_eq!(decode(bytes), Err(Unreadable::Truncated));
        }
    }

    #[test]
    fn nesting_and_keys_have_bounds() {
        let mut nested = b"\x81\xa1a".to_vec();
        nested.extend([0x91; 100_000]);
        assert_eq!(decode(&nested), Err(Unreadable::TooDeep));
        let mut many = b"\xde\x01\x01".to_vec();
        many.extend((0..257).flat_map(|_| *b"\xa1a\xc0"));
        assert_eq!(decode(&many), Err(Unreadable::TooDeep));
    }

    #[test]
    fn not_a_number_is_no_value() {
        let mut bytes = b"\x81\xa1a\xcb".to_vec();
        bytes.extend(f64::NAN.to_bits().to_be_bytes());
        assert_eq!(decode(&bytes), Err(Unreadable::Unsendable));
    }
}
