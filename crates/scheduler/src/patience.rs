//! How repairs by rules are repeated when they do not help: with growing pauses, and, of what lives, not for ever.
//!
//! A service is *well* while it is watched and seen to be there, nothing fails for which it is started or restarted,
//! nothing is being done to it, and what it depends on is well. Repairs are *in a row* as long as it has not been well for
//! [`Patience::stable`] without a break: that a start worked counts for nothing, and a row that has ended is over.
//!
//! A repair *helped* if the service was well for that long before a rule wanted the next one. Otherwise it was in vain,
//! which is known when the next one is made or given up. Of one that an operator's own start or restart came after, nobody
//! knows: it counts as neither.
//!
//! What has been given up and comes back is well again, and that is told. If it fails again before it is stable it is
//! repaired once more, and given up again if that is in vain too: a service that is well for a minute in each hour is not
//! restarted five times in each of them. What an operator starts or restarts begins anew.

mod gate;
mod health;
mod pause;
mod words;

use std::sync::Arc;

use hinoban_config::Patience;
use hinoban_event::Doing;
use hinoban_reading::{Moment, Now, Stamp};
use serde::{Deserialize, Serialize};

use crate::watched::Watched;

pub(crate) use words::span;

/// What repairs of one service by rules have come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repairs {
    /// Repairs in a row while it lived, but a test of it failed …
    pub lived: u32,
    /// … and while it was gone.
    pub gone: u32,
    /// When the last of them was begun.
    pub at: Stamp,
    /// Whether it is still to be seen if that helps.
    pub open: bool,
    /// How often, of all repairs, it is known whether they helped …
    pub tried: u32,
    /// … and how often they did.
    pub helped: u32,
    /// Repairs have been given up.
    pub gave_up: Option<Box<GivenUp>>,
    /// When it was restarted while it lived, the first time first, as far as the host's budget still counts it.
    pub spent: Vec<Stamp>,
    /// Since when a restart of it is held because the host does not bear it.
    pub held: Option<Stamp>,
}

/// Repairs that have been given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// What is not done any more.
    pub doing: Doing,
    /// What failed, how often it was tried, and what to do next.
    pub text: String,
    /// Since when.
    pub since: Stamp,
    /// When people were last told; `None`: nobody knows any more, and it follows from how often they were.
    #[serde(default)]
    pub told: Option<Stamp>,
    /// How often people have been told: once, and then reminders.
    pub times: u32,
    /// People have been told so of it while it lived …
    pub lived: bool,
    /// … and while it was gone.
    pub gone: bool,
}

impl Repairs {
    /// Repairs in a row.
    pub fn in_row(&self) -> u32 {
        self.lived.saturating_add(self.gone)
    }
}

/// The same, with what a crash makes void.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    pub(crate) repairs: Repairs,
    /// Until when the next one waits; `None`: as long as the last one says, if there was one.
    pub(crate) until: Option<Moment>,
    /// Since when it is well.
    well: Option<Moment>,
    /// When that will have been long enough.
    stable: Option<Moment>,
    /// A rule wants a repair that is put off.
    pub(crate) wants: Option<Want>,
    /// When people are reminded that it has been given up.
    remind: Option<Moment>,
    /// An operator does something about what has been given up.
    pub(crate) mending: bool,
}

/// A repair that is put off.
#[derive(Debug)]
pub(crate) struct Want {
    /// Position of the rule.
    rule: usize,
    /// When it is looked at again for that alone.
    pub(crate) retry: Option<Moment>,
    /// Why the host does not bear it now.
    pub(crate) held: Option<Arc<str>>,
}

impl Trial {
    /// As an earlier life left it; what is not watched now begins anew.
    pub(crate) fn restored(repairs: Repairs, watched: bool) -> Self {
        let mut trial = Self { repairs, ..Self::default() };
        if !watched {
            trial.anew();
        }
        trial
    }

    /// The rules stand elsewhere by now, and are asked again.
    pub(crate) fn reloaded(self) -> Self {
        Self { wants: None, ..self }
    }

    /// When it wants to be called: what is put off is tried, people are reminded, or a row ends.
    pub(crate) fn deadline(&self, busy: bool) -> Option<Moment> {
        let retry = self.wants.as_ref().and_then(|want| want.retry).filter(|_| !busy);
        [retry, self.remind, self.stable].into_iter().flatten().min()
    }

    /// Until when the next repair waits.
    pub(crate) fn waits(&self, patience: &Patience, name: &str, now: Now) -> Option<Moment> {
        let pause = || pause::pause(patience, self.repairs.in_row(), name);
        let left = || pause().saturating_sub(now.stamp.since(self.repairs.at));
        let until = match self.until {
            Some(until) => Some(until),
            // A last repair that is still to come shows that the clock was set back: nobody knows how long it has been.
            None if self.repairs.in_row() > 0 && self.repairs.at <= now.stamp => Some(now.moment + left()),
            None => None,
        };
        until.filter(|until| *until > now.moment)
    }

    /// Something is done to it: until that is over it is not well, also if nobody looks meanwhile.
    pub(crate) fn acted_on(&mut self) {
        (self.well, self.stable) = (None, None);
    }

    /// The row is over.
    fn anew(&mut self) {
        self.repairs = Repairs {
            tried: self.repairs.tried,
            helped: self.repairs.helped,
            at: self.repairs.at,
            // The host has borne it all the same.
            spent: std::mem::take(&mut self.repairs.spent),
            ..Repairs::default()
        };
        (self.until, self.wants, self.stable, self.remind) = (None, None, None, None);
    }

    /// It was well for long enough.
    fn helped(&mut self) {
        if self.repairs.open {
            self.repairs.tried = self.repairs.tried.saturating_add(1);
            self.repairs.helped = self.repairs.helped.saturating_add(1);
        }
        self.anew();
    }

    /// The last repair did not help.
    fn in_vain(&mut self) {
        if std::mem::take(&mut self.repairs.open) {
            self.repairs.tried = self.repairs.tried.saturating_add(1);
        }
    }
}

impl Watched {
    /// Whether a repair that this rule wants is put off because of the host: a look before its turn decides about it.
    pub(crate) fn is_held(&self, rule: usize) -> bool {
        let want = self.trial.as_ref().and_then(|trial| trial.wants.as_ref());
        want.is_some_and(|want| want.rule == rule && want.held.is_some())
    }
}
