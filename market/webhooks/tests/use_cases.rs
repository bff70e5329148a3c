//! Who may have which webhooks, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod market;

use identity::{Caller, Role};
use kernel::{Paging, Problem};
use market::{Market, migrations, request, wanted};
use web::Expected;
use web::idempotency::{Key, Request};
use webhooks::{EndpointChange, WebhookError};

async fn both(test: impl AsyncFn(Market)) {
    store::testing::both(&migrations(), async |store| test(Market::on(store)).await).await;
}

fn code(error: WebhookError) -> String {
    Problem::from(error).code.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_its_owners_alone() {
    both(async |market| {
        let (ada, bob) = (market.person("ada", &[Role::User]), market.person("bob", &[Role::User]));
        let operator = market.person("root", &[Role::User, Role::Admin]);
        let stranger = Caller::stranger(market.clock.now());
        let made = market.hook(&ada, "https://example.com/hooks").await;
        let id = &made.endpoint.id;
        let all = |by: Caller| {
            let (room, id) = (market.webhooks.clone(), id.clone());
            async move {
                let change = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
                [
                    room.endpoint(&by, &id).await.map(drop),
                    room.change(&by, &id, Expected::Whatever, change).await.map(drop),
                    room.rotate(&by, &id).await.map(drop),
                    room.test(&by, &id).await.map(drop),
                    room.deliveries(&by, &id, None, Paging::default()).await.map(drop),
                    room.delete(&by, &id).await,
                ]
            }
        };
        for answer in all(bob.clone()).await {
            assert_eq!(code(answer.unwrap_err()), "webhooks.not_found");
        }
        for answer in all(stranger.clone()).await {
            assert_eq!(code(answer.unwrap_err()), "identity.not_signed_in");
        }
        assert_eq!(market.webhooks.list(&bob, Paging::default()).await.unwrap().total, 0);
        assert_eq!(market.webhooks.list(&ada, Paging::default()).await.unwrap().total, 1);
        assert!(market.webhooks.endpoint(&ada, id).await.unwrap().enabled);
        for answer in all(operator).await {
            answer.unwrap();
        }
        assert_eq!(code(market.webhooks.endpoint(&ada, id).await.unwrap_err()), "webhooks.not_found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named_and_nothing_is_made() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let refused = market.webhooks.create(&ada, wanted("http://10.0.0.1/", &["no.such"]), request()).await;
        let problem = Problem::from(refused.unwrap_err());
        let pointers: Vec<_> = problem.errors.iter().map(|error| &*error.pointer).collect();
        assert_eq!(pointers, ["/url", "/events"]);
        let mut whole = wanted("https://example.com/", &["*"]);
        whole.whole_market = true;
        assert!(market.webhooks.create(&ada, whole.clone(), request()).await.is_err());
        let mut foreign = wanted("https://example.com/", &["*"]);
        foreign.organisation = Some("acme".to_owned());
        let refused = market.webhooks.create(&ada, foreign, request()).await.unwrap_err();
        assert_eq!(code(refused), "webhooks.not_found");
        assert_eq!(market.webhooks.list(&ada, Paging::default()).await.unwrap().total, 0);
        let operator = market.person("root", &[Role::Admin]);
        assert!(market.webhooks.create(&operator, whole, request()).await.unwrap().endpoint.whole_market);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_answers_with_the_same_secret() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let new = || wanted("https://example.com/hooks", &["wall.painted"]);
        let keyed = |new: &_| Request::new(Key(Some("k".to_owned())), "ada", new);
        let first = market.webhooks.create(&ada, new(), keyed(&new())).await.unwrap();
        let again = market.webhooks.create(&ada, new(), keyed(&new())).await.unwrap();
        assert_eq!(first.endpoint.id, again.endpoint.id);
        assert_eq!(first.secret.expose(), again.secret.expose());
        let other = wanted("https://example.com/other", &["wall.painted"]);
        let refused = market.webhooks.create(&ada, other.clone(), keyed(&other)).await.unwrap_err();
        assert_eq!(code(refused), "idempotency.reused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_change_changes_nothing_and_an_account_has_at_most_twenty() {
    both(async |market| {
        let ada = market.person("ada", &[Role::User]);
        let made = market.hook(&ada, "https://example.com/hooks").await.endpoint;
        let url = |text: &str| EndpointChange { url: Some(text.to_owned()), ..EndpointChange::default() };
        let seen = Expected::ByBody(made.version);
        let room = &market.webhooks;
        room.change(&ada, &made.id, seen.clone(), url("https://example.com/a")).await.unwrap();
        let stale = room.change(&ada, &made.id, seen, url("https://example.com/b")).await.unwrap_err();
        assert_eq!(Problem::from(stale).status, 409);
        assert_eq!(room.endpoint(&ada, &made.id).await.unwrap().url, "https://example.com/a");
        for _ in 1..20 {
            market.hook(&ada, "https://example.com/hooks").await;
        }
        let more = room.create(&ada, wanted("https://example.com/", &["*"]), request()).await.unwrap_err();
        assert_eq!(code(more), "webhooks.too_many");
    })
    .await;
}
