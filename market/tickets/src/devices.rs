//! What may scan at an event's doors: devices with a token of their own, good for this one event.

use identity::Caller;
use kernel::{Secret, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use store::{Tx, args};

use crate::error::TicketError;
use crate::event::EventId;
use crate::organise::own_event;
use crate::{Tickets, sql};

kernel::id!(
    /// One device.
    DeviceId,
    "device"
);
store::id_values!(DeviceId);

/// What stands before every token of a device.
pub(crate) const TOKEN_PREFIX: &str = "chk_";
/// The most devices of one event.
const MAX_DEVICES: u32 = 100;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeviceId,
    /// The event at whose doors it scans.
    #[schema(value_type = String)]
    pub event_id: EventId,
    /// What staff call it.
    pub name: String,
    /// When it was let in.
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    /// When its token was taken back.
    #[schema(value_type = Option<String>)]
    pub revoked_at: Option<Timestamp>,
}

store::row!(Device { id, event_id, name, created_at, revoked_at });

/// A device with its token, which is shown this once.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// The device.
    pub device: Device,
    /// Its token.
    pub token: Secret,
}

impl Tickets {
    /// Makes a token for a device.
    ///
    /// # Errors
    /// [`TicketError::Identity`], [`TicketError::NotFound`] for who does not organise the event; [`TicketError::Invalid`]
    /// for a name out of bounds or more than 100 devices.
    pub async fn add_device(
        &self,
        by: &Caller,
        event: &EventId,
        name: &str,
    ) -> Result<NewDevice, TicketError> {
        let token = format!("{TOKEN_PREFIX}{}", kernel::random_text::<32>());
        let (by, event, name, hash) = (by.clone(), event.clone(), name.trim().to_owned(), hashed(&token));
        let write = async move |tx: &mut Tx| {
            own_event(tx, &by, &event).await?;
            if !(1..=60).contains(&name.chars().count()) {
                return Err(TicketError::field("/name", "Write 1 to 60 characters."));
            }
            let (count,): (u32,) = tx.one(&sql::COUNT_DEVICES, args![event]).await?;
            if count >= MAX_DEVICES {
                return Err(TicketError::field(
                    "/name",
                    "An event has at most 100 devices; take one back first.",
                ));
            }
            let device = Device {
                id: DeviceId::fresh(),
                event_id: event.clone(),
                name: name.clone(),
                created_at: by.now(),
                revoked_at: None,
            };
            let row = args![device.id, device.event_id, device.name, hash, device.created_at];
            tx.execute(&sql::INSERT_DEVICE, row).await?;
            Ok(device)
        };
        Ok(NewDevice { device: self.store.write(write).await?, token: Secret::new(token) })
    }

    /// The devices of an event.
    ///
    /// # Errors
    /// As [`Tickets::add_device`].
    pub async fn devices(&self, by: &Caller, event: &EventId) -> Result<Vec<Device>, TicketError> {
        let (by, event) = (by.clone(), event.clone());
        let read = async move |tx: &mut Tx| {
            own_event(tx, &by, &event).await?;
            Ok(tx.all(&sql::LIST_DEVICES, args![event]).await?)
        };
        self.store.read(read).await
    }

    /// Takes the token of a device back.
    ///
    /// # Errors
    /// As [`Tickets::add_device`].
    pub async fn revoke_device(
        &self,
        by: &Caller,
        event: &EventId,
        device: &DeviceId,
    ) -> Result<(), TicketError> {
        let (by, event, device) = (by.clone(), event.clone(), device.clone());
        let write = async move |tx: &mut Tx| {
            own_event(tx, &by, &event).await?;
            match tx.execute(&sql::REVOKE_DEVICE, args![event, device, by.now()]).await? {
                0 => Err(TicketError::NotFound("device")),
                _ => Ok(()),
            }
        };
        self.store.write(write).await
    }

    /// The device that holds this token.
    pub(crate) async fn device_of(&self, token: &str) -> Result<Option<Device>, TicketError> {
        let hash = hashed(token);
        let read = async move |tx: &mut Tx| Ok(tx.first(&sql::FIND_DEVICE_BY_TOKEN, args![hash]).await?);
        self.store.read(read).await
    }
}

fn hashed(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
