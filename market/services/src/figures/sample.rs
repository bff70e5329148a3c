//! Taking the figures, and counting the time that is paid for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use containers::Usage;
use futures_util::StreamExt as _;
use kernel::Timestamp;
use store::{StoreError, Tx, args};

use super::read::costs;
use super::{Figures, STEPS, parse, scrape, span};
use crate::cost::{Month, price};
use crate::deployment::{Deployment, Status, Wanted};
use crate::events::Threshold;
use crate::reconcile::{Reconciler, Target, exec};
use crate::template::MetricSource;
use crate::{DeploymentId, sql};

/// How many services are asked for their own figures at once.
const AT_ONCE: usize = 4;
/// The longest time that is counted at once: what lies between two looks that are further apart was not seen.
const LONGEST: Duration = Duration::from_secs(60);

/// What the sampler remembers between two looks.
#[derive(Default)]
pub(crate) struct Sampler {
    /// When time was counted last.
    counted: Option<Timestamp>,
    /// The processor time that was seen last, and when.
    cpu: HashMap<String, (u64, Timestamp)>,
}

impl Reconciler {
    /// Counts the time since the last look and takes the figures of all that runs.
    ///
    /// # Errors
    /// [`StoreError`]; what the engine does not tell is left out.
    pub(crate) async fn sample(&self, sampler: &mut Sampler) -> Result<(), StoreError> {
        let now = self.room.clock.now();
        let list = async |tx: &mut Tx| tx.all::<Deployment>(&sql::LIST_LIVE, &[]).await;
        let mut live = self.room.store.read(list).await?;
        live.retain(|known| !known.is_spare());
        let since = sampler.counted.replace(now).unwrap_or(now);
        let time = now.since(since).min(LONGEST);
        self.count_time(&live, now, time).await?;
        let running: Vec<&Deployment> = live.iter().filter(|known| known.status == Status::Running).collect();
        let names: Vec<String> = running.iter().map(|known| known.engine_name()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let used = if names.is_empty() {
            Vec::new()
        } else {
            self.room.engine.usage(&names).await.unwrap_or_default()
        };
        let used: HashMap<&str, &Usage> = used.iter().map(|usage| (usage.name.as_str(), usage)).collect();
        let own = self.own_figures(&running).await;
        let before = self.latest(&running).await?;
        let mut taken = Vec::new();
        for known in running {
            let empty = Figures::default();
            let last = before.get(&known.id).unwrap_or(&empty);
            let mut figures = Figures { own: last.own.clone(), raw: last.raw.clone(), ..Figures::default() };
            let name = known.engine_name();
            if let Some(usage) = used.get(name.as_str()) {
                engine_figures(&mut figures, last, usage, sampler.cpu.get(&name), now);
                sampler.cpu.insert(name, (usage.cpu_us, now));
            }
            if let Some((target, said)) = own.get(&known.id) {
                let fields =
                    target.template.recipe.metrics.as_ref().map_or(&[][..], |metrics| &metrics.fields);
                figures.take_own(last, fields, said);
            }
            figures.answer_us = self.answer_us(&known.id);
            taken.push((known.id.clone(), figures));
        }
        sampler.cpu.retain(|name, _| used.contains_key(name.as_str()));
        self.keep(taken, now).await
    }

    /// The time since the last look, for whom it is counted.
    async fn count_time(
        &self,
        live: &[Deployment],
        now: Timestamp,
        time: Duration,
    ) -> Result<(), StoreError> {
        if time.is_zero() || live.is_empty() {
            return Ok(());
        }
        let (live, hour) = (live.to_vec(), now.secs() / 3600);
        let time = i64::try_from(time.as_micros()).unwrap_or(0);
        let count = async move |tx: &mut Tx| {
            for known in &live {
                let wanted = if known.wanted == Wanted::Running { time } else { 0 };
                let served = if known.status == Status::Running { time } else { 0 };
                let there = if known.wanted == Wanted::Deleted { 0 } else { time };
                let (pricing, price) = (known.plan.pricing.model(), price(known.plan.pricing));
                let row = args![known.id, hour, known.plan.id, pricing, price, there, wanted, served];
                tx.execute(&sql::COUNT_TIME, row).await?;
                if let Some(budget) = known.budget_minor {
                    tell_budget(tx, known, budget, now).await?;
                }
            }
            Ok::<_, StoreError>(())
        };
        self.room.store.write(count).await
    }

    /// What the services say of themselves.
    async fn own_figures(
        &self,
        running: &[&Deployment],
    ) -> HashMap<DeploymentId, (Arc<Target>, BTreeMap<String, f64>)> {
        let targets = running.iter().filter_map(|known| self.known_target(&known.id));
        let asked =
            targets.filter(|target| target.template.recipe.metrics.is_some()).map(|target| async move {
                let said = self.said(&target).await?;
                Some((target.deployment.id.clone(), (target, said)))
            });
        let asked: Vec<_> = asked.collect();
        futures_util::stream::iter(asked)
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await
    }

    /// What one service says of itself.
    async fn said(&self, target: &Target) -> Option<BTreeMap<String, f64>> {
        match &target.template.recipe.metrics.as_ref()?.source {
            MetricSource::Exec(command) => {
                let (command, stdin) = target.command(command, None);
                let name = &target.container.name;
                let done = exec::run(&self.room.engine, name, &command, stdin.as_ref()).await.ok()?;
                (done.code == 0).then(|| parse(&String::from_utf8_lossy(&done.stdout)))
            }
            MetricSource::Http { path, bearer } => {
                let address = self.known_address(&target.deployment.id)?;
                let bearer = bearer.as_ref().map(|text| target.secret(text));
                scrape::ask(address, path, bearer.as_ref()).await
            }
        }
    }

    async fn latest(&self, running: &[&Deployment]) -> Result<HashMap<DeploymentId, Figures>, StoreError> {
        let ids = store::json_list(running.iter().map(|known| known.id.as_str()));
        let list =
            async move |tx: &mut Tx| tx.all::<(DeploymentId, Figures)>(&sql::LIST_NOW, args![ids]).await;
        Ok(self.room.store.read(list).await?.into_iter().collect())
    }

    async fn keep(&self, taken: Vec<(DeploymentId, Figures)>, now: Timestamp) -> Result<(), StoreError> {
        if taken.is_empty() {
            return Ok(());
        }
        let keep = async move |tx: &mut Tx| {
            for (id, figures) in &taken {
                let latest = json(figures)?;
                tx.execute(&sql::SET_NOW, args![id, latest, now]).await?;
                let sample = json(&figures.clone().without_raw())?;
                for (step, _) in STEPS {
                    tx.execute(&sql::INSERT_SAMPLE, args![id, step, span(now, step), sample]).await?;
                }
            }
            for (step, kept) in STEPS {
                let before = now.before(Duration::from_secs(kept.unsigned_abs()));
                tx.execute(&sql::DELETE_SAMPLES, args![step, before]).await?;
            }
            Ok::<_, StoreError>(())
        };
        self.room.store.write(keep).await
    }
}

fn json(figures: &Figures) -> Result<String, StoreError> {
    serde_json::to_string(figures).map_err(|error| StoreError::Database(error.to_string()))
}

/// What the engine measured, as it is shown.
fn engine_figures(
    figures: &mut Figures,
    last: &Figures,
    usage: &Usage,
    cpu: Option<&(u64, Timestamp)>,
    now: Timestamp,
) {
    figures.memory_bytes = usage.memory_bytes;
    figures.memory_limit_bytes = usage.memory_limit;
    (figures.disk_bytes, figures.disk_limit_bytes) = (usage.disk_bytes, usage.disk_limit);
    let grown = |figures: &mut Figures, name: &str, raw: u64| {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let grown = figures.count(last, name, raw as f64) as u64;
        grown
    };
    figures.received_bytes = last.received_bytes + grown(figures, "engine.rx", usage.rx_bytes);
    figures.sent_bytes = last.sent_bytes + grown(figures, "engine.tx", usage.tx_bytes);
    if let Some((used, at)) = cpu {
        let time = u64::try_from(now.since(*at).as_micros()).unwrap_or(0);
        let millis = usage.cpu_us.saturating_sub(*used).saturating_mul(1000);
        figures.cpu_millis = millis.checked_div(time).unwrap_or(0);
    }
}

/// Tells the owner once a month that the budget is reached.
async fn tell_budget(tx: &mut Tx, known: &Deployment, budget: i64, now: Timestamp) -> Result<(), StoreError> {
    let cost = costs(tx, known, now).await?;
    if cost.current_minor < budget {
        return Ok(());
    }
    let told = tx.execute(&sql::TELL_BUDGET, args![known.id, Month::of(now).number]).await?;
    if told == 1 {
        let event = Threshold {
            deployment_id: &known.id,
            account: &known.owner,
            name: &known.name,
            current_cost_minor: cost.current_minor,
            projected_cost_minor: cost.projected_minor,
            budget_minor: budget,
            currency: known.plan.currency,
            version: known.version,
        };
        ::events::append(tx, now, &event).await?;
    }
    Ok(())
}
