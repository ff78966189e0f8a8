//! Who was turned away, told to whoever wants to log it; and a pause for those who guess passwords.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// How long refusals of one client are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How many of them are told one by one: enough for programs that ban addresses by what the log says. As many wrong
/// passwords are answered at once.
const EACH: u32 = 10;
/// How many clients are counted each for itself.
const CLIENTS: usize = 256;
/// How long the answer to a wrong password waits, once there were too many.
const PAUSE: Duration = Duration::from_secs(1);
/// How many answers wait at the same time. Each keeps a connection open.
const PAUSED: usize = 256;
/// The longest part of a user's name that is told.
const LONGEST: usize = 64;

/// A connection or request that was refused. Its text is the line that Monit logs, at its level "error", which
/// programs look for; names in it are escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Whose.
    pub client: Peer,
    /// Why.
    pub why: Denial,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Somebody at a unix socket.
    Local,
    /// Somebody at this address.
    At(IpAddr),
    /// More clients than are counted each for itself.
    Several,
}

/// Why somebody was turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The address is not among [`Options::hosts`](crate::Options::hosts). The connection was reset.
    Address,
    /// No user is called so (401). A request without a log-in is no refusal: browsers begin with it.
    UnknownUser(String),
    /// The user exists, the password is another (401).
    WrongPassword(String),
    /// What was asked for is not allowed (403): the text of the answer.
    Forbidden(String),
    /// So many more were refused within the last minute, which were not told one by one.
    More(u32),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, why } = self;
        let shown = |name: &str| name.chars().take(LONGEST).collect::<String>().escape_debug().to_string();
        match why {
            Denial::Address => write!(f, "Denied connection from non-authorized client [{client}]"),
            Denial::Forbidden(why) => {
                write!(f, "HttpRequest: error -- client [{client}]: HTTP/1.0 403 {}", why.escape_debug())
            }
            Denial::UnknownUser(name) => {
                write!(f, "HttpRequest: access denied -- client [{client}]: unknown user '{}'", shown(name))
            }
            Denial::WrongPassword(name) => {
                let name = shown(name);
                write!(f, "HttpRequest: access denied -- client [{client}]: wrong password for user '{name}'")
            }
            Denial::More(count) => {
                write!(f, "HttpRequest: access denied -- client [{client}]: {count} more within a minute")
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Local => f.write_str("local socket"),
            Peer::At(address) => address.fmt(f),
            Peer::Several => f.write_str("several"),
        }
    }
}

impl From<Option<IpAddr>> for Peer {
    /// No address: somebody at a unix socket.
    fn from(address: Option<IpAddr>) -> Self {
        address.map_or(Peer::Local, |address| Peer::At(address.to_canonical()))
    }
}

impl Peer {
    /// Whom it is counted with: who has an IPv6 address has all of its network of 64 bits.
    fn network(self) -> Self {
        match self {
            Peer::At(IpAddr::V6(ip)) => {
                Peer::At(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into())
            }
            other => other,
        }
    }
}

type Listener = Box<dyn Fn(&Refused) + Send + Sync>;

/// The refusals of the last minute.
#[derive(Default)]
pub(crate) struct Refusals {
    listener: Option<Listener>,
    counts: Mutex<HashMap<Peer, Count>>,
    /// There are some that were only counted.
    counted: Notify,
    paused: Waiting,
}

struct Waiting(Semaphore);

impl Default for Waiting {
    fn default() -> Self {
        Self(Semaphore::new(PAUSED))
    }
}

#[derive(Debug)]
struct Count {
    /// The last one told, as an address and not its network.
    client: Peer,
    begun: Instant,
    all: u32,
    passwords: u32,
}

impl Count {
    fn more(&self) -> Option<Refused> {
        let more = self.all.saturating_sub(EACH);
        (more > 0).then_some(Refused { client: self.client, why: Denial::More(more) })
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").finish_non_exhaustive()
    }
}

impl Refusals {
    pub(crate) fn tell(&mut self, listener: Listener) {
        self.listener = Some(listener);
    }

    /// Counts a refusal; tells it, unless this client has been told of often enough.
    pub(crate) fn note(&self, client: Peer, why: Denial) {
        let now = Instant::now();
        let mut news = Vec::new();
        {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            if counts.len() >= CLIENTS {
                news.extend(sweep(&mut counts, now));
            }
            let mut key = client.network();
            let over = |count: &Count| now.duration_since(count.begun) >= WINDOW;
            if counts.get(&key).is_some_and(over) {
                news.extend(counts.remove(&key).and_then(|count| count.more()));
            }
            if counts.len() >= CLIENTS && !counts.contains_key(&key) {
                key = Peer::Several;
            }
            let of = if key == Peer::Several { key } else { client };
            let fresh = || Count { client: of, begun: now, all: 0, passwords: 0 };
            let count = counts.entry(key).or_insert_with(fresh);
            count.all = count.all.saturating_add(1);
            count.passwords += u32::from(matches!(why, Denial::UnknownUser(_) | Denial::WrongPassword(_)));
            if count.all <= EACH {
                news.push(Refused { client, why });
            } else {
                self.counted.notify_one();
            }
        }
        // Not while others wait for the counts.
        self.told(&news);
    }

