//! Looking for what must never be.

use serde::Serialize;
use store::{StoreError, Tx};

use crate::sql;
use crate::trial::trial_balance;

/// Something in the books that must never be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule is broken: `orphan`, `currencies`, `amount`, `end`, `ended-twice`, `unbalanced`, `balance`,
    /// `checkpoint`.
    pub rule: &'static str,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub detail: String,
}

impl Finding {
    fn new(rule: &'static str, subject: impl ToString, detail: impl Into<String>) -> Self {
        Self { rule, subject: subject.to_string(), detail: detail.into() }
    }
}

/// Checks the whole of the books against their own rows; finds nothing in good ones. It reads every transfer, at most
/// a hundred findings per rule.
///
/// # Errors
/// [`StoreError`] as any statement.
pub async fn audit(tx: &mut Tx) -> Result<Vec<Finding>, StoreError> {
    let mut findings = rows(tx).await?;
    findings.extend(ends(tx).await?);
    findings.extend(sums(tx).await?);
    Ok(findings)
}

/// Each transfer by itself.
async fn rows(tx: &mut Tx) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (seq, debit, credit) in tx.all::<(i64, i64, i64)>(&sql::AUDIT_ORPHANS, &[]).await? {
        let detail = format!("the journal, or an account with the key {debit} or {credit}, does not exist");
        findings.push(Finding::new("orphan", format!("transfer {seq}"), detail));
    }
    for (seq, debit, credit) in tx.all::<(i64, String, String)>(&sql::AUDIT_CURRENCIES, &[]).await? {
        let detail = format!("it moves from {debit} to {credit}");
        findings.push(Finding::new("currencies", format!("transfer {seq}"), detail));
    }
    for (seq, amount) in tx.all::<(i64, i64)>(&sql::AUDIT_AMOUNTS, &[]).await? {
        let detail = format!("its amount is {amount}, or both its sides are one account");
        findings.push(Finding::new("amount", format!("transfer {seq}"), detail));
    }
    Ok(findings)
}

/// Pending transfers and their ends.
async fn ends(tx: &mut Tx) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (seq, pending) in tx.all::<(i64, Option<i64>)>(&sql::AUDIT_ENDS, &[]).await? {
        let pending = pending.map_or_else(|| "nothing".to_owned(), |pending| format!("transfer {pending}"));
        let detail = format!("it ends {pending}, which is no pending transfer of the same money");
        findings.push(Finding::new("end", format!("transfer {seq}"), detail));
    }
    for (pending, ends) in tx.all::<(i64, i64)>(&sql::AUDIT_TWICE, &[]).await? {
        findings.push(Finding::new(
            "ended-twice",
            format!("transfer {pending}"),
            format!("it has {ends} ends"),
        ));
    }
    Ok(findings)
}

/// What is added up.
async fn sums(tx: &mut Tx) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for trial in trial_balance(tx).await?.iter().filter(|trial| !trial.is_balanced()) {
        let (debits, credits) = trial.totals();
        let detail = format!("the debit side has {debits}, the credit side {credits}");
        findings.push(Finding::new("unbalanced", trial.currency, detail));
    }
    type Balances = (String, String, i64, i64, i64, i64);
    for (name, currency, posted, reserved, true_posted, true_reserved) in
        tx.all::<Balances>(&sql::AUDIT_BALANCES, &[]).await?
    {
        let detail = format!(
            "its row says {posted} posted and {reserved} reserved, its transfers {true_posted} and {true_reserved}"
        );
        findings.push(Finding::new("balance", format!("{name} {currency}"), detail));
    }
    type Checkpoints = (i64, i64, i64, i64, i64);
    for (account, debits, credits, true_debits, true_credits) in
        tx.all::<Checkpoints>(&sql::AUDIT_CHECKPOINTS, &[]).await?
    {
        let detail = format!(
            "it says {debits} debited and {credits} credited, its transfers {true_debits} and {true_credits}"
        );
        findings.push(Finding::new("checkpoint", format!("account {account}"), detail));
    }
    Ok(findings)
}
