//! Saving deployments by themselves: every hour, day or week at a time, keeping the newest ones.

use std::time::Duration;

use identity::audit::{self, Outcome};
use identity::{Action, Caller};
use kernel::{FieldError, Timestamp};
use store::{StoreError, Tx, args};

use crate::backups::{Backup, release};
use crate::deployment::{Status, Wanted};
use crate::error::ServiceError;
use crate::list::own;
use crate::{BackupId, DeploymentId, Services, sql};

/// The most that a schedule keeps: fewer than a deployment may have, so that there is room for those made by hand.
const MAX_KEEP: u32 = 40;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Days from the Monday before 1970-01-01, which was a Thursday.
const THURSDAY: i64 = 3;
/// How many schedules are looked at in one go.
const BATCH: u32 = 200;

store::words! {
    /// How often.
    #[derive(Default, utoipa::ToSchema)]
    Every, "expected hour, day or week" {
        /// Once an hour.
        Hour = "hour",
        /// Once a day.
        #[default]
        Day = "day",
        /// Once a week.
        Week = "week",
    }
}

/// When a deployment is saved by itself, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How often.
    pub every: Every,
    /// On which day of the week, where it is weekly: 0 is Monday.
    pub weekday: u32,
    /// At which hour, where it is daily or weekly.
    pub hour: u32,
    /// At which minute of the hour.
    pub minute: u32,
    /// How many of those that it made are kept: 1 to 40.
    pub keep: u32,
}

/// A schedule with when it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// The schedule.
    pub schedule: Schedule,
    /// When the next one is made.
    pub next_at: Timestamp,
    /// Why the last one could not be begun; empty where it could.
    pub problem: String,
}

type Row = (Every, u32, u32, u32, u32, Timestamp, String);

impl From<Row> for Scheduled {
    fn from((every, weekday, hour, minute, keep, next_at, problem): Row) -> Self {
        Self { schedule: Schedule { every, weekday, hour, minute, keep }, next_at, problem }
    }
}

impl Schedule {
    /// The first time after `now`.
    #[must_use]
    pub fn after(&self, now: Timestamp) -> Timestamp {
        let minutes = i64::from(self.minute) * 60;
        let (span, within) = match self.every {
            Every::Hour => (HOUR, minutes),
            Every::Day => (DAY, i64::from(self.hour) * HOUR + minutes),
            Every::Week => {
                let days = i64::from(self.weekday) - THURSDAY;
                (7 * DAY, (days * DAY + i64::from(self.hour) * HOUR + minutes).rem_euclid(7 * DAY))
            }
        };
        let now = now.secs();
        let next = (now - within).div_euclid(span) * span + within;
        Timestamp::from_secs(if next > now { next } else { next + span })
    }

    fn check(&self) -> Result<(), ServiceError> {
        let limits = [
            (self.weekday > 6, "/weekday", "0 is Monday, 6 is Sunday."),
            (self.hour > 23, "/hour", "Use 0 to 23."),
            (self.minute > 59, "/minute", "Use 0 to 59."),
            (!(1..=MAX_KEEP).contains(&self.keep), "/keep", "Keep 1 to 40."),
        ];
        let wrong = limits.into_iter().filter(|(bad, ..)| *bad);
        let wrong: Vec<FieldError> = wrong
            .map(|(_, pointer, detail)| FieldError { pointer: pointer.into(), detail: detail.into() })
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(ServiceError::Invalid(wrong)) }
    }
}

