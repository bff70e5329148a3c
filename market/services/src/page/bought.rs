//! `/deployments/bought/{order}`: from a paid order to what it is for.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect};
use identity::{Visit, done};
use web::Path;

use super::Answer;
use crate::Services;
use crate::error::{ServiceError, id};

/// To the deployment that was bought; to the checkout while it is not paid; to the form where what was wanted could not be
/// had, or nothing in particular was wanted.
pub(super) async fn show(
    State(services): State<Services>,
    visit: Visit,
    Path(order): Path<String>,
) -> Answer {
    visit.account()?;
    let order = id(&order, "order")?;
    match services.after_order(&visit.caller, &order).await {
        Ok(made) => {
            let page = format!("/deployments/{}", made.deployment.id);
            Ok(Redirect::to(&page).into_response())
        }
        Err(ServiceError::ToPay(to_pay)) => Ok(Redirect::to(&to_pay.page()).into_response()),
        Err(error @ (ServiceError::NotFound(_) | ServiceError::Identity(_) | ServiceError::Store(_))) => {
            Err(error.into())
        }
        Err(ServiceError::OrderOver) => Ok(Redirect::to(&format!("/orders/{order}")).into_response()),
        Err(_) => {
            let (_, right) = services.ordered(&order).await?;
            let page = format!("/deployments/new?service={}&plan={}", right.service, right.plan_id);
            let words =
                if right.problem.is_empty() { "It is paid. Say what it is to be." } else { &right.problem };
            Ok(done(&page, words))
        }
    }
}
