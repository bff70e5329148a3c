//! Changing what is wanted of deployments.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use identity::Account;
use serde::Deserialize;
use web::{Expected, Failure, IfMatch, Json, Path, Query, expected_version};

use super::views::{ChangedView, CredentialsView, ScaledView, ToPayView, to_pay};
use crate::error::id;
use crate::{Change, DeploymentId, Services, Status};

async fn apply(
    services: &Services,
    account: &Account,
    deployment: &str,
    seen: Expected,
    change: Change,
) -> Result<Json<ChangedView>, Failure> {
    let id = id::<DeploymentId>(deployment, "deployment")?;
    Ok(Json(services.change(&account.caller, &id, seen, change).await?.into()))
}

macro_rules! simple {
    ($(#[$doc:meta])* $name:ident, $path:literal, $change:expr, $answer:literal) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "deployments",
            params(("id" = String, Path, description = "The deployment's id"),
                ("If-Match" = Option<String>, Header, description = "The version that was read.")),
            responses((status = 200, description = $answer, body = ChangedView),
                (status = 401, description = "Nobody is signed in."),
                (status = 404, description = "No such deployment of yours."),
                (status = 409, description = "It cannot be done now."),
                (status = 412, description = "It changed meanwhile.")))]
        pub(super) async fn $name(
            State(services): State<Services>,
            account: Account,
            Path(deployment): Path<String>,
            if_match: IfMatch,
        ) -> Result<Json<ChangedView>, Failure> {
            apply(&services, &account, &deployment, expected_version(if_match, None)?, $change).await
        }
    };
}

/// Stop a deployment.
#[utoipa::path(post, path = "/api/deployments/{id}/stop", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"),
        ("If-Match" = Option<String>, Header, description = "The version that was read.")),
    responses((status = 200, description = "It rests; or it is `stopping`, where that takes more than five seconds.", body = ChangedView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "It cannot be done now."), (status = 412, description = "It changed meanwhile.")))]
pub(super) async fn stop(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    if_match: IfMatch,
) -> Result<Json<ChangedView>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    services.change(&account.caller, &id, expected_version(if_match, None)?, Change::Stop).await?;
    Ok(Json(services.wait_for(&account.caller, &id, Status::Stopped).await?.into()))
}

simple!(
    /// Start a deployment anew.
    restart, "/api/deployments/{id}/restart", Change::Restart, "Its container is made afresh; what it keeps stays."
);

/// Changes what may have to be paid for first: 202 with the order then.
async fn apply_or_order(
    services: &Services,
    account: &Account,
    deployment: &str,
    seen: Expected,
    change: Change,
) -> Result<Response, Failure> {
    let id = id::<DeploymentId>(deployment, "deployment")?;
    match services.change_or_order(&account.caller, &id, seen, change).await {
        Ok(known) => Ok(Json(ChangedView::from(known)).into_response()),
        Err(error) => to_pay(services, error),
    }
}

/// Start a deployment.
#[utoipa::path(post, path = "/api/deployments/{id}/start", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"),
        ("If-Match" = Option<String>, Header, description = "The version that was read.")),
    responses((status = 200, description = "It is started, or runs already.", body = ChangedView),
        (status = 202, description = "It is not paid any more: an order was placed and is to be paid; it starts by itself then.", body = ToPayView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "It cannot be done now."), (status = 412, description = "It changed meanwhile.")))]
pub(super) async fn start(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    if_match: IfMatch,
) -> Result<Response, Failure> {
    let seen = expected_version(if_match, None)?;
    apply_or_order(&services, &account, &deployment, seen, Change::Start).await
}

/// Undo the removal of a deployment.
#[utoipa::path(post, path = "/api/deployments/{id}/undelete", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"),
        ("If-Match" = Option<String>, Header, description = "The version that was read.")),
    responses((status = 200, description = "It rests, with all that it kept.", body = ChangedView),
        (status = 202, description = "It is not paid any more: an order was placed and is to be paid; it starts by itself then.", body = ToPayView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "It cannot be done now."), (status = 412, description = "It changed meanwhile.")))]
