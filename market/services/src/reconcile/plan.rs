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
    /// It answers its probe.
    Probe,
    /// The goal is reached, and written down.
    Settle,
}

/// What is to be done, in this order. Empty where the engine is in the middle of something: look again later.
/// `fingerprint` is that of the container as it shall be.
pub(crate) fn steps(goal: Goal, fingerprint: &str, seen: Option<&SeenContainer>) -> Vec<Step> {
    use Step::{
        Create, EnsureNetwork, EnsureVolume, Probe, Remove, RemoveVolume, Settle, Start, Stop, Unpause,
    };
    const MAKE: [Step; 5] = [EnsureNetwork, EnsureVolume, Create, Start, Probe];
    let state = seen.map(|seen| &seen.state);
    match (goal, state) {
        (Goal::Vanish, None) => vec![RemoveVolume, Settle],
        (Goal::Vanish, Some(_)) => vec![Remove, RemoveVolume, Settle],
        (_, Some(State::Other(_))) => Vec::new(),
        (Goal::Rest, Some(State::Running | State::Paused)) => vec![Stop, Settle],
        (Goal::Rest, _) => vec![Settle],
        (Goal::Serve, None) => MAKE.to_vec(),
        (Goal::Serve, Some(state)) if seen.is_some_and(|seen| seen.fingerprint != fingerprint) => {
            let first: &[Step] = if matches!(state, State::Running | State::Paused) { &[Stop] } else { &[] };
            [first, &[Remove], &MAKE].concat()
        }
        (Goal::Serve, Some(State::Created | State::Exited { .. })) => {
            vec![EnsureNetwork, EnsureVolume, Start, Probe]
        }
        (Goal::Serve, Some(State::Paused)) => vec![Unpause, Probe],
        (Goal::Serve, Some(State::Running)) => vec![Probe],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// As much of an engine as the steps change.
    #[derive(Clone, Debug, PartialEq)]
    struct Small {
        container: Option<(State, String)>,
        volume: bool,
    }

    fn seen(small: &Small) -> Option<SeenContainer> {
        small.container.as_ref().map(|(state, fingerprint)| SeenContainer {
            name: "x".into(),
            labels: [].into(),
            fingerprint: fingerprint.clone(),
            state: state.clone(),
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
            Step::Create => small.container = Some((State::Created, "new".into())),
            Step::Start => match &mut small.container {
                Some((state, _)) if small.volume => *state = State::Running,
                _ => return false,
            },
            Step::Unpause | Step::Stop => match &mut small.container {
                Some((state, _)) => *state = if step == Step::Stop { exited() } else { State::Running },
                None => return false,
            },
            Step::Remove => small.container = None,
            Step::RemoveVolume if small.container.is_some() => return false,
            Step::RemoveVolume => small.volume = false,
            Step::Probe => {
                return small.container.as_ref().is_some_and(|(state, _)| *state == State::Running);
            }
            Step::EnsureNetwork | Step::Settle => {}
        }
        true
    }

    fn reached(goal: Goal, small: &Small) -> bool {
        match goal {
            Goal::Serve => small.container == Some((State::Running, "new".into())) && small.volume,
            Goal::Rest => !matches!(&small.container, Some((State::Running | State::Paused, _))),
            Goal::Vanish => small.container.is_none() && !small.volume,
        }
    }

    fn any_small() -> impl Strategy<Value = Small> {
        let state =
            prop_oneof![Just(State::Created), Just(State::Running), Just(State::Paused), Just(exited())];
        let container =
            proptest::option::of((state, prop_oneof![Just("new".to_owned()), Just("old".to_owned())]));
        (container, any::<bool>()).prop_map(|(container, volume)| {
            // No engine has a container whose volume is gone.
            let volume = volume || container.is_some();
            Small { container, volume }
        })
    }

    proptest! {
        #[test]
        fn one_pass_reaches_any_goal_from_anywhere(
            mut small in any_small(),
            goal in prop_oneof![Just(Goal::Serve), Just(Goal::Rest), Just(Goal::Vanish)],
        ) {
            let steps = steps(goal, "new", seen(&small).as_ref());
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
                for step in steps(goal, "new", seen(&small).as_ref()).into_iter().take(kill) {
                    prop_assert!(act(&mut small, step));
                }
            }
            for step in steps(goal, "new", seen(&small).as_ref()) {
                prop_assert!(act(&mut small, step));
            }
            prop_assert!(reached(goal, &small));
            let again = steps(goal, "new", seen(&small).as_ref());
            prop_assert!(again.iter().all(|step| matches!(step, Step::Probe | Step::Settle | Step::RemoveVolume)));
        }
    }

    #[test]
    fn what_the_engine_is_in_the_middle_of_is_left_alone() {
        let mut found =
            seen(&Small { container: Some((State::Other("removing".into()), "new".into())), volume: true });
        assert!(steps(Goal::Serve, "new", found.as_ref()).is_empty());
        found.as_mut().unwrap().fingerprint = "old".into();
        assert!(steps(Goal::Serve, "new", found.as_ref()).is_empty());
    }

    #[test]
    fn an_old_container_is_asked_to_end_before_it_goes_and_what_it_keeps_stays() {
        let found = seen(&Small { container: Some((State::Running, "old".into())), volume: true });
        let steps = steps(Goal::Serve, "new", found.as_ref());
        assert_eq!(steps[..2], [Step::Stop, Step::Remove]);
        assert!(!steps.contains(&Step::RemoveVolume));
    }
}
