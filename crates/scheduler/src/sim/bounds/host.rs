//! The budget of the host: how many restarts of what lives it has borne.

use std::collections::BTreeMap;
use std::time::Duration;

use hinoban_event::Event;
use hinoban_reading::Moment;

use super::super::World;

/// When restarts of what lives were decided, by service.
#[derive(Debug, Default)]
pub(super) struct Spent(BTreeMap<String, Vec<Moment>>);

impl Spent {
    /// One is made, which this event had caused: what is wrong with that, if anything is.
    pub(super) fn spends(&mut self, world: &World, service: &str, cause: &Event) -> Option<String> {
        let budget = world.scheduler.budget?;
        // It may have waited for others to be out of its way.
        let at = world.now - world.instant().stamp.since(cause.at);
        self.0.entry(service.to_owned()).or_default().push(at);
        let mut all: Vec<Moment> = self.0.values().flatten().copied().collect();
        all.sort_unstable();
        let most = usize::try_from(budget.restarts).ok()?;
        let within = |many: &&[Moment]| many[most].since(many[0]) + Duration::from_millis(1) < budget.within;
        let many = all.windows(most + 1).find(within)?;
        Some(format!("restarts at {many:?} within {:?}", budget.within))
    }

    /// Nobody knows how long ago they were.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// What this service had is not counted any more.
    pub(super) fn without(&mut self, service: &str) {
        self.0.remove(service);
    }
}
