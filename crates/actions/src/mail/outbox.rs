//! Which message is due when: pure state, no clock, no disk, no network.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use hinoban_reading::Moment;

use super::{Letter, PostOptions};

/// Names a letter in an outbox; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

/// There is no slot free for another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// How many wait.
    pub slots: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mail queue is full: {} messages wait", self.slots)
    }
}

impl std::error::Error for Full {}

/// Letters that wait for delivery, oldest first.
///
/// Two things can keep a letter waiting. *It* was put off (a server said "later"): then it alone waits, twice as long
/// each time. Or *no server let us in*: then all wait, for asking again with each of them would only take longer; the
/// first answer from a server releases all. A new letter is always worth an attempt at once.
#[derive(Debug)]
pub struct Outbox {
    waiting: Vec<Entry>,
    slots: usize,
    first: Duration,
    longest: Duration,
    next: u64,
    /// Since no server lets us in: attempts so far, and when the next one is due.
    shut: Option<(u32, Moment)>,
}

#[derive(Debug)]
struct Entry {
    key: Key,
    letter: Letter,
    /// Recipients who have not got it yet.
    pending: Vec<String>,
    put_off: u32,
    due: Moment,
    /// Whether an attempt is being made.
    out: bool,
}

impl Outbox {
    /// An empty outbox.
    pub fn new(options: &PostOptions) -> Self {
        Self {
            waiting: Vec::new(),
            slots: options.slots,
            first: options.first_retry,
            longest: options.longest_retry,
            next: 0,
            shut: None,
        }
    }

    /// Puts a letter in, due at once. One whose Message-ID waits already is not put in twice.
    ///
    /// # Errors
    /// When every slot is taken. Those that wait stay: an older message says where the trouble began.
    pub fn push(&mut self, letter: Letter, now: Moment) -> Result<Key, Full> {
        if let Some(same) = self.waiting.iter().find(|e| e.letter.message.id == letter.message.id) {
            return Ok(same.key);
        }
        if self.waiting.len() >= self.slots {
            return Err(Full { slots: self.waiting.len() });
        }
        let pending = letter.message.to.clone();
        if let Some((_, until)) = &mut self.shut {
            *until = now.min(*until);
        }
        Ok(self.insert(letter, pending, now))
    }

    /// If every slot is taken, gives up the oldest letter that only repeats an earlier one to the same recipients (a
    /// reminder, a failure that comes and goes): what is new says more than that. Nothing if there is no such letter,
    /// or there is room.
    pub fn make_room(&mut self) -> Option<(Key, Letter)> {
        if self.waiting.len() < self.slots {
            return None;
        }
        let mut seen = HashSet::new();
        let at = self.waiting.iter().position(|e| {
            let repeats = !seen.insert((&e.letter.message.to, &e.letter.message.subject));
            repeats && !e.out
        })?;
        let Entry { key, letter, .. } = self.waiting.remove(at);
        Some((key, letter))
    }

    /// Puts a letter back that had waited before a restart. Never refused: it has had its slot.
    pub fn restore(&mut self, letter: Letter, pending: Vec<String>, now: Moment) -> Key {
        self.insert(letter, pending, now)
    }

    fn insert(&mut self, letter: Letter, pending: Vec<String>, due: Moment) -> Key {
        let key = Key(self.next);
        self.next += 1;
        self.waiting.push(Entry { key, letter, pending, put_off: 0, due, out: false });
        key
    }

    /// When the next attempt is due; `None` while nothing waits, or everything is being tried.
    pub fn next_due(&self) -> Option<Moment> {
        let due = self.waiting.iter().filter(|e| !e.out).map(|e| e.due).min()?;
        Some(self.shut.map_or(due, |(_, until)| due.max(until)))
    }

    /// The oldest letter that is due, and who has not got it yet. To be followed by [`Outbox::done`],
    /// [`Outbox::later`] or [`Outbox::unreachable`].
    pub fn take_due(&mut self, now: Moment) -> Option<(Key, Letter, Vec<String>)> {
        if self.shut.is_some_and(|(_, until)| now < until) {
            return None;
        }
        let entry = self.waiting.iter_mut().find(|e| !e.out && e.due <= now)?;
        entry.out = true;
        Some((entry.key, entry.letter.clone(), entry.pending.clone()))
    }

    /// It is delivered, or refused for good: it waits no more.
    pub fn done(&mut self, key: Key) {
        self.shut = None;
        self.waiting.retain(|e| e.key != key);
    }

    /// A server put it off for these recipients. How long it waits now.
    pub fn later(&mut self, key: Key, pending: Vec<String>, now: Moment) -> Duration {
        self.shut = None;
        let (first, longest) = (self.first, self.longest);
        let Some(entry) = self.waiting.iter_mut().find(|e| e.key == key) else { return Duration::ZERO };
        let wait = back_off(entry.put_off, first, longest);
        entry.put_off += 1;
        entry.pending = pending;
        entry.due = now + wait;
        entry.out = false;
        wait
    }

    /// No server let us in. How long all wait now.
    pub fn unreachable(&mut self, key: Key, now: Moment) -> Duration {
        let tries = self.shut.map_or(0, |(tries, _)| tries);
        let wait = back_off(tries, self.first, self.longest);
        self.shut = Some((tries + 1, now + wait));
        if let Some(entry) = self.waiting.iter_mut().find(|e| e.key == key) {
            entry.out = false;
        }
        wait
    }

