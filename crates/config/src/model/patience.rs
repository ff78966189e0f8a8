use std::time::Duration;

/// How repairs of one service by rules are repeated when they do not help.
///
/// The first is made at once. The pause before the next one begins with [`first`](Self::first) and doubles, give or take
/// a tenth, so that many services do not beat as one. A run of [`stable`](Self::stable) starts the count anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Pause before the second repair in a row.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
    /// A service that was well for so long needs no patience any more.
    pub stable: Duration,
    /// After so many repairs in a row of something that *lives* (a test of it fails), all in vain, no more are made until it
    /// is well again; `None`: never. It is looked at all the same.
    pub give_up: Option<u32>,
    /// The same for something that is gone.
    pub give_up_gone: Option<u32>,
    /// Time until people are reminded of having been given up; each further time is twice as long, up to a day.
    pub remind: Duration,
}

impl Default for Patience {
    /// What holds in TOML unless it is said otherwise: 1 s, doubling up to 5 min, stable after 10 min; what lives is given
    /// up after 5 repairs in vain, what is gone never; reminded after an hour.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            stable: Duration::from_secs(600),
            give_up: Some(5),
            give_up_gone: None,
            remind: Duration::from_secs(3600),
        }
    }
}

/// How many restarts of things that live the whole host is to bear at a time. What is gone is started in any case.
///
/// When many fail at once, something that they share is at fault, and restarting them all makes it worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// So many …
    pub restarts: u32,
    /// … within this time.
    pub within: Duration,
}

impl Default for Budget {
    /// Three within a minute.
    fn default() -> Self {
        Self { restarts: 3, within: Duration::from_secs(60) }
    }
}
