//! A transaction on its way to the thread that runs it, with its type erased.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;

use crate::{StoreError, Tx};

/// A transaction's future; it stays on the thread that made it.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = bool> + 'a>>;

/// A queued transaction.
pub(crate) trait Job: Send {
    /// Runs it; answers whether its rows are to be kept. May be called again after a lost race.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Running<'a>;

    /// Answers the caller: with what the code returned, or with why it could not be kept.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Typed<F, T, E> {
    code: F,
    result: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Typed<F, T, E>
where
    F: AsyncFn(&mut Tx) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> Running<'a> {
        Box::pin(async move {
            self.result = None;
            let result = (self.code)(tx).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let result = match (outcome, self.result) {
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Panicked.into()),
        };
        // A caller that went away meanwhile does not undo what is done.
        let _ = self.answer.send(result);
    }
}

/// Erases the type of `code`; the receiver gets its result once it is durable.
pub(crate) fn typed<F, T, E>(code: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (answer, receiver) = oneshot::channel();
    (Box::new(Typed { code, result: None, answer }), receiver)
}
