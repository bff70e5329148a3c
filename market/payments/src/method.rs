//! Saved payment methods: what a gateway keeps for an account, and what people see of it.

use identity::AccountId;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

kernel::id!(
    /// A card that an account saved at a gateway.
    MethodId,
    "method"
);
store::id_values!(MethodId);

/// A card as far as people may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MethodView {
    /// `visa`, `mastercard`, …
    pub brand: String,
    /// The last four digits.
    pub last4: String,
}

impl MethodView {
    /// The brand as its owners write it; one that is not known here begins with a capital letter.
    #[must_use]
    pub fn brand_name(&self) -> String {
        match self.brand.as_str() {
            "amex" => "American Express".to_owned(),
            "diners" => "Diners Club".to_owned(),
            "jcb" => "JCB".to_owned(),
            "unionpay" => "UnionPay".to_owned(),
            other => {
                let mut letters = other.chars();
                letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            }
        }
    }

    /// What people call the card: `Visa ending in 4242`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} ending in {}", self.brand_name(), self.last4)
    }
}

/// A saved card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Method {
    /// Its id.
    #[serde(rename = "methodId")]
    #[schema(value_type = String)]
    pub id: MethodId,
    /// Whose it is.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// Who keeps it: `sandbox` or `stripe`.
    #[schema(value_type = String)]
    pub gateway: &'static str,
    /// What people see of it.
    #[serde(flatten)]
    pub view: MethodView,
    /// The month after which it is void, 1 to 12.
    pub exp_month: u32,
    /// The year after which it is void.
    pub exp_year: u32,
    /// Whether it is taken where nothing else is said.
    pub is_default: bool,
    /// When it was saved.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// The gateway's name for it, or the outcome code of a sandbox card.
    #[serde(skip)]
    pub(crate) instrument: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_called_by_its_brand_and_its_last_digits() {
        let label = |brand: &str| MethodView { brand: brand.to_owned(), last4: "4242".to_owned() }.label();
        assert_eq!(label("visa"), "Visa ending in 4242");
        assert_eq!(label("amex"), "American Express ending in 4242");
        assert_eq!(label("elo"), "Elo ending in 4242");
    }
}
