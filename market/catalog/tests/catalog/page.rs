//! The pages, without script.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use catalog::stock::claim;
use catalog::{HoldTerms, OfferId, Want};
use scraper::{Html, Selector};
use store::Tx;
use store::testing::both;

use crate::market::{NOW, TABLES};
use crate::room::{Answer, Room};

fn words(answer: &Answer, selector: &str) -> String {
    let page = Html::parse_document(&answer.text);
    let selector = Selector::parse(selector).unwrap();
    let found = page.select(&selector).flat_map(|element| element.text());
    found.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn value(answer: &Answer, name: &str) -> String {
    let page = Html::parse_document(&answer.text);
    let field = Selector::parse(&format!("[name={name}]")).unwrap();
    page.select(&field).next().and_then(|field| field.attr("value")).unwrap_or_default().to_owned()
}

fn leads_to(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", words(answer, "main"));
    answer.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seller_lists_publishes_and_reprices_by_forms() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let ada = room.seller("ada").await;
        assert!(words(&room.get(Some(&ada), "/sell/listings").await, "main").contains("Nothing listed yet"));
        let wrong =
            room.form(&ada, "/sell/listings/new", &[("kind", "other"), ("summary", "kept <b>")]).await;
        assert_eq!((wrong.status, value(&wrong, "summary")), (422, "kept <b>".to_owned()));
        assert!(words(&wrong, "#f-title-error").contains("1 to 120"));
        let texts =
            [("kind", "other"), ("title", "Map <i>"), ("description", "# Hello\r\n\r\n<script>x</script>")];
        let next = leads_to(&room.form(&ada, "/sell/listings/new", &texts).await);
        let wrong = room
            .form(
                &ada,
                &next,
                &[("name", "One"), ("pricing", "one_off"), ("price", "a lot"), ("currency", "USD")],
            )
            .await;
        assert_eq!((wrong.status, value(&wrong, "price")), (422, "a lot".to_owned()));
        let offer = [
            ("name", "One"),
            ("pricing", "one_off"),
            ("price", "19"),
            ("currency", "usd"),
            ("stock", "counted"),
            ("capacity", "5"),
        ];
        let editor = leads_to(&room.form(&ada, &next, &offer).await);
        let page = room.get(Some(&ada), &editor).await;
        assert!(words(&page, "table").contains("One $19.00 0 0 5 Active"), "{}", words(&page, "table"));
        let version = value(&page, "version");
        leads_to(
            &room.form(&ada, &format!("{editor}/state"), &[("to", "published"), ("version", &version)]).await,
        );
        let stale = room.form(&ada, &editor, &[("title", "Newer"), ("version", &version)]).await;
        assert_eq!((stale.status, value(&stale, "title")), (422, "Newer".to_owned()));

        let market = room.get(None, "/market").await;
        assert!(
            words(&market, ".listing").contains("Map <i> by ada $19.00 5 left"),
            "{}",
            words(&market, ".listing")
        );
        let id = editor.rsplit('/').next().unwrap().to_owned();
        let public = room.get(None, &format!("/market/{id}")).await;
        assert_eq!(public.status, 200);
        assert!(!public.text.contains("<script>x") && words(&public, ".prose").contains("Hello"));
        let order = Html::parse_document(&public.text);
        let fields = Selector::parse("form[action='/orders/new'] [name]").unwrap();
        let names: Vec<_> = order.select(&fields).filter_map(|field| field.attr("name")).collect();
        assert_eq!(names, ["offer", "quantity"]);
        let offer = value(&public, "offer");
        lock(&room, &offer).await;
        let at = format!("{editor}/offers/{offer}");
        let page = room.get(Some(&ada), &at).await;
        assert!(
            words(&page, ".notice").contains("1 piece of this offer is held"),
            "{}",
            words(&page, ".notice")
        );
        let fields = [
            ("name", "One"),
            ("pricing", "one_off"),
            ("price", "25"),
            ("currency", "USD"),
            ("stock", "counted"),
            ("capacity", "5"),
        ];
        let refused = room.form(&ada, &at, &fields).await;
        assert_eq!((refused.status, value(&refused, "price")), (422, "25".to_owned()));
        assert!(
            words(&refused, ".summary").contains("at its present price, until"),
            "{}",
            words(&refused, ".summary")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_units_are_added_by_the_form_of_their_offer() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let ada = room.seller("ada").await;
        let next =
            leads_to(&room.form(&ada, "/sell/listings/new", &[("kind", "other"), ("title", "Map")]).await);
        let new = [
            ("name", "Seat"),
            ("pricing", "one_off"),
            ("price", "5"),
            ("currency", "USD"),
            ("stock", "units"),
        ];
        let offer = leads_to(&room.form(&ada, &next, &new).await);
        let page = Html::parse_document(&room.get(Some(&ada), &offer).await.text);
        let forms: Vec<_> = page
            .select(&Selector::parse("main form").unwrap())
            .map(|form| form.attr("action").unwrap_or_default().to_owned())
            .collect();
        assert_eq!(forms, [format!("{offer}/withdraw"), offer.clone(), format!("{offer}/units")]);
        let many = room.form(&ada, &forms[2], &[("section", "Hall"), ("rows", "1000"), ("seats", "x")]).await;
        assert_eq!((many.status, value(&many, "section")), (422, "Hall".to_owned()));
        assert!(!words(&many, "#f-rows-error").is_empty() && !words(&many, "#f-seats-error").is_empty());
        leads_to(&room.form(&ada, &forms[2], &[("section", "Hall"), ("rows", "2"), ("seats", "3")]).await);
        assert!(words(&room.get(Some(&ada), &offer).await, ".receipt").contains("Left 6"));
        leads_to(&room.form(&ada, &forms[0], &[]).await);
    })
    .await;
}

