//! The one trait that engines implement.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{
    About, ChangeStream, Container, EngineError, Exec, Image, LogStream, Logs, Network, Running, SecretFile,
    Seen, SeenContainer, Usage, Volume,
};

/// A driver that is shared by all who use it.
pub type Engine = Arc<dyn Driver>;

/// What a driver answers.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, EngineError>>;

/// An engine that runs containers.
///
/// Every operation may be repeated after any error and after a kill of this program at any point, and then
/// reaches the same end. Operations on different names do not wait for each other; how many run at once is for
/// the caller to bound. Operations on the same name at the same time are safe, but one may fail.
pub trait Driver: Send + Sync + 'static {
    /// What engine this is, and what the machine can do.
    fn about(&self) -> Answer<'_, About>;

    /// The image by this reference or id if it is on this machine.
    fn image<'a>(&'a self, reference: &'a str) -> Answer<'a, Option<Image>>;

    /// Fetches an image by a full reference from the registry it names.
    fn pull<'a>(&'a self, reference: &'a str) -> Answer<'a, Image>;

    /// Everything of this installation.
    fn seen(&self) -> Answer<'_, Seen>;

    /// One container of this installation: much cheaper than [`Driver::seen`].
    fn container<'a>(&'a self, name: &'a str) -> Answer<'a, Option<SeenContainer>>;

    /// Makes the network if it is not there. [`EngineError::Different`] with another subnet,
    /// [`EngineError::SubnetTaken`] when something else has its addresses.
    fn ensure_network<'a>(&'a self, network: &'a Network) -> Answer<'a, ()>;

    /// Makes the volume if it is not there, fills it once, grows it if it is smaller, and makes it ready (as
    /// after a start of the machine). Call it before each start of a container that uses it. To grow one, stop its
    /// container first: not every machine can grow what is in use.
    /// [`EngineError::Refused`] when it is larger.
    fn ensure_volume<'a>(&'a self, volume: &'a Volume) -> Answer<'a, ()>;

    /// Makes the container if it is not there. Its network and volumes must be. [`EngineError::Different`] when
    /// one with another fingerprint is there.
    fn create<'a>(&'a self, container: &'a Container) -> Answer<'a, ()>;

    /// Writes the secrets and starts it; a container that runs already gets the secrets and stays as it is. A
    /// paused one stays paused. The secrets stay until [`Driver::forget_secrets`] or [`Driver::remove`].
    fn start<'a>(&'a self, name: &'a str, secrets: &'a [SecretFile]) -> Answer<'a, ()>;

    /// Removes the secret files, once the program has read them. A container that is not there is no error.
    fn forget_secrets<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Brings a container into one more network that is there, under these names beside its own, without stopping it; those
    /// that it is in already stay, and so do the connections there. One that is in the network is left as it is.
    fn join<'a>(&'a self, name: &'a str, network: &'a str, aliases: &'a [String]) -> Answer<'a, ()>;

    /// Asks it to end, and kills it after `grace`. One that does not run, or is not there, is no error. A paused
    /// one is unpaused first.
    fn stop<'a>(&'a self, name: &'a str, grace: Duration) -> Answer<'a, ()>;

    /// Freezes it. [`EngineError::NotRunning`] when it does not run; a paused one is no error.
    fn pause<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Lets it go on. [`EngineError::NotRunning`] when it does not run; one that is not paused is no error.
    fn unpause<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Kills and removes it with its secrets and logs; its volumes stay. One that is not there is no error.
    fn remove<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Removes a network. One that is not there is no error; one that is in use is [`EngineError::Failed`].
    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Removes a volume and all that is in it. One that is not there is no error; one that a container still has
    /// is [`EngineError::Failed`].
    fn remove_volume<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;

    /// Runs a command in a running container.
    fn exec<'a>(&'a self, name: &'a str, command: &'a Exec) -> Answer<'a, Running>;

    /// Lines that its program wrote since it was made, as far as they are kept.
    fn logs<'a>(&'a self, name: &'a str, which: Logs) -> Answer<'a, LogStream>;

    /// What the named ones use; those that do not run are left out.
    fn usage<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Usage>>;

    /// News of this installation's containers from now on.
    fn changes(&self) -> Answer<'_, ChangeStream>;
}
