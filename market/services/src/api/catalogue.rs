//! The catalogue.

use axum::extract::State;
use kernel::{Money, Paging};
use serde::{Deserialize, Serialize};
use web::{Failure, Json, Path, Query};

use super::ratings::stars;
use super::views::ServiceView;
use crate::error::ServiceError;
use crate::ratings::Rating;
use crate::template::{Category, Plan, Pricing, Setting, SettingKind, Template};
use crate::{Missing, Services};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(super) struct Part {
    /// Only of this category: database, ml, api, storage, compute.
    category: Option<String>,
    /// How many at the most: 1 to 100.
    limit: u32,
    /// How many to pass over.
    offset: u32,
}

impl Default for Part {
    fn default() -> Self {
        let Paging { limit, offset } = Paging::default();
        Self { category: None, limit, offset }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct ServiceList {
    services: Vec<ServiceView>,
    total: u64,
}

/// List the services.
#[utoipa::path(get, path = "/api/services", tag = "services", params(Part),
    responses((status = 200, description = "What can be deployed.", body = ServiceList),
        (status = 422, description = "No such category, or a part that is not given.")))]
pub(super) async fn list(
    State(services): State<Services>,
    Query(part): Query<Part>,
) -> Result<Json<ServiceList>, Failure> {
    let paging = Paging { limit: part.limit, offset: part.offset }.checked()?;
    let category =
        part.category.as_deref().filter(|word| !word.is_empty()).map(str::parse::<Category>).transpose();
    let category = category.map_err(|words| ServiceError::field("/category", words))?;
    let (active, ratings) = (services.active().await?, services.ratings().await?);
    let all: Vec<_> = services
        .catalogue()
        .templates()
        .filter(|template| category.is_none_or(|category| template.category == category))
        .collect();
    let total = all.len() as u64;
    let mut shown = Vec::new();
    for template in all.into_iter().skip(paging.offset as usize).take(paging.limit as usize) {
        let missing = services.missing(template).await;
        let id = template.id.as_str();
        let rating = ratings.get(id).copied().unwrap_or_default();
        shown.push(view(template, active.get(id).copied().unwrap_or(0), rating, missing));
    }
    Ok(Json(ServiceList { services: shown, total }))
}

