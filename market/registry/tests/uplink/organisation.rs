//! Policies of organisations: they bind their members, and nobody else; the strictest counts.

use axum::Router;
use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt;
use identity::audit::Filter;
use identity::orgs::OrgRole;
use identity::{Caller, IdentityError};
use kernel::{Paging, Problem};
use registry::uplink::{ExemptionDraft, Inspected, PolicyDraft, PolicyError, Settings};
use registry::{NpmName, Registry};
use serde_json::Value;
use tower::ServiceExt;
use web::Expected;

use crate::counterparty::{Counterparty, decent, document, tarball};
use crate::market::{Market, Person, both, settings};

/// A market on the first of February, an uplink with `n` 1.0.0 of the first and 1.1.0 of the 30th of January, and
/// people: ada owns `acme`, bea is a member, cyd belongs to nobody.
struct Scene<'m> {
    market: &'m Market,
    registry: Registry,
    router: Router,
    upstream: Counterparty,
    ada: Person,
    bea: Person,
    cyd: Person,
}

/// What a client gets.
struct Got {
    status: u16,
    cache_control: String,
    vary: String,
    etag: String,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn latest(&self) -> String {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()["dist-tags"]["latest"].as_str().unwrap().to_owned()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

fn hours(minimum_release_age_hours: u32) -> PolicyDraft {
    PolicyDraft { minimum_release_age_hours, ..PolicyDraft::default() }
}

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn exempt(name: &str) -> Vec<ExemptionDraft> {
    vec![ExemptionDraft { name: name.to_owned(), reason: "It mends the hole of January".to_owned() }]
}

impl<'m> Scene<'m> {
    async fn new(market: &'m Market, change: impl FnOnce(&mut Settings)) -> Self {
        let bytes = [tarball(1, 500), tarball(2, 600)];
        let known = document("n", &[("1.0.0", 1, &bytes[0]), ("1.1.0", 30, &bytes[1])]);
        let [old, new] = bytes;
        let files = vec![("n-1.0.0.tgz".to_owned(), old), ("n-1.1.0.tgz".to_owned(), new)];
        let upstream = Counterparty::start(decent(known, files)).await;
        let mut settings = settings(&upstream);
        change(&mut settings);
        let registry = market.registry(&settings);
        let router = registry::npm::router(registry.clone());
        let router = web::Stack::new(web::Surface::Registry, market.clock.clone()).around(router);
        let (ada, bea, cyd) =
            (market.person("ada").await, market.person("bea").await, market.person("cyd").await);
        let scene = Self { market, registry, router, upstream, ada, bea, cyd };
        scene.found("acme", &scene.ada, &scene.bea).await;
        scene
    }

    async fn found(&self, org: &str, owner: &Person, member: &Person) {
        let by = self.market.by(owner).await;
        self.market.identity.create_org(&by, org, "").await.unwrap();
        let by = self.market.by(owner).await;
        self.market.identity.set_member(&by, org, &member.username, OrgRole::Member).await.unwrap();
    }

    async fn set(&self, owner: &Person, org: &str, draft: PolicyDraft) -> i64 {
        let by = self.market.by(owner).await;
        self.registry.set_upstream_policy(&by, org, Expected::Whatever, draft).await.unwrap().version
    }

    async fn get(&self, path: &str, person: Option<&Person>) -> Got {
        let mut request = Request::builder().uri(path).header(header::HOST, "localhost:4873");
        if let Some(person) = person {
            request = request.header(header::AUTHORIZATION, person.authorization.clone());
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let got = |name| text(name).unwrap_or_default();
        let (cache_control, vary, etag) = (got(header::CACHE_CONTROL), got(header::VARY), got(header::ETAG));
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        Got { status, cache_control, vary, etag, body }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_gets_what_is_old_enough_and_others_get_the_newest() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        let (bea, cyd) = (Some(&scene.bea), Some(&scene.cyd));
        assert_eq!(scene.get("/npm/n", bea).await.latest(), "1.1.0", "no policy yet");
        assert_eq!(scene.get("/npm/n/-/n-1.1.0.tgz", bea).await.status, 200);
        scene.set(&scene.ada, "acme", hours(7 * 24)).await;

        let member = scene.get("/npm/n", bea).await;
        assert_eq!(member.latest(), "1.0.0", "at once, with nothing of it in a cache");
        assert!(member.json()["versions"].get("1.1.0").is_none());
        assert_eq!(scene.get("/npm/n/latest", bea).await.json()["version"], "1.0.0");
        assert_eq!(scene.get("/npm/n/1.1.0", bea).await.status, 404);
        assert_eq!(scene.get("/npm/n/-/n-1.0.0.tgz", bea).await.body, tarball(1, 500));
        // A lockfile names it still; it is in our own cache, too.
        let refused = scene.get("/npm/n/-/n-1.1.0.tgz", bea).await;
        assert_eq!((refused.status, &*refused.cache_control), (403, "no-store"));
        let words = "n@1.1.0 is younger than your organisation acme accepts. It becomes available on \
                     2026-02-06T00:00:00.000Z; install an older release until then, or ask an owner or admin of acme";
        assert!(refused.error().starts_with(words), "{}", refused.error());

        for other in [None, cyd] {
            assert_eq!(scene.get("/npm/n", other).await.latest(), "1.1.0");
            assert_eq!(scene.get("/npm/n/-/n-1.1.0.tgz", other).await.status, 200);
        }
        // What is fetched for the first time is refused as well, and not asked for.
        let asked = scene.upstream.count();
        scene.set(&scene.ada, "acme", PolicyDraft { block: list(&["m"]), ..hours(1) }).await;
        assert_eq!(scene.get("/npm/m", bea).await.status, 403);
        assert_eq!(scene.upstream.count(), asked, "a blocked name is not told upstream");
        assert_eq!(scene.get("/npm/n", bea).await.latest(), "1.1.0", "a looser policy counts at once too");
        assert_eq!(scene.get("/npm/m", cyd).await.status, 404, "the uplink was asked");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cache_between_gives_one_readers_answer_to_another() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        scene.set(&scene.ada, "acme", hours(7 * 24)).await;
        let stranger = scene.get("/npm/n", None).await;
        let member = scene.get("/npm/n", Some(&scene.bea)).await;
        assert_eq!((&*stranger.cache_control, &*member.cache_control), ("no-cache", "private, no-cache"));
        assert_ne!(stranger.etag, member.etag);
        for path in ["/npm/n", "/npm/n/-/n-1.0.0.tgz"] {
            for person in [None, Some(&scene.bea), Some(&scene.cyd)] {
                let got = scene.get(path, person).await;
                assert!(got.vary.contains("authorization, cookie"), "{path}: {}", got.vary);
                assert_eq!(got.cache_control.contains("private"), person.is_some(), "{path}");
            }
        }
        let again = scene.get("/npm/n", Some(&scene.bea)).await;
        assert_eq!(again.etag, member.etag);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_organisations_and_the_registry_the_strictest_counts() {
    both(async |market| {
        // The registry itself wants two days; 1.1.0 is of the 30th of January.
        let scene = Scene::new(&market, |settings| {
            settings.minimum_release_age = std::time::Duration::from_secs(2 * 86_400);
        })
        .await;
        scene.found("beta", &scene.cyd, &scene.bea).await;
        scene.set(&scene.ada, "acme", PolicyDraft { exempt: exempt("n"), ..hours(5 * 24) }).await;
        scene.set(&scene.cyd, "beta", hours(1)).await;
        let (bea, cyd) = (Some(&scene.bea), Some(&scene.cyd));
        assert_eq!(
            scene.get("/npm/n", bea).await.latest(),
            "1.1.0",
            "acme exempts it, beta is content with an hour"
        );
        scene.set(&scene.cyd, "beta", hours(4 * 24)).await;
        assert_eq!(scene.get("/npm/n", bea).await.latest(), "1.0.0", "what acme exempts, beta need not");
        let refused = scene.get("/npm/n/-/n-1.1.0.tgz", bea).await.error();
        assert!(refused.contains("organisation beta") && refused.contains("2026-02-03"), "{refused}");
        scene.set(&scene.ada, "acme", PolicyDraft { allow: list(&["@acme", "n@1.0"]), ..hours(0) }).await;
        let refused = scene.get("/npm/n/-/n-1.1.0.tgz", bea).await.error();
        assert!(refused.contains("blocked by the upstream policy of your organisation acme"), "{refused}");
        scene.set(&scene.ada, "acme", PolicyDraft { block: list(&["n@*"]), ..hours(0) }).await;
        let nothing = scene.get("/npm/n", bea).await;
        assert_eq!(nothing.status, 403, "nothing is left");
        assert_eq!(scene.get("/npm/n", cyd).await.latest(), "1.0.0", "beta's owner is no member of acme");
        assert_eq!(scene.get("/npm/n", None).await.latest(), "1.1.0");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_cannot_loosen_what_the_registry_wants() {
    both(async |market| {
        let scene = Scene::new(&market, |settings| {
            settings.minimum_release_age = std::time::Duration::from_secs(7 * 86_400);
            settings.block = list(&["bad"]);
        })
        .await;
        let draft = PolicyDraft { exempt: exempt("n"), allow: list(&["n", "bad"]), ..hours(1) };
        scene.set(&scene.ada, "acme", draft).await;
        let bea = Some(&scene.bea);
        assert_eq!(scene.get("/npm/n", bea).await.latest(), "1.0.0");
        let refused = scene.get("/npm/n/-/n-1.1.0.tgz", bea).await.error();
        assert!(refused.starts_with("n@1.1.0 is younger than this registry accepts."), "{refused}");
        assert!(scene.get("/npm/bad", bea).await.error().contains("the policy of this registry"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exempt_name_need_not_wait_and_the_trail_says_why() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        scene.set(&scene.ada, "acme", PolicyDraft { exempt: exempt("n@1.0.x"), ..hours(168) }).await;
        let bea = Some(&scene.bea);
        assert_eq!(scene.get("/npm/n", bea).await.latest(), "1.0.0", "another range is exempt");
        scene.set(&scene.ada, "acme", PolicyDraft { exempt: exempt("n@1.1.0"), ..hours(168) }).await;
        assert_eq!(scene.get("/npm/n", bea).await.latest(), "1.1.0");
        assert_eq!(scene.get("/npm/n/-/n-1.1.0.tgz", bea).await.status, 200);

        let by = scene.market.by(&scene.ada).await;
        let policy = scene.registry.upstream_policy(&by, "acme").await.unwrap();
        assert_eq!((policy.version, &*policy.exempt[0].by), (2, "ada"));
        let filter =
            Filter { action: Some("organisation.upstream_policy_changed".to_owned()), ..Filter::default() };
        let trail =
            market.identity.audit(&Caller::system(market.now()), filter, Paging::default()).await.unwrap();
        assert_eq!(trail.total, 2);
        let exempted = &trail.items[0].details["exempt"];
        assert_eq!(exempted["added"][0]["name"], "n@1.1.0");
        assert_eq!(exempted["added"][0]["reason"], "It mends the hole of January");
        assert_eq!(exempted["removed"][0]["name"], "n@1.0.x");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ours_is_never_affected() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        scene.set(&scene.ada, "acme", PolicyDraft { block: list(&["*"]), ..hours(9000) }).await;
        market.publish_locally("ours").await;
        assert_eq!(scene.get("/npm/ours", Some(&scene.bea)).await.status, 404, "it is private, not blocked");
        assert_eq!(scene.get("/npm/theirs", Some(&scene.bea)).await.status, 403);
        assert_eq!(scene.get("/npm/@acme/x", Some(&scene.bea)).await.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_and_admins_set_it_and_nobody_else_sees_it() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        let (ada, bea, cyd) =
            (market.by(&scene.ada).await, market.by(&scene.bea).await, market.by(&scene.cyd).await);
        let name = NpmName::parse("n").unwrap();
        for (who, expected) in [(&bea, 403), (&cyd, 404), (&Caller::stranger(market.now()), 401)] {
            // What is wrong with the policy is not told either.
            let wrong = PolicyDraft { allow: list(&["no name"]), ..PolicyDraft::default() };
            let refusals = [
                scene.registry.upstream_policy(who, "acme").await.map(|_| ()).unwrap_err(),
                scene
                    .registry
                    .set_upstream_policy(who, "acme", Expected::ByBody(0), wrong)
                    .await
                    .map(|_| ())
                    .unwrap_err(),
                scene.registry.inspect_upstream(who, "acme", &name).await.map(|_| ()).unwrap_err(),
            ];
            for refusal in refusals {
                assert_eq!(Problem::from(refusal).status, expected);
            }
        }
        let nothing = scene.registry.upstream_policy(&ada, "none").await;
        assert!(matches!(nothing, Err(PolicyError::Identity(IdentityError::NotFound(_)))));
        market.identity.set_member(&ada, "acme", "bea", OrgRole::Admin).await.unwrap();
        let bea = market.by(&scene.bea).await;
        scene.registry.set_upstream_policy(&bea, "acme", Expected::ByBody(0), hours(1)).await.unwrap();
        market.identity.remove_member(&ada, "acme", "bea").await.unwrap();
        let bea = market.by(&scene.bea).await;
        assert!(scene.registry.upstream_policy(&bea, "acme").await.is_err());
        assert!(scene.registry.binding(&bea).await.unwrap().is_free(), "who left is not bound");
        assert!(!scene.registry.binding(&ada).await.unwrap().is_free());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_change_changes_nothing_and_no_change_is_none() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        let ada = market.by(&scene.ada).await;
        let set = async |seen, draft| {
            scene.registry.set_upstream_policy(&ada, "acme", Expected::ByBody(seen), draft).await
        };
        let first = set(0, hours(5)).await.unwrap();
        assert_eq!((first.version, first.changed_by.as_deref()), (1, Some("ada")));
        for stale in [0, 2, -1] {
            assert!(matches!(set(stale, hours(6)).await, Err(PolicyError::Stale(_))));
        }
        assert_eq!(set(1, hours(5)).await.unwrap(), first);
        let wrong = PolicyDraft { block: list(&["a b"]), ..PolicyDraft::default() };
        let problem = Problem::from(set(1, wrong).await.unwrap_err());
        assert_eq!((problem.status, &*problem.errors[0].pointer), (422, "/block/0"));
        assert_eq!(scene.registry.upstream_policy(&ada, "acme").await.unwrap(), first);
        // Of many who change the same version at once, one wins.
        let changes = (10..18).map(|age| set(1, hours(age)));
        let done = futures_util::future::join_all(changes).await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
        assert!(done.iter().all(|done| matches!(done, Ok(_) | Err(PolicyError::Stale(_)))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_hears_of_a_change() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        let other = market.registry(&settings(&scene.upstream));
        let runs = other.clone();
        let running = tokio::spawn(async move { runs.run().await });
        let bea = market.by(&scene.bea).await;
        assert!(other.binding(&bea).await.unwrap().is_free());
        scene.set(&scene.ada, "acme", hours(5)).await;
        let mut heard = false;
        for _ in 0..200 {
            heard = !other.binding(&bea).await.unwrap().is_free();
            if heard {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        running.abort();
        assert!(heard);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_now_is_told() {
    both(async |market| {
        let scene = Scene::new(&market, |_| {}).await;
        scene.set(&scene.ada, "acme", PolicyDraft { block: list(&["bad"]), ..hours(168) }).await;
        let ada = market.by(&scene.ada).await;
        let inspect = async |name: &str| {
            scene.registry.inspect_upstream(&ada, "acme", &NpmName::parse(name).unwrap()).await.unwrap()
        };
        let Inspected::Releases { total, refused, newest, latest } = inspect("n").await else { panic!() };
        assert_eq!((total, refused, latest.as_deref()), (2, 1, Some("1.0.0")));
        assert_eq!((&*newest[0].version, newest[0].organisation.as_deref()), ("1.1.0", Some("acme")));
        assert_eq!(newest[0].until.unwrap().to_string(), "2026-02-06T00:00:00.000Z");
        assert!(matches!(inspect("bad").await, Inspected::Blocked(_)));
        assert_eq!(inspect("unheard-of").await, Inspected::Unknown);
        assert_eq!(inspect("@acme/x").await, Inspected::Local);
    })
    .await;
}
