//! One step of what repairs have come to: which it was, and whether it was due.

use std::time::Duration;

use hinoban_reading::{Moment, Stamp};

use super::{Row, is_calm, is_over};
use crate::Repairs;
use crate::watched::Watched;

/// What changed in what repairs have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A rule has it repaired: what lives, or what is gone.
    Repair { lives: bool },
    /// It is given up.
    GivesUp { lives: bool },
    /// People are told once more.
    Reminds { times: u32 },
    /// What was given up is well.
    Back,
    /// It was well for so long that the row is over.
    Helped,
    /// Somebody had a hand in it.
    Anew,
    /// Only what the host counts.
    Host,
}

/// Which of these it was.
pub(super) fn step(row: &Row, old: &Repairs, new: &Repairs, now: Stamp, anew: bool) -> Result<Step, ()> {
    let same_helped = (old.tried, old.helped) == (new.tried, new.helped);
    let same_row = same_helped && (old.lived, old.gone, old.open) == (new.lived, new.gone, new.open);
    // Whether the last one helped is known when the next one is decided.
    let in_vain = new.tried == old.tried + u32::from(old.open) && new.helped == old.helped;
    let grown = (new.lived.checked_sub(old.lived), new.gone.checked_sub(old.gone));
    if let (Some(1), Some(0)) | (Some(0), Some(1)) = grown {
        let stays = row.inexact || old.gave_up.is_some() == new.gave_up.is_some();
        let counted = new.open && new.at == now && in_vain && stays && row.patience.is_some();
        return if counted { Ok(Step::Repair { lives: grown.0 == Some(1) }) } else { Err(()) };
    }
    match (&old.gave_up, &new.gave_up) {
        (before, Some(told)) if told.times == 1 && told.since == now => {
            let (lived, gone) = before.as_ref().map_or((false, false), |told| (told.lived, told.gone));
            let lives = told.lived && !lived;
            let one =
                lives != (told.gone && !gone) && (told.lived, told.gone) == (lived || lives, gone || !lives);
            let rest = grown == (Some(0), Some(0)) && !new.open && in_vain;
            if one && rest { Ok(Step::GivesUp { lives }) } else { Err(()) }
        }
        (Some(before), Some(told)) if told.times == before.times + 1 && same_row => {
            Ok(Step::Reminds { times: told.times })
        }
        _ if same_row && old.gave_up == new.gave_up => Ok(Step::Host),
        _ if anew && is_over(new) && same_helped => Ok(Step::Anew),
        (Some(_), None) => {
            // One more is made if it fails again too soon.
            let patience = row.patience.unwrap_or_default();
            let left =
                |count: u32, most: Option<u32>| most.map_or(count, |most| count.min(most.saturating_sub(1)));
            let left = (left(old.lived, patience.give_up), left(old.gone, patience.give_up_gone));
            if (new.lived, new.gone) == left && same_helped { Ok(Step::Back) } else { Err(()) }
        }
        (None, None) if is_over(new) => {
            let one = u32::from(old.open);
            let right = (new.tried, new.helped) == (old.tried + one, old.helped + one);
            if right { Ok(Step::Helped) } else { Err(()) }
        }
        _ => Err(()),
    }
}

/// What is wrong: a sentence that does not hold, and how.
type Wrong = (&'static str, String);

impl Row {
    /// Goes on by one step: what is wrong with that, if anything is.
    pub(super) fn takes(
        &mut self,
        step: Step,
        old: &Repairs,
        new: &Repairs,
        watched: &Watched,
        now: Moment,
    ) -> Option<Wrong> {
        self.due = None;
        match step {
            Step::Repair { lives } => self.repaired(lives, old, new, watched, now),
            Step::GivesUp { lives } => self.gives_up(lives, new, now),
            Step::Reminds { times } => {
                let next = self.told.map(|told| told + self.reminds(times - 1));
                (self.told, self.vague) = (Some(now), false);
                // What is remembered is rounded.
                match next.filter(|at| *at > now + Duration::from_millis(1)) {
                    Some(at) => {
                        let text = format!("time {times}, not before {at}");
                        Some(("people are reminded in growing steps", text))
                    }
                    None => {
                        let well = self.well.filter(|_| is_calm(watched));
                        well.map(|since| {
                            ("nobody is reminded of what is well", format!("well since {since}"))
                        })
                    }
                }
            }
            Step::Back => {
                let text = "it is not well".to_owned();
                (!is_calm(watched)).then_some(("only what is well has come back", text))
            }
            Step::Helped => {
                let stable = self.patience.unwrap_or_default().stable;
                let long = self.calm.is_some_and(|since| now.since(since) >= stable);
                let text = format!("well since {:?}", self.calm);
                self.begins_anew();
                (!long).then_some(("a row of repairs ends when it was well for long enough", text))
            }
            Step::Anew => {
                self.begins_anew();
                None
            }
            Step::Host => None,
        }
    }

    fn begins_anew(&mut self) {
        (self.begun, self.ended, self.quiet, self.inexact) = (None, None, None, false);
    }

    fn repaired(
        &mut self,
        lives: bool,
        old: &Repairs,
        new: &Repairs,
        watched: &Watched,
        now: Moment,
    ) -> Option<Wrong> {
        let patience = self.patience.unwrap_or_default();
        let (made, most) = match lives {
            true => (old.lived, patience.give_up),
            false => (old.gone, patience.give_up_gone),
        };
        let told = old.gave_up.as_ref().is_some_and(|told| if lives { told.lived } else { told.gone });
        let early = self.earliest(old.in_row()).filter(|at| *at > now);
        (self.begun, self.ended, self.quiet, self.made) = (Some(now), None, None, new.in_row());
        (self.blurred, self.inherited) = (false, false);
        self.decided += 1;
        match early {
            _ if told && !self.inexact => {
                Some(("what is given up is repaired by no rule", format!("{made} were made")))
            }
            _ if most.is_some_and(|most| made >= most) && !self.inexact => {
                Some(("no more is repaired in vain than is asked for", format!("{made} were made")))
            }
            Some(at) => Some(("a repair that was in vain has its pause", format!("not before {at}"))),
            None => {
                let text = format!("it is up: {}", watched.is_up());
                (lives != watched.is_up()).then_some(("each repair counts as what it is", text))
            }
        }
    }

    fn gives_up(&mut self, lives: bool, new: &Repairs, now: Moment) -> Option<Wrong> {
        let patience = self.patience.unwrap_or_default();
        let (made, most) = match lives {
            true => (new.lived, patience.give_up),
            false => (new.gone, patience.give_up_gone),
        };
        (self.told, self.vague) = (Some(now), false);
        match self.earliest(new.in_row()).filter(|at| *at > now) {
            _ if most != Some(made) && !self.inexact => {
                let text = format!("{made} were made, and {most:?} are asked for");
                Some(("repairs are given up after as many as are asked for", text))
            }
            Some(at) => Some(("what is done last has its time to help", format!("not before {at}"))),
            None => None,
        }
    }
}
