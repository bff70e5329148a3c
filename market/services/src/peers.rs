//! How the deployments of one account reach each other: by their names, as far as those can stand in an address.
//!
//! A name is claimed when a container is made afresh, so that a new name of a running one cuts nobody off: others go on with
//! the earlier name until it is started anew. Of two whose names come to the same, the first has it. All have their id.

use identity::AccountId;
use store::{StoreError, Tx, args};

use crate::template::Template;
use crate::{DeploymentId, sql};

/// The longest part of a name between dots (RFC 1035).
const MAX_LABEL: usize = 63;

/// A deployment's name as it can stand in an address (RFC 1123); `None` where nothing of it can.
pub(crate) fn label(name: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(plain).take(MAX_LABEL).collect();
    let label = label.trim_matches('-').to_owned();
    (!label.is_empty()).then_some(label)
}

/// Lets the others of the account reach a deployment by this name from now on, unless another has it.
pub(crate) async fn claim(
    tx: &mut Tx,
    owner: &AccountId,
    id: &DeploymentId,
    name: &str,
) -> Result<(), StoreError> {
    let Some(label) = label(name) else { return Ok(()) };
    tx.execute(&sql::FREE_PEER, args![owner, label]).await?;
    tx.execute(&sql::CLAIM_PEER, args![owner, label, id]).await?;
    let (own,): (u32,) = tx.one(&sql::OWNS_PEER, args![owner, label, id]).await?;
    if own > 0 {
        tx.execute(&sql::DROP_OTHER_PEERS, args![id, label]).await?;
    }
    Ok(())
}

/// The name by which others reach a deployment: the claimed one, or its id.
pub(crate) async fn name_of(tx: &mut Tx, id: &DeploymentId) -> Result<String, StoreError> {
    let found: Option<(String,)> = tx.first(&sql::FIND_PEER, args![id]).await?;
    Ok(found.map_or_else(|| id.to_string(), |(name,)| name))
}

/// Name and port, with `http://` where that is what it speaks.
pub(crate) fn address(name: &str, port: u16, template: &Template) -> String {
    let scheme = if template.recipe.port.protocol == "http" { "http://" } else { "" };
    format!("{scheme}{name}:{port}")
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_are_of_letters_digits_and_dashes() {
        assert_eq!(label("My API.v2_x").as_deref(), Some("my-api-v2-x"));
        assert_eq!(label(" -orders- ").as_deref(), Some("orders"));
        assert_eq!(label("Bücher").as_deref(), Some("b-cher"));
        assert_eq!(label("数据"), None);
    }
}
