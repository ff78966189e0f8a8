//! Where a service stands, in one word: for counting which inputs met which states.

use crate::rest::Rest;
use crate::task::Step;
use crate::watched::Watched;
use crate::{Act, Input, LookId, Part, Scheduler, ServiceId, Verdict, Watching};
use hinoban_event::Doing;
use hinoban_reading::Standing;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($word:ident $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)] // the words that are printed say it
        pub enum $name { $($word,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[$name] = &[$($name::$word,)*];

            /// In words.
            pub fn word(self) -> &'static str {
                match self { $($name::$word => $text,)* }
            }
        }
    };
}

words! {
    /// Where a service stands. The first that holds is the one.
    Situation {
        Leaving "leaving",
        Peeking "peeking",
        Clearing "clearing",
        Held "held",
        Starting "starting",
        Stopping "stopping",
        Restarting "restarting",
        AwaitUp "await up",
        AwaitDown "await down",
        NotWatched "not watched",
        Resting "resting",
        WaitsTurn "waits turn",
        GivenUp "given up",
        Budget "over budget",
        Pausing "pausing",
        Failing "failing",
        Unseen "unseen",
        Initializing "initializing",
        Up "up",
    }
}

words! {
    /// What an input is to a service.
    Meets {
        ItsTurn "its turn",
        OtherTick "other's turn",
        SeenUp "seen up",
        SeenDown "seen down",
        SeenAbsent "seen absent",
        Unable "cannot look",
        TestPasses "test passes",
        TestFails "test fails",
        TestUnable "cannot test",
        Stale "stale look",
        Woken "woken",
        Ran "program ran",
        TimedOut "timed out",
        NotRun "could not run",
        ErrandOver "errand over",
        NoIntent "unknown end",
        Start "start!",
        Stop "stop!",
        Restart "restart!",
        Monitor "monitor!",
        Unmonitor "unmonitor!",
        WakeAll "wake all",
        ClockJumped "clock jumped",
        Reloaded "reload",
        Crashed "crash",
        Ended "end",
    }
}

impl Scheduler {
    /// Where this service stands.
    pub(super) fn situation(&self, i: usize) -> Situation {
        situation(&self.services[i])
    }

    /// What an input is to the service in this place; `None`: it is not about it.
    pub(super) fn meets(&self, i: usize, input: &Input) -> Option<Meets> {
        let watched = &self.services[i];
        let own = |id: &ServiceId| *id == watched.id;
        Some(match input {
            Input::Tick if watched.watching != Watching::No && watched.deadline() <= self.next_moment() => {
                Meets::ItsTurn
            }
            Input::Tick => Meets::OtherTick,
            Input::WakeAll => Meets::WakeAll,
            Input::ClockJumped => Meets::ClockJumped,
            Input::Woken { service, .. } if own(service) => Meets::Woken,
            Input::Observed { look: LookId { service, generation, part }, result } if own(service) => {
                let test = matches!(part, Part::Test(_));
                match result.as_ref().map(|seen| &seen.standing) {
                    _ if *generation != watched.generation => Meets::Stale,
                    Ok(Standing::Up) if test => Meets::TestPasses,
                    Ok(_) if test => Meets::TestFails,
                    Err(_) if test => Meets::TestUnable,
                    Ok(Standing::Up) => Meets::SeenUp,
                    Ok(Standing::Down(_)) => Meets::SeenDown,
                    Ok(Standing::Absent(_)) => Meets::SeenAbsent,
                    Err(_) => Meets::Unable,
                }
            }
            Input::Command { service, doing, .. } if own(service) => match doing {
                Doing::Start => Meets::Start,
                Doing::Stop => Meets::Stop,
                Doing::Restart => Meets::Restart,
                Doing::Monitor => Meets::Monitor,
                _ => Meets::Unmonitor,
            },
            Input::ActionDone { intent, verdict, .. } => match self.running.get(intent) {
                Some(service) if own(service) => match verdict {
                    Verdict::Ran => Meets::Ran,
                    Verdict::TimedOut => Meets::TimedOut,
                    Verdict::Failed => Meets::NotRun,
                },
                Some(_) => return None,
                None if self.errands.contains_key(intent) => Meets::ErrandOver,
                None => Meets::NoIntent,
            },
            _ => return None,
        })
    }

    /// The next of all deadlines.
    fn next_moment(&self) -> hinoban_reading::Moment {
        let all = self.services.iter().map(Watched::deadline);
        all.min().unwrap_or_default()
    }
}

fn situation(watched: &Watched) -> Situation {
    if watched.leaving {
        return Situation::Leaving;
    }
    if let Some(task) = &watched.task {
        return match &task.step {
            Step::Peek => Situation::Peeking,
            Step::Clearing => Situation::Clearing,
            Step::Held { .. } => Situation::Held,
            Step::Running { act: Act::Stop, .. } => Situation::Stopping,
            Step::Running { act: Act::Restart, .. } => Situation::Restarting,
            Step::Running { .. } => Situation::Starting,
            Step::AwaitUp(_) => Situation::AwaitUp,
            Step::AwaitDown(_) => Situation::AwaitDown,
        };
    }
    match watched.watching {
        Watching::No => Situation::NotWatched,
        _ if watched.rest != Rest::None => Situation::Resting,
        _ if watched.waits() => Situation::WaitsTurn,
        _ if watched.trial.as_ref().is_some_and(|t| t.repairs.gave_up.is_some()) => Situation::GivenUp,
        _ if wants(watched, true) => Situation::Budget,
        _ if wants(watched, false) => Situation::Pausing,
        _ if watched.failures().next().is_some() => Situation::Failing,
        _ if watched.all_looks().any(|looks| looks.not_seen.is_some()) => Situation::Unseen,
        Watching::Initializing => Situation::Initializing,
        Watching::Yes => Situation::Up,
    }
}

/// Whether a repair is put off: because of the host, or until its pause is over.
fn wants(watched: &Watched, held: bool) -> bool {
    let want = watched.trial.as_ref().and_then(|trial| trial.wants.as_ref());
    want.is_some_and(|want| want.held.is_some() == held)
}
