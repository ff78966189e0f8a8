//! Where in the list each service is.

use crate::ServiceId;
use crate::watched::Watched;

/// Positions by id. Ids are given in the order of the configuration, so what never changed stands where its id says; after
/// reloads some stand elsewhere, and are searched for.
#[derive(Debug, Default)]
pub(crate) struct Positions(Vec<(ServiceId, u32)>);

impl Positions {
    pub(crate) fn of(services: &[Watched]) -> Self {
        let mut all: Vec<(ServiceId, u32)> = services.iter().map(|w| w.id).zip(0..).collect();
        all.sort_unstable();
        Self(all)
    }

    pub(crate) fn get(&self, id: ServiceId) -> Option<usize> {
        let (first, _) = self.0.first()?;
        let guess = id.0.checked_sub(first.0).and_then(|n| self.0.get(n as usize));
        let found = match guess.filter(|(there, _)| *there == id) {
            Some(found) => found,
            None => &self.0[self.0.binary_search_by_key(&id, |(there, _)| *there).ok()?],
        };
        Some(found.1 as usize)
    }
}
