//! Which services fell of late: a reading of the system that only we know.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::Kind;
use hinoban_event::{Class, Event, Fact};
use hinoban_reading::{Moment, Observation, metrics};

/// How long a fall is counted.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// When each service was last seen to be gone. A supervisor that was just started knows of none.
#[derive(Debug, Default)]
pub(crate) struct Fallen(HashMap<Arc<str>, Moment>);

impl Fallen {
    /// Takes note of what happened, if something fell.
    pub(crate) fn note(&mut self, event: &Event, now: Moment) {
        if let Fact::Failed(failure) = &event.fact
            && matches!(failure.class, Class::NonExist | Class::Link)
            // What goes on failing has not fallen again.
            && failure.times <= 1
        {
            self.0.insert(event.service.clone(), now);
        }
    }

    /// Adds to what was seen of the system how many different services fell within an hour.
    pub(crate) fn add_to(&mut self, seen: &mut Observation, kind: &Kind, now: Moment) {
        if *kind != Kind::System {
            return;
        }
        self.0.retain(|_, at| now.since(*at) < REMEMBERED);
        seen.push(&metrics::SERVICES_FALLEN, u64::try_from(self.0.len()).unwrap_or(u64::MAX));
    }
}
