//! What a buyer chooses of a service besides its plan and region: which settings there are, and what may stand in them.

use std::collections::BTreeMap;
use std::fmt;

use kernel::{FieldError, Secret};
use regex::Regex;
use serde_json::{Map, Value};

use super::yaml;

/// The most bytes that all settings of a deployment may have together, as JSON.
pub(crate) const MAX_TOTAL: usize = 256 << 10;
/// What stands in place of a secret. Sent back, it leaves the secret as it is.
pub(crate) const MASK: &str = "********";

/// One thing to choose.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `upstream`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it does, in a sentence; empty where its title says so.
    pub help: String,
    /// What may stand in it.
    pub kind: SettingKind,
    /// Whether something must.
    pub required: bool,
    /// What it is where nothing is chosen.
    pub default: Option<Value>,
    /// Whether nobody may see it again.
    pub secret: bool,
}

/// What may stand in a setting.
#[derive(Clone, Debug)]
pub enum SettingKind {
    /// A text.
    Text {
        /// What it must look like.
        pattern: Option<Regex>,
        /// The most characters.
        max_length: u32,
        /// Whether it may have several lines.
        multiline: bool,
    },
    /// A whole number.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// True or false.
    Toggle,
    /// A JSON object or list.
    Document {
        /// The most bytes, as JSON.
        max_bytes: u32,
    },
}

impl SettingKind {
    /// The word of the template and the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Number { .. } => "number",
            Self::Choice(_) => "choice",
            Self::Toggle => "toggle",
            Self::Document { .. } => "document",
        }
    }

    /// Whether its value can stand in a text as `{{settings.NAME}}`.
    pub(crate) const fn fits_texts(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Number { .. } | Self::Choice(_))
    }
}

impl Setting {
    /// Reads what was given. A text is read as the kind says, so that forms and command lines need no types.
    ///
    /// # Errors
    /// What is expected, in words.
    pub(crate) fn read(&self, given: &Value) -> Result<Value, String> {
        match (&self.kind, given) {
            (SettingKind::Text { pattern, max_length, multiline }, Value::String(text)) => {
                read_text(text, pattern.as_ref(), *max_length, *multiline).map(Value::String)
            }
            (SettingKind::Text { .. }, _) => Err("Use a text.".to_owned()),
            (SettingKind::Number { min, max }, given) => {
                let number = match given {
                    Value::String(text) => text.trim().parse().ok(),
                    other => other.as_i64(),
                };
                let number = number.filter(|number| (min..=max).contains(&number));
                number.map(Value::from).ok_or_else(|| format!("Use a whole number from {min} to {max}."))
            }
            (SettingKind::Choice(options), given) => {
                let known = given.as_str().filter(|word| options.iter().any(|option| option == word));
                known.map(Value::from).ok_or_else(|| format!("Choose one of {}.", options.join(", ")))
            }
            (SettingKind::Toggle, Value::Bool(flag)) => Ok(Value::Bool(*flag)),
            (SettingKind::Toggle, Value::String(text)) => {
                text.parse().map(Value::Bool).map_err(|_| "Use true or false.".to_owned())
            }
            (SettingKind::Toggle, _) => Err("Use true or false.".to_owned()),
            (SettingKind::Document { max_bytes }, given) => read_document(given, *max_bytes),
        }
    }
}

fn read_text(
    text: &str,
    pattern: Option<&Regex>,
    max_length: u32,
    multiline: bool,
) -> Result<String, String> {
    let text = text.replace("\r\n", "\n");
    let is_odd = |c: char| c.is_control() && !(multiline && "\n\t".contains(c));
    if text.chars().count() > max_length as usize {
        return Err(format!("Use at most {max_length} characters."));
    }
    if text.chars().any(is_odd) {
        return Err(if multiline { "Use no control characters." } else { "Use one line." }.to_owned());
    }
    match pattern {
        Some(pattern) if !pattern.is_match(&text) => Err(format!("Use what looks like {pattern}")),
        _ => Ok(text),
    }
}

