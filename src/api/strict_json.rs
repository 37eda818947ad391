//! Parses JSON and rejects objects with a repeated key.
//!
//! RFC 8259 (4) does not define what a repeated key means, and parsers differ: a filter in front of
//! us may check the first value where we use the last. So neither is used.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

/// Why a text was rejected.
#[derive(Debug, Error)]
pub(crate) enum StrictJsonError {
    /// It is not JSON.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
    /// An object repeats a key, at any depth; this is the first one.
    #[error("a repeated key")]
    RepeatedKey(String),
}

/// Parses a text.
pub(crate) fn from_str(text: &str) -> Result<Value, StrictJsonError> {
    let mut repeated = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = ValueSeed { repeated: &mut repeated }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    repeated.map_or(Ok(value), |key| Err(StrictJsonError::RepeatedKey(key)))
}

/// Deserializes a value, and notes a repeated key.
struct ValueSeed<'a> {
    repeated: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(ValueSeed { repeated: self.repeated })? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(ValueSeed { repeated: self.repeated })?;
            if all.contains_key(&key) {
                self.repeated.get_or_insert(key);
            } else {
                all.insert(key, value);
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_without_repeated_keys_is_read_as_by_serde_json() {
        for text in [
            "null",
            "true",
            "-7",
            "18446744073709551615",
            "1.5e3",
            r#""a\u00e9\n""#,
            "[]",
            r#"[1,[2,{"a":null}]]"#,
            r#"{"a":1,"b":{"a":1},"A":2}"#,
        ] {
            let expected: Value = serde_json::from_str(text).expect(text);
            assert_eq!(from_str(text).expect(text), expected, "{text}");
        }
        for text in ["", "{", "1 2", "{} x", "1e999", r#"{"a":1,}"#, "nul", r#""\ud800""#] {
            assert!(from_str(text).is_err(), "{text}");
        }
        assert!(from_str(&"[".repeat(10_000)).is_err(), "the depth is bounded");
    }

    #[test]
    fn a_repeated_key_is_named_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"[{"x":{"a":null,"a":null}}]"#,
            r#"{"b":{"a":1,"a":2},"c":1,"c":2}"#,
        ] {
            let error = from_str(text).expect_err(text);
            assert!(matches!(error, StrictJsonError::RepeatedKey(key) if key == "a"), "{text}");
        }
    }
}
