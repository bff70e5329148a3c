//! The settings of a service as fields of a form.

use kernel::Problem;
use serde_json::{Map, Value};
use web::face::parts::Choice;
use web::face::{FormState, Typed};

use crate::template::{Setting, SettingKind};

/// What stands for "on" in a form.
const YES: &str = "yes";

/// A setting as a field.
pub(super) struct SettingField {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) hint: String,
    pub(super) kind: FieldKind,
    pub(super) required: bool,
    /// Whether it is never shown again, so that an empty one may stand for one that is kept.
    pub(super) secret: bool,
    /// The most characters.
    pub(super) most: u32,
}

/// How a setting is asked for.
pub(super) enum FieldKind {
    Line,
    Secret,
    Lines,
    Choice(Vec<Choice>),
    Toggle(Vec<Choice>),
}

/// The name of a field. That of a secret says so, so that it is never shown again.
fn id(setting: &Setting) -> String {
    let prefix = if setting.secret { "secret" } else { "set" };
    format!("{prefix}-{}", setting.name)
}

/// The fields.
pub(super) fn of(settings: &[Setting]) -> Vec<SettingField> {
    settings.iter().map(field).collect()
}

fn field(setting: &Setting) -> SettingField {
    let (kind, most, expected) = match &setting.kind {
        SettingKind::Text { max_length, multiline: true, .. } => {
            (FieldKind::Lines, *max_length, String::new())
        }
        SettingKind::Text { max_length, .. } => (FieldKind::Line, *max_length, String::new()),
        SettingKind::Number { min, max } => {
            (FieldKind::Line, 20, format!("A whole number from {min} to {max}."))
        }
        SettingKind::Choice(options) => (FieldKind::Choice(choices(setting, options)), 0, String::new()),
        SettingKind::Toggle => {
            let choice = Choice::new(YES, "On", &setting.help);
            (FieldKind::Toggle(vec![choice]), 0, String::new())
        }
        SettingKind::Document { max_bytes } => (FieldKind::Lines, *max_bytes, "JSON or YAML.".to_owned()),
    };
    let kept = if setting.secret { "It is not shown again. Leave it empty later to keep it." } else { "" };
    let hint = [setting.help.as_str(), &expected, kept];
    let hint: Vec<&str> = hint.into_iter().filter(|words| !words.is_empty()).collect();
    SettingField {
        id: id(setting),
        title: setting.title.clone(),
        hint: hint.join(" "),
        // What has several lines is seen while it is typed: nobody could write it otherwise.
        kind: if setting.secret && !matches!(kind, FieldKind::Lines) { FieldKind::Secret } else { kind },
        required: setting.required,
        secret: setting.secret,
        most,
    }
}

fn choices(setting: &Setting, options: &[String]) -> Vec<Choice> {
    let is_open = !setting.required && setting.default.is_none();
    let none = is_open.then(|| Choice::new("", "None", ""));
    none.into_iter().chain(options.iter().map(|option| Choice::new(option, option, ""))).collect()
}

/// The fields with what was chosen in them; secrets are left out.
pub(super) fn form(settings: &[Setting], chosen: &[(String, Value)]) -> FormState {
    let shown = settings.iter().filter(|setting| !setting.secret);
    let value = |setting: &Setting| {
        let (_, value) = chosen.iter().find(|(name, _)| *name == setting.name)?;
        Some((id(setting), text(value)))
    };
    let values: Vec<(String, String)> = shown.filter_map(value).collect();
    let values: Vec<(&str, &str)> =
        values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    FormState::with(&values)
}

/// What stands in the fields at first.
pub(super) fn defaults(settings: &[Setting]) -> Vec<(String, String)> {
    let shown = settings.iter().filter(|setting| !setting.secret);
    shown.filter_map(|setting| Some((id(setting), text(setting.default.as_ref()?)))).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => YES.to_owned(),
        Value::Bool(false) => String::new(),
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// What was typed, as a request would say it. A secret that is left empty is not named, so that it stays.
pub(super) fn typed(settings: &[Setting], typed: &Typed) -> Map<String, Value> {
    let value = |setting: &Setting| {
        let text = typed.get(&id(setting));
        match &setting.kind {
            SettingKind::Toggle => Some(Value::Bool(text == YES)),
            _ if text.is_empty() && setting.secret => None,
            _ if text.is_empty() => Some(Value::Null),
            _ => Some(Value::from(text)),
        }
    };
    settings.iter().filter_map(|setting| Some((setting.name.clone(), value(setting)?))).collect()
}

/// Lets what is wrong with a setting point to its field.
pub(super) fn point(problem: &mut Problem, settings: &[Setting]) {
    for error in &mut problem.errors {
        let name = error.pointer.strip_prefix("/config/").unwrap_or_default();
        if let Some(setting) = settings.iter().find(|setting| setting.name == name) {
            error.pointer = format!("/{}", id(setting)).into();
        }
    }
}