async fn lock(room: &Room, offer: &str) {
    let wants = vec![Want::some(offer.parse::<OfferId>().unwrap(), 1)];
    let work = async move |tx: &mut Tx| claim(tx, NOW, &wants, "hold-1", HoldTerms::default()).await;
    room.store.write(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sellers_pages_are_closed_to_others() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let (ada, eve) = (room.seller("ada").await, room.seller("eve").await);
        let next =
            leads_to(&room.form(&ada, "/sell/listings/new", &[("kind", "other"), ("title", "Map")]).await);
        let editor = next.trim_end_matches("/offers/new").to_owned();
        for path in ["/sell/listings".to_owned(), editor.clone(), next.clone()] {
            assert_eq!(room.get(None, &path).await.status, 401, "{path}");
        }
        for path in [editor.clone(), next, editor.replace("/sell/listings/", "/market/")] {
            assert_eq!(room.get(Some(&eve), &path).await.status, 404, "{path}");
        }
        assert_eq!(room.form(&eve, &editor, &[("title", "Stolen")]).await.status, 404);
        assert_eq!(room.get(None, "/market/listing-none").await.status, 404);
        assert!(words(&room.get(None, "/market").await, "main").contains("Nothing is for sale yet"));
        assert!(words(&room.get(None, "/market?q=x&price=free").await, "main").contains("Undo all filters"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_keep_the_categories_by_forms() {
    both(TABLES, async |store| {
        let room = Room::on(store);
        let ada = room.seller("ada").await;
        let op = room.person("olga", &[identity::Role::User, identity::Role::Admin]).await;
        const HOME: &str = "/operator/categories";
        assert_eq!(room.get(Some(&ada), HOME).await.status, 403);
        assert!(words(&room.get(Some(&op), HOME).await, "table").contains("Developer tools"));
        let wrong = room.form(&op, HOME, &[("slug", "No Such"), ("name", "Maps")]).await;
        assert_eq!((wrong.status, value(&wrong, "name")), (422, "Maps".to_owned()));
        let new = [("slug", "maps"), ("name", "Maps <b>"), ("position", "1")];
        assert_eq!(room.form(&ada, HOME, &new).await.status, 403);
        assert_eq!(leads_to(&room.form(&op, HOME, &new).await), HOME);
        let here = format!("{HOME}/maps");
        let editor = room.get(Some(&op), &here).await;
        assert_eq!((value(&editor, "name"), value(&editor, "version")), ("Maps <b>".into(), "1".into()));
        let renamed = [("name", "Maps"), ("position", "2"), ("version", "1")];
        assert_eq!(leads_to(&room.form(&op, &here, &renamed).await), HOME);
        assert_eq!(room.form(&op, &here, &renamed).await.status, 422, "a page that is old changes nothing");
        let remove = [("do", "remove"), ("version", "2")];
        assert_eq!(room.form(&ada, &here, &remove).await.status, 403);
        assert_eq!(leads_to(&room.form(&op, &here, &remove).await), HOME);
        assert_eq!(room.get(Some(&op), &here).await.status, 404);
    })
    .await;
}
