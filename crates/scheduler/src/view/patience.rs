use std::sync::Arc;

use hinoban_reading::{Moment, Stamp};

use crate::patience::{Repairs, Trial};
use crate::watched::Watched;

/// What repairs of a service by rules have come to, and when the next one is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatienceView {
    /// How many there were in a row, how often they helped, and whether they have been given up.
    pub repairs: Repairs,
    /// When the next one is made, if it is still needed then; `None`: none is put off.
    pub next: Option<Stamp>,
    /// Why the host does not bear it now, if so.
    pub held: Option<Arc<str>>,
}

/// `ahead`: a moment on the wall clock.
pub(super) fn view(watched: &Watched, trial: &Trial, ahead: impl Fn(Moment) -> Stamp) -> PatienceView {
    // Where no look is made for it alone, the first turn after the pause.
    let turn = |until: Moment| until.max(watched.due);
    let next = trial.wants.as_ref().and_then(|want| want.retry.or(trial.until.map(turn)));
    let held = trial.wants.as_ref().and_then(|want| want.held.clone());
    PatienceView { repairs: trial.repairs.clone(), next: next.map(ahead), held }
}
