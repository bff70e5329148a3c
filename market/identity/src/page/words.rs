//! The words of pages for what the room keeps in short forms.

use serde_json::Value;

/// What a client calls itself, as a person would say it: "Firefox on Linux", "npm 11.2.0".
pub(super) fn device(user_agent: Option<&str>) -> String {
    /// In this order: each browser also names those below it.
    const BROWSERS: [(&str, &str); 5] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let agent = user_agent.unwrap_or_default().trim();
    let named = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    if let Some(browser) = named(&BROWSERS) {
        return named(&SYSTEMS).map_or_else(|| browser.to_owned(), |system| format!("{browser} on {system}"));
    }
    match agent.split([' ', '(']).next().filter(|first| !first.is_empty()) {
        Some(program) => program.chars().take(40).collect::<String>().replacen('/', " ", 1),
        None => "Unknown program".to_owned(),
    }
}

/// What an action of the trail is called on pages.
pub(super) fn action(action: &str) -> String {
    let words = match action {
        "account.registered" => "Account made",
        "account.profile_changed" => "Profile changed",
        "account.email_changed" => "E-mail changed",
        "account.password_changed" => "Password changed",
        "account.verification_changed" => "E-mail confirmed",
        "account.roles_changed" => "Roles changed",
        "account.state_changed" => "Account disabled or let in",
        "session.started" => "Signed in",
        "session.ended" => "Session ended",
        "session.others_ended" => "Other sessions ended",
        "session.refused" => "Sign-in refused",
        "session.web_login_decided" => "Command line let in or refused",
        "token.created" => "Token made",
        "token.revoked" => "Token revoked",
        "organisation.created" => "Organisation founded",
        "organisation.renamed" => "Organisation renamed",
        "organisation.member_set" => "Member added or changed",
        "organisation.member_removed" => "Member removed",
        "organisation.grant_set" => "Team's access changed",
        "organisation.team_created" => "Team made",
        "organisation.team_deleted" => "Team deleted",
        "organisation.team_member_added" => "Team member added",
        "organisation.team_member_removed" => "Team member removed",
        // Other rooms write their own; their short form reads well enough.
        other => return sentence(&other.replace(['.', '_'], " ")),
    };
    words.to_owned()
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The details of a row of the trail on one line: "name: ci, scopes: publish".
pub(super) fn details(details: &Value) -> String {
    told(details, |_| true)
}

/// The same without ids, which tell nothing to the person whose row it is.
pub(super) fn own_details(details: &Value) -> String {
    told(details, |text| !is_id(text))
}

fn told(details: &Value, keep: impl Fn(&str) -> bool) -> String {
    let Value::Object(fields) = details else { return String::new() };
    let told = fields.iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => keep(text).then(|| format!("{}: {text}", spaced(name))),
        Value::Array(items) => {
            let items =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            Some(format!("{}: {}", spaced(name), items.collect::<Vec<_>>().join(" ")))
        }
        other => Some(format!("{}: {other}", spaced(name))),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Whether a text is an id such as `user-…`: a kind, and at least 20 hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(_, rest)| rest.len() >= 20 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The words of a field's name: `expiresAt` is "expires at".
fn spaced(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::UserId;

    #[test]
    fn clients_are_named_as_people_know_them() {
        let cases = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36 Edg/156.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
                "Safari on iPhone",
            ),
            ("npm/11.2.0 node/v20.20.2 linux x64 workspaces/false", "npm 11.2.0"),
            ("fondaco/0.1.0", "fondaco 0.1.0"),
            ("", "Unknown program"),
        ];
        for (agent, expected) in cases {
            assert_eq!(device(Some(agent)), expected);
        }
        assert_eq!(device(None), "Unknown program");
    }

    #[test]
    fn actions_and_details_are_told_in_words() {
        assert_eq!(action("token.created"), "Token made");
        assert_eq!(action("package.release_published"), "Package release published");
        let row =
            serde_json::json!({"name": "ci", "after": ["user", "admin"], "expiresAt": null, "isSet": true});
        assert_eq!(details(&row), "name: ci, after: user admin, is set: true");
        let row = serde_json::json!({"name": "my-ci", "owner": UserId::fresh()});
        assert_eq!(own_details(&row), "name: my-ci");
        assert!(details(&row).contains("owner: user-"));
        assert_eq!(details(&Value::Null), "");
    }
}
