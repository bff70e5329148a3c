//! Deployments as the seed's API shows them.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kernel::{Money, Timestamp};
use serde::{Serialize, Serializer};
use web::{Failure, Json};

use crate::credentials::Shown;
use crate::deployment::{Deployment, Status};
use crate::error::ServiceError;
use crate::figures::{Figures, Standing};
use crate::{Category, Scaled, Services};

/// How a deployment is reached.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // the fields describe what `Serialize` writes, where their names follow from the template
pub(super) struct CredentialsView {
    host: String,
    /// The number, as a text.
    port: String,
    /// Those of the service, such as this and the next two.
    database: Option<String>,
    username: Option<String>,
    password: Option<String>,
    /// What programs connect to.
    connection_string: String,
    /// A command that a person can try.
    example: String,
    #[schema(ignore)]
    named: Vec<(String, String)>,
}

impl From<Shown> for CredentialsView {
    fn from(shown: Shown) -> Self {
        Self {
            port: shown.port.map(|port| port.to_string()).unwrap_or_default(),
            host: shown.host,
            database: None,
            username: None,
            password: None,
            connection_string: shown.uri,
            example: shown.example,
            named: shown.named,
        }
    }
}

impl Serialize for CredentialsView {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let fixed = [
            ("host", &self.host),
            ("port", &self.port),
            ("connectionString", &self.connection_string),
            ("example", &self.example),
        ];
        let named = self.named.iter().map(|(name, value)| (name.as_str(), value));
        to.collect_map(fixed.into_iter().take(2).chain(named).chain(fixed.into_iter().skip(2)))
    }
}

/// One deployment among others.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentView {
    id: String,
    name: String,
    service_id: String,
    service: String,
    /// The id of its plan.
    tier: String,
    region: String,
    status: Status,
    /// Why it is so, where that is not plain.
    reason: String,
    /// Host and port; empty when it is gone.
    endpoint: String,
    /// The user or organisation whose it is.
    account: String,
    version: i64,
    /// Until when its removal can be undone.
    #[schema(value_type = Option<String>, format = DateTime)]
    undo_until: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl DeploymentView {
    pub(super) fn of(services: &Services, known: &Deployment) -> Self {
        Self {
            id: known.id.to_string(),
            name: known.name.clone(),
            service_id: known.service.to_string(),
            service: known.slug.clone(),
            tier: known.plan.id.clone(),
            region: known.region.clone(),
            status: known.status,
            reason: known.reason.clone(),
            endpoint: endpoint(services, known),
            account: known.owner.to_string(),
            version: known.version,
            undo_until: known.undo_until,
            created_at: known.created_at,
            updated_at: known.updated_at,
        }
    }
}

/// Host and port.
pub(super) fn endpoint(services: &Services, known: &Deployment) -> String {
    known.port.map(|port| format!("{}:{port}", services.host(&known.id))).unwrap_or_default()
}

/// What a deployment does.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricsView {
    /// What it was asked since it was made, where the service counts that.
    requests: f64,
    /// Of those, how many failed.
    errors: f64,
    /// Milliseconds: what the service says, or how long its answers to probes take.
    avg_response_time: f64,
    /// Percent of the time of the last thirty days in which it was wanted.
    uptime: f64,
    /// What the engine and the service measured last; absent before it served.
    latest: Option<Figures>,
}

/// What a deployment costs this month.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BillingView {
    /// So far.
    current_cost: f64,
    current_cost_minor: i64,
    /// At the end of the month, if it goes on like this.
    projected_cost: f64,
    projected_cost_minor: i64,
    currency: String,
    billing_cycle: &'static str,
    /// By what it is paid, where it was bought: see /api/billing/subscriptions. Costs are then of its period.
    subscription_id: Option<String>,
    /// At which cost its owner is told.
    budget_minor: Option<i64>,
}

/// One deployment with what it does and costs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StandingView {
    #[serde(flatten)]
    deployment: DeploymentView,
    metrics: MetricsView,
    billing: BillingView,
    /// How it is reached; secrets are hidden.
    credentials: CredentialsView,
    /// Where other deployments of the account reach it.
    internal_endpoint: String,
    /// Its tier, its region and its service's own settings; secrets are hidden.
    config: serde_json::Map<String, serde_json::Value>,
    /// What it wrote last before it failed.
    last_lines: String,
}

