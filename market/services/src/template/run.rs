//! How a container is run where the buyer says so: its arguments, its environment, the path of its probe.

use kernel::FieldError;
use serde_json::Value;

use super::{Chosen, Given, Probe, Recipe, Text, setting::wrong};

/// The most arguments, and the most variables.
const MAX_COUNT: usize = 100;
/// The longest argument or value, in bytes.
const MAX_LENGTH: usize = 8192;
const ARGUMENTS: &str = "Use a list of at most 100 texts: the program and its arguments.";
const VARIABLES: &str = "Use an object of at most 100 names, such as LOG_LEVEL, and their texts or numbers.";
const PATH: &str = "Use a path such as /health, or nothing.";

impl Recipe {
    /// Arguments instead of the image's own.
    pub(crate) fn arguments(&self, chosen: &Chosen, fill: impl Fn(&Text) -> String) -> Option<Vec<String>> {
        match self.command.as_ref()? {
            Given::Here(texts) => Some(texts.iter().map(fill).collect()),
            Given::Chosen(setting) => {
                let found = chosen.get(setting).map(read_arguments)?.unwrap_or_default();
                (!found.is_empty()).then_some(found)
            }
        }
    }

    /// The environment; never secrets.
    pub(crate) fn variables(&self, chosen: &Chosen, fill: impl Fn(&Text) -> String) -> Vec<(String, String)> {
        match &self.env {
            Given::Here(texts) => texts.iter().map(|(name, text)| (name.clone(), fill(text))).collect(),
            Given::Chosen(setting) => {
                chosen.get(setting).and_then(|value| read_variables(value).ok()).unwrap_or_default()
            }
        }
    }

    /// Which of the settings that say how it is run are wrong, with what is expected.
    pub(crate) fn wrong(&self, chosen: &Chosen) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut check = |name: &str, read: fn(&Value) -> Result<(), &'static str>| {
            if let Some(Err(words)) = chosen.get(name).map(read) {
                errors.push(wrong(name, words.to_owned()));
            }
        };
        if let Some(Given::Chosen(name)) = &self.command {
            check(name, |value| read_arguments(value).map(drop));
        }
        if let Given::Chosen(name) = &self.env {
            check(name, |value| read_variables(value).map(drop));
        }
        if let Probe::Http(Given::Chosen(name)) = &self.health.probe {
            check(name, |value| read_path(value).map(drop));
        }
        errors
    }
}

/// The path of a probe; `None` where none was chosen, so that a connection is enough.
pub(crate) fn probe_path<'a>(path: &'a Given<String>, chosen: &'a Chosen) -> Option<&'a str> {
    match path {
        Given::Here(path) => Some(path),
        Given::Chosen(setting) => chosen.get(setting).and_then(|value| read_path(value).ok()),
    }
}

fn fits(text: &str) -> bool {
    text.len() <= MAX_LENGTH && !text.contains('\0')
}

fn read_arguments(value: &Value) -> Result<Vec<String>, &'static str> {
    let items = value.as_array().filter(|items| items.len() <= MAX_COUNT).ok_or(ARGUMENTS)?;
    let argument = |item: &Value| item.as_str().filter(|text| fits(text)).map(str::to_owned);
    items.iter().map(|item| argument(item).ok_or(ARGUMENTS)).collect()
}

fn read_variables(value: &Value) -> Result<Vec<(String, String)>, &'static str> {
    let entries = value.as_object().filter(|entries| entries.len() <= MAX_COUNT).ok_or(VARIABLES)?;
    let variable = |(name, value): (&String, &Value)| {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let plain =
            plain && (1..=100).contains(&name.len()) && !name.starts_with(|c: char| c.is_ascii_digit());
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(VARIABLES),
        };
        if plain && fits(&text) { Ok((name.clone(), text)) } else { Err(VARIABLES) }
    };
    entries.iter().map(variable).collect()
}

fn read_path(value: &Value) -> Result<&str, &'static str> {
    let plain = |text: &&str| {
        text.starts_with('/') && text.len() <= 200 && text.bytes().all(|b| b.is_ascii_graphic())
    };
    value.as_str().filter(plain).ok_or(PATH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_chosen_is_read_or_refused() {
        assert_eq!(read_arguments(&json!(["nginx", "-g", ""])).unwrap(), ["nginx", "-g", ""]);
        for odd in [json!({}), json!([1]), json!(["a\0b"]), json!(vec!["x"; 101]), json!(["x".repeat(9000)])]
        {
            assert_eq!(read_arguments(&odd), Err(ARGUMENTS), "{odd}");
        }
        let read = read_variables(&json!({"A_1": "x y", "PORT": 80, "ON": true})).unwrap();
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert!(read.contains(&pair("PORT", "80")) && read.contains(&pair("ON", "true")) && read.len() == 3);
        for odd in [
            json!([]),
            json!({"1A": ""}),
            json!({"A=B": ""}),
            json!({"": ""}),
            json!({"A": [1]}),
            json!({"A": "\0"}),
        ] {
            assert_eq!(read_variables(&odd), Err(VARIABLES), "{odd}");
        }
        assert_eq!(read_path(&json!("/health?x=1")), Ok("/health?x=1"));
        for odd in [json!("health"), json!("/a b"), json!("/a\r\nX: y"), json!(5)] {
            assert_eq!(read_path(&odd), Err(PATH), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_a_second_line_of_a_request(text in "(?s)/?.{0,20}") {
            if let Ok(path) = read_path(&Value::from(text.as_str())) {
                prop_assert!(path.starts_with('/') && !path.contains(char::is_whitespace));
            }
        }
    }
}
