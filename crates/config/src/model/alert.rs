use crate::Place;

/// One who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    /// Mail address.
    pub address: String,
    /// Of which events.
    pub events: Events,
    /// What the messages look like, where that differs from [`super::Mail::format`].
    pub format: Option<Box<MailFormat>>,
    /// Remind after this many further failing looks; `None`: never.
    pub reminder: Option<u32>,
    /// Where it was written.
    pub place: Place,
}

impl Recipient {
    /// Hears of everything, once.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            events: Events::ALL,
            format: None,
            reminder: None,
            place: Place::default(),
        }
    }
}

/// What a message looks like. In its texts `$EVENT`, `$SERVICE`, `$DATE`, `$HOST`, `$ACTION` and `$DESCRIPTION` stand for
/// what happened. What is `None` is as in the message that would be sent otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MailFormat {
    /// Sender: `ADDRESS` or `NAME <ADDRESS>`.
    pub from: Option<String>,
    /// Whom answers go to.
    pub reply_to: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// The message itself.
    pub message: Option<String>,
}

/// A set of classes of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events(u32);

impl Events {
    /// Every event.
    pub const ALL: Events = Events(u32::MAX);
    /// No event.
    pub const NONE: Events = Events(0);

    /// The names of classes and their bits, by name. Both are an interface (Monit 5.33): they never change.
    pub const NAMES: [(&'static str, u32); 30] = [
        ("action", 1 << 17),
        ("bytein", 1 << 26),
        ("byteout", 1 << 27),
        ("checksum", 1 << 0),
        ("connection", 1 << 5),
        ("content", 1 << 15),
        ("data", 1 << 11),
        ("exec", 1 << 12),
        ("exist", 1 << 30),
        ("fsflags", 1 << 13),
        ("gid", 1 << 8),
        ("icmp", 1 << 14),
        ("instance", 1 << 16),
        ("invalid", 1 << 10),
        ("link", 1 << 23),
        ("nonexist", 1 << 9),
        ("packetin", 1 << 28),
        ("packetout", 1 << 29),
        ("permission", 1 << 6),
        ("pid", 1 << 18),
        ("ppid", 1 << 19),
        ("resource", 1 << 1),
        ("saturation", 1 << 25),
        ("size", 1 << 4),
        ("speed", 1 << 24),
        ("status", 1 << 21),
        ("timeout", 1 << 2),
        ("timestamp", 1 << 3),
        ("uid", 1 << 7),
        ("uptime", 1 << 22),
    ];

    /// The class of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, bit)| Events(*bit))
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        Events(self.0 | other.0)
    }

    /// All but these.
    pub fn others(self) -> Self {
        Events(!self.0)
    }

    /// Whether the class with this bit is in it.
    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// The names of its classes, by name.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(_, bit)| self.has(*bit)).map(|(name, _)| *name)
    }
}
