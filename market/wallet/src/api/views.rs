//! The JSON forms of this room.

use kernel::{Currency, Money, Timestamp};
use payments::{NextAction, Payment, Payments, Reason, Refund, RefundState};
use serde::Serialize;

use crate::alert::Alert;
use crate::balance::{Balances, WalletBalance};
use crate::history::{Entry, History};
use crate::rule::{AutoTopUp, Stopped};
use crate::settings::Settings;
use crate::top_up::{Origin, TopUp, TopUpState};

/// What a wallet holds.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WalletView {
    /// The user or organisation.
    account: String,
    /// One for each currency, the usual one first.
    balances: Vec<BalanceView>,
    /// Whether top-ups go to the sandbox, so that no real money moves.
    sandbox: bool,
}

/// What there is in one currency.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct BalanceView {
    currency: String,
    /// What can be spent, in major units, for showing.
    available: f64,
    available_minor: i64,
    /// What is on its way out.
    reserved: f64,
    reserved_minor: i64,
    /// What is there, reserved or not.
    balance: f64,
    balance_minor: i64,
    /// The smallest and largest top-up, and the most that the wallet may be topped up to.
    min_top_up_minor: i64,
    max_top_up_minor: i64,
    max_balance_minor: i64,
}

impl WalletView {
    pub(super) fn new(balances: &Balances, settings: &Settings, sandbox: bool) -> Self {
        let balance = |wallet: &WalletBalance| {
            let (all, available) = (wallet.balance, wallet.balance.available());
            BalanceView {
                currency: wallet.currency.to_string(),
                available: available.major_number(),
                available_minor: available.minor,
                reserved: all.reserved.major_number(),
                reserved_minor: all.reserved.minor,
                balance: all.posted.major_number(),
                balance_minor: all.posted.minor,
                min_top_up_minor: settings.min(wallet.currency).minor,
                max_top_up_minor: settings.max(wallet.currency).minor,
                max_balance_minor: settings.most(wallet.currency).minor,
            }
        };
        let wallets = balances.wallets.iter().map(balance).collect();
        Self { account: balances.account.to_string(), balances: wallets, sandbox }
    }
}

/// A top-up.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TopUpView {
    top_up_id: String,
    account: String,
    state: TopUpState,
    origin: Origin,
    /// In major units, for showing.
    amount: f64,
    amount_minor: i64,
    currency: String,
    refunded_minor: i64,
    payment_id: String,
    /// The card, as far as people may see it: `visa 4242`.
    method: String,
    /// Why it failed or was called off.
    failure: Option<Reason>,
    /// What the buyer has to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_action: Option<NextAction>,
    /// The page on which the buyer goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl TopUpView {
    pub(super) fn of(top_up: &TopUp) -> Self {
        Self {
            top_up_id: top_up.id.to_string(),
            account: top_up.account.to_string(),
            state: top_up.state,
            origin: top_up.origin,
            amount: top_up.amount.major_number(),
            amount_minor: top_up.amount.minor,
            currency: top_up.amount.currency.to_string(),
            refunded_minor: top_up.refunded_minor,
            payment_id: top_up.payment.to_string(),
            method: top_up.method.clone(),
            failure: top_up.failure.clone(),
            next_action: None,
            next_url: None,
            version: top_up.version,
            created_at: top_up.created_at,
            updated_at: top_up.updated_at,
        }
    }

    pub(super) fn with(top_up: &TopUp, payment: &Payment) -> Self {
        let waits = (top_up.state == TopUpState::Pending).then_some(payment);
        let next_action = waits.and_then(|payment| payment.next_action.clone());
        Self { next_action, next_url: waits.and_then(Payments::next_page), ..Self::of(top_up) }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TopUpList {
    pub(super) top_ups: Vec<TopUpView>,
    pub(super) total: u64,
}

/// A refund of a top-up.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefundView {
    refund_id: String,
    state: RefundState,
    amount: f64,
    amount_minor: i64,
    currency: String,
    failure: Option<Reason>,
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.id.to_string(),
            state: refund.state,
            amount: refund.amount.major_number(),
            amount_minor: refund.amount.minor,
            currency: refund.amount.currency.to_string(),
            failure: refund.failure,
        }
    }
}

