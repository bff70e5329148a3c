//! An engine in memory with the same semantics as a real one, for property tests of what stands above: it
//! fails before or after the effect, and its containers die, freeze and disappear, all from one seed.
//!
//! Its programs are few: `sleep` and whatever else it does not know run until they are stopped, `true`,
//! `false`, `echo` and `cat` (with `/run/secrets/…`) do what they are known for.

mod chance;
mod driver;
mod machine;
mod program;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::Clock;

use self::chance::Chance;
use self::machine::Machine;
use crate::{EngineError, Image};

/// How often something goes wrong, each in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Of calls: fail without any effect.
    pub before: u16,
    /// Of calls: have their effect, but the answer is lost.
    pub after: u16,
    /// Of calls: afterwards some container of anybody dies, freezes, thaws or disappears.
    pub mischief: u16,
}

/// A driver of one installation on a machine in memory. Clones share the machine and the installation.
#[derive(Clone, Debug)]
pub struct Memory {
    machine: Arc<Mutex<Machine>>,
    installation: Arc<str>,
    clock: Clock,
}

impl Memory {
    /// A new machine without images, on which nothing goes wrong.
    #[must_use]
    pub fn new(installation: &str, clock: Clock) -> Self {
        Self { machine: Arc::default(), installation: installation.into(), clock }
    }

    /// Another installation's driver of the same machine.
    #[must_use]
    pub fn beside(&self, installation: &str) -> Self {
        Self { installation: installation.into(), ..self.clone() }
    }

    /// Puts an image there; its id is made from the reference.
    #[must_use]
    pub fn with_image(self, reference: &str) -> Self {
        let id = format!("sha256:{}", hex::encode(reference));
        let image = Image { id, size_bytes: 1 << 20, labels: BTreeMap::new() };
        self.machine().images.insert(reference.to_owned(), image);
        self
    }

    /// From now on things go wrong as often as `faults` says, in an order that follows from `seed`. With
    /// `Faults::default()` nothing does any more.
    pub fn set_faults(&self, seed: u64, faults: Faults) {
        let mut machine = self.machine();
        machine.faults = faults;
        machine.chance = Chance::new(seed);
    }

    /// Whether any call finds the engine.
    pub fn set_reachable(&self, reachable: bool) {
        self.machine().unreachable = !reachable;
    }

    /// The program of the container ends with this code, by itself.
    pub fn die(&self, name: &str, code: i64) {
        let now = self.clock.now();
        self.machine().exit(name, code, now);
    }

    /// Somebody freezes the container.
    pub fn freeze(&self, name: &str) {
        self.machine().freeze(name);
    }

    /// Somebody removes the container.
    pub fn vanish(&self, name: &str) {
        self.machine().vanish(name);
    }

    /// The machine is started again: nothing runs, no volume is ready.
    pub fn reboot(&self) {
        let now = self.clock.now();
        self.machine().reboot(now);
    }

    /// How many calls were made so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.machine().calls
    }

    /// No code that holds this lock can panic half-way; were it so, the tests above would see it.
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: may fail before, may lose its answer after, and mischief may follow.
    fn call<T>(&self, act: impl FnOnce(&mut Machine) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let now = self.clock.now();
        let mut machine = self.machine();
        machine.calls += 1;
        if machine.unreachable {
            return Err(EngineError::Unreachable("it was told to hide".to_owned()));
        }
        let Faults { before, after, mischief } = machine.faults;
        if machine.chance.happens(before) {
            return Err(EngineError::Failed("before it did anything".to_owned()));
        }
        let answer = act(&mut machine);
        if machine.chance.happens(mischief) {
            machine.mischief(now);
        }
        if machine.chance.happens(after) {
            return Err(EngineError::Failed("after it was done".to_owned()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kernel::Timestamp;

    use super::*;
    use crate::{Driver, Labels, Network};

    async fn run(seed: u64) -> (Vec<bool>, usize) {
        let memory = Memory::new("home", Clock::fixed(Timestamp::from_secs(0)));
        memory.set_faults(seed, Faults { before: 300, after: 300, mischief: 0 });
        let mut answers = Vec::new();
        for i in 0..40_u8 {
            let subnet = format!("10.0.{i}.0/24").parse().unwrap();
            let network = Network { name: format!("n{i}"), labels: Labels::new(), subnet, outside: false };
            answers.push(memory.ensure_network(&network).await.is_ok());
        }
        memory.set_faults(0, Faults::default());
        let made = memory.seen().await.unwrap().networks.len();
        (answers, made)
    }

    #[tokio::test]
    async fn faults_come_before_and_after_the_effect_and_follow_from_the_seed() {
        let (answers, made) = run(7).await;
        let told = answers.iter().filter(|answer| **answer).count();
        assert!(told < made && made < answers.len(), "{told} told of {made} made");
        assert_eq!(run(7).await, (answers.clone(), made));
        assert_ne!(run(8).await.0, answers);
    }
}
