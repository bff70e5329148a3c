//! The keys that sign codes and places in waiting rooms. Private keys are sealed in the database; the newest that opens
//! signs, all verify.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use identity::{Action, Caller, Subject};
use kernel::{Secret, Timestamp};
use store::{Store, Tx, args};
use vault::Vault;

use crate::code::{Code, CodeError};
use crate::error::TicketError;
use crate::{Tickets, sql};

/// What the sealed keys are for.
const PURPOSE: &str = "tickets.code-key";

/// The keys as they were read last.
pub(crate) struct Ring {
    /// Number and key that sign.
    pub(crate) signing: (u16, SigningKey),
    /// Every public key by its number.
    pub(crate) public: BTreeMap<u16, [u8; 32]>,
}

/// The keys of the market.
pub(crate) struct Keys {
    store: Store,
    vault: Vault,
    ring: RwLock<Option<Arc<Ring>>>,
}

struct KeyRow {
    number: u16,
    public_key: Vec<u8>,
    sealed: String,
}

store::row!(KeyRow { number, public_key, sealed });

impl Keys {
    pub(crate) fn new(store: Store, vault: Vault) -> Self {
        Self { store, vault, ring: RwLock::new(None) }
    }

    /// The keys as this process knows them.
    pub(crate) fn known(&self) -> Option<Arc<Ring>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys; read, and the first one made, where this process has none yet.
    pub(crate) async fn ring(&self, now: Timestamp) -> Result<Arc<Ring>, TicketError> {
        match self.known() {
            Some(ring) => Ok(ring),
            None => self.load(now, false).await,
        }
    }

    /// Reads the keys anew. Where none opens, or `fresh` asks for it, another one is made with the next number.
    pub(crate) async fn load(&self, now: Timestamp, fresh: bool) -> Result<Arc<Ring>, TicketError> {
        let mut fresh = fresh;
        // The second round finds the key of the first, or that of another process that was faster.
        for _ in 0..2 {
            let read = async move |tx: &mut Tx| tx.all::<KeyRow>(&sql::LIST_KEYS, args![]).await;
            let rows: Vec<KeyRow> = self.store.read(read).await?;
            let signing = rows.iter().find_map(|row| self.open(row));
            let next = rows.first().map_or(1, |row| row.number.saturating_add(1));
            if let (Some(signing), false) = (signing, fresh) {
                let public = rows.iter().filter_map(|row| {
                    Some((row.number, <[u8; 32]>::try_from(row.public_key.as_slice()).ok()?))
                });
                let ring = Arc::new(Ring { signing, public: public.collect() });
                *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ring));
                return Ok(ring);
            }
            fresh = false;
            self.make(now, next).await?;
        }
        Err(vault::VaultError::UnknownKey.into())
    }

    async fn make(&self, now: Timestamp, number: u16) -> Result<(), TicketError> {
        let key = SigningKey::from_bytes(&kernel::random_bytes());
        let sealed = self.vault.seal(PURPOSE, &Secret::new(URL_SAFE_NO_PAD.encode(key.to_bytes())))?;
        let public = key.verifying_key().to_bytes();
        let write =
            async move |tx: &mut Tx| tx.execute(&sql::INSERT_KEY, args![number, public, sealed, now]).await;
        self.store.write(write).await?;
        Ok(())
    }

    fn open(&self, row: &KeyRow) -> Option<(u16, SigningKey)> {
        let opened = self.vault.open(PURPOSE, &row.sealed).inspect_err(|error| {
            tracing::warn!(number = row.number, %error, "a key of ticket codes does not open");
        });
        let bytes = URL_SAFE_NO_PAD.decode(opened.ok()?.expose()).ok()?;
        Some((row.number, SigningKey::from_bytes(&bytes.try_into().ok()?)))
    }

    /// Reads a code; a key that another process made meanwhile is looked for once.
    pub(crate) async fn verify(&self, text: &str, now: Timestamp) -> Result<Code, TicketError> {
        let ring = self.ring(now).await?;
        match Code::verify(text, |number| ring.public.get(&number).copied()) {
            Err(CodeError::Forged) => {
                let ring = self.load(now, false).await?;
                Ok(Code::verify(text, |number| ring.public.get(&number).copied())?)
            }
            read => Ok(read?),
        }
    }
}

impl Tickets {
    /// Makes a new key that signs from now on. Codes of earlier keys stay good.
    ///
    /// # Errors
    /// [`TicketError::Identity`] for who does not operate the market.
    pub async fn rotate_key(&self, by: &Caller) -> Result<u16, TicketError> {
        by.may(Action::OperateMarket, &Subject::Market)?;
        Ok(self.keys.load(by.now(), true).await?.signing.0)
    }
}