pub(super) async fn undelete(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    if_match: IfMatch,
) -> Result<Response, Failure> {
    let seen = expected_version(if_match, None)?;
    apply_or_order(&services, &account, &deployment, seen, Change::Undelete).await
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ScaleBody {
    /// The plan.
    tier: String,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Give a deployment another plan.
#[utoipa::path(post, path = "/api/deployments/{id}/scale", tag = "deployments", request_body = ScaleBody,
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "It starts anew with the other plan, or does so later where that costs less. The difference was charged.", body = ScaledView),
        (status = 202, description = "An order was placed and is to be paid; it gets the plan by itself then.", body = ToPayView),
        (status = 401, description = "Nobody is signed in."), (status = 402, description = "The plan is not for sale here, or the difference could not be charged."),
        (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "The plan has less room on disk, or it changed meanwhile."),
        (status = 422, description = "No such plan.")))]
pub(super) async fn scale(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    if_match: IfMatch,
    Json(body): Json<ScaleBody>,
) -> Result<Response, Failure> {
    let seen = expected_version(if_match, body.version)?;
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    match services.change_plan(&account.caller, &id, seen, body.tier).await {
        Ok(scaled) => Ok(Json(ScaledView::of(&services, scaled)).into_response()),
        Err(error) => to_pay(&services, error),
    }
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PatchBody {
    /// Its new name.
    name: Option<String>,
    /// Those of its service's own settings that shall change; `null` stands for the default. It starts anew with them.
    #[serde(default)]
    config: Option<serde_json::Map<String, serde_json::Value>>,
    /// What it may cost in a month before its owner is told, in minor units; 0 forgets the budget.
    budget_minor: Option<i64>,
    /// The version that was read; a stale one changes nothing.
    version: Option<i64>,
}

/// Rename a deployment, change its settings or its budget.
#[utoipa::path(patch, path = "/api/deployments/{id}", tag = "deployments", request_body = PatchBody,
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "It is changed.", body = ChangedView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "The name is taken, or it changed meanwhile."), (status = 422, description = "Some fields are wrong.")))]
pub(super) async fn change(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    if_match: IfMatch,
    Json(body): Json<PatchBody>,
) -> Result<Json<ChangedView>, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    let mut seen = expected_version(if_match, body.version)?;
    let mut known = None;
    let changes = [
        body.config.map(|settings| Change::Configure { settings }),
        body.name.map(|name| Change::Rename { name }),
        body.budget_minor.map(|minor| Change::Budget { minor: (minor > 0).then_some(minor) }),
    ];
    for change in changes.into_iter().flatten() {
        let changed = services.change(&account.caller, &id, seen, change).await?;
        seen = Expected::ByBody(changed.version);
        known = Some(changed);
    }
    let known = match known {
        Some(known) => known,
        None => services.deployment(&account.caller, &id).await?,
    };
    Ok(Json(known.into()))
}

#[derive(Deserialize, Default, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Now {
    /// Without time to undo it.
    now: bool,
}

/// Remove a deployment.
#[utoipa::path(delete, path = "/api/deployments/{id}", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id"), Now),
    responses((status = 200, description = "It ends now and goes when the time to undo that is over.", body = ChangedView),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 410, description = "It is gone already.")))]
pub(super) async fn delete(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
    Query(asked): Query<Now>,
    if_match: IfMatch,
) -> Result<Json<ChangedView>, Failure> {
    let change = Change::Delete { at_once: asked.now };
    apply(&services, &account, &deployment, expected_version(if_match, None)?, change).await
}

/// Replace the secrets of a deployment.
#[utoipa::path(post, path = "/api/deployments/{id}/rotate", tag = "deployments",
    params(("id" = String, Path, description = "The deployment's id")),
    responses((status = 200, description = "The new credentials hold, the old ones do not.", body = CredentialsView),
        (status = 202, description = "It is under way: the old ones hold until then."),
        (status = 401, description = "Nobody is signed in."), (status = 404, description = "No such deployment of yours."),
        (status = 409, description = "It does not run, or the service cannot do this.")))]
pub(super) async fn rotate(
    State(services): State<Services>,
    account: Account,
    Path(deployment): Path<String>,
) -> Result<Response, Failure> {
    let id = id::<DeploymentId>(&deployment, "deployment")?;
    Ok(match services.rotate(&account.caller, &id).await? {
        Some(shown) => Json(CredentialsView::from(shown)).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    })
}