impl StandingView {
    pub(super) fn of(services: &Services, standing: Standing, shown: Shown) -> Self {
        let Standing { deployment, figures, uptime, cost, subscription } = standing;
        let own = |name: &str| figures.as_ref().and_then(|figures| figures.own.get(name)).copied();
        let answer = figures.as_ref().map_or(0, |figures| figures.answer_us);
        let measured = f64::from(u32::try_from(answer).unwrap_or(u32::MAX)) / 1000.0;
        let money = |minor| Money::new(minor, deployment.plan.currency).major_number();
        Self {
            metrics: MetricsView {
                requests: own("requests").unwrap_or(0.0),
                errors: own("errors").unwrap_or(0.0),
                avg_response_time: own("avgResponseMs").unwrap_or(measured),
                uptime: f64::from(uptime) / 1000.0,
                latest: figures.map(Figures::without_raw),
            },
            billing: BillingView {
                current_cost: money(cost.current_minor),
                current_cost_minor: cost.current_minor,
                projected_cost: money(cost.projected_minor),
                projected_cost_minor: cost.projected_minor,
                currency: deployment.plan.currency.to_string(),
                billing_cycle: "monthly",
                subscription_id: subscription.map(|id| id.to_string()),
                budget_minor: deployment.budget_minor,
            },
            internal_endpoint: shown.internal.clone(),
            config: config(&deployment, &shown),
            credentials: shown.into(),
            last_lines: deployment.last_lines.clone(),
            deployment: DeploymentView::of(services, &deployment),
        }
    }
}

/// What it was chosen to be, as a request for one like it would say.
fn config(known: &Deployment, shown: &Shown) -> serde_json::Map<String, serde_json::Value> {
    let fixed = [("tier", known.plan.id.clone()), ("region", known.region.clone())];
    let fixed = fixed.map(|(name, value)| (name.to_owned(), value.into()));
    fixed.into_iter().chain(shown.settings.iter().cloned()).collect()
}

/// What was made, with its credentials.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MadeView {
    pub(super) deployment_id: String,
    pub(super) name: String,
    pub(super) status: Status,
    /// Host and port.
    pub(super) endpoint: String,
    /// With the secrets, which later answers hide.
    pub(super) credentials: CredentialsView,
    pub(super) estimated_time: &'static str,
    pub(super) version: i64,
}

/// That something was asked for, and how far it is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangedView {
    success: bool,
    status: Status,
    version: i64,
    /// Until when a removal can be undone.
    #[schema(value_type = Option<String>, format = DateTime)]
    undo_until: Option<Timestamp>,
}

impl From<Deployment> for ChangedView {
    fn from(known: Deployment) -> Self {
        Self { success: true, status: known.status, version: known.version, undo_until: known.undo_until }
    }
}

/// A service in the list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceView {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) slug: String,
    pub(super) category: Category,
    pub(super) description: String,
    /// Absent where nobody has rated it yet.
    pub(super) average_rating: Option<f64>,
    /// How many rated it.
    pub(super) ratings: u64,
    pub(super) active_deployments: u64,
    /// Whether it can be deployed here.
    pub(super) available: bool,
    /// Why not.
    pub(super) unavailable_because: Option<String>,
}

/// What is to be paid before something happens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToPayView {
    /// `payment_required`.
    status: &'static str,
    payment_required: bool,
    order: OrderToPay,
    /// The page on which people pay it.
    pay_url: String,
}

/// An order that waits to be paid, as `/api/orders` shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct OrderToPay {
    id: String,
    total: f64,
    total_minor: i64,
    currency: String,
    /// Until when it is held.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The answer for what waits for a payment: 202 with the order. Everything else is a failure.
pub(super) fn to_pay(services: &Services, error: ServiceError) -> Result<Response, Failure> {
    let ServiceError::ToPay(to_pay) = error else { return Err(error.into()) };
    let view = ToPayView {
        status: "payment_required",
        payment_required: true,
        pay_url: format!("{}{}", services.settings.public_url, to_pay.page()),
        order: OrderToPay {
            id: to_pay.order.to_string(),
            total: to_pay.total.major_number(),
            total_minor: to_pay.total.minor,
            currency: to_pay.total.currency.to_string(),
            expires_at: to_pay.ends_at,
        },
    };
    let place = [(http::header::LOCATION, format!("/api/orders/{}", to_pay.order))];
    Ok((StatusCode::ACCEPTED, place, Json(view)).into_response())
}

/// What became of the wish for another plan.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScaledView {
    #[serde(flatten)]
    changed: ChangedView,
    /// When it gets the plan, where that is not now: it costs less, and what is paid for is used first.
    #[schema(value_type = Option<String>, format = DateTime)]
    changes_at: Option<Timestamp>,
    /// The page on which the buyer confirms the payment of the difference, where the bank wants that.
    confirm_url: Option<String>,
}

impl ScaledView {
    pub(super) fn of(services: &Services, scaled: Scaled) -> Self {
        let (changes_at, page) = match &scaled {
            Scaled::Now(_) => (None, None),
            Scaled::Later(_, at) => (Some(*at), None),
            Scaled::Confirm(_, page) => (None, Some(page)),
        };
        let confirm_url = page.map(|page| format!("{}{page}", services.settings.public_url));
        Self { changed: scaled.deployment().clone().into(), changes_at, confirm_url }
    }
}
