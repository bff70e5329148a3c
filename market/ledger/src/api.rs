//! The books over JSON, for operators.

use axum::extract::State;
use axum::response::Response;
use identity::Operator;
use kernel::{Currency, Money, Paging, Problem, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::OpenApi;
use web::{Access, Failure, Json, Query, Routes};

use crate::account::{Account, Side};
use crate::audit::Finding;
use crate::books::Ledger;
use crate::history::{TransferView, Which};
use crate::transfer::Balance;
use crate::trial::{AccountFilter, AccountView, KindSums, TrialBalance};

/// This room's part of the API.
#[must_use]
pub fn routes(ledger: Ledger) -> Routes {
    Routes::new()
        .get("/api/operator/ledger/trial-balance", Access::Operator, trial)
        .get("/api/operator/ledger/accounts", Access::Operator, list_accounts)
        .get("/api/operator/ledger/transfers", Access::Operator, list_transfers)
        .get("/api/operator/ledger/transfers.csv", Access::Operator, export)
        .get("/api/operator/ledger/audit", Access::Operator, check)
        .with_state(ledger)
}

/// What this room adds to the description of the API.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Described::openapi()
}

#[derive(OpenApi)]
#[openapi(paths(trial, list_accounts, list_transfers, export, check))]
struct Described;

/// What an account, or all of a kind, have. Amounts are positive on the side on which the account grows.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct BalanceView {
    currency: String,
    /// In major units, for showing.
    balance: f64,
    balance_minor: i64,
    /// What pending transfers will take out unless they are given up.
    reserved_minor: i64,
    /// What pending transfers will bring unless they are given up.
    incoming_minor: i64,
    available_minor: i64,
}

