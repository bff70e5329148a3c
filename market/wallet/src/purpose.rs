//! What the transitions of a payment mean to its top-up: the one place that books top-ups.

use std::sync::Arc;

use kernel::{Money, Timestamp};
use ledger::{Account, LedgerError, NewTransfer, Which};
use payments::{Dispute, DisputeState, Payment, Purpose, Reason, Refund, Told, Verdict};
use store::{Tx, args};

use crate::auto;
use crate::error::WalletError;
use crate::events::{TopUpFailed, TopUpRefunded, ToppedUp};
use crate::rule::Stopped;
use crate::settings::Settings;
use crate::start::of_payment;
use crate::top_up::{Origin, TopUp, TopUpState};
use crate::{sql, watch};

/// The name that payments of top-ups carry.
pub(crate) const PURPOSE: &str = "top-up";
/// Why money moves, in the ledger.
pub(crate) const TOP_UP: &str = "top-up";
/// Why it moves back.
pub(crate) const TAKEN_BACK: &str = "top-up refund";
/// Why it is withheld.
pub(crate) const DISPUTED: &str = "disputed top-up";

/// Payments of the purpose `top-up`.
pub(crate) struct ForTopUps {
    settings: Arc<Settings>,
}

impl ForTopUps {
    pub(crate) const fn new(settings: Arc<Settings>) -> Self {
        Self { settings }
    }

    /// A late success of a rule's top-up is not wanted: the rule went on without it. Nor is what would overfill the
    /// wallet, since another top-up was faster.
    async fn decide(&self, tx: &mut Tx, now: Timestamp, payment: &Payment) -> Result<Verdict, WalletError> {
        let top_up = of_payment(tx, payment).await?;
        let held = ledger::balance(tx, &wallet(payment), payment.amount.currency).await?.posted;
        let reason = if top_up.origin == Origin::Auto && top_up.state != TopUpState::Pending {
            Reason::new("late", "The bank answered too late. What it took goes back to the card.")
        } else if !self.settings.fits(held, payment.amount)? {
            Reason::new("wallet_full", "The wallet is full by now. What the bank took goes back to the card.")
        } else {
            return Ok(Verdict::Capture);
        };
        if top_up.state == TopUpState::Pending {
            end(tx, now, top_up, TopUpState::Cancelled, Some(reason.clone())).await?;
        }
        Ok(Verdict::GiveBack(reason))
    }
}

fn wallet(payment: &Payment) -> Account {
    Account::Wallet(payment.payer.clone())
}

/// Moves a top-up on, if it may go there. Answers whether it did.
async fn end(
    tx: &mut Tx,
    now: Timestamp,
    mut top_up: TopUp,
    next: TopUpState,
    failure: Option<Reason>,
) -> Result<bool, WalletError> {
    if !top_up.state.may_become(next) {
        return Ok(false);
    }
    let (code, message) = failure.as_ref().map(|reason| (&reason.code, &reason.message)).unzip();
    let row = args![top_up.id, top_up.version, next, code, message, now];
    if tx.execute(&sql::MOVE_TOP_UP, row).await? != 1 {
        return Ok(false);
    }
    (top_up.state, top_up.failure, top_up.version, top_up.updated_at) =
        (next, failure, top_up.version + 1, now);
    if next == TopUpState::Paid {
        events::append(tx, now, &ToppedUp::of(&top_up)).await?;
    } else {
        events::append(tx, now, &TopUpFailed::of(&top_up)).await?;
    }
    Ok(true)
}

async fn arrived(tx: &mut Tx, now: Timestamp, payment: &Payment) -> Result<(), WalletError> {
    let top_up = of_payment(tx, payment).await?;
    let into = NewTransfer::new(payment.funds(), wallet(payment), payment.amount, TOP_UP);
    ledger::post(tx, now, &format!("{}/capture", payment.id), &[into]).await?;
    let (origin, account, currency) = (top_up.origin, top_up.account.clone(), top_up.currency());
    end(tx, now, top_up, TopUpState::Paid, None).await?;
    if origin == Origin::Auto {
        auto::succeeded(tx, &account, currency).await?;
    }
    watch::look_at_alert(tx, now, &account, currency).await
}

async fn gone(tx: &mut Tx, now: Timestamp, payment: &Payment, next: TopUpState) -> Result<(), WalletError> {
    let top_up = of_payment(tx, payment).await?;
    let (origin, account, currency) = (top_up.origin, top_up.account.clone(), top_up.currency());
    let has_ended = end(tx, now, top_up, next, payment.failure.clone()).await?;
    if has_ended && origin == Origin::Auto {
        auto::failed(tx, now, &account, currency).await?;
    }
    Ok(())
}

