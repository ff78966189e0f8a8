//! What may happen on the simulated host, and the words for it.

use std::time::Duration;

use hinoban_event::Doing;
use hinoban_reading::{How, Metric, Value, metrics};
use hinoban_scheduler::sim::Behaviour;

use crate::clock;

/// Readings that a scenario may set.
const READINGS: [Metric; 7] = [
    metrics::CPU,
    metrics::MEMORY,
    metrics::SIZE,
    metrics::PPID,
    metrics::LOAD_1,
    metrics::MEMORY_PERCENT,
    metrics::FILESYSTEM_FLAGS,
];

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// These are there, by nobody's doing.
    Lives(Vec<String>),
    /// The process of this one ends.
    Ends(String, How),
    /// These behave so from now on.
    Behaves(Vec<String>, Manner),
    /// These behave as at the beginning again.
    Recovers(Vec<String>, Manner),
    /// Somebody asks for something; without a name, for all.
    Asks(Doing, Option<String>),
    /// The supervisor is killed and started again.
    Crash,
    /// The host is booted.
    Boot,
    /// The supervisor begins nothing new any more.
    End,
    /// It has ended, and is started again.
    EndAndStart,
    /// The later configuration is taken on.
    Reload,
    /// The wall clock is set by so many seconds.
    Clock(i64),
}

/// How something behaves.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Its tests fail.
    TestsFail,
    /// It is not there after its start, or so much later.
    Appears(Option<Duration>),
    /// Its start program runs so long.
    StartTakes(Duration),
    /// Its stop program runs so long.
    StopTakes(Duration),
    /// Its process stays where it is when it is stopped.
    IgnoresStops,
    /// Its process lives on without a pidfile.
    Lingers(Duration),
    /// Nobody is woken by its death.
    Unnoticed,
    /// Its process writes its pidfile and is gone before anybody sees it.
    Unseen,
    /// Something else stands in its place.
    OtherType,
    /// Nobody can look at it.
    Blind,
    /// A look reads this.
    Reads(Metric, Value),
}

impl Manner {
    /// Name of the reading that this is about, if it is about one.
    pub(crate) fn reading(&self) -> Option<&str> {
        match self {
            Manner::Reads(metric, _) => Some(&metric.name),
            _ => None,
        }
    }

    /// Makes it so, or undoes it.
    pub(crate) fn of(&self, behaviour: &mut Behaviour, on: bool) {
        let usual = Behaviour::default();
        match self {
            Manner::TestsFail => behaviour.tests_pass = !on,
            Manner::Appears(after) => behaviour.appears_after = if on { *after } else { usual.appears_after },
            Manner::StartTakes(time) => behaviour.start_takes = if on { *time } else { usual.start_takes },
            Manner::StopTakes(time) => behaviour.stop_takes = if on { *time } else { usual.stop_takes },
            Manner::IgnoresStops => behaviour.stops = !on,
            Manner::Lingers(time) => behaviour.lingers = if on { *time } else { usual.lingers },
            Manner::Unnoticed => behaviour.wakes = !on,
            Manner::Unseen => behaviour.unseen = on,
            Manner::OtherType => behaviour.other_type = on,
            Manner::Blind => behaviour.blind = on,
            // What was read before is known to whoever calls.
            Manner::Reads(metric, value) => {
                behaviour.reads.retain(|(other, _)| other.name != metric.name);
                behaviour.reads.extend(on.then(|| (metric.clone(), value.clone())));
            }
        }
    }
}

