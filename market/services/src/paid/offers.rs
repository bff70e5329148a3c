//! Putting the plans on sale: each service with prices is a listing, each such plan an offer. What the templates say is
//! made true, again and again; what was sold stays sold.

use std::collections::HashMap;
use std::sync::Arc;

use catalog::{
    CatalogError, Kind, Listing, ListingId, ListingState, ListingText, NewListing, NewOffer, OfferId,
    OfferState, Stock, listing,
};
use identity::AccountId;
use kernel::Timestamp;
use store::{Tx, args};
use web::Expected;

use super::{offered, sql};
use crate::error::ServiceError;
use crate::template::{Category, Plan, Pricing, Template};
use crate::{Paid, ServiceId, Services};

impl Services {
    /// Brings the catalogue up to date with the templates. Where nothing changed, nothing is written.
    ///
    /// # Errors
    /// [`ServiceError::Store`]; what the catalogue refuses is logged and left out.
    pub async fn put_on_sale(&self) -> Result<(), ServiceError> {
        let sells = self.settings.paid == Paid::Needed && self.till.is_some();
        let has_price =
            |template: &&Arc<Template>| template.plans.iter().any(|plan| plan.pricing != Pricing::Free);
        let templates: Vec<Arc<Template>> =
            self.catalogue.templates().filter(|_| sells).filter(has_price).cloned().collect();
        for template in &templates {
            let named = template.seller.clone().or_else(|| self.settings.seller.clone());
            let seller = async move |tx: &mut Tx| seller(tx, named.as_deref()).await;
            let Some(seller) = self.store.read(seller).await? else {
                tracing::debug!(
                    service = template.slug,
                    "its plans are not on sale: there is no account to sell them; see services.seller"
                );
                continue;
            };
            let (now, of) = (self.clock.now(), Arc::clone(template));
            let sync = async move |tx: &mut Tx| sync(tx, now, &seller, &of).await;
            match self.store.write(sync).await {
                Ok(()) => {}
                Err(CatalogError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(service = template.slug, %error, "its plans are on sale as before")
                }
            }
        }
        let now = self.clock.now();
        let kept: Vec<ServiceId> = templates.iter().map(|template| template.id.clone()).collect();
        let close = async move |tx: &mut Tx| close_others(tx, now, &kept).await;
        match self.store.write(close).await {
            Ok(()) => Ok(()),
            Err(CatalogError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "a service that is not offered any more is on sale yet");
                Ok(())
            }
        }
    }
}

/// Who sells: the account of this name, else the market's first administrator.
async fn seller(tx: &mut Tx, name: Option<&str>) -> Result<Option<AccountId>, store::StoreError> {
    match name {
        Some(name) => {
            let found = identity::account_named(tx, name).await?;
            Ok(found.and_then(|account| account.id.parse().ok()))
        }
        None => Ok(identity::first_administrator(tx).await?.as_ref().map(AccountId::from)),
    }
}

/// Services that are not offered any more are off sale.
async fn close_others(tx: &mut Tx, now: Timestamp, kept: &[ServiceId]) -> Result<(), CatalogError> {
    let sold: Vec<(ServiceId, ListingId)> = tx.all(&sql::LIST_SOLD, &[]).await?;
    for (_, id) in sold.iter().filter(|(service, _)| !kept.contains(service)) {
        let known = listing::find(tx, id).await?;
        if known.state != ListingState::Archived {
            listing::archive(tx, now, id, &Expected::Whatever).await?;
        }
    }
    Ok(())
}

/// One service as its template says.
async fn sync(
    tx: &mut Tx,
    now: Timestamp,
    seller: &AccountId,
    template: &Template,
) -> Result<(), CatalogError> {
    let known = listed(tx, now, seller, template).await?;
    let current: Vec<(String, OfferId, ListingId)> = tx.all(&sql::LIST_OFFERS_OF, args![template.id]).await?;
    let mut current: HashMap<String, OfferId> = current
        .into_iter()
        .filter(|(_, _, of)| *of == known.id)
        .map(|(plan, offer, _)| (plan, offer))
        .collect();
    for plan in &template.plans {
        let Some(wanted) = offer(plan) else { continue };
        match current.remove(&plan.id) {
            Some(id) if keep(tx, now, &id, &wanted).await? => {}
            _ => {
                let made = listing::add_offer(tx, now, &known.id, &wanted).await?;
                tx.execute(&sql::DROP_OFFER, args![template.id, plan.id]).await?;
                tx.execute(&sql::INSERT_OFFER, args![made.id, known.id, template.id, plan.id]).await?;
            }
        }
    }
    for (plan, id) in current {
        listing::withdraw_offer(tx, now, &id, &Expected::Whatever).await?;
        tx.execute(&sql::DROP_OFFER, args![template.id, plan]).await?;
    }
    if known.state != ListingState::Published {
        listing::publish(tx, now, &known.id, &Expected::Whatever).await?;
    }
    Ok(())
}

/// The listing of a service, made or changed where it must be. Another seller has another listing.
async fn listed(
    tx: &mut Tx,
    now: Timestamp,
    seller: &AccountId,
    template: &Template,
) -> Result<Listing, CatalogError> {
    let text = ListingText {
        title: template.name.clone(),
        summary: template.summary.clone(),
        description: template.description.clone(),
        category: category(template.category).parse().ok(),
    };
    let known = listing::find_by_subject(tx, Kind::Service, template.id.as_str()).await?;
    match known {
        Some(known) if known.seller == *seller && known.text == text => return Ok(known),
        Some(known) if known.seller == *seller => {
            return listing::edit(tx, now, &known.id, &text, &Expected::Whatever).await;
        }
        Some(known) => drop(listing::archive(tx, now, &known.id, &Expected::Whatever).await?),
        None => {}
    }
    let subject = Some(template.id.to_string());
    let new = NewListing { kind: Kind::Service, seller: seller.clone(), subject, text };
    listing::create(tx, now, &new).await
}

/// Whether an offer goes on as the plan's, changed where it must be. A price that is just being paid changes later.
async fn keep(tx: &mut Tx, now: Timestamp, id: &OfferId, wanted: &NewOffer) -> Result<bool, CatalogError> {
    let known = listing::find_offer(tx, id).await?;
    if known.state != OfferState::Active {
        return Ok(false);
    }
    let is_other = NewOffer::from(&known) != *wanted;
    let is_held = known.held > 0 && (known.price != wanted.price || known.pricing != wanted.pricing);
    if is_other && !is_held {
        listing::edit_offer(tx, now, id, wanted, &Expected::Whatever).await?;
    }
    Ok(true)
}

/// The offer that a plan is; none where it costs nothing.
fn offer(plan: &Plan) -> Option<NewOffer> {
    let (pricing, price) = offered(plan)?;
    let mut summary = match plan.pricing {
        Pricing::Usage { .. } => format!("{} an hour while it runs; {}", plan.per_hour(), plan.size()),
        _ => plan.size(),
    };
    summary.truncate(summary.floor_char_boundary(200));
    Some(NewOffer { summary, pricing, ..NewOffer::one_off(plan.name.clone(), price, Stock::Unlimited) })
}

const fn category(category: Category) -> &'static str {
    match category {
        Category::Database | Category::Storage => "data",
        Category::Ml => "machine-learning",
        Category::Api | Category::Compute => "developer-tools",
    }
}
