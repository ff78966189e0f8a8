//! A program of somebody's own that looks: how it ends and what it prints is what is seen.
//!
//! Running programs is not this crate's: whoever builds the probe brings a [`Run`].

mod json;
mod nagios;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_reading::{How, Metric, Observation, Unit, Value, metrics};

/// Runs one program, again and again; never two at a time.
#[async_trait]
pub trait Run: Debug + Send + Sync {
    /// Runs it once, and ends it when its time is over. Dropping the future ends it too.
    ///
    /// # Errors
    /// When it could not be run.
    async fn run(&self) -> Result<Ran, Unrun>;
}

/// A program that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// How it ended.
    pub how: How,
    /// The time that it was given, if it was ended because that was over.
    pub overdue: Option<Duration>,
    /// What it printed to its standard output, as far as that was kept.
    pub out: Vec<u8>,
    /// What it printed to its standard error, as far as that was kept.
    pub errors: Vec<u8>,
    /// Whether it printed more than was kept.
    pub cut: bool,
    /// How long it ran.
    pub took: Duration,
}

/// Why a program was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unrun {
    /// It cannot be run as it is: it does not exist, is not executable, its user may not be changed. Which of it, and what
    /// to do about it.
    NotRunnable(String),
    /// It was not possible to find out.
    Failed(String),
}

/// How the output of a program is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speech {
    /// As a text.
    #[default]
    Plain,
    /// As that of a Nagios plug-in.
    Nagios,
    /// As one JSON object.
    Json,
}

/// The signal that a program counts as killed by when its time was over.
const KILLED: i64 = 9;

/// Looks by running a program. See the [module](self).
///
/// Readings: `exit.status`, 0 to 255, and N if signal N ended it, as Monit counts; `exit.signal`, 0 if none did (one whose
/// time was over counts as killed by signal 9, whatever it made of that);
/// `exit.reason`, a text, if it did not end by itself; `run.time`, how long it ran, and `run.started`, when, in seconds since the
/// Unix epoch; `output`, a text: what it printed as errors, then the rest, without blanks at the ends, and only as much of it as is
/// kept, never more than 64 KiB; `run.error`, a text: why it could not be run at all, empty if it was. One that could not
/// be run has no other reading. More than 8 KiB are understood by a blocking thread of the runtime.
///
/// A Nagios plug-in also has `plugin.state` (`ok`, `warning`, `critical`, `unknown`) and its performance data, `perf.LABEL`; its `output`
/// is what it printed to its standard output without these. A JSON program has the members of what it printed, `json.NAME`;
/// its `output` is what it printed as errors.
///
/// It is up whatever the program says: rules judge the readings. An end by a signal or by time-out is `critical` of a
/// plug-in; a status above 3 is `unknown`. A program that ends with status 0 and prints no JSON
/// where it should is a look that failed.
#[derive(Debug)]
pub struct ProgramProbe {
    run: Arc<dyn Run>,
    speech: Speech,
    /// Bytes that are kept of errors and output together.
    most: usize,
    limits: Vec<String>,
}

impl ProgramProbe {
    /// Looks with this program, understands it so, and keeps at most so many bytes of what it prints.
    pub fn new(run: Arc<dyn Run>, speech: Speech, most: usize) -> Self {
        Self { run, speech, most, limits: Vec::new() }
    }
}

/// More than this is understood by a thread of its own: 8 KiB.
const AT_ONCE: usize = 8 << 10;

/// So much of what it prints is kept as a text, whatever else is read in it: 64 KiB. Rules search it again and again, and
/// it is remembered, told and shown.
const KEPT: usize = 64 << 10;

/// Makes of a run what is seen of it, and what had to be left out.
struct Reader {
    speech: Speech,
    most: usize,
    wall: Duration,
    limits: Vec<String>,
}

impl Reader {
    /// Errors, then output.
    fn printed(&mut self, ran: &Ran) -> String {
        let mut all = ran.errors.clone();
        if all.last().is_some_and(|last| *last != b'\n') {
            all.push(b'\n');
        }
        all.extend(&ran.out);
        let cut = ran.cut || all.len() > self.most;
        all.truncate(self.most);
        let text = text(&all, cut);
        self.kept(text)
    }

    /// As much of a text as is kept.
    fn kept(&mut self, mut text: String) -> String {
        if text.len() > KEPT {
            text.truncate(text.floor_char_boundary(KEPT));
            let kept = KEPT >> 10;
            self.limits.push(format!(
                "of what the program prints, rules see the first {kept} KiB as its output; have it print less, or \
                 search in a program of your own"
            ));
        }
        text
    }

