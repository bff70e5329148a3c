//! From what is wanted and what is seen to what is to be done: pure, so that it can be tested against every case.

use containers::{SeenContainer, State};

/// What shall become of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// It answers.
    Serve,
    /// Nothing runs; what it keeps stays.
    Rest,
    /// Nothing is left.
    Vanish,
}

/// One thing to do. Each may be repeated, and each may be the last before this program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The owner's network is there.
    EnsureNetwork,
    /// What it keeps is there, as large as the plan says, and ready.
    EnsureVolume,
    /// Its container is there.
    Create,
    /// The container's program is started, with its secrets.
    Start,
    /// The container goes on.
    Unpause,
    /// The container's program is asked to end.
    Stop,
    /// The container goes; what it keeps stays.
    Remove,
    /// What it keeps goes.
    RemoveVolume,
    /// The network that it had alone before somebody wanted it goes.
    RemoveNetwork,
    /// The container, while it runs, comes into the owner's network.
    Join,
    /// It answers its probe.
    Probe,
    /// The goal is reached, and written down.
    Settle,
}

/// What is to be done, in this order. Empty where the engine is in the middle of something: look again later.
/// `fingerprint` is that of the container as it shall be, in `network`; it may be in others besides. One that serves comes
/// there after it was said to run: the way in from outside does not go through it.
pub(crate) fn steps(goal: Goal, fingerprint: &str, network: &str, seen: Option<&SeenContainer>) -> Vec<Step> {
    use Step::{
        Create, EnsureNetwork, EnsureVolume, Join, Probe, Remove, RemoveNetwork, RemoveVolume, Settle, Start,
        Stop, Unpause,
    };
    const MAKE: [Step; 5] = [EnsureNetwork, EnsureVolume, Create, Start, Probe];
    let state = seen.map(|seen| &seen.state);
    let is_same = seen.is_some_and(|seen| seen.fingerprint == fingerprint);
    let is_in = seen.is_some_and(|seen| seen.networks.iter().any(|name| name == network));
    let join: &[Step] = if is_in { &[] } else { &[EnsureNetwork, Join] };
    match (goal, state) {
        (Goal::Vanish, None) => vec![RemoveVolume, RemoveNetwork, Settle],
        (Goal::Vanish, Some(_)) => vec![Remove, RemoveVolume, RemoveNetwork, Settle],
        (_, Some(State::Other(_))) => Vec::new(),
        (Goal::Rest, Some(State::Running | State::Paused)) => vec![Stop, Settle],
        (Goal::Rest, _) => vec![Settle],
        (Goal::Serve, None) => MAKE.to_vec(),
        (Goal::Serve, Some(State::Running | State::Paused)) if !is_same => {
            [&[Stop, Remove][..], &MAKE].concat()
        }
        (Goal::Serve, Some(State::Created | State::Exited { .. })) if !is_same || !is_in => {
            [&[Remove][..], &MAKE].concat()
        }
        (Goal::Serve, Some(State::Created | State::Exited { .. })) => {
            vec![EnsureNetwork, EnsureVolume, Start, Probe]
        }
        (Goal::Serve, Some(State::Paused)) => [&[Unpause, Probe][..], join].concat(),
        (Goal::Serve, Some(State::Running)) => [&[Probe][..], join].concat(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    /// As much of an engine as the steps change.
    #[derive(Clone, Debug, PartialEq)]
    struct Small {
        container: Option<(State, String)>,
        /// Which networks the container is in: the owner's, and one that it has alone.
        networks: BTreeSet<&'static str>,
        volume: bool,
    }

    fn seen(small: &Small) -> Option<SeenContainer> {
        small.container.as_ref().map(|(state, fingerprint)| SeenContainer {
            name: "x".into(),
            labels: [].into(),
            fingerprint: fingerprint.clone(),
            state: state.clone(),
            networks: small.networks.iter().map(ToString::to_string).collect(),
            address: None,
            started_at: None,
        })
    }

    fn exited() -> State {
        State::Exited { code: 0, out_of_memory: false, at: None, error: None }
    }

    /// Does a step; says whether the engine could.
    fn act(small: &mut Small, step: Step) -> bool {
        match step {
            Step::EnsureVolume => small.volume = true,
            Step::Create if small.container.is_some() || !small.volume => return false,
            Step::Create => {
                small.container = Some((State::Created, "new".into()));
                small.networks = ["owners"].into();
            }
            Step::Join if small.container.is_none() => return false,
            Step::Join => drop(small.networks.insert("owners")),
            Step::Start => match &mut small.container {
                Some((state, _)) if small.volume => *state = State::Running,
                _ => return false,
            },
            Step::Unpause | Step::Stop => match &mut small.container {
                Some((state, _)) => *state = if step == Step::Stop { exited() } else { State::Running },
                None => return false,
            },
            Step::Remove => (small.container, small.networks) = (None, BTreeSet::new()),
            Step::RemoveVolume if small.container.is_some() => return false,
            Step::RemoveVolume => small.volume = false,
            Step::Probe => {
                return small.container.as_ref().is_some_and(|(state, _)| *state == State::Running);
            }
            Step::EnsureNetwork | Step::RemoveNetwork | Step::Settle => {}
        }
        true
    }

    fn reached(goal: Goal, small: &Small) -> bool {
        match goal {
            Goal::Serve => {
                let is_there = small.container == Some((State::Running, "new".into())) && small.volume;
                is_there && small.networks.contains("owners")
            }
            Goal::Rest => !matches!(&small.container, Some((State::Running | State::Paused, _))),
            Goal::Vanish => small.container.is_none() && !small.volume,
        }
    }

    fn any_small() -> impl Strategy<Value = Small> {
        let state =
            prop_oneof![Just(State::Created), Just(State::Running), Just(State::Paused), Just(exited())];
        let container =
            proptest::option::of((state, prop_oneof![Just("new".to_owned()), Just("old".to_owned())]));
        let networks = prop_oneof![
            Just(BTreeSet::from(["owners"])),
            Just(BTreeSet::from(["own"])),
            Just(BTreeSet::from(["own", "owners"])),
            Just(BTreeSet::new()),
        ];
        (container, networks, any::<bool>()).prop_map(|(container, networks, volume)| {
            // No engine has a container whose volume is gone.
            let volume = volume || container.is_some();
            let networks = if container.is_some() { networks } else { BTreeSet::new() };
            Small { container, networks, volume }
        })
    }

    proptest! {
        #[test]
        fn one_pass_reaches_any_goal_from_anywhere(
            mut small in any_small(),
            goal in prop_oneof![Just(Goal::Serve), Just(Goal::Rest), Just(Goal::Vanish)],
        ) {
            let steps = steps(goal, "new", "owners", seen(&small).as_ref());
            for step in &steps {
                prop_assert!(act(&mut small, *step), "{step:?} of {steps:?}");
            }
            prop_assert!(reached(goal, &small), "{small:?}");
        }

        #[test]
        fn a_kill_after_any_step_does_not_matter(
            mut small in any_small(),
            goal in prop_oneof![Just(Goal::Serve), Just(Goal::Rest), Just(Goal::Vanish)],
            kills in proptest::collection::vec(0usize..6, 0..5),
        ) {
            for kill in kills {
                for step in steps(goal, "new", "owners", seen(&small).as_ref()).into_iter().take(kill) {
                    prop_assert!(act(&mut small, step));
                }
            }
            for step in steps(goal, "new", "owners", seen(&small).as_ref()) {
                prop_assert!(act(&mut small, step));
            }
            prop_assert!(reached(goal, &small));
            let again = steps(goal, "new", "owners", seen(&small).as_ref());
            prop_assert!(again.iter().all(|step| matches!(step, Step::Probe | Step::Settle | Step::RemoveVolume | Step::RemoveNetwork)));
        }
    }

    fn small(state: State, fingerprint: &str, network: &'static str) -> Small {
        Small { container: Some((state, fingerprint.into())), networks: [network].into(), volume: true }
    }

    fn serve(found: Option<&SeenContainer>) -> Vec<Step> {
        steps(Goal::Serve, "new", "owners", found)
    }

    #[test]
    fn what_serves_comes_to_its_owner_without_a_restart_and_what_does_not_is_made_there() {
        let taken = seen(&small(State::Running, "new", "own"));
        assert_eq!(serve(taken.as_ref()), [Step::Probe, Step::EnsureNetwork, Step::Join]);
        let dead = serve(seen(&small(exited(), "new", "own")).as_ref());
        assert_eq!((dead.first(), dead.contains(&Step::Create)), (Some(&Step::Remove), true));
        assert!(!dead.contains(&Step::RemoveVolume));
    }

    #[test]
    fn what_the_engine_is_in_the_middle_of_is_left_alone() {
        let mut found = seen(&small(State::Other("removing".into()), "new", "owners"));
        assert!(serve(found.as_ref()).is_empty());
        found.as_mut().unwrap().fingerprint = "old".into();
        assert!(serve(found.as_ref()).is_empty());
    }

    #[test]
    fn an_old_container_is_asked_to_end_before_it_goes_and_what_it_keeps_stays() {
        let steps = serve(seen(&small(State::Running, "old", "owners")).as_ref());
        assert_eq!(steps[..2], [Step::Stop, Step::Remove]);
        assert!(!steps.contains(&Step::RemoveVolume));
    }
}
