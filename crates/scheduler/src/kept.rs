//! What the last look saw, in little room: there is one for each service and test, and a host may have thousands.

use hinoban_reading::{Identity, Observation, Packed, Reading, Standing, Value};

/// An [`Observation`] whose readings are packed. How a process ended is kept elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) standing: Standing,
    pub(crate) identity: Option<Identity>,
    pub(crate) named: Option<u32>,
    /// Rarely there is one.
    former: Option<Box<Identity>>,
    readings: Packed,
}

impl Kept {
    /// Keeps what was seen, in the room of what was seen before where that is possible.
    pub(crate) fn replace(before: &mut Option<Self>, seen: Observation) {
        let mut readings = before.take().map(|kept| kept.readings).unwrap_or_default();
        readings.replace(&seen.readings);
        let Observation { standing, identity, named, former, .. } = seen;
        *before = Some(Self { standing, identity, named, former: former.map(Box::new), readings });
    }

    /// As [`Observation::get`].
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.readings.get(name)
    }

    /// The reading of this name.
    pub(crate) fn reading(&self, name: &str) -> Option<Reading> {
        self.readings.reading(name)
    }

    pub(crate) fn former(&self) -> Option<Identity> {
        self.former.as_deref().copied()
    }

    /// All of it, for whoever asks.
    pub(crate) fn open(&self) -> Observation {
        let mut seen = Observation::new(self.standing.clone());
        seen.readings = self.readings.readings();
        seen.identity = self.identity;
        seen.named = self.named;
        seen.former = self.former();
        seen
    }
}
