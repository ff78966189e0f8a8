use std::sync::Arc;

use hinoban_event::{Class, Doing};
use hinoban_reading::{Identity, Stamp, Value};
use serde::{Deserialize, Serialize};

/// One line of the journal: something that must be known after a crash, written before it is acted on.
///
/// The JSON form is the file format. A variant or a field may be added (with a default); none may change its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Entry {
    /// The supervisor began to watch, during this boot of the host.
    Boot {
        /// The kernel's name for this boot: `/proc/sys/kernel/random/boot_id`.
        boot_id: String,
        /// When the host was booted, in seconds since the Unix epoch: `btime` of `/proc/stat`.
        boot_time: i64,
    },
    /// Watching of a service was switched on or off.
    Monitoring {
        /// Which service.
        service: Arc<str>,
        /// On or off.
        on: bool,
        /// Why a rule switched it off; `None`: somebody asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Rules have started or restarted a service so often within the window that its limits on restarts count.
    Restarts {
        /// Which service.
        service: Arc<str>,
        /// How often; never: no window is open.
        restarts: u32,
        /// Cycles of the service since the first time.
        cycles: u32,
    },
    /// What repairs of a service by rules have come to: one is about to be made, has helped, or they have been given up.
    Repairs {
        /// Which service.
        service: Arc<str>,
        /// What they have come to.
        repairs: Repairs,
    },
    /// What a rule about change saw last, and what the next value is compared with.
    Baseline {
        /// Which service.
        service: Arc<str>,
        /// What the rule asks, as in [`Entry::Failed`].
        condition: String,
        /// The value; `None`: there is no such rule any more.
        value: Option<Known>,
    },
    /// What a probe of a service remembers. The last one counts.
    Memory {
        /// Which service.
        service: Arc<str>,
        /// Which of its tests, as in [`Entry::Failed`]; `None`: the look at the service itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test: Option<String>,
        /// What the probe looks at, as a name: only a probe of the same is given it back.
        of: String,
        /// What it remembers; nothing: there is no such probe any more, or it has forgotten.
        bytes: Hex,
    },
    /// Something is about to be done to a service.
    Intent {
        /// Names this intent in later entries; see [`State::next_intent`](crate::State::next_intent).
        id: u64,
        /// Which service.
        service: Arc<str>,
        /// What will be done.
        doing: Doing,
        /// When that was decided.
        at: Stamp,
        /// What all of it was to be, of which this is a part: a restart stops and starts. `None`: just this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whole: Option<Doing>,
        /// Who had asked for it; `None`: a rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The service in whose restart this is a dependant's part. `None`: it is no such thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part_of: Option<String>,
        /// For what a rule runs and nothing waits for: which branch of which rule. `None`: it is no such thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<Box<Branch>>,
    },
    /// A process was started to carry out an intent.
    Spawned {
        /// Which intent.
        intent: u64,
        /// The process.
        identity: Identity,
    },
    /// An intent was carried out, or came to nothing. Either way it is over.
    Done {
        /// Which intent.
        intent: u64,
        /// Whether it reached its aim.
        ok: bool,
    },
    /// A rule failed.
    Failed {
        /// Which service.
        service: Arc<str>,
        /// Position of the rule within the service.
        rule: usize,
        /// The class of failure.
        class: Class,
        /// Since when.
        since: Stamp,
        /// Id of the message that told people; `None` until one did. Said again once one has.
        message_id: Option<String>,
        /// What the rule asks, as a name that is the same in every life of the supervisor: by it the failure finds its
        /// rule again when rules were put in or taken out before it. `None`: not known, its position must do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        condition: Option<String>,
    },
    /// A rule that had failed holds again.
    Recovered {
        /// Which service.
        service: Arc<str>,
        /// Position of the rule within the service.
        rule: usize,
        /// The class of failure it recovered from.
        class: Class,
    },
    /// A service is no longer configured: nothing of it need be remembered.
    Forgotten {
        /// Which service.
        service: Arc<str>,
    },
    /// A message is to reach people. Entered together with what it tells, so that neither is without the other.
    Owed(Box<Letter>),
    /// A message is in the hands of somebody who keeps it over a crash, or nothing more can be done for it.
    Carried {
        /// Its id.
        id: String,
    },
}

/// What repairs of one service by rules have come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Repairs {
    /// Repairs in a row while it lived …
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<Box<GivenUp>>,
    /// When it was restarted while it lived, as far as the host's budget counts it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Stamp>,
    /// Since when a restart of it is held because the host does not bear it.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// When people were last told; `None`: an earlier version did not enter it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Stamp>,
    /// How often people have been told.
    pub times: u32,
    /// People have been told so of it while it lived …
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lived: bool,
    /// … and while it was gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// Bytes that nobody but who gave them can read; in the file two hexadecimal digits each.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

impl From<Hex> for String {
    fn from(Hex(bytes): Hex) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
    }
}

impl TryFrom<String> for Hex {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit =
            |byte: &u8| char::from(*byte).to_digit(16).map(|n| n as u8).ok_or("not a hexadecimal digit");
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Ok(digit(high)? << 4 | digit(low)?),
            _ => Err("half a byte"),
        });
        pairs.collect::<Result<_, _>>().map(Hex)
    }
}

/// A value that was read. Unlike [`Value`] it is equal to itself in any case, and comes back from a file as the very same.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Known(pub Value);

/// Its form in the file. A number with a fraction is kept as a text: readers of JSON may take the next one to it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Int(i64),
    Text(String),
    Real { real: String },
}

impl From<Known> for Written {
    fn from(Known(value): Known) -> Self {
        match value {
            Value::Int(n) => Written::Int(n),
            Value::Real(x) => Written::Real { real: x.to_string() },
            Value::Text(text) => Written::Text(text),
        }
    }
}

impl From<Written> for Known {
    fn from(written: Written) -> Self {
        Known(match written {
            Written::Int(n) => Value::Int(n),
            Written::Real { real } => Value::Real(real.parse().unwrap_or(f64::NAN)),
            Written::Text(text) => Value::Text(text),
        })
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Value::Real(one), Value::Real(other)) => one.to_bits() == other.to_bits(),
            (one, other) => one == other,
        }
    }
}

impl Eq for Known {}

/// A branch of a rule, and why it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Position of the rule within the service.
    pub rule: usize,
    /// What the rule asks, as in [`Entry::Failed`].
    pub condition: String,
    /// Whether it is the branch for recovery.
    #[serde(default)]
    pub recovery: bool,
    /// Which of the programs of that branch: 0 is what it does in the first place, the others follow from 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nth: usize,
    /// What was seen.
    pub text: String,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// A message to people, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The same for every attempt to deliver it: `left@right`.
    pub id: String,
    /// The time of what it tells.
    pub at: Stamp,
    /// Who says it.
    pub from: String,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// To whom.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// Lines ended by `\n`.
    pub body: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_and_what_is_no_hex_is_refused() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = String::from(Hex(bytes.clone()));
        assert!(text.starts_with("000102") && text.ends_with("feff"));
        assert_eq!(Hex::try_from(text), Ok(Hex(bytes)));
        assert!(Hex::try_from("0".to_owned()).is_err());
        assert!(Hex::try_from("0g".to_owned()).is_err());
    }
}
