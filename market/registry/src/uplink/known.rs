//! What is known of a package at an uplink: as it was said last, or asked anew.

use std::sync::Arc;

use blobs::{Digests, Sha256, Written};
use kernel::{Problem, Timestamp};
use store::{Tx, args};
use tokio::time::{Instant, timeout};

use super::Uplinks;
use super::error::{FetchError, UplinkError};
use super::fetch::{Answer, NewDocument};
use super::remote::Remote;
use super::sql::{self, Said};
use crate::NpmName;

/// An uplink's document that is in the blob store.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) remote: Arc<Remote>,
    pub(crate) sha256: Sha256,
    pub(crate) checked_at: Timestamp,
}

/// How old an answer may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Freshness {
    /// As configured.
    Usual,
    /// At most so many seconds: something was asked for that the last document does not have.
    Seconds(u64),
}

impl Uplinks {
    /// The document of the first uplink that has the package. One that cannot be asked ends the search: a name
    /// must not be taken from the next uplink because the first one is down.
    pub(crate) async fn find(
        &self,
        name: &NpmName,
        freshness: Freshness,
        now: Timestamp,
    ) -> Result<Option<Known>, UplinkError> {
        for remote in self.0.remotes.iter().filter(|remote| remote.has(name)) {
            if let Some(known) = self.known(remote, name, freshness, now).await? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    async fn known(
        &self,
        remote: &Arc<Remote>,
        name: &NpmName,
        freshness: Freshness,
        now: Timestamp,
    ) -> Result<Option<Known>, UplinkError> {
        let said = self.said(remote, name).await?;
        if let Some(said) = said.as_ref().filter(|said| self.is_fresh(remote, said, freshness, now)) {
            return Ok(known(remote, said));
        }
        let flight = self.0.asking.join(&(Arc::clone(&remote.name), name.clone()), || {
            let (uplinks, remote, name) = (self.clone(), Arc::clone(remote), name.clone());
            async move { uplinks.ask(&remote, &name, freshness, now).await }
        });
        let Some(stale) = said.and_then(|said| known(remote, &said)) else {
            return flight.await.unwrap_or_else(|| Err(panicked()));
        };
        let reason = match timeout(self.0.limits.patience, flight).await {
            Ok(Some(Ok(known))) => return Ok(known),
            Ok(Some(Err(error))) => error.to_string(),
            Ok(None) => "asking it failed".to_owned(),
            Err(_) => "it takes long to answer".to_owned(),
        };
        let age_seconds = now.since(stale.checked_at).as_secs();
        tracing::warn!(uplink = &*remote.name, package = %name, age_seconds, reason, "a stale document is given");
        metrics::counter!("fondaco_uplink_stale_total", "uplink" => remote.name.to_string()).increment(1);
        Ok(Some(stale))
    }

    fn is_fresh(&self, remote: &Remote, said: &Said, freshness: Freshness, now: Timestamp) -> bool {
        let usual = match said.sha256 {
            Some(_) => remote.ttl,
            None => remote.ttl.min(self.0.limits.absent_ttl),
        };
        let most = match freshness {
            Freshness::Usual => usual,
            Freshness::Seconds(seconds) => usual.min(std::time::Duration::from_secs(seconds)),
        };
        now < said.checked_at.after(most)
    }

    /// What it said last; nothing when it was another registry then.
    async fn said(&self, remote: &Remote, name: &NpmName) -> Result<Option<Said>, UplinkError> {
        let (uplink, name) = (Arc::clone(&remote.name), name.clone());
        let read = async move |tx: &mut Tx| tx.first::<Said>(&sql::FIND_DOCUMENT, args![uplink, name]).await;
        let said = self.0.store.read(read).await?;
        Ok(said.filter(|said| said.address == remote.address.as_str()))
    }

    /// Asks, unless somebody did so in the meantime, and keeps the answer.
    async fn ask(
        &self,
        remote: &Arc<Remote>,
        name: &NpmName,
        freshness: Freshness,
        now: Timestamp,
    ) -> Result<Option<Known>, UplinkError> {
        let said = self.said(remote, name).await?;
        if let Some(said) = said.as_ref().filter(|said| self.is_fresh(remote, said, freshness, now)) {
            return Ok(known(remote, said));
        }
        let began = Instant::now();
        let said = said.filter(|said| said.sha256.is_some());
        let answer = self.fetch_document(remote, name, said.as_ref(), now).await;
        match self.judged(remote, "document", answer, now.after(began.elapsed()))? {
            Some(Answer::Unchanged) => self.confirm(remote, name, said, now).await.map(Some),
            Some(Answer::New(document)) => self.keep_document(remote, name, document, now).await.map(Some),
            None => {
                self.save(remote, name, None, (None, None), now).await?;
                Ok(None)
            }
        }
    }

    /// Counts how a request went, and tells the breaker. `None` when the uplink has no such thing.
    pub(crate) fn judged<T>(
        &self,
        remote: &Remote,
        kind: &'static str,
        answer: Result<T, FetchError>,
        now: Timestamp,
    ) -> Result<Option<T>, UplinkError> {
        let uplink = remote.name.to_string();
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(FetchError::Absent) => "absent",
            Err(FetchError::Outage { .. }) => "outage",
            Err(FetchError::Resting(_)) => "resting",
            Err(FetchError::Wrong(_)) => "wrong",
            Err(FetchError::Own) => "own_failure",
        };
        metrics::counter!("fondaco_uplink_requests_total", "uplink" => uplink.clone(), "kind" => kind, "outcome" => outcome)
            .increment(1);
        match answer {
            Ok(answer) => {
                remote.breaker.succeeded();
                Ok(Some(answer))
            }
            Err(FetchError::Absent) => {
                remote.breaker.succeeded();
                Ok(None)
            }
            Err(FetchError::Wrong(reason)) => {
                // It is there and answers: others may ask it other things.
                remote.breaker.succeeded();
                tracing::error!(uplink, kind, reason, "an uplink gives what cannot be used");
                Err(UplinkError::Wrong { uplink, reason })
            }
            Err(FetchError::Own) => Err(panicked()),
            Err(FetchError::Resting(pause)) => Err(UplinkError::Down {
                uplink,
                reason: "has failed several times in a row".to_owned(),
                retry_after_seconds: pause.as_secs().max(1),
            }),
            Err(FetchError::Outage { reason, retry_after_seconds }) => {
                let asked_for = retry_after_seconds.map(std::time::Duration::from_secs);
                if remote.breaker.failed(now, asked_for) {
                    tracing::warn!(uplink, reason, "an uplink is left alone for a while");
                } else {
                    tracing::warn!(uplink, reason, "an uplink fails");
                }
                let retry_after_seconds = retry_after_seconds.unwrap_or(5).clamp(1, 120);
                Err(UplinkError::Down { uplink, reason, retry_after_seconds })
            }
        }
    }

    async fn confirm(
        &self,
        remote: &Arc<Remote>,
        name: &NpmName,
        said: Option<Said>,
        now: Timestamp,
    ) -> Result<Known, UplinkError> {
        // Fetching refuses "unchanged" when there was nothing to compare with.
        let Some(sha256) = said.and_then(|said| said.sha256) else { return Err(panicked()) };
        let (uplink, name) = (Arc::clone(&remote.name), name.clone());
        let confirm = async move |tx: &mut Tx| {
            tx.execute(&sql::CONFIRM_DOCUMENT, args![uplink, name, sha256, now]).await
        };
        self.0.store.write(confirm).await?;
        Ok(Known { remote: Arc::clone(remote), sha256, checked_at: now })
    }

    async fn keep_document(
        &self,
        remote: &Arc<Remote>,
        name: &NpmName,
        document: NewDocument,
        now: Timestamp,
    ) -> Result<Known, UplinkError> {
        let NewDocument { bytes, etag, last_modified } = document;
        let written = self.0.blobs.put_bytes(bytes, Digests::Sha256Only, now).await?;
        let sha256 = written.sha256;
        self.save(remote, name, Some(written), (etag, last_modified), now).await?;
        Ok(Known { remote: Arc::clone(remote), sha256, checked_at: now })
    }

    async fn save(
        &self,
        remote: &Remote,
        name: &NpmName,
        written: Option<Written>,
        (etag, last_modified): (Option<String>, Option<String>),
        now: Timestamp,
    ) -> Result<(), UplinkError> {
        let (uplink, address, name) = (Arc::clone(&remote.name), remote.address.to_string(), name.clone());
        let save = async move |tx: &mut Tx| {
            let before: Option<(Option<Sha256>,)> =
                tx.first(&sql::DELETE_DOCUMENT, args![uplink, name]).await?;
            // First the new one: the same bytes must never be without a reference.
            if let Some(written) = &written {
                blobs::refs::retain(tx, written, now).await?;
            }
            if let Some((Some(sha256),)) = before {
                blobs::refs::release(tx, sha256, now).await?;
            }
            let sha256 = written.as_ref().map(|written| written.sha256);
            let size_bytes = written.as_ref().map(|written| written.size_bytes);
            let row = args![uplink, name, address, sha256, size_bytes, etag, last_modified, now];
            tx.execute(&sql::SAVE_DOCUMENT, row).await?;
            Ok::<_, blobs::refs::RefError>(())
        };
        Ok(self.0.store.write(save).await?)
    }

    /// Forgets a document whose bytes are lost, so that it is fetched again.
    pub(crate) async fn forget(
        &self,
        remote: &Remote,
        name: &NpmName,
        now: Timestamp,
    ) -> Result<(), UplinkError> {
        let (uplink, name) = (Arc::clone(&remote.name), name.clone());
        let forget = async move |tx: &mut Tx| {
            let before: Option<(Option<Sha256>,)> =
                tx.first(&sql::DELETE_DOCUMENT, args![uplink, name]).await?;
            if let Some((Some(sha256),)) = before {
                blobs::refs::release(tx, sha256, now).await?;
            }
            Ok::<_, blobs::refs::RefError>(())
        };
        Ok(self.0.store.write(forget).await?)
    }
}

/// The document, if it was one.
pub(crate) fn known(remote: &Arc<Remote>, said: &Said) -> Option<Known> {
    Some(Known { remote: Arc::clone(remote), sha256: said.sha256?, checked_at: said.checked_at })
}

/// A mistake in this program, which the log has.
pub(crate) fn panicked() -> UplinkError {
    UplinkError::Own(Problem::internal("registry.uplink_failed", "Asking the upstream registry failed here."))
}
