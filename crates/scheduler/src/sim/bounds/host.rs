//! The budget of the host: how many restarts of what lives it has borne.

use std::collections::BTreeMap;
use std::time::Duration;

use hinoban_reading::Moment;

use super::super::World;

/// When restarts of what lives were decided, by service.
#[derive(Debug, Default)]
pub(super) struct Spent(BTreeMap<String, Vec<Moment>>);

impl Spent {
    /// One is decided: what is wrong with that, if anything is.
    pub(super) fn spends(&mut self, world: &World, service: &str) -> Option<String> {
        let budget = world.scheduler.budget?;
        self.0.entry(service.to_owned()).or_default().push(world.now);
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