impl Services {
    /// When a deployment is saved by itself; none where it is not.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's.
    pub async fn schedule(&self, by: &Caller, id: &DeploymentId) -> Result<Option<Scheduled>, ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        let look = async move |tx: &mut Tx| {
            own(tx, &by, &id, Action::Read).await?;
            Ok(tx.first::<Row>(&sql::FIND_SCHEDULE, args![id]).await?.map(Into::into))
        };
        self.store.read(look).await
    }

    /// Has a deployment saved by itself from now on, or not any more.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::NotOffered`], [`ServiceError::Invalid`], [`ServiceError::Gone`].
    pub async fn set_schedule(
        &self,
        by: &Caller,
        id: &DeploymentId,
        schedule: Option<Schedule>,
    ) -> Result<Option<Scheduled>, ServiceError> {
        schedule.as_ref().map_or(Ok(()), Schedule::check)?;
        let (room, by, id) = (self.clone(), by.clone(), id.clone());
        let save = async move |tx: &mut Tx| {
            let known = own(tx, &by, &id, Action::Deploy).await?;
            if known.wanted == Wanted::Deleted {
                return Err(ServiceError::Gone);
            }
            if room.template_of(tx, &known.template).await?.recipe.backup.is_none() {
                return Err(ServiceError::NotOffered("backups"));
            }
            let now = by.now();
            match schedule {
                Some(s) => {
                    let next = s.after(now);
                    let row = args![id, s.every, s.weekday, s.hour, s.minute, s.keep, next, now];
                    tx.execute(&sql::SET_SCHEDULE, row).await?;
                }
                None => drop(tx.execute(&sql::DELETE_SCHEDULE, args![id]).await?),
            }
            let details = serde_json::json!({
                "every": schedule.map(|schedule| schedule.every.as_str()), "keep": schedule.map(|s| s.keep)
            });
            audit::record(tx, &by, "deployment.schedule_set", id.as_str(), Outcome::Done, &details).await?;
            Ok(tx.first::<Row>(&sql::FIND_SCHEDULE, args![id]).await?.map(Into::into))
        };
        self.store.write(save).await
    }

    /// Begins the backups that are due. What was missed while this program or the deployment did not run is made up for
    /// once, when both run again. Gives how many were begun.
    ///
    /// # Errors
    /// [`ServiceError::Store`].
    pub async fn run_schedules(&self) -> Result<usize, ServiceError> {
        let now = self.clock.now();
        let list = async move |tx: &mut Tx| {
            tx.all::<(DeploymentId,)>(&sql::LIST_DUE_SCHEDULES, args![now, BATCH]).await
        };
        let mut begun = 0;
        for (id,) in self.store.read(list).await? {
            let room = self.clone();
            let run = async move |tx: &mut Tx| room.run_schedule(tx, &id, now).await;
            begun += usize::from(self.store.write(run).await?);
        }
        Ok(begun)
    }

    async fn run_schedule(
        &self,
        tx: &mut Tx,
        id: &DeploymentId,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let known = sql::find(tx, id).await?;
        let found: Option<Scheduled> = tx.first::<Row>(&sql::FIND_SCHEDULE, args![id]).await?.map(Into::into);
        let Some(due) = found.filter(|due| due.next_at <= now) else { return Ok(false) };
        if known.wanted == Wanted::Deleted {
            tx.execute(&sql::DELETE_SCHEDULE, args![id]).await?;
            return Ok(false);
        }
        if known.status != Status::Running {
            return Ok(false); // it is saved once it runs again
        }
        let by = Caller::system(now);
        let (begun, problem) = match self.insert_backup(tx, &by, &known).await {
            Ok(backup) => {
                tx.execute(&sql::MARK_SCHEDULED, args![backup]).await?;
                (true, String::new())
            }
            Err(ServiceError::Store(error)) => return Err(error.into()),
            Err(error) => (false, kernel::Problem::from(error).detail.into_owned()),
        };
        tx.execute(&sql::MOVE_SCHEDULE, args![id, due.schedule.after(now), problem]).await?;
        Ok(begun)
    }
}

/// What a schedule made and need not keep any more goes, now that a newer one is whole.
pub(crate) async fn prune(tx: &mut Tx, id: &DeploymentId, now: Timestamp) -> Result<(), StoreError> {
    let Some(row) = tx.first::<Row>(&sql::FIND_SCHEDULE, args![id]).await? else { return Ok(()) };
    let keep = Scheduled::from(row).schedule.keep;
    let old: Vec<(BackupId,)> = tx.all(&sql::LIST_OLD_SCHEDULED, args![id, keep]).await?;
    for (backup,) in old {
        let Some(known) = tx.first::<Backup>(&sql::FIND_BACKUP_ALONE, args![backup]).await? else { continue };
        if tx.execute(&sql::REMOVE_BACKUP, args![backup, now]).await? == 1 {
            release(tx, &known, now).await?;
        }
    }
    Ok(())
}

/// How often it is looked what is due.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // 2026-11-21 is a Saturday.
        let now = at("2026-11-21T14:03:27Z");
        let next =
            |every, weekday, hour, minute| Schedule { every, weekday, hour, minute, keep: 1 }.after(now);
        assert_eq!(next(Every::Hour, 0, 0, 30), at("2026-11-21T14:30:00Z"));
        assert_eq!(next(Every::Hour, 0, 0, 3), at("2026-11-21T15:03:00Z"));
        assert_eq!(next(Every::Day, 0, 14, 3), at("2026-11-22T14:03:00Z"));
        assert_eq!(next(Every::Day, 0, 23, 59), at("2026-11-21T23:59:00Z"));
        assert_eq!(next(Every::Week, 0, 4, 0), at("2026-11-23T04:00:00Z"));
        assert_eq!(next(Every::Week, 5, 14, 0), at("2026-11-28T14:00:00Z"));
        assert_eq!(next(Every::Week, 6, 0, 0), at("2026-11-22T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn the_next_time_is_later_and_not_later_than_one_period(
            now in 0_i64..4_000_000_000, every in prop::sample::select(Every::ALL.to_vec()),
            weekday in 0_u32..7, hour in 0_u32..24, minute in 0_u32..60,
        ) {
            let schedule = Schedule { every, weekday, hour, minute, keep: 3 };
            let next = schedule.after(Timestamp::from_secs(now)).secs();
            let span = match every { Every::Hour => HOUR, Every::Day => DAY, Every::Week => 7 * DAY };
            prop_assert!(next > now && next <= now + span);
            prop_assert_eq!(schedule.after(Timestamp::from_secs(next)).secs(), next + span);
        }
    }
}
