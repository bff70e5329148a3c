//! Who gets which part of an invoice's money, in the ledger: one journal per business event, as for orders.

use kernel::{Money, Timestamp};
use ledger::{Account, LedgerError, NewTransfer};
use orders::price::{self, Amounts, Share, Source};
use payments::Payment;
use store::Tx;

use crate::error::BillingError;
use crate::invoice::Invoice;

/// The transfers that share out `amounts` of an invoice: the seller's part matures, the others do not.
pub(crate) fn transfers(invoice: &Invoice, amounts: &Amounts, funds: &Account) -> Vec<NewTransfer> {
    let leg = |(source, share, minor): (Source, Share, i64)| {
        let from = match source {
            Source::Buyer => funds.clone(),
            Source::Market => Account::Promotions,
        };
        let amount = Money::new(minor, invoice.currency);
        let (to, reason) = match share {
            Share::Seller => (Account::Seller(invoice.seller.clone()), "subscription"),
            Share::Fee => (Account::PlatformFees, "fee"),
            Share::Tax => (Account::Tax, "tax"),
        };
        let transfer = NewTransfer::new(from, to, amount, reason);
        match (share, invoice.matures_at) {
            (Share::Seller, Some(at)) => transfer.maturing(at),
            _ => transfer,
        }
    };
    price::legs(amounts).into_iter().map(leg).collect()
}

/// The same turned around: money that goes back.
pub(crate) fn turned_around(invoice: &Invoice, amounts: &Amounts, funds: &Account) -> Vec<NewTransfer> {
    let around =
        |sale: NewTransfer| NewTransfer { debit: sale.credit, credit: sale.debit, reason: "refund", ..sale };
    transfers(invoice, amounts, funds).into_iter().map(around).collect()
}

/// The money of a payment is ours: it is shared out. A second time changes nothing.
pub(crate) async fn captured(
    tx: &mut Tx,
    now: Timestamp,
    invoice: &Invoice,
    payment: &Payment,
) -> Result<(), BillingError> {
    let transfers = transfers(invoice, &invoice.amounts, &payment.funds());
    match ledger::post(tx, now, &format!("{}/capture", payment.id), &transfers).await {
        Ok(()) | Err(LedgerError::AlreadyPosted(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