    /// Tells how many were only counted, when their minute is over. Never ends.
    pub(crate) async fn sum_up(&self) {
        loop {
            self.counted.notified().await;
            tokio::time::sleep(WINDOW).await;
            let (news, rest) = {
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                let news = sweep(&mut counts, Instant::now());
                (news, counts.values().any(|count| count.all > EACH))
            };
            self.told(&news);
            if rest {
                self.counted.notify_one();
            }
        }
    }

    /// Waits, if this client has sent too many wrong passwords, before it learns that this one is wrong too. `leave` is
    /// called before that: whoever waits for a place gets it.
    pub(crate) async fn pause(&self, client: Peer, leave: impl FnOnce()) {
        let guesses = {
            let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.get(&client.network()).is_some_and(|count| count.passwords > EACH)
        };
        if guesses && let Ok(_place) = self.paused.0.try_acquire() {
            leave();
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn told(&self, news: &[Refused]) {
        if let Some(listener) = &self.listener {
            news.iter().for_each(listener);
        }
    }
}

/// Forgets what is older than a minute; what of that was only counted is given back.
fn sweep(counts: &mut HashMap<Peer, Count>, now: Instant) -> Vec<Refused> {
    let mut news = Vec::new();
    counts.retain(|_, count| {
        let over = now.duration_since(count.begun) >= WINDOW;
        if over {
            news.extend(count.more());
        }
        !over
    });
    news
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(address: &str) -> Peer {
        Some(address.parse().unwrap()).into()
    }

    fn heard() -> (Arc<Refusals>, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (mut refusals, ears) = (Refusals::default(), heard.clone());
        refusals.tell(Box::new(move |refused| ears.lock().unwrap().push(refused.to_string())));
        (Arc::new(refusals), heard)
    }

    #[test]
    fn lines_are_those_that_programs_look_for_and_cannot_be_forged() {
        let line = |why| Refused { client: at("::ffff:192.0.2.1"), why }.to_string();
        let denied = "HttpRequest: access denied -- client [192.0.2.1]: ";
        assert_eq!(line(Denial::Address), "Denied connection from non-authorized client [192.0.2.1]");
        assert_eq!(
            line(Denial::WrongPassword("admin".into())),
            format!("{denied}wrong password for user 'admin'")
        );
        assert_eq!(line(Denial::UnknownUser("a'\n".into())), format!("{denied}unknown user 'a\\'\\n'"));
        assert!(line(Denial::UnknownUser("x".repeat(9999))).len() < 200);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_are_told_each_and_the_rest_as_a_number() {
        let (refusals, heard) = heard();
        let summing = refusals.clone();
        let task = tokio::spawn(async move { summing.sum_up().await });
        for _ in 0..EACH + 7 {
            refusals.note(at("192.0.2.1"), Denial::Address);
        }
        refusals.note(at("192.0.2.2"), Denial::Address);
        assert_eq!(heard.lock().unwrap().len() as u32, EACH + 1, "one client hides no other");
        tokio::time::sleep(WINDOW * 3).await;
        let lines = heard.lock().unwrap().split_off(EACH as usize + 1);
        assert_eq!(lines, ["HttpRequest: access denied -- client [192.0.2.1]: 7 more within a minute"]);
        refusals.note(at("192.0.2.1"), Denial::Address);
        assert!(heard.lock().unwrap().last().unwrap().starts_with("Denied"), "a new minute");
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn many_clients_take_little_room() {
        let (refusals, heard) = heard();
        for i in 0..100_000u32 {
            refusals.note(Peer::At(std::net::Ipv4Addr::from_bits(i).into()), Denial::Address);
        }
        for i in 0..1000u64 {
            // All of one network: one client.
            let ip = Ipv6Addr::from_bits((0x2001_0db8 << 96) | u128::from(i));
            refusals.note(Peer::At(ip.into()), Denial::Address);
        }
        assert!(refusals.counts.lock().unwrap().len() <= CLIENTS + 1);
        assert!(heard.lock().unwrap().len() < 2 * CLIENTS);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_guesses_waits_and_nobody_else() {
        let (refusals, _) = heard();
        let waits = async |client| {
            let begun = Instant::now();
            refusals.pause(client, || ()).await;
            begun.elapsed()
        };
        for _ in 0..EACH {
            refusals.note(at("192.0.2.1"), Denial::WrongPassword("a".into()));
        }
        assert_eq!(waits(at("192.0.2.1")).await, Duration::ZERO);
        refusals.note(at("192.0.2.1"), Denial::WrongPassword("a".into()));
        assert_eq!(waits(at("192.0.2.1")).await, PAUSE);
        assert_eq!(waits(at("192.0.2.2")).await, Duration::ZERO);
    }
}