impl Happening {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        match text {
            "the supervisor is killed and started again" => return Ok(Happening::Crash),
            "the host is booted" => return Ok(Happening::Boot),
            "the supervisor is asked to end" => return Ok(Happening::End),
            "the supervisor ends and is started again" => return Ok(Happening::EndAndStart),
            "the later configuration is taken on" => return Ok(Happening::Reload),
            _ => {}
        }
        if let Some(by) = text.strip_prefix("the clock is set ") {
            let (sign, by) = match by.split_once(' ') {
                Some(("forward", by)) => (1, by),
                Some(("back", by)) => (-1, by),
                _ => return Err(format!("`{by}` is neither `forward …` nor `back …`")),
            };
            return Ok(Happening::Clock(sign * clock::read(by)?.as_secs() as i64));
        }
        if let Some((verb, name)) = text.strip_prefix("operator ").and_then(|asked| asked.split_once(' ')) {
            let doing = match verb {
                "starts" => Doing::Start,
                "stops" => Doing::Stop,
                "restarts" => Doing::Restart,
                "monitors" => Doing::Monitor,
                "unmonitors" => Doing::Unmonitor,
                _ => return Err(format!("nobody {verb} anything")),
            };
            return Ok(Happening::Asks(doing, (name != "all").then(|| name.to_owned())));
        }
        for verb in [" live", " lives", " exists"] {
            if let Some(names) = text.strip_suffix(verb) {
                return Ok(Happening::Lives(listed(names)));
            }
        }
        if let Some((name, signal)) = text.split_once(" is killed by signal ") {
            let signal = signal.parse().map_err(|_| format!("`{signal}` is no number"))?;
            return Ok(Happening::Ends(name.to_owned(), How::Signalled { signal, core: false }));
        }
        if let Some((name, status)) = text.split_once(" exits with status ") {
            let status = status.parse().map_err(|_| format!("`{status}` is no number"))?;
            return Ok(Happening::Ends(name.to_owned(), How::Exited { status }));
        }
        if let Some(name) = text.strip_suffix(" is removed") {
            return Ok(Happening::Ends(name.to_owned(), How::Exited { status: 0 }));
        }
        let (names, manner) = manner(text)?.ok_or_else(|| format!("nothing is called `{text}`"))?;
        Ok(Happening::Behaves(listed(names), manner))
    }

    /// What ends it, if it is something that lasts.
    pub(crate) fn end(&self) -> Option<Self> {
        match self {
            Happening::Behaves(names, manner) => Some(Happening::Recovers(names.clone(), manner.clone())),
            _ => None,
        }
    }

    /// The services it names.
    pub(crate) fn services(&self) -> Vec<&String> {
        match self {
            Happening::Lives(names) | Happening::Behaves(names, _) | Happening::Recovers(names, _) => {
                names.iter().collect()
            }
            Happening::Ends(name, _) => vec![name],
            Happening::Asks(_, name) => name.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// Names with `, ` between them.
fn listed(names: &str) -> Vec<String> {
    names.split(", ").map(str::to_owned).collect()
}

/// Whose, and how they behave; `None`: these are no words for it.
fn manner(text: &str) -> Result<Option<(&str, Manner)>, String> {
    for (words, manner) in [
        (" never appears", Manner::Appears(None)),
        (" ignores stops", Manner::IgnoresStops),
        (" dies before it is seen", Manner::Unseen),
        (" is of another type", Manner::OtherType),
        (" cannot be looked at", Manner::Blind),
    ] {
        if let Some(names) = text.strip_suffix(words) {
            return Ok(Some((names, manner)));
        }
    }
    if let Some(names) = text.strip_prefix("tests of ").and_then(|rest| rest.strip_suffix(" fail")) {
        return Ok(Some((names, Manner::TestsFail)));
    }
    if let Some(names) =
        text.strip_prefix("the death of ").and_then(|rest| rest.strip_suffix(" wakes nobody"))
    {
        return Ok(Some((names, Manner::Unnoticed)));
    }
    if let Some((names, time)) =
        text.strip_prefix("the start of ").and_then(|rest| rest.split_once(" takes "))
    {
        return Ok(Some((names, Manner::StartTakes(clock::read(time)?))));
    }
    if let Some((names, time)) = text.strip_prefix("the stop of ").and_then(|rest| rest.split_once(" takes "))
    {
        return Ok(Some((names, Manner::StopTakes(clock::read(time)?))));
    }
    if let Some((names, time)) = text.split_once(" lingers ") {
        return Ok(Some((names, Manner::Lingers(clock::read(time)?))));
    }
    if let Some((names, time)) =
        text.strip_suffix(" after its start").and_then(|rest| rest.split_once(" appears "))
    {
        return Ok(Some((names, Manner::Appears(Some(clock::read(time)?)))));
    }
    if let Some((names, (metric, value))) =
        text.split_once(" reads ").and_then(|(names, rest)| Some((names, rest.split_once(' ')?)))
    {
        let reading = READINGS.into_iter().find(|reading| reading.name == metric);
        let reading = reading.ok_or_else(|| format!("no reading is called `{metric}`"))?;
        let value = match (value.parse::<i64>(), value.parse::<f64>()) {
            (Ok(whole), _) => Value::from(whole),
            (_, Ok(real)) => Value::from(real),
            _ => Value::Text(value.to_owned()),
        };
        return Ok(Some((names, Manner::Reads(reading, value))));
    }
    Ok(None)
}
