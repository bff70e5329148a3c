//! Typed ids: a prefix that names the kind, a dash, and a UUIDv7 in hexadecimal, so that ids of one kind
//! sort by the time they were made and read the same in a URL, a log line and a SQL row.

use thiserror::Error;

/// Why a text is no id of the expected kind.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected an id that starts with `{prefix}-`, got `{got}`")]
pub struct IdError {
    /// The prefix of the expected kind, without the dash.
    pub prefix: &'static str,
    /// The offending text, cut to 80 characters.
    pub got: String,
}

/// The longest id accepted, in bytes. Ours are shorter; seeded ones (`svc-postgres`) are chosen by hand.
const MAX_LEN: usize = 80;

/// A fresh id text with `prefix`. Use a type made by [`id!`](crate::id!) rather than this.
pub fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::now_v7().simple())
}

/// Checks that `text` is `prefix-` followed by lower-case letters, digits and dashes.
///
/// # Errors
/// [`IdError`] with the text when it is not.
pub fn check(prefix: &'static str, text: &str) -> Result<(), IdError> {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if rest.is_empty() || text.len() > MAX_LEN || !rest.bytes().all(plain) {
        return Err(IdError { prefix, got: text.chars().take(80).collect() });
    }
    Ok(())
}

/// Declares an id type: `id!(/// docs  OrderId, "order");`.
///
/// The type is cheap to clone, has `fresh()`, `as_str()`, `FromStr`, `Display`, serde as text.
#[macro_export]
macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(::std::sync::Arc<str>);

        impl $name {
            /// What stands before the dash.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; later ones sort after earlier ones.
            #[must_use]
            pub fn fresh() -> Self {
                Self($crate::fresh_id($prefix).into())
            }

            /// The text as it stands in URLs, logs and rows.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::IdError;
            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                $crate::check_id($prefix, text)?;
                Ok(Self(text.into()))
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::convert::AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl $crate::__serde::Serialize for $name {
            fn serialize<S: $crate::__serde::Serializer>(&self, s: S) -> ::std::result::Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> $crate::__serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__serde::Deserializer<'de>>(d: D) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as $crate::__serde::Deserialize>::deserialize(d)?;
                text.parse().map_err(<D::Error as $crate::__serde::de::Error>::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
    crate::id!(
        /// For the tests.
        OrderId,
        "order"
    );

    #[test]
    fn fresh_ids_sort_by_age_and_parse() {
        let ids: Vec<_> = (0..100).map(|_| OrderId::fresh()).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[0].as_str().parse::<OrderId>().unwrap(), ids[0]);
    }

    #[test]
    fn foreign_texts_are_refused() {
        for text in
            ["", "order", "order-", "user-1", "order-A", "order-1'", &format!("order-{}", "1".repeat(80))]
        {
            assert!(text.parse::<OrderId>().is_err(), "{text}");
        }
        assert!("order-readable-1".parse::<OrderId>().is_ok());
    }
}
