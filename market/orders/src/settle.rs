//! Who gets which part of an order's money, in the ledger: one journal per business event.

use identity::AccountId;
use kernel::{Currency, Money, Timestamp};
use ledger::{Account, NewTransfer};
use store::{FromRow, Row, StoreError, Tx, args};

use crate::order::Order;
use crate::price::{self, Amounts, Share, Source};
use crate::{OrderError, sql};

/// What an order brings one seller.
struct Brought {
    seller: AccountId,
    currency: Currency,
    matures_at: Option<Timestamp>,
    amounts: Amounts,
}

impl FromRow for Brought {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let amounts = Amounts {
            promotion: row.get(3)?,
            tax: row.get(4)?,
            fee: row.get(5)?,
            seller: row.get(6)?,
            total: row.get(7)?,
            ..Amounts::default()
        };
        Ok(Self { seller: row.get(0)?, currency: sql::currency(row, 1)?, matures_at: row.get(2)?, amounts })
    }
}

/// Who is on the other side of a leg.
fn account(share: Share, seller: &AccountId) -> Account {
    match share {
        Share::Seller => Account::Seller(seller.clone()),
        Share::Fee => Account::PlatformFees,
        Share::Tax => Account::Tax,
    }
}

/// The transfers that share out what an order brought: the seller's part matures, the others do not.
fn transfers(brought: &Brought, funds: &Account) -> Vec<NewTransfer> {
    let leg = |(source, share, minor): (Source, Share, i64)| {
        let from = match source {
            Source::Buyer => funds.clone(),
            Source::Market => Account::Promotions,
        };
        let amount = Money::new(minor, brought.currency);
        let transfer = NewTransfer::new(from, account(share, &brought.seller), amount, reason(share));
        match (share, brought.matures_at) {
            (Share::Seller, Some(at)) => transfer.maturing(at),
            _ => transfer,
        }
    };
    price::legs(&brought.amounts).into_iter().map(leg).collect()
}

const fn reason(share: Share) -> &'static str {
    match share {
        Share::Seller => "sale",
        Share::Fee => "fee",
        Share::Tax => "tax",
    }
}

/// The money of a payment is ours: it is shared out. A second time changes nothing.
pub(crate) async fn captured(
    tx: &mut Tx,
    now: Timestamp,
    payment: &payments::Payment,
) -> Result<(), OrderError> {
    let brought: Vec<Brought> = tx.all(&sql::SUM_BY_SELLER, args![payment.subject]).await?;
    let funds = payment.funds();
    let transfers: Vec<_> = brought.iter().flat_map(|brought| transfers(brought, &funds)).collect();
    match ledger::post(tx, now, &format!("{}/capture", payment.id), &transfers).await {
        Ok(()) | Err(ledger::LedgerError::AlreadyPosted(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The market pays for an order that costs its buyer nothing.
pub(crate) async fn free(tx: &mut Tx, now: Timestamp, order: &Order) -> Result<(), OrderError> {
    if order.amounts.promotion == 0 {
        return Ok(());
    }
    let brought: Vec<Brought> = tx.all(&sql::SUM_BY_SELLER, args![order.id]).await?;
    let transfers: Vec<_> =
        brought.iter().flat_map(|brought| transfers(brought, &Account::Promotions)).collect();
    Ok(ledger::post(tx, now, &format!("{}/promotion", order.id), &transfers).await?)
}

/// The transfers that take `amounts` of one seller back into `funds`: those of the sale, turned around.
pub(crate) fn turned_around(
    seller: &AccountId,
    amounts: &Amounts,
    order: &Order,
    funds: &Account,
) -> Vec<NewTransfer> {
    let brought = Brought {
        seller: seller.clone(),
        currency: order.currency,
        matures_at: order.matures_at,
        amounts: *amounts,
    };
    let around =
        |sale: NewTransfer| NewTransfer { debit: sale.credit, credit: sale.debit, reason: "refund", ..sale };
    transfers(&brought, funds).into_iter().map(around).collect()
}
