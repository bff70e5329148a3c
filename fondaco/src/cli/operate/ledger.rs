//! `admin trial-balance` and `admin audit-ledger`: the books, beside a running server or without one.

use identity::Operator;
use ledger::TrialBalance;
use serde_json::{Value, json};

use super::super::args::Place;
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;
use super::admin::Desk;

/// Prints what all accounts add up to.
pub(super) async fn trial_balance(terminal: &Terminal, place: &Place) -> Result<(), Failure> {
    let desk = Desk::open(terminal, place).await?;
    let by = Operator::of(desk.by)?;
    let currencies = desk.rooms.ledger.trial_balance(&by).await?;
    if terminal.json {
        terminal.data_json(&json!({"currencies": currencies.iter().map(trial_json).collect::<Vec<_>>()}));
        return Ok(());
    }
    let rows = currencies.iter().flat_map(trial_rows).collect();
    terminal.table(&["currency", "accounts", "count", "debit", "credit"], rows);
    if currencies.is_empty() {
        terminal.done("No money has moved yet.");
    }
    Ok(())
}

fn trial_json(trial: &TrialBalance) -> Value {
    let (debits, credits) = trial.totals();
    let kinds = trial.kinds.iter().map(|kind| {
        json!({"kind": kind.kind, "accounts": kind.accounts, "balanceMinor": kind.balance().posted.minor})
    });
    json!({
        "currency": trial.currency,
        "debitsMinor": debits.minor,
        "creditsMinor": credits.minor,
        "balanced": trial.is_balanced(),
        "kinds": kinds.collect::<Vec<_>>(),
    })
}

fn trial_rows(trial: &TrialBalance) -> Vec<Vec<String>> {
    let row = |kind: &ledger::KindSums| {
        let amount = kind.balance().posted.major();
        let (debit, credit) = match kind.side {
            ledger::Side::Debit => (amount, String::new()),
            ledger::Side::Credit => (String::new(), amount),
        };
        vec![kind.currency.to_string(), kind.kind.clone(), kind.accounts.to_string(), debit, credit]
    };
    let (debits, credits) = trial.totals();
    let total =
        vec![trial.currency.to_string(), "total".to_owned(), String::new(), debits.major(), credits.major()];
    trial.kinds.iter().map(row).chain([total]).collect()
}

/// Reads all transfers and fails where the books are wrong.
pub(super) async fn audit(terminal: &Terminal, place: &Place) -> Result<(), Failure> {
    let desk = Desk::open(terminal, place).await?;
    let by = Operator::of(desk.by)?;
    let findings = desk.rooms.ledger.audit(&by).await?;
    if terminal.json {
        terminal.data_json(&json!({"ok": findings.is_empty(), "findings": findings}));
    } else if !findings.is_empty() {
        let row = |finding: &ledger::Finding| {
            vec![finding.subject.clone(), finding.rule.to_owned(), finding.detail.clone()]
        };
        terminal.table(&["where", "rule", "found"], findings.iter().map(row).collect());
    }
    if findings.is_empty() {
        terminal.done("The books are right: every transfer was read.");
        return Ok(());
    }
    let detail = format!(
        "{} was found. Nothing was changed. Stop payouts and keep a backup before anything is mended.",
        web::face::text::counted(findings.len() as u64, "mistake")
    );
    Err(Failure::new(code::FAILED, "ledger.wrong", "The books are wrong", detail))
}
