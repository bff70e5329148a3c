//! Words that stand for states and kinds: one spelling in rows, JSON, addresses and pages.

/// Declares an enum whose variants are one word each, with `ALL`, `as_str`, `Display`, `FromStr` and serde; it stands in
/// statements and rows. What follows the name is said of a text that is none of the words.
///
/// ```ignore
/// store::words! {
///     /// Whether a listing is on sale.
///     #[derive(utoipa::ToSchema)]
///     State, "expected the state of a listing" {
///         /// Only its seller sees it.
///         Draft = "draft",
///         /// On sale.
///         Published = "published",
///     }
/// }
/// ```
///
/// The crate that says this needs serde.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $none:literal { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// All of them, in the order in which they are declared.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($none),
                }
            }
        }

        impl $crate::ToValue for $name {
            fn to_value(&self) -> $crate::Value<'_> {
                $crate::Value::Text(self.as_str())
            }
        }

        impl $crate::FromValue for $name {
            fn from_value(value: $crate::Value<'_>) -> ::std::result::Result<Self, ::std::string::String> {
                let $crate::Value::Text(text) = value else { return Err(::std::format!("{}, found {value:?}", $none)) };
                text.parse().map_err(|none| ::std::format!("{none}, found `{text}`"))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, unreachable_pub)]
    use crate as store;
    use crate::{FromValue, ToValue, Value};

    store::words! {
        /// For the tests.
        #[derive(Default)]
        Light, "expected a light" {
            /// Stop.
            Red = "red",
            /// Go.
            #[default]
            DarkGreen = "dark_green",
        }
    }

    #[test]
    fn a_word_is_spelt_the_same_everywhere() {
        assert_eq!(Light::ALL, [Light::Red, Light::DarkGreen]);
        for light in Light::ALL {
            let word = light.to_string();
            assert_eq!(word.parse(), Ok(light));
            assert_eq!(light.to_value(), Value::Text(&word));
            assert_eq!(Light::from_value(Value::Text(&word)), Ok(light));
            assert_eq!(serde_json::to_value(light).unwrap(), word);
            assert_eq!(serde_json::from_value::<Light>(word.into()).unwrap(), light);
        }
        assert_eq!(Light::default().as_str(), "dark_green");
    }

    #[test]
    fn what_is_none_of_them_is_said() {
        assert_eq!("Red".parse::<Light>(), Err("expected a light"));
        assert_eq!(Light::from_value(Value::Text("blue")).unwrap_err(), "expected a light, found `blue`");
        assert_eq!(Light::from_value(Value::Null).unwrap_err(), "expected a light, found Null");
        assert!(serde_json::from_str::<Light>("\"DarkGreen\"").is_err());
    }
}