    fn seen(mut self, ran: &Ran) -> Result<(Observation, Vec<String>), ProbeError> {
        let (status, signal) = match &ran.how {
            // However it took that.
            _ if ran.overdue.is_some() => (KILLED, KILLED),
            How::Exited { status } => (i64::from(*status), 0),
            How::Signalled { signal, .. } => (i64::from(*signal), i64::from(*signal)),
            How::Unknown { why } => {
                return Err(ProbeError::Failed(format!("how it ended is not known: {why}")));
            }
            other => return Err(ProbeError::Failed(format!("how it ended is not known: {other}"))),
        };
        let (out, errors) = (text(&ran.out, ran.cut), text(&ran.errors, ran.cut));
        let mut seen = Observation::up()
            .with(&metrics::RUN_ERROR, "")
            .with(&metrics::EXIT_STATUS, status)
            .with(&metrics::EXIT_SIGNAL, signal);
        if let Some(reason) = reason(ran, signal) {
            seen.push(&metrics::EXIT_REASON, reason.as_str());
        }
        seen.push(&metrics::RUN_TIME, ran.took.as_secs_f64());
        seen.push(&metrics::RUN_STARTED, self.wall.as_secs());
        let mut left_out = 0;
        match self.speech {
            Speech::Plain => seen.push(&metrics::OUTPUT, &*self.printed(ran)),
            Speech::Nagios => {
                let spoken = nagios::spoken(if out.is_empty() { &errors } else { &out });
                left_out = spoken.left_out;
                let state = match status {
                    _ if signal != 0 => "critical",
                    0 => "ok",
                    1 => "warning",
                    2 => "critical",
                    _ => "unknown",
                };
                seen.push(&metrics::PLUGIN_STATE, state);
                seen.push(&metrics::OUTPUT, &*self.kept(spoken.text));
                seen.readings.extend(spoken.readings);
            }
            Speech::Json => match json::spoken(&out) {
                Ok((readings, more)) => {
                    left_out = more;
                    seen.push(&metrics::OUTPUT, &*self.kept(errors));
                    seen.readings.extend(readings);
                }
                // One that failed has something else to say.
                Err(_) if status != 0 => seen.push(&metrics::OUTPUT, &*self.printed(ran)),
                Err(_) if ran.cut => {
                    let text = "it printed more than is kept of its output, so that its JSON has no end; raise output-limit";
                    return Err(ProbeError::Failed(text.to_owned()));
                }
                Err(why) => return Err(ProbeError::Failed(why)),
            },
        }
        if left_out > 0 {
            let (most, longest) = (nagios::MOST, nagios::LONGEST);
            self.limits.push(format!(
                "some of what the program measures is no number that can be read, or beyond what is kept: {most} readings, \
                 with names of {longest} bytes"
            ));
        }
        Ok((seen, self.limits))
    }
}

const METRICS: &[Metric] = &[
    metrics::EXIT_STATUS,
    metrics::EXIT_SIGNAL,
    metrics::EXIT_REASON,
    metrics::RUN_TIME,
    metrics::RUN_STARTED,
    metrics::RUN_ERROR,
    metrics::OUTPUT,
];

const NAGIOS: &[Metric] = &[
    metrics::EXIT_STATUS,
    metrics::EXIT_SIGNAL,
    metrics::EXIT_REASON,
    metrics::RUN_TIME,
    metrics::RUN_STARTED,
    metrics::RUN_ERROR,
    metrics::OUTPUT,
    metrics::PLUGIN_STATE,
    // Each has a unit of its own.
    Metric::new("perf.*", Unit::Count),
];

const JSON: &[Metric] = &[
    metrics::EXIT_STATUS,
    metrics::EXIT_SIGNAL,
    metrics::EXIT_REASON,
    metrics::RUN_TIME,
    metrics::RUN_STARTED,
    metrics::RUN_ERROR,
    metrics::OUTPUT,
    // Texts may be among them.
    Metric::new("json.*", Unit::Text),
];

#[async_trait]
impl Probe for ProgramProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        match self.run.run().await {
            Ok(ran) => {
                let reader =
                    Reader { speech: self.speech, most: self.most, wall: look.wall(), limits: Vec::new() };
                let read = match ran.out.len() + ran.errors.len() {
                    ..=AT_ONCE => reader.seen(&ran),
                    _ => tokio::task::spawn_blocking(move || reader.seen(&ran))
                        .await
                        .map_err(|error| ProbeError::Failed(format!("its output was not read: {error}")))?,
                };
                let (seen, limits) = read?;
                self.limits = limits;
                Ok(seen)
            }
            Err(Unrun::NotRunnable(why)) => {
                self.limits.clear();
                Ok(Observation::up().with(&metrics::RUN_ERROR, &*why))
            }
            Err(Unrun::Failed(why)) => Err(ProbeError::Failed(why)),
        }
    }

    fn metrics(&self) -> &[Metric] {
        match self.speech {
            Speech::Plain => METRICS,
            Speech::Nagios => NAGIOS,
            Speech::Json => JSON,
        }
    }

    fn limits(&self) -> Vec<String> {
        self.limits.clone()
    }
}

/// Why a program that was begun did not end by itself.
fn reason(ran: &Ran, signal: i64) -> Option<String> {
    match ran.overdue {
        Some(time) => {
            Some(format!("timed out after {}", Unit::Seconds.show(&Value::Real(time.as_secs_f64()))))
        }
        None if signal != 0 => Some(ran.how.to_string().trim_start_matches("was ").to_owned()),
        None => None,
    }
}

/// Output as text, without blanks at its ends. Bytes that are no UTF-8 are replaced, as is one of value zero; a character
/// that was cut in two is left out.
fn text(bytes: &[u8], cut: bool) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(e) if cut && e.error_len().is_none() => &bytes[..e.valid_up_to()],
        _ => bytes,
    };
    String::from_utf8_lossy(whole).replace('\0', "\u{fffd}").trim().to_owned()
}

#[cfg(test)]
mod tests;
