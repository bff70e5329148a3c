//! Where sellers' money goes: their accounts at the gateway.

use identity::audit::{self, Outcome};
use identity::{AccountId, Caller};
use kernel::Timestamp;
use payments::Connected;
use serde_json::json;
use store::{Tx, args};

use crate::error::PayoutError;
use crate::room::Payouts;
use crate::sql;

/// A seller's account at a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutAccount {
    /// Which gateway.
    pub gateway: String,
    /// The gateway's name of it.
    pub reference: String,
    /// Whether the gateway pays out to it.
    pub ready: bool,
    /// What the gateway still wants to know, one per line.
    pub missing: String,
    /// When the gateway was last asked.
    pub updated_at: Timestamp,
}
store::row!(PayoutAccount { gateway, reference, ready, missing, updated_at });

pub(crate) async fn find(
    tx: &mut Tx,
    seller: &AccountId,
    gateway: &str,
) -> Result<Option<PayoutAccount>, PayoutError> {
    Ok(tx.first(&sql::FIND_ACCOUNT, args![seller, gateway]).await?)
}

impl Payouts {
    /// The seller's account at the gateway in use. The sandbox has one for everybody.
    pub(crate) async fn account_of(&self, seller: &AccountId) -> Result<Option<PayoutAccount>, PayoutError> {
        let gateway = self.gateway()?.name();
        let asked = seller.clone();
        let found = self.store.read(async move |tx: &mut Tx| find(tx, &asked, gateway).await).await?;
        if found.is_none() && self.payments.is_sandbox() {
            return self.make_account(seller).await.map(Some);
        }
        Ok(found)
    }

    async fn make_account(&self, seller: &AccountId) -> Result<PayoutAccount, PayoutError> {
        let asked = seller.clone();
        let read = async move |tx: &mut Tx| identity::mail_address(tx, &asked).await;
        let mail = self.store.read(read).await?.unwrap_or_default();
        let connected = self.gateway()?.connect(seller.as_str(), &mail).await?;
        self.keep(seller, connected).await
    }

    async fn keep(&self, seller: &AccountId, connected: Connected) -> Result<PayoutAccount, PayoutError> {
        let account = PayoutAccount {
            gateway: self.gateway()?.name().to_owned(),
            reference: connected.reference,
            ready: connected.is_ready,
            missing: connected.missing.join("\n"),
            updated_at: self.clock.now(),
        };
        let (seller, kept) = (seller.clone(), account.clone());
        let write = async move |tx: &mut Tx| {
            let row = args![seller, kept.gateway, kept.reference, kept.ready, kept.missing, kept.updated_at];
            tx.execute(&sql::SET_ACCOUNT, row).await.map(|_| ())
        };
        self.store.write::<_, (), PayoutError>(async move |tx: &mut Tx| Ok(write(tx).await?)).await?;
        Ok(account)
    }

    /// Begins or goes on with the set-up at the gateway: the page where it asks the seller. The seller comes back to
    /// `/sell/payouts/account`.
    ///
    /// # Errors
    /// [`PayoutError::Identity`] for who may not, [`PayoutError::NoGateway`], [`PayoutError::Gateway`].
    pub async fn connect(&self, by: &Caller, org: Option<&str>) -> Result<String, PayoutError> {
        let seller = self.owner(by, org)?;
        let account = match self.account_of(&seller).await? {
            Some(account) => account,
            None => self.make_account(&seller).await?,
        };
        let query: String = org.map_or_else(String::new, |org| {
            let org: String = url::form_urlencoded::byte_serialize(org.as_bytes()).collect();
            format!("?org={org}")
        });
        let back = format!("{}/sell/payouts/account{query}", self.settings.public_url);
        let link = self.gateway()?.connect_link(&account.reference, &back, &back).await?;
        let (by, subject) = (by.clone(), seller.to_string());
        let detail = json!({"gateway": account.gateway, "account": account.reference});
        let note = async move |tx: &mut Tx| {
            audit::record(tx, &by, "payout_account.opened", &subject, Outcome::Done, &detail).await
        };
        self.store.write::<_, (), PayoutError>(async move |tx: &mut Tx| Ok(note(tx).await?)).await?;
        Ok(link)
    }

    /// Asks the gateway again how the seller's account stands; `None` where there is none yet.
    ///
    /// # Errors
    /// As [`Payouts::connect`].
    pub async fn refresh_account(
        &self,
        by: &Caller,
        org: Option<&str>,
    ) -> Result<Option<PayoutAccount>, PayoutError> {
        let seller = self.seller(by, org)?;
        let Some(account) = self.account_of(&seller).await? else { return Ok(None) };
        let connected = self.gateway()?.connected(&account.reference).await?;
        self.keep(&seller, connected).await.map(Some)
    }
}