    /// How many wait, those being tried included.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All that wait, oldest first.
    pub fn keys(&self) -> Vec<Key> {
        self.waiting.iter().map(|e| e.key).collect()
    }

    /// A letter that waits, and who has not got it yet, due or not. Marks it as being tried.
    pub(super) fn take(&mut self, key: Key) -> Option<(Letter, Vec<String>)> {
        let entry = self.waiting.iter_mut().find(|e| e.key == key && !e.out)?;
        entry.out = true;
        Some((entry.letter.clone(), entry.pending.clone()))
    }
}

/// `first`, doubled `times` times, at most `longest`.
fn back_off(times: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::super::letter::tests::letter;
    use super::*;

    fn s(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn outbox(slots: usize) -> Outbox {
        Outbox::new(&PostOptions { slots, ..PostOptions::default() })
    }

    fn taken(outbox: &mut Outbox, now: u64) -> Option<String> {
        outbox.take_due(s(now)).map(|(_, letter, _)| letter.message.id)
    }

    #[test]
    fn a_letter_put_off_waits_twice_as_long_each_time_up_to_five_minutes() {
        let mut outbox = outbox(10);
        outbox.push(letter("a", &["x@y.z"]), s(0)).unwrap();
        let mut now = 0;
        for expected in [5, 10, 20, 40, 80, 160, 300, 300] {
            let (key, _, pending) = outbox.take_due(s(now)).unwrap();
            assert_eq!(outbox.later(key, pending, s(now)).as_secs(), expected);
            assert_eq!(outbox.next_due(), Some(s(now + expected)));
            assert_eq!(taken(&mut outbox, now + expected - 1), None);
            now += expected;
        }
    }

    #[test]
    fn a_letter_put_off_holds_up_no_other() {
        let mut outbox = outbox(10);
        outbox.push(letter("a", &["x@y.z"]), s(0)).unwrap();
        let (a, _, pending) = outbox.take_due(s(0)).unwrap();
        outbox.push(letter("b", &["x@y.z"]), s(0)).unwrap();
        outbox.later(a, pending, s(0));
        assert_eq!(taken(&mut outbox, 0).as_deref(), Some("1795429974.b@vm"));
    }

    #[test]
    fn while_no_server_lets_us_in_one_is_tried_for_all() {
        let mut outbox = outbox(10);
        for id in ["a", "b", "c"] {
            outbox.push(letter(id, &["x@y.z"]), s(0)).unwrap();
        }
        let (a, ..) = outbox.take_due(s(0)).unwrap();
        outbox.unreachable(a, s(0));
        assert_eq!((outbox.take_due(s(4)), outbox.next_due()), (None, Some(s(5))));
        let (a, ..) = outbox.take_due(s(5)).unwrap();
        assert_eq!(outbox.unreachable(a, s(5)).as_secs(), 10);
        // News is worth an attempt at once; the oldest goes first, and its acceptance releases all.
        outbox.push(letter("d", &["x@y.z"]), s(6)).unwrap();
        let (a, first, _) = outbox.take_due(s(6)).unwrap();
        assert_eq!(first.message.id, "1795429974.a@vm");
        outbox.done(a);
        assert_eq!([taken(&mut outbox, 6), taken(&mut outbox, 6)].map(|id| id.is_some()), [true, true]);
        assert_eq!(outbox.len(), 3);
    }

    #[test]
    fn a_full_outbox_keeps_the_old_and_refuses_the_new() {
        let mut outbox = outbox(2);
        outbox.push(letter("a", &["x@y.z"]), s(0)).unwrap();
        outbox.push(letter("b", &["x@y.z"]), s(0)).unwrap();
        let refused = outbox.push(letter("c", &["x@y.z"]), s(0)).unwrap_err();
        assert_eq!(refused.to_string(), "the mail queue is full: 2 messages wait");
        // The same message again is no second message.
        assert_eq!(outbox.push(letter("b", &["x@y.z"]), s(0)), Ok(outbox.keys()[1]));
        assert_eq!(taken(&mut outbox, 0).as_deref(), Some("1795429974.a@vm"));
    }

    #[test]
    fn a_full_outbox_gives_up_the_oldest_that_repeats_what_was_said_before() {
        let mut outbox = outbox(4);
        let of = |id: &str, subject: &str, to: &str| {
            let mut letter = letter(id, &[to]);
            letter.message.subject = subject.to_owned();
            letter
        };
        for (id, subject, to) in
            [("a", "db is down", "x@y.z"), ("b", "db is down", "u@y.z"), ("c", "db is down", "x@y.z")]
        {
            outbox.push(of(id, subject, to), s(0)).unwrap();
        }
        assert_eq!(outbox.make_room(), None, "there is room");
        outbox.push(of("d", "db is down", "x@y.z"), s(0)).unwrap();
        let gone = |outbox: &mut Outbox| outbox.make_room().map(|(_, letter)| letter.message.id);
        assert_eq!(gone(&mut outbox).as_deref(), Some("1795429974.c@vm"), "not the first, nor another's");
        outbox.push(of("e", "web is down", "x@y.z"), s(0)).unwrap();
        // One that is on its way is not given up.
        for _ in 0..4 {
            outbox.take_due(s(0)).unwrap();
        }
        assert_eq!(gone(&mut outbox), None);
    }
}