fn view(
    template: &Template,
    active_deployments: u64,
    rating: Rating,
    missing: Option<Missing>,
) -> ServiceView {
    ServiceView {
        id: template.id.to_string(),
        name: template.name.clone(),
        slug: template.slug.clone(),
        category: template.category,
        description: template.summary.clone(),
        average_rating: rating.tenths().map(stars),
        ratings: rating.count,
        active_deployments,
        available: missing.is_none(),
        unavailable_because: missing.map(|missing| missing.to_string()),
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct TierView {
    id: String,
    name: String,
    /// `free`, `subscription` or `usage`.
    model: &'static str,
    /// In major units, for the period.
    price: f64,
    /// In minor units; for what is paid by use, of a thousand hours.
    price_minor: i64,
    currency: String,
    /// `month` or `hour`; absent where it is free.
    period: Option<&'static str>,
    features: Vec<String>,
    limits: LimitsView,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LimitsView {
    cpus: f64,
    memory_bytes: u64,
    disk_bytes: u64,
}

impl From<&Plan> for TierView {
    fn from(plan: &Plan) -> Self {
        let major = |minor| Money::new(minor, plan.currency).major_number();
        let (price, price_minor, period) = match plan.pricing {
            Pricing::Free => (0.0, 0, None),
            Pricing::Subscription { month_minor } => (major(month_minor), month_minor, Some("month")),
            Pricing::Usage { thousand_hours_minor } => {
                (major(thousand_hours_minor) / 1000.0, thousand_hours_minor, Some("hour"))
            }
        };
        Self {
            id: plan.id.clone(),
            name: plan.name.clone(),
            model: plan.pricing.model(),
            price,
            price_minor,
            currency: plan.currency.to_string(),
            period,
            features: plan.features.clone(),
            limits: LimitsView {
                cpus: f64::from(plan.cpu_millis) / 1000.0,
                memory_bytes: plan.memory_bytes,
                disk_bytes: plan.disk_bytes,
            },
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct PricingView {
    /// The model of the first tier that has a price: `subscription` or `usage`; `free` where none has.
    model: &'static str,
    tiers: Vec<TierView>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct SlaView {
    /// Percent.
    uptime: f64,
    /// Milliseconds.
    response_time: u32,
    support: String,
}

/// What is chosen besides tier and region, in `config`.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct SettingView {
    name: String,
    title: String,
    help: String,
    /// `text`, `number`, `choice`, `toggle` or `document`, which is a JSON object or list.
    kind: &'static str,
    required: bool,
    /// What it is where nothing is chosen.
    default: Option<serde_json::Value>,
    /// Whether it is never shown again.
    secret: bool,
    /// Of a text: what it must look like, a regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    /// Of a text, the most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<i64>,
    /// Of a choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    /// Of a document, the most bytes as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<u32>,
}

impl From<&Setting> for SettingView {
    fn from(setting: &Setting) -> Self {
        let mut view = Self {
            name: setting.name.clone(),
            title: setting.title.clone(),
            help: setting.help.clone(),
            kind: setting.kind.as_str(),
            required: setting.required,
            default: setting.default.clone().filter(|_| !setting.secret),
            secret: setting.secret,
            pattern: None,
            max_length: None,
            min: None,
            max: None,
            options: Vec::new(),
            max_bytes: None,
        };
        match &setting.kind {
            SettingKind::Text { pattern, max_length, .. } => {
                view.pattern = pattern.as_ref().map(ToString::to_string);
                view.max_length = Some(*max_length);
            }
            SettingKind::Number { min, max } => (view.min, view.max) = (Some(*min), Some(*max)),
            SettingKind::Choice(options) => view.options.clone_from(options),
            SettingKind::Toggle => {}
            SettingKind::Document { max_bytes } => view.max_bytes = Some(*max_bytes),
        }
        view
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct Specifications {
    regions: Vec<String>,
    versions: Vec<String>,
    sla: SlaView,
    settings: Vec<SettingView>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceDetail {
    #[serde(flatten)]
    service: ServiceView,
    /// In Markdown.
    details: String,
    pricing: PricingView,
    specifications: Specifications,
}

/// Read a service.
#[utoipa::path(get, path = "/api/services/{slug}", tag = "services",
    params(("slug" = String, Path, description = "The service's slug or id.")),
    responses((status = 200, description = "The service with its prices.", body = ServiceDetail),
        (status = 404, description = "No such service.")))]
pub(super) async fn find(
    State(services): State<Services>,
    Path(slug): Path<String>,
) -> Result<Json<ServiceDetail>, Failure> {
    let template = services.catalogue().find(&slug).ok_or(ServiceError::NotFound("service"))?;
    let active = services.active().await?.get(template.id.as_str()).copied().unwrap_or(0);
    let missing = services.missing(template).await;
    let rating = services.ratings().await?.remove(template.id.as_str()).unwrap_or_default();
    let priced = template.plans.iter().find(|plan| plan.pricing != Pricing::Free);
    Ok(Json(ServiceDetail {
        service: view(template, active, rating, missing),
        details: template.description.clone(),
        pricing: PricingView {
            model: priced.map_or("free", |plan| plan.pricing.model()),
            tiers: template.plans.iter().map(Into::into).collect(),
        },
        specifications: Specifications {
            regions: template.regions.clone(),
            versions: template.versions.clone(),
            sla: SlaView {
                uptime: f64::from(template.sla.uptime) / 1000.0,
                response_time: template.sla.response_ms,
                support: template.sla.support.clone(),
            },
            settings: template.settings.iter().map(Into::into).collect(),
        },
    }))
}
