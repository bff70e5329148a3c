//! The door: devices, lists for offline use, scans.

use axum::extract::State;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use identity::Account;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use web::{DONE, Done, Failure, Json, Listed, Path, Query};

use super::id;
use crate::check_in::{Expected, Guard, Kept, Said, Scan};
use crate::{Device, Tickets};

/// List the devices of an event.
#[utoipa::path(get, path = "/api/events/{id}/devices", tag = "check-in", params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "Its devices.", body = Listed<Device>),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "It is somebody else's.")))]
pub(super) async fn devices(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
) -> Result<Json<Listed<Device>>, Failure> {
    Ok(Json(Listed::whole(tickets.devices(&account.caller, &id(&event, "event")?).await?)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeviceWish {
    /// What staff call it.
    name: String,
}

/// A device with its token.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeviceMade {
    #[serde(flatten)]
    device: Device,
    /// Shown this once: the device sends it as `Authorization: Bearer chk_…`.
    token: String,
}

/// Let a device scan.
#[utoipa::path(post, path = "/api/events/{id}/devices", tag = "check-in", request_body = DeviceWish,
    params(("id" = String, Path, description = "The event")),
    responses((status = 201, description = "The device, with its token.", body = DeviceMade),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "It is somebody else's."),
        (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn add_device(
    State(tickets): State<Tickets>,
    account: Account,
    Path(event): Path<String>,
    Json(body): Json<DeviceWish>,
) -> Result<impl IntoResponse, Failure> {
    let made = tickets.add_device(&account.caller, &id(&event, "event")?, &body.name).await?;
    let made = DeviceMade { device: made.device, token: made.token.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Take a device's token back.
#[utoipa::path(delete, path = "/api/events/{id}/devices/{device}", tag = "check-in",
    params(("id" = String, Path, description = "The event"), ("device" = String, Path, description = "The device")),
    responses((status = 200, description = "It scans no more.", body = Done),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "There is none.")))]
pub(super) async fn revoke_device(
    State(tickets): State<Tickets>,
    account: Account,
    Path((event, device)): Path<(String, String)>,
) -> Result<Json<Done>, Failure> {
    tickets.revoke_device(&account.caller, &id(&event, "event")?, &id(&device, "device")?).await?;
    Ok(DONE)
}

#[derive(Deserialize, utoipa::IntoParams)]
pub(super) struct After {
    /// `next` of the part before.
    after: Option<String>,
}

/// A public key.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyBody {
    /// The number that stands in codes.
    number: u16,
    /// Ed25519 (RFC 8032), base64url.
    public_key: String,
}

/// What a device needs to scan offline.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DoorBody {
    event_id: String,
    title: String,
    #[schema(value_type = String)]
    made_at: Timestamp,
    /// Codes are `T1.` and base64url of 39 bytes and a signature over `fondaco ticket 1\0` and those bytes: key number
    /// (2), ticket (16), event (16), generation (4), 0.
    keys: Vec<KeyBody>,
    tickets: Vec<Expected>,
    /// Ask again with `?after=` this for the next part.
    next: Option<String>,
}

/// Fetch what is needed to scan offline.
#[utoipa::path(get, path = "/api/events/{id}/check-in-list", tag = "check-in",
    params(("id" = String, Path, description = "The event"), After),
    responses((status = 200, description = "Public keys and a part of the tickets.", body = DoorBody),
        (status = 401, description = "Neither a device nor anybody signed in."), (status = 404, description = "Not theirs to scan.")))]
pub(super) async fn list(
    State(tickets): State<Tickets>,
    guard: Guard,
    Path(event): Path<String>,
    Query(after): Query<After>,
) -> Result<Json<DoorBody>, Failure> {
    let after = after.after.map(|text| id(&text, "ticket")).transpose()?;
    let door = tickets.door(&guard, &id(&event, "event")?, after).await?;
    let key = |(number, key): (u16, [u8; 32])| KeyBody { number, public_key: URL_SAFE_NO_PAD.encode(key) };
    Ok(Json(DoorBody {
        event_id: door.event.id.to_string(),
        title: door.event.text.title,
        made_at: guard.now(),
        keys: door.keys.into_iter().map(key).collect(),
        tickets: door.tickets,
        next: door.next.map(|next| next.to_string()),
    }))
}

/// The scans of an event.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ScansBody {
    /// The last 50, the newest first.
    scans: Vec<Kept>,
    /// All scans of tickets that were let in more than once, the first of each before the others.
    conflicts: Vec<Kept>,
}

/// Show scans and conflicts.
#[utoipa::path(get, path = "/api/events/{id}/check-ins", tag = "check-in", params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "The last scans and the conflicts.", body = ScansBody),
        (status = 401, description = "Neither a device nor anybody signed in."), (status = 404, description = "Not theirs to scan.")))]
pub(super) async fn scans(
    State(tickets): State<Tickets>,
    guard: Guard,
    Path(event): Path<String>,
) -> Result<Json<ScansBody>, Failure> {
    let (scans, conflicts) = tickets.scans(&guard, &id(&event, "event")?).await?;
    Ok(Json(ScansBody { scans, conflicts }))
}

/// Scan a code.
#[utoipa::path(post, path = "/api/events/{id}/check-ins", tag = "check-in", request_body = Scan,
    params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "What it came to; `admitted` lets in.", body = Said),
        (status = 401, description = "Neither a device nor anybody signed in."), (status = 404, description = "Not theirs to scan.")))]
pub(super) async fn check_in(
    State(tickets): State<Tickets>,
    guard: Guard,
    Path(event): Path<String>,
    Json(scan): Json<Scan>,
) -> Result<Json<Said>, Failure> {
    let said = tickets.check_in(&guard, &id(&event, "event")?, vec![scan]).await?.pop();
    Ok(Json(said.ok_or(crate::TicketError::NotFound("scan"))?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// At most 500, each with an `id` of the device's own: sending one again changes nothing.
    scans: Vec<Scan>,
}

/// Report scans that were made offline.
#[utoipa::path(post, path = "/api/events/{id}/check-ins/batch", tag = "check-in", request_body = Batch,
    params(("id" = String, Path, description = "The event")),
    responses((status = 200, description = "What each came to, in the same order.", body = Listed<Said>),
        (status = 401, description = "Neither a device nor anybody signed in."), (status = 404, description = "Not theirs to scan."),
        (status = 422, description = "More than 500.")))]
pub(super) async fn check_in_batch(
    State(tickets): State<Tickets>,
    guard: Guard,
    Path(event): Path<String>,
    Json(batch): Json<Batch>,
) -> Result<Json<Listed<Said>>, Failure> {
    Ok(Json(Listed::whole(tickets.check_in(&guard, &id(&event, "event")?, batch.scans).await?)))
}

/// A new key.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct KeyMade {
    /// Its number; it signs from now on.
    number: u16,
}

/// Sign codes with a new key from now on; codes of earlier keys stay good.
#[utoipa::path(post, path = "/api/operator/ticket-keys", tag = "check-in",
    responses((status = 201, description = "The new key.", body = KeyMade),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Not an operator.")))]
pub(super) async fn rotate_key(
    State(tickets): State<Tickets>,
    account: Account,
) -> Result<impl IntoResponse, Failure> {
    let number = tickets.rotate_key(&account.caller).await?;
    Ok((StatusCode::CREATED, Json(KeyMade { number })))
}