fn read_document(given: &Value, max_bytes: u32) -> Result<Value, String> {
    const EXPECTED: &str = "Use an object or a list, as JSON or YAML";
    let read = match given {
        Value::String(text) if text.len() > max_bytes as usize => None,
        Value::String(text) => {
            let node = yaml::parse(text).map_err(|flaw| format!("{EXPECTED}; {flaw}."))?;
            Some(yaml::to_json(&node))
        }
        other => Some(other.clone()),
    };
    let fits = |value: &Value| serde_json::to_vec(value).is_ok_and(|json| json.len() <= max_bytes as usize);
    match read {
        Some(value) if !(value.is_object() || value.is_array()) => Err(format!("{EXPECTED}.")),
        Some(value) if fits(&value) => Ok(value),
        _ => Err(format!("Use at most {max_bytes} bytes.")),
    }
}

/// What was chosen, by the names of the settings. May hold secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Chosen(Map<String, Value>);

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Chosen {
    /// What comes of `given` where `self` holds until now: what is not named stays, `null` and an empty text stand for
    /// the default.
    ///
    /// # Errors
    /// Every setting that is wrong or unknown, with what is expected.
    pub(crate) fn with(
        &self,
        settings: &[Setting],
        given: &Map<String, Value>,
    ) -> Result<Self, Vec<FieldError>> {
        let (mut next, mut errors) = (Map::new(), unknown(settings, given));
        for setting in settings {
            let present = self.0.get(&setting.name);
            let chosen = match given.get(&setting.name) {
                None => present.cloned(),
                Some(Value::String(text)) if setting.secret && text == MASK => present.cloned(),
                Some(Value::Null) => None,
                Some(Value::String(text)) if text.is_empty() => None,
                Some(value) => match setting.read(value) {
                    Ok(value) => Some(value),
                    Err(words) => {
                        errors.push(wrong(&setting.name, words));
                        continue;
                    }
                },
            };
            match chosen.or_else(|| setting.default.clone()) {
                Some(value) => {
                    next.insert(setting.name.clone(), value);
                }
                None if setting.required => {
                    errors.push(wrong(&setting.name, format!("Say this: {}.", setting.title)));
                }
                None => {}
            }
        }
        let next = Self(next);
        if errors.is_empty() && next.to_json().expose().len() > MAX_TOTAL {
            let words = "All settings together have at most 256 kB.";
            errors.push(FieldError { pointer: "/config".into(), detail: words.into() });
        }
        if errors.is_empty() { Ok(next) } else { Err(errors) }
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One of them, as it stands in a text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// What can stand in texts, as `settings.NAME`; what is secret is hidden unless it shall be shown.
    pub(crate) fn texts(&self, settings: &[Setting], reveal: bool) -> BTreeMap<String, String> {
        let fitting = settings.iter().filter(|setting| setting.kind.fits_texts());
        let text = |setting: &Setting| match self.text(&setting.name)? {
            _ if setting.secret && !reveal => Some(MASK.to_owned()),
            text => Some(text),
        };
        fitting.filter_map(|setting| Some((format!("settings.{}", setting.name), text(setting)?))).collect()
    }

    /// What its owner sees, in the order of the template; what is secret is hidden unless it shall be shown.
    pub(crate) fn shown(&self, settings: &[Setting], reveal: bool) -> Vec<(String, Value)> {
        let shown = |setting: &Setting| match self.0.get(&setting.name)? {
            _ if setting.secret && !reveal => Some(Value::from(MASK)),
            value => Some(value.clone()),
        };
        settings.iter().filter_map(|setting| Some((setting.name.clone(), shown(setting)?))).collect()
    }

    pub(crate) fn to_json(&self) -> Secret {
        Secret::new(serde_json::to_string(&self.0).unwrap_or_default())
    }

    pub(crate) fn of_json(text: &Secret) -> Option<Self> {
        serde_json::from_str(text.expose()).ok().map(Self)
    }
}

pub(super) fn wrong(name: &str, detail: String) -> FieldError {
    let name: String = name.chars().take(60).collect();
    let pointer = format!("/config/{}", name.replace('~', "~0").replace('/', "~1"));
    FieldError { pointer: pointer.into(), detail: detail.into() }
}

/// What was given that nobody asked for.
fn unknown(settings: &[Setting], given: &Map<String, Value>) -> Vec<FieldError> {
    let names: Vec<&str> = settings.iter().map(|setting| setting.name.as_str()).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let is_known = |name: &str| names.contains(&name);
    let unknown = given.keys().filter(|name| !is_known(name)).take(20);
    unknown
        .map(|name| wrong(name, format!("There is no such setting. Those of this service: {known}.")))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn setting(name: &str, kind: SettingKind) -> Setting {
        let (title, help) = (name.to_owned(), String::new());
        Setting { name: name.to_owned(), title, help, kind, required: false, default: None, secret: false }
    }

    fn text(pattern: Option<&str>) -> SettingKind {
        let pattern = pattern.map(|pattern| Regex::new(pattern).unwrap());
        SettingKind::Text { pattern, max_length: 20, multiline: false }
    }

    fn all() -> Vec<Setting> {
        vec![
            Setting { required: true, ..setting("upstream", text(Some("^https?://"))) },
            Setting { default: Some(json!(5)), ..setting("retries", SettingKind::Number { min: 0, max: 9 }) },
            setting("mode", SettingKind::Choice(vec!["a".into(), "b".into()])),
            setting("cors", SettingKind::Toggle),
            setting("routes", SettingKind::Document { max_bytes: 60 }),
            Setting { secret: true, ..setting("token", text(None)) },
        ]
    }

    fn with(present: &Chosen, given: Value) -> Result<Chosen, Vec<String>> {
        let Value::Object(given) = given else { unreachable!() };
        let errors = |errors: Vec<FieldError>| {
            errors.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect()
        };
        present.with(&all(), &given).map_err(errors)
    }

    #[test]
    fn a_text_is_read_as_the_kind_says() {
        let chosen = with(
            &Chosen::default(),
            json!({"upstream": "http://api:80", "retries": "7", "mode": "b", "cors": "true",
                "routes": "- {path: /a, n: 1}\n- [x, null, 1.5]"}),
        );
        let Value::Object(expected) = json!({"upstream": "http://api:80", "retries": 7, "mode": "b",
            "cors": true, "routes": [{"path": "/a", "n": 1}, ["x", null, 1.5]]})
        else {
            unreachable!()
        };
        assert_eq!(chosen.unwrap().0, expected);
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let errors = with(
            &Chosen::default(),
            json!({"retries": 12, "mode": "c", "cors": 1, "routes": "just words", "x/y": 1}),
        );
        assert_eq!(
            errors.unwrap_err(),
            [
                "/config/x~1y There is no such setting. Those of this service: upstream, retries, mode, cors, \
                 routes, token.",
                "/config/upstream Say this: upstream.",
                "/config/retries Use a whole number from 0 to 9.",
                "/config/mode Choose one of a, b.",
                "/config/cors Use true or false.",
                "/config/routes Use an object or a list, as JSON or YAML.",
            ]
        );
        let long = with(&Chosen::default(), json!({"upstream": "ftp://x", "token": "x".repeat(21)}));
        assert_eq!(
            long.unwrap_err(),
            ["/config/upstream Use what looks like ^https?://", "/config/token Use at most 20 characters."]
        );
        let large = json!({"upstream": "http://x", "routes": ["x".repeat(80)], "token": "two\nlines"});
        assert_eq!(
            with(&Chosen::default(), large).unwrap_err(),
            ["/config/routes Use at most 60 bytes.", "/config/token Use one line."]
        );
    }

    #[test]
    fn what_is_not_named_stays_and_a_mask_keeps_the_secret() {
        let first = json!({"upstream": "http://x", "retries": 1, "token": "s3cret"});
        let first = with(&Chosen::default(), first).unwrap();
        let second = with(&first, json!({"token": MASK, "retries": null})).unwrap();
        assert_eq!(second.0["retries"], json!(5), "the default again");
        assert_eq!((&second.0["token"], &second.0["upstream"]), (&json!("s3cret"), &json!("http://x")));
        let hidden = serde_json::to_string(&second.shown(&all(), false)).unwrap() + &format!("{second:?}");
        assert!(!hidden.contains("s3cret") && hidden.contains(MASK));
        assert_eq!(second.texts(&all(), false)["settings.token"], MASK);
        assert_eq!(second.texts(&all(), true)["settings.retries"], "5");
        assert_eq!(Chosen::of_json(&second.to_json()), Some(second));
    }

    proptest! {
        #[test]
        fn foreign_values_do_no_harm(text in "(?s).{0,80}", name in "(upstream|routes|mode|.{0,5})") {
            let given = Map::from_iter([(name, Value::String(text))]);
            if let Ok(chosen) = Chosen::default().with(&all(), &given) {
                prop_assert!(chosen.get("upstream").is_some());
            }
        }
    }
}
