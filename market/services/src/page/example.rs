//! How a service is asked for, by command and by the API, with what must be chosen.

use serde_json::{Map, Value, json};

use crate::template::{Setting, SettingKind, Template};

/// The most characters of a default that are shown.
const MOST: usize = 40;

/// The settings that have to be chosen.
fn required(template: &Template) -> impl Iterator<Item = &Setting> {
    template.settings.iter().filter(|setting| setting.required)
}

/// The command that deploys it.
pub(super) fn command(template: &Template) -> String {
    let chosen = required(template).map(|setting| match setting.kind {
        SettingKind::Document { .. } => format!("--set-file {0}={0}.json", setting.name),
        _ => format!("--set {}=…", setting.name),
    });
    let words: Vec<String> =
        std::iter::once(format!("fondaco deploy {}", template.slug)).chain(chosen).collect();
    words.join(" ")
}

/// The request that deploys it.
pub(super) fn request(template: &Template) -> String {
    let plan = template.plans.first().map(|plan| plan.id.as_str());
    let region = template.regions.first().map(String::as_str);
    let fixed = [("tier".to_owned(), json!(plan)), ("region".to_owned(), json!(region))];
    let chosen = required(template).map(|setting| (setting.name.clone(), placeholder(&setting.kind)));
    let config: Map<String, Value> = fixed.into_iter().chain(chosen).collect();
    let request = json!({ "serviceId": template.id, "name": "my-deployment", "config": config });
    format!("POST /api/deployments\n{request:#}")
}

/// What stands for a value that only the buyer knows.
fn placeholder(kind: &SettingKind) -> Value {
    match kind {
        SettingKind::Number { min, .. } => json!(min),
        SettingKind::Choice(options) => json!(options.first()),
        SettingKind::Toggle => json!(true),
        SettingKind::Text { .. } | SettingKind::Document { .. } => json!("…"),
    }
}

/// What holds where nothing is chosen.
pub(super) fn unsaid(setting: &Setting) -> String {
    let text = match &setting.default {
        _ if setting.required => return "has to be chosen".to_owned(),
        None => return "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(is_on)) => if *is_on { "on" } else { "off" }.to_owned(),
        Some(value) => value.to_string(),
    };
    match text.char_indices().nth(MOST) {
        _ if text.is_empty() => "nothing".to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::template::Catalogue;

    #[test]
    fn what_has_to_be_chosen_stands_in_the_examples() {
        let catalogue = Catalogue::load(None);
        let edge = catalogue.find("cdn-edge").unwrap();
        assert_eq!(command(edge), "fondaco deploy cdn-edge --set origin=…");
        assert!(request(edge).contains("\"origin\": \"…\""));
        let unsaid: Vec<String> = edge.settings.iter().map(unsaid).collect();
        assert_eq!(unsaid, ["has to be chosen", "0", "all", "yes"]);
        assert_eq!(command(catalogue.find("postgres-managed").unwrap()), "fondaco deploy postgres-managed");
    }
}
