//! Usage over JSON.

use axum::extract::State;
use identity::Account;
use serde::{Deserialize, Serialize};
use web::{Failure, Json};

use crate::room::Billing;
use crate::usage::{Counted, Usage};

/// A batch.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// 1 to 1,000 records.
    records: Vec<Usage>,
}

/// Report usage. A record counts once, however often it is sent: it is known by its source and id.
#[utoipa::path(post, path = "/api/usage", tag = "billing", request_body = Batch,
    responses((status = 200, description = "What became of each record.", body = Counted),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "Only for sellers."),
        (status = 422, description = "The batch is empty or has more than 1,000 records.")))]
pub(super) async fn count(
    State(room): State<Billing>,
    account: Account,
    Json(body): Json<Batch>,
) -> Result<Json<Counted>, Failure> {
    Ok(Json(room.count(&account.caller, body.records).await?))
}