/// One thing that happened to a balance.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct EntryView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// For people.
    what: String,
    /// What was bought or given back, as people call it; absent for top-ups.
    name: Option<String>,
    /// Its page.
    page: Option<String>,
    /// The payment, refund or dispute that it belongs to.
    reference: String,
    /// Below zero where it left the wallet; in major units, for showing.
    amount: f64,
    amount_minor: i64,
    currency: String,
    /// Whether it is only reserved: it moves later, or is given up.
    reserved: bool,
    /// What was there after it; absent for what is only reserved.
    balance_minor: Option<i64>,
    top_up_id: Option<String>,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            reserved: entry.is_reserved(),
            at: entry.at,
            what: entry.what,
            name: entry.thing.as_ref().map(|thing| thing.name.clone()),
            page: entry.thing.and_then(|thing| thing.page),
            reference: entry.reference,
            amount: entry.amount.major_number(),
            amount_minor: entry.amount.minor,
            currency: entry.amount.currency.to_string(),
            balance_minor: entry.balance.map(|balance| balance.minor),
            top_up_id: entry.top_up.map(|top_up| top_up.id.to_string()),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryView {
    entries: Vec<EntryView>,
    /// Send it as `cursor` for older ones; absent at the end.
    next_cursor: Option<i64>,
}

impl From<History> for HistoryView {
    fn from(history: History) -> Self {
        let entries = history.entries.into_iter().map(EntryView::from).collect();
        Self { entries, next_cursor: history.next }
    }
}

/// The rule of automatic top-ups.
#[derive(Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AutoView {
    enabled: bool,
    currency: String,
    /// Below this much available it tops up.
    threshold: Option<f64>,
    threshold_minor: Option<i64>,
    /// By this much.
    amount: Option<f64>,
    amount_minor: Option<i64>,
    method_id: Option<String>,
    /// At most so often within 24 hours.
    max_per_day: Option<u32>,
    /// At most so much within 30 days.
    monthly_limit: Option<f64>,
    monthly_limit_minor: Option<i64>,
    /// How often it failed in a row; at 3 it is switched off.
    failures: u32,
    /// Why it was switched off by itself.
    reason: Option<Stopped>,
    /// 0 where none was ever set.
    pub(super) version: i64,
}

impl AutoView {
    pub(super) fn of(rule: Option<AutoTopUp>, currency: Currency) -> Self {
        let Some(rule) = rule else { return Self { currency: currency.to_string(), ..Self::default() } };
        let limit = rule.monthly_limit_minor.map(|minor| Money::new(minor, currency));
        Self {
            enabled: rule.enabled,
            currency: currency.to_string(),
            threshold: Some(rule.threshold.major_number()),
            threshold_minor: Some(rule.threshold.minor),
            amount: Some(rule.amount.major_number()),
            amount_minor: Some(rule.amount.minor),
            method_id: Some(rule.method.to_string()),
            max_per_day: Some(rule.max_per_day),
            monthly_limit: limit.map(Money::major_number),
            monthly_limit_minor: rule.monthly_limit_minor,
            failures: rule.failures,
            reason: rule.reason,
            version: rule.version,
        }
    }
}

/// The low-balance alert.
#[derive(Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertView {
    enabled: bool,
    currency: String,
    /// Below this much available it tells.
    threshold: Option<f64>,
    threshold_minor: Option<i64>,
    /// Whether the balance is below it.
    low: bool,
    /// 0 where none was ever set.
    pub(super) version: i64,
}

impl AlertView {
    pub(super) fn of(alert: Option<Alert>, currency: Currency) -> Self {
        let Some(alert) = alert else { return Self { currency: currency.to_string(), ..Self::default() } };
        Self {
            enabled: alert.enabled,
            currency: currency.to_string(),
            threshold: Some(alert.threshold.major_number()),
            threshold_minor: Some(alert.threshold.minor),
            low: alert.is_low,
            version: alert.version,
        }
    }
}
