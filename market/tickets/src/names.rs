//! Words that stand in the database, in JSON and in filters.

/// Declares an enum of words.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::std::string::String;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(::std::format!(concat!("There is no ", $what, " `{}`."), text)),
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::store::ToValue for $name {
            fn to_value(&self) -> ::store::Value<'_> {
                ::store::Value::Text(self.as_str())
            }
        }

        impl ::store::FromValue for $name {
            fn from_value(value: ::store::Value<'_>) -> ::std::result::Result<Self, ::std::string::String> {
                <::std::string::String as ::store::FromValue>::from_value(value)?.parse()
            }
        }
    )+};
}
