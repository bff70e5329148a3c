//! What goes into a statement and comes out of a row: integers, texts, bytes and nothing else, so that both
//! databases mean the same. Money and times are integers; there are no floats.

use kernel::Timestamp;

/// One argument or one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL `null`.
    Null,
    /// Any whole number; booleans are 0 and 1.
    Int(i64),
    /// UTF-8 text; ids and JSON too.
    Text(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
}

/// What can be an argument of a statement.
pub trait ToValue {
    /// The value to bind.
    fn to_value(&self) -> Value<'_>;
}

/// What can be read from a cell.
pub trait FromValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// The reason when the cell holds something else.
    fn from_value(value: Value<'_>) -> Result<Self, String>;
}

/// The arguments of a statement, in the order of `$1`, `$2`, ….
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::ToValue::to_value(&$value)),*] };
}

/// Lets ids made by [`kernel::id!`] stand in statements and rows: `store::id_values!(UserId, OrderId);`.
#[macro_export]
macro_rules! id_values {
    ($($id:ty),+ $(,)?) => {$(
        impl $crate::ToValue for $id {
            fn to_value(&self) -> $crate::Value<'_> {
                $crate::Value::Text(self.as_str())
            }
        }
        impl $crate::FromValue for $id {
            fn from_value(value: $crate::Value<'_>) -> ::std::result::Result<Self, ::std::string::String> {
                match value {
                    $crate::Value::Text(text) => text.parse().map_err(|error| ::std::format!("{error}")),
                    other => ::std::result::Result::Err(::std::format!("expected an id, found {other:?}")),
                }
            }
        }
    )+};
}

/// A list of texts as the JSON argument of `in each($n)`, see [`sql!`](crate::sql!).
pub fn json_list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut out = String::from("[");
    for text in texts {
        if out.len() > 1 {
            out.push(',');
        }
        out.push('"');
        for c in text.as_ref().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    out.push(']');
    out
}

impl ToValue for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        *self
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Value<'_> {
        Value::Int(self.micros())
    }
}

macro_rules! texts {
    ($($kind:ty),+) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value<'_> {
                Value::Text(self.as_ref())
            }
        }
    )+};
}
texts!(str, String, std::sync::Arc<str>, std::borrow::Cow<'_, str>);

macro_rules! bytes {
    ($($kind:ty),+) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value<'_> {
                Value::Bytes(self.as_ref())
            }
        }
    )+};
}
bytes!([u8], Vec<u8>, [u8; 32]);

macro_rules! integers {
    ($($kind:ty),+) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value<'_> {
                Value::Int(i64::from(*self))
            }
        }
    )+};
}
integers!(i64, i32, i16, u32, u16, u8);

/// Sizes and counts; what does not fit (above 9.2 · 10¹⁸) is stored as the largest number there is.
impl ToValue for u64 {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl ToValue for usize {
    fn to_value(&self) -> Value<'_> {
        Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if value == Value::Null { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

fn mismatch<T>(wanted: &str, value: Value<'_>) -> Result<T, String> {
    let got = match value {
        Value::Null => "null",
        Value::Int(_) => "an integer",
        Value::Text(_) => "a text",
        Value::Bytes(_) => "bytes",
    };
    Err(format!("expected {wanted}, found {got}"))
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if let Value::Int(number) = value { Ok(number) } else { mismatch("an integer", value) }
    }
}

macro_rules! narrow_integers {
    ($($kind:ty),+) => {$(
        impl FromValue for $kind {
            fn from_value(value: Value<'_>) -> Result<Self, String> {
                let number = i64::from_value(value)?;
                Self::try_from(number).map_err(|_| format!("{number} does not fit {}", stringify!($kind)))
            }
        }
    )+};
}
narrow_integers!(i32, u64, u32, u16, usize);

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        i64::from_value(value).map(Self::from_micros)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if let Value::Text(text) = value { Ok(text.to_owned()) } else { mismatch("a text", value) }
    }
}

impl FromValue for std::sync::Arc<str> {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if let Value::Text(text) = value { Ok(text.into()) } else { mismatch("a text", value) }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        if let Value::Bytes(bytes) = value { Ok(bytes.to_vec()) } else { mismatch("bytes", value) }
    }
}

impl FromValue for [u8; 32] {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let Value::Bytes(bytes) = value else { return mismatch("32 bytes", value) };
        bytes.try_into().map_err(|_| format!("expected 32 bytes, found {}", bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_lists_are_escaped() {
        assert_eq!(json_list(["a", "b\"\\\n"]), r#"["a","b\"\\\u000a"]"#);
        assert_eq!(json_list::<&str>([]), "[]");
    }
}
