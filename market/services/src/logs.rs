//! What a deployment writes: the last lines, those that have a word in them, and those that are still to come.

use containers::{LogLine, LogStream, Logs};
use futures_util::StreamExt as _;
use identity::{Action, Caller};
use kernel::Timestamp;
use store::Tx;

use crate::error::ServiceError;
use crate::list::own;
use crate::{DeploymentId, Services};

/// The most lines of one answer.
pub(crate) const MOST_LINES: u32 = 1000;
/// The longest word that is looked for, in characters.
const MOST_SEARCH: usize = 200;

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// At the most so many, the latest.
    pub limit: u32,
    /// Only those since then.
    pub since: Option<Timestamp>,
    /// Only those with this in them, whatever the case of its letters.
    pub search: Option<String>,
}

impl Services {
    /// The latest lines, oldest first.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for somebody else's; [`ServiceError::Engine`] where they cannot be had.
    pub async fn log(
        &self,
        by: &Caller,
        id: &DeploymentId,
        wanted: Wanted,
    ) -> Result<Vec<LogLine>, ServiceError> {
        let name = self.engine_name_of(by, id).await?;
        let limit = wanted.limit.clamp(1, MOST_LINES);
        // Who looks for a word wants the latest lines that have it, however long ago they were written.
        let tail = wanted.search.is_none().then_some(limit);
        let mut lines = self.lines(&name, Logs { tail, since: wanted.since, follow: false }).await?;
        let search =
            wanted.search.map(|word| word.chars().take(MOST_SEARCH).collect::<String>().to_lowercase());
        let mut found = std::collections::VecDeque::new();
        while let Some(line) = lines.next().await {
            let line = line?;
            if search.as_ref().is_none_or(|word| line.text.to_lowercase().contains(word)) {
                if found.len() == limit as usize {
                    found.pop_front();
                }
                found.push_back(line);
            }
        }
        Ok(found.into())
    }

    /// The latest lines and all that come, until the container ends.
    ///
    /// # Errors
    /// As [`Services::log`].
    pub async fn follow(
        &self,
        by: &Caller,
        id: &DeploymentId,
        limit: u32,
    ) -> Result<LogStream, ServiceError> {
        let name = self.engine_name_of(by, id).await?;
        self.lines(&name, Logs { tail: Some(limit.min(MOST_LINES)), since: None, follow: true }).await
    }

    async fn lines(&self, name: &str, which: Logs) -> Result<LogStream, ServiceError> {
        match self.engine.logs(name, which).await {
            // It was not made yet, or is gone: it has written nothing.
            Err(containers::EngineError::NotThere { .. }) => Ok(futures_util::stream::empty().boxed()),
            answer => Ok(answer?),
        }
    }

    async fn engine_name_of(&self, by: &Caller, id: &DeploymentId) -> Result<String, ServiceError> {
        let (by, id) = (by.clone(), id.clone());
        let find = async move |tx: &mut Tx| own(tx, &by, &id, Action::Read).await;
        Ok(self.store.read(find).await?.engine_name())
    }
}