async fn given_back(
    tx: &mut Tx,
    now: Timestamp,
    payment: &Payment,
    refund: &Refund,
) -> Result<(), WalletError> {
    ledger::settle(tx, now, refund.id.as_str()).await?;
    let mut top_up = of_payment(tx, payment).await?;
    (top_up.version, top_up.refunded_minor) =
        tx.one(&sql::ADD_REFUNDED, args![top_up.id, refund.amount.minor, now]).await?;
    events::append(tx, now, &TopUpRefunded::of(&top_up)).await?;
    watch::look_at_alert(tx, now, &top_up.account, top_up.currency()).await
}

/// The bank withholds the money of a top-up: as much of it as is still in the wallet cannot be spent until the bank
/// has decided. What is missing then is what the payer owes.
async fn disputed(
    tx: &mut Tx,
    now: Timestamp,
    payment: &Payment,
    dispute: &Dispute,
) -> Result<(), WalletError> {
    let (held, funds) = (Account::Disputes(payment.gateway), payment.funds());
    let hold = format!("{}/hold", dispute.id);
    let name = format!("{}/{}", dispute.id, dispute.state.as_str());
    let top_up = of_payment(tx, payment).await?;
    match dispute.state {
        DisputeState::Opened => {
            let leg = NewTransfer::new(held.clone(), funds, dispute.amount, DISPUTED);
            ledger::post(tx, now, &name, &[leg]).await?;
            let there = ledger::balance(tx, &wallet(payment), dispute.amount.currency).await?.available();
            let amount = Money::new(there.minor.min(dispute.amount.minor), there.currency);
            if amount.minor > 0 {
                let leg = NewTransfer::new(wallet(payment), held, amount, DISPUTED);
                ledger::reserve(tx, now, &hold, &[leg]).await?;
            }
            auto::stop(tx, now, &top_up.account, top_up.currency(), Stopped::Dispute).await?;
        }
        DisputeState::Won => {
            ended(ledger::void(tx, now, &hold).await)?;
            let leg = NewTransfer::new(funds, held, dispute.amount, DISPUTED);
            ledger::post(tx, now, &name, &[leg]).await?;
        }
        DisputeState::Lost => {
            let withheld = reserved(tx, &hold).await?;
            ended(ledger::settle(tx, now, &hold).await)?;
            let missing = dispute.amount.minor - withheld;
            let there = ledger::balance(tx, &wallet(payment), dispute.amount.currency).await?.available();
            let (taken, owed) = (missing.min(there.minor), missing - missing.min(there.minor));
            let money = |minor| Money::new(minor, dispute.amount.currency);
            let legs = [
                NewTransfer::new(wallet(payment), held.clone(), money(taken), DISPUTED),
                NewTransfer::new(Account::SellerDebt(payment.payer.clone()), held, money(owed), DISPUTED),
            ];
            ledger::post(tx, now, &name, &legs).await?;
        }
    }
    watch::look_at_alert(tx, now, &top_up.account, top_up.currency()).await
}

/// Nothing may have been reserved, since the wallet was empty.
fn ended(result: Result<(), LedgerError>) -> Result<(), LedgerError> {
    match result {
        Err(LedgerError::NothingReserved(_)) => Ok(()),
        other => other,
    }
}

/// How much a journal of this name reserved, in minor units.
async fn reserved(tx: &mut Tx, journal: &str) -> Result<i64, LedgerError> {
    let lines = ledger::transfers_before(tx, &Which::Journals(journal.to_owned()), i64::MAX, 4).await?;
    let pending = lines.iter().filter(|line| line.phase == ledger::Phase::Pending && line.journal == journal);
    Ok(pending.map(|line| line.amount.minor).sum())
}

impl Purpose for ForTopUps {
    fn name(&self) -> &'static str {
        PURPOSE
    }

    fn authorised<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a, Verdict> {
        Box::pin(async move { Ok(self.decide(tx, now, payment).await?) })
    }

    fn captured<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move { Ok(arrived(tx, now, payment).await?) })
    }

    fn failed<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move { Ok(gone(tx, now, payment, TopUpState::Failed).await?) })
    }

    fn cancelled<'a>(&'a self, tx: &'a mut Tx, now: Timestamp, payment: &'a Payment) -> Told<'a> {
        Box::pin(async move { Ok(gone(tx, now, payment, TopUpState::Cancelled).await?) })
    }

    fn refund_reserved<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move {
            // The ledger refuses what is no longer in the wallet.
            let leg = NewTransfer::new(wallet(payment), payment.funds(), refund.amount, TAKEN_BACK);
            Ok(ledger::reserve(tx, now, refund.id.as_str(), &[leg]).await?)
        })
    }

    fn refund_settled<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(given_back(tx, now, payment, refund).await?) })
    }

    fn refund_failed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        _: &'a Payment,
        refund: &'a Refund,
    ) -> Told<'a> {
        Box::pin(async move { Ok(ledger::void(tx, now, refund.id.as_str()).await?) })
    }

    fn disputed<'a>(
        &'a self,
        tx: &'a mut Tx,
        now: Timestamp,
        payment: &'a Payment,
        dispute: &'a Dispute,
    ) -> Told<'a> {
        Box::pin(async move { Ok(disputed(tx, now, payment, dispute).await?) })
    }
}