impl From<Balance> for BalanceView {
    fn from(balance: Balance) -> Self {
        Self {
            currency: balance.posted.currency.to_string(),
            balance: balance.posted.major_number(),
            balance_minor: balance.posted.minor,
            reserved_minor: balance.reserved.minor,
            incoming_minor: balance.incoming.minor,
            available_minor: balance.available().minor,
        }
    }
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Debit => "debit",
        Side::Credit => "credit",
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct KindView {
    /// `clearing`, `seller`, `wallet`, ….
    kind: String,
    /// On which side its accounts grow: `debit` or `credit`.
    side: &'static str,
    /// How many accounts.
    accounts: u64,
    #[serde(flatten)]
    balance: BalanceView,
}

impl From<&KindSums> for KindView {
    fn from(kind: &KindSums) -> Self {
        Self {
            kind: kind.kind.clone(),
            side: side(kind.side),
            accounts: kind.accounts,
            balance: kind.balance().into(),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct TrialView {
    currency: String,
    debits_minor: i64,
    credits_minor: i64,
    /// Whether both are the same; if not, the books are wrong.
    balanced: bool,
    kinds: Vec<KindView>,
}

impl From<&TrialBalance> for TrialView {
    fn from(trial: &TrialBalance) -> Self {
        let (debits, credits) = trial.totals();
        Self {
            currency: trial.currency.to_string(),
            debits_minor: debits.minor,
            credits_minor: credits.minor,
            balanced: trial.is_balanced(),
            kinds: trial.kinds.iter().map(KindView::from).collect(),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct TrialAnswer {
    currencies: Vec<TrialView>,
}

/// Read the trial balance.
#[utoipa::path(get, path = "/api/operator/ledger/trial-balance", tag = "ledger", security(("token" = [])),
    responses((status = 200, description = "All accounts by currency and kind.", body = TrialAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
async fn trial(State(ledger): State<Ledger>, by: Operator) -> Result<Json<TrialAnswer>, Failure> {
    let all = ledger.trial_balance(&by).await?;
    Ok(Json(TrialAnswer { currencies: all.iter().map(TrialView::from).collect() }))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LedgerAccountView {
    /// `kind` or `kind:owner`.
    account: String,
    kind: String,
    side: &'static str,
    #[serde(flatten)]
    balance: BalanceView,
}

impl From<AccountView> for LedgerAccountView {
    fn from(account: AccountView) -> Self {
        let balance = account.balance().into();
        Self { account: account.name, kind: account.kind, side: side(account.side), balance }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct AccountsAnswer {
    accounts: Vec<LedgerAccountView>,
    total: u64,
}

/// Which accounts.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
struct AccountsAsked {
    /// Only of this kind.
    kind: String,
    /// Only in this currency.
    currency: String,
    /// Only of this owner, by id or name, or one account by its text.
    owner: String,
    /// How many: 1 to 100, 20 where absent.
    limit: Option<u32>,
    /// How many to pass over.
    offset: u32,
}

/// List accounts of the ledger.
#[utoipa::path(get, path = "/api/operator/ledger/accounts", tag = "ledger", params(AccountsAsked),
    security(("token" = [])),
    responses((status = 200, description = "The accounts with what they have.", body = AccountsAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
async fn list_accounts(
    State(ledger): State<Ledger>,
    by: Operator,
    Query(asked): Query<AccountsAsked>,
) -> Result<Json<AccountsAnswer>, Failure> {
    let paging = Paging::asked(asked.limit, asked.offset)?;
    let owner = ledger.owner(&asked.owner).await?;
    let filter = AccountFilter { kind: asked.kind, currency: asked.currency, owner };
    let page = ledger.accounts(&by, filter, paging).await?;
    Ok(Json(AccountsAnswer { accounts: page.items.into_iter().map(Into::into).collect(), total: page.total }))
}

/// A transfer as the API shows it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
struct LedgerTransferView {
    transfer: i64,
    journal: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `posted`, `pending`, `settled` or `voided`.
    phase: &'static str,
    /// How a pending one ended: `settled` or `voided`.
    ended: Option<&'static str>,
    debit: String,
    credit: String,
    /// In major units, for showing.
    amount: f64,
    amount_minor: i64,
    currency: String,
    reason: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    matures_at: Option<Timestamp>,
}

impl From<TransferView> for LedgerTransferView {
    fn from(transfer: TransferView) -> Self {
        let Money { minor, currency } = transfer.amount;
        Self {
            transfer: transfer.seq,
            journal: transfer.journal,
            at: transfer.at,
            phase: transfer.phase.name(),
            ended: transfer.ended.map(crate::transfer::Phase::name),
            debit: transfer.debit,
            credit: transfer.credit,
            amount: transfer.amount.major_number(),
            amount_minor: minor,
            currency: currency.to_string(),
            reason: transfer.reason,
            matures_at: transfer.matures_at,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct TransfersAnswer {
    transfers: Vec<LedgerTransferView>,
    total: u64,
}

/// Which transfers: of an account, or of journals, or all.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub(crate) struct TransfersAsked {
    /// Only of this account, as `wallet:user-…`.
    pub(crate) account: String,
    /// The currency of the account; USD where absent.
    pub(crate) currency: String,
    /// Only of journals whose names begin like this.
    pub(crate) journal: String,
    /// How many: 1 to 100, 20 where absent.
    pub(crate) limit: Option<u32>,
    /// How many to pass over.
    pub(crate) offset: u32,
}

impl TransfersAsked {
    pub(crate) fn which(&self) -> Result<Which, Problem> {
        let account = self.account.trim();
        if account.is_empty() {
            let journal = self.journal.trim();
            let is_all = journal.is_empty();
            return Ok(if is_all { Which::All } else { Which::Journals(journal.to_owned()) });
        }
        let wrong = |pointer: &'static str, detail: String| {
            Problem::invalid("ledger.no_account", "There can be no such account.").field(pointer, detail)
        };
        let currency = match self.currency.trim() {
            "" => Currency::USD,
            code => code.parse().map_err(|error| wrong("/currency", format!("{error}.")))?,
        };
        let account: Account = account.parse().map_err(|error| wrong("/account", format!("{error}.")))?;
        Ok(Which::Account(account, currency))
    }
}

/// List transfers.
#[utoipa::path(get, path = "/api/operator/ledger/transfers", tag = "ledger", params(TransfersAsked),
    security(("token" = [])),
    responses((status = 200, description = "Transfers, the newest first.", body = TransfersAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 422, description = "There can be no such account.")))]
async fn list_transfers(
    State(ledger): State<Ledger>,
    by: Operator,
    Query(asked): Query<TransfersAsked>,
) -> Result<Json<TransfersAnswer>, Failure> {
    let paging = Paging::asked(asked.limit, asked.offset)?;
    let page = ledger.transfers(&by, asked.which()?, paging).await?;
    Ok(Json(TransfersAnswer {
        transfers: page.items.into_iter().map(Into::into).collect(),
        total: page.total,
    }))
}

/// Export transfers.
#[utoipa::path(get, path = "/api/operator/ledger/transfers.csv", tag = "ledger", params(TransfersAsked),
    security(("token" = [])),
    responses((status = 200, description = "All of them as CSV, the newest first.", content_type = "text/csv"),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator."),
        (status = 422, description = "There can be no such account.")))]
async fn export(
    State(ledger): State<Ledger>,
    by: Operator,
    Query(asked): Query<TransfersAsked>,
) -> Result<Response, Failure> {
    Ok(ledger.export(&by, asked.which()?))
}

#[derive(Serialize, utoipa::ToSchema)]
struct AuditAnswer {
    /// Whether nothing was found.
    ok: bool,
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
}

/// Check the books.
#[utoipa::path(get, path = "/api/operator/ledger/audit", tag = "ledger", security(("token" = [])),
    responses((status = 200, description = "What must never be, if there is any.", body = AuditAnswer),
        (status = 401, description = "Nobody is signed in."), (status = 403, description = "No operator.")))]
async fn check(State(ledger): State<Ledger>, by: Operator) -> Result<Json<AuditAnswer>, Failure> {
    let findings = ledger.audit(&by).await?;
    Ok(Json(AuditAnswer { ok: findings.is_empty(), findings }))
}
