//! A subscription of the demo's user, ordered like any other: it begins with a trial, so that nothing is paid and no sale
//! is invented. Where the sandbox takes payments, a test card is saved to go on with.

use catalog::{Filter, OfferId, Period, Pricing, Want};
use identity::Caller;
use kernel::{Paging, Secret};
use orders::{NewOrder, Side};
use payments::NewMethod;
use web::idempotency::Key;

use super::{DemoError, ORGANISATION, USER};
use crate::rooms::Rooms;

/// Subscribes the demo's user to what its organisation sells by the month, unless it ordered something already.
pub(super) async fn subscribe(rooms: &Rooms) -> Result<(), DemoError> {
    let stranger = Caller::stranger(rooms.clock.now());
    let signed_in = rooms.identity.sign_in(&stranger, USER.0, &Secret::new(USER.1)).await?;
    let by = Caller { ctx: stranger.ctx.clone(), actor: Some(signed_in.actor) };
    let known = rooms.orders.list(&by, Side::Buyer, orders::Filter::default(), Paging::default()).await?;
    if known.total == 0
        && let Some(offer) = plan(rooms, &by).await?
    {
        if rooms.payments.is_sandbox() && rooms.payments.methods(&by, None).await?.is_empty() {
            let card = NewMethod::Token("tok_visa".to_owned());
            rooms.payments.add_method(&by, None, &card, true, Key(None)).await?;
        }
        let items = vec![Want::some(offer, 1)];
        rooms.orders.place(&by, NewOrder { items, ..NewOrder::default() }).await?;
    }
    // What the server would do a moment after its start.
    rooms.billing.follow().await?;
    rooms.identity.revoke_token_text(&by, signed_in.token.secret.expose()).await?;
    Ok(())
}

/// The plan that is paid by the month and tried for free first.
async fn plan(rooms: &Rooms, by: &Caller) -> Result<Option<OfferId>, DemoError> {
    let filter = Filter { seller: Some(rooms.catalog.account(ORGANISATION).await?), ..Filter::default() };
    let all = Paging { limit: Paging::MAX_LIMIT, offset: 0 };
    let listings = rooms.catalog.market(by, filter, all).await?.page.items;
    let is_plan = |pricing: &Pricing| matches!(pricing, Pricing::Subscription { period: Period::Month, trial_days } if *trial_days > 0);
    let offers = listings.into_iter().flat_map(|shown| shown.offers);
    Ok(offers.into_iter().find(|offer| is_plan(&offer.pricing)).map(|offer| offer.id))
}
