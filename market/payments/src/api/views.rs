//! The JSON forms of this room.

use kernel::{Page, Timestamp};
use serde::Serialize;

use crate::dispute::{Dispute, DisputeState};
use crate::look_up::PaymentDetails;
use crate::method::MethodView;
use crate::payment::{NextAction, Payment, Reason, State};
use crate::refund::{Refund, RefundState};

/// A payment as its payer and operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentView {
    pub(super) payment_id: String,
    /// What is paid for: `order`, `top-up`, `invoice`.
    pub(super) purpose: String,
    pub(super) subject: String,
    /// The order, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) order_id: Option<String>,
    pub(super) payer: String,
    pub(super) state: State,
    /// In major units, for showing.
    pub(super) amount: f64,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) refunded_minor: i64,
    /// `sandbox`, `stripe` or `wallet`.
    pub(super) gateway: String,
    /// Whether no real money moves.
    pub(super) sandbox: bool,
    pub(super) method: Option<MethodView>,
    /// Why it failed, or why its money goes back.
    pub(super) failure: Option<Reason>,
    /// What the buyer has to do.
    pub(super) next_action: Option<NextAction>,
    /// The page on which the buyer goes on.
    pub(super) next_url: Option<String>,
    pub(super) description: String,
    pub(super) version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub(super) updated_at: Timestamp,
}

impl From<Payment> for PaymentView {
    fn from(payment: Payment) -> Self {
        Self {
            next_url: crate::Payments::next_page(&payment),
            order_id: (payment.purpose == "order").then(|| payment.subject.clone()),
            payment_id: payment.id.to_string(),
            purpose: payment.purpose,
            subject: payment.subject,
            payer: payment.payer.to_string(),
            state: payment.state,
            amount: payment.amount.major_number(),
            amount_minor: payment.amount.minor,
            currency: payment.amount.currency.to_string(),
            refunded_minor: payment.refunded_minor,
            gateway: payment.gateway.to_owned(),
            sandbox: payment.gateway == crate::sandbox::NAME,
            method: payment.method,
            failure: payment.failure,
            next_action: payment.next_action,
            description: payment.description,
            version: payment.version,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

/// A refund.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundView {
    pub(super) refund_id: String,
    pub(super) payment_id: String,
    pub(super) state: RefundState,
    pub(super) amount: f64,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) reason: String,
    pub(super) failure: Option<Reason>,
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.id.to_string(),
            payment_id: refund.payment.to_string(),
            state: refund.state,
            amount: refund.amount.major_number(),
            amount_minor: refund.amount.minor,
            currency: refund.amount.currency.to_string(),
            reason: refund.reason,
            failure: refund.failure,
            created_at: refund.created_at,
        }
    }
}

/// A dispute.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisputeView {
    pub(super) dispute_id: String,
    pub(super) state: DisputeState,
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) reason: String,
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
}

impl From<Dispute> for DisputeView {
    fn from(dispute: Dispute) -> Self {
        Self {
            dispute_id: dispute.id.to_string(),
            state: dispute.state,
            amount_minor: dispute.amount.minor,
            currency: dispute.amount.currency.to_string(),
            reason: dispute.reason,
            created_at: dispute.created_at,
        }
    }
}

/// A payment with what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DetailsView {
    #[serde(flatten)]
    pub(super) payment: PaymentView,
    pub(super) refunds: Vec<RefundView>,
    pub(super) disputes: Vec<DisputeView>,
}

impl From<PaymentDetails> for DetailsView {
    fn from(details: PaymentDetails) -> Self {
        Self {
            payment: details.payment.into(),
            refunds: details.refunds.into_iter().map(RefundView::from).collect(),
            disputes: details.disputes.into_iter().map(DisputeView::from).collect(),
        }
    }
}

/// A page of payments.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct PaymentList {
    pub(super) payments: Vec<PaymentView>,
    pub(super) total: u64,
}

impl From<Page<Payment>> for PaymentList {
    fn from(page: Page<Payment>) -> Self {
        Self { payments: page.items.into_iter().map(PaymentView::from).collect(), total: page.total }
    }
}
