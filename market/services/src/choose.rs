//! What was chosen for deployments besides plan and region: checked, sealed, opened.

use identity::{Action, Caller};
use kernel::{FieldError, Timestamp};
use serde_json::{Map, Value};
use store::{Tx, args};
use vault::VaultError;

use crate::deployment::Deployment;
use crate::error::ServiceError;
use crate::list::own;
use crate::template::{Chosen, Given, Setting, Template};
use crate::{DeploymentId, Services, sql};

/// For what the settings of a deployment are sealed.
fn purpose(id: &DeploymentId) -> String {
    format!("deployment:{id}:settings")
}

impl Services {
    /// What comes of `given` where `present` holds until now.
    ///
    /// # Errors
    /// Every setting that is wrong, with what is expected.
    pub(crate) fn chosen(
        &self,
        template: &Template,
        present: &Chosen,
        given: &Map<String, Value>,
    ) -> Result<Chosen, Vec<FieldError>> {
        let chosen = present.with(&template.settings, given)?;
        let mut wrong = template.recipe.wrong(&chosen);
        if let Given::Chosen(setting) = &template.recipe.image
            && !self.may_host(&template.recipe.image(&chosen))
        {
            let detail =
                format!("This market runs only images like {}.", self.settings.hosted_images.join(", "));
            wrong.push(FieldError { pointer: format!("/config/{setting}").into(), detail: detail.into() });
        }
        if wrong.is_empty() { Ok(chosen) } else { Err(wrong) }
    }

    /// Whether the operator lets buyers run this image.
    fn may_host(&self, reference: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b);
        let fine = reference.len() <= 255
            && reference.bytes().all(plain)
            && reference.starts_with(|c: char| c.is_ascii_alphanumeric());
        fine && self.settings.hosted_images.iter().any(|pattern| is_like(pattern, reference))
    }

    /// What can be chosen for a deployment of the caller's, and what was; secrets are hidden.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's; [`ServiceError::Vault`].
    pub async fn settings_of(
        &self,
        by: &Caller,
        id: &DeploymentId,
    ) -> Result<(Vec<Setting>, Vec<(String, Value)>), ServiceError> {
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            let known = own(tx, &by, &id, Action::Read).await?;
            let template = room.template_of(tx, &known.template).await?;
            let chosen = room.chosen_of(tx, &known, &template).await?;
            Ok((template.settings.clone(), chosen.shown(&template.settings, false)))
        };
        self.store.read(look).await
    }

    /// What was chosen for a deployment.
    ///
    /// # Errors
    /// [`ServiceError::Vault`] where it cannot be opened.
    pub(crate) async fn chosen_of(
        &self,
        tx: &mut Tx,
        known: &Deployment,
        template: &Template,
    ) -> Result<Chosen, ServiceError> {
        if template.settings.is_empty() {
            return Ok(Chosen::default());
        }
        let found: Option<(String,)> = tx.first(&sql::FIND_SETTINGS, args![known.id]).await?;
        let Some((sealed,)) = found else { return Ok(Chosen::default()) };
        let text = self.vault.open(&purpose(&known.id), &sealed)?;
        Chosen::of_json(&text).ok_or(ServiceError::Vault(VaultError::Damaged))
    }

    /// Keeps what was chosen, sealed.
    pub(crate) async fn keep_chosen(
        &self,
        tx: &mut Tx,
        id: &DeploymentId,
        chosen: &Chosen,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let sealed = self.vault.seal(&purpose(id), &chosen.to_json())?;
        tx.execute(&sql::SET_SETTINGS, args![id, sealed, now]).await?;
        Ok(())
    }
}

/// Whether a text is like a pattern, in which `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, text) in
            [("fondaco/*", "fondaco/nginx:1"), ("*", "x"), ("a*b*c", "a1b2c"), ("a", "a"), ("a*a", "aa")]
        {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("fondaco/*", "evil/fondaco/x"),
            ("a*a", "a"),
            ("a", "ab"),
            ("a*b*c", "acb"),
            ("*:1", "x:2"),
            ("", "x"),
        ] {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }
}
