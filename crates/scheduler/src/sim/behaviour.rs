//! How a simulated service behaves.

use std::time::Duration;

use hinoban_reading::{Metric, Value};

/// How one simulated service behaves. Change it at any time.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// How long its start command runs; at or past its time-out it is ended.
    pub start_takes: Duration,
    /// How long after the start command's end its process is there; `None`: it never is.
    pub appears_after: Option<Duration>,
    /// How long its stop command runs.
    pub stop_takes: Duration,
    /// Whether its process heeds the stop.
    pub stops: bool,
    /// How long its process lives on after its pidfile is gone, when it heeds a stop.
    pub lingers: Duration,
    /// Whether each of its tests passes while the process lives.
    pub tests_pass: bool,
    /// How long a test takes.
    pub test_takes: Duration,
    /// Whether its death wakes us at once, as a pidfd does.
    pub wakes: bool,
    /// Whether its process, once started, writes its pidfile and ends before anybody sees it.
    pub unseen: bool,
    /// Whether something of another type is in its place.
    pub other_type: bool,
    /// What a look measures while it is there.
    pub reads: Vec<(Metric, Value)>,
    /// Whether looks at it cannot see anything.
    pub blind: bool,
    /// Whether its tests cannot be made.
    pub tests_blind: bool,
    /// How long a look at it takes.
    pub look_takes: Duration,
    /// Whether its programs cannot be run.
    pub broken: bool,
    /// Whether nobody learns how its process ends.
    pub secretive: bool,
}

impl Default for Behaviour {
    /// Starts in 1 ms, heeds stops, passes its tests, and wakes us.
    fn default() -> Self {
        Self {
            start_takes: Duration::from_millis(1),
            appears_after: Some(Duration::from_millis(2)),
            stop_takes: Duration::from_millis(1),
            stops: true,
            lingers: Duration::ZERO,
            tests_pass: true,
            test_takes: Duration::from_millis(1),
            wakes: true,
            unseen: false,
            other_type: false,
            reads: Vec::new(),
            blind: false,
            tests_blind: false,
            look_takes: Duration::from_micros(10),
            broken: false,
            secretive: false,
        }
    }
}

impl Behaviour {
    /// What differs from the [default](Behaviour::default).
    pub(super) fn difference(&self) -> String {
        let plain = format!("{:#?}", Self::default());
        let own = format!("{:#?}", Self { reads: Vec::new(), ..self.clone() });
        let lines = own.lines().zip(plain.lines()).filter(|(own, plain)| own != plain);
        let lines: Vec<&str> = lines.map(|(own, _)| own.trim().trim_end_matches(',')).collect();
        let reads = self.reads.iter().map(|(metric, value)| format!(", {} {value:?}", metric.name));
        let as_usual = if lines.is_empty() { "as usual" } else { "" };
        format!("{as_usual}{}{}", lines.join(", "), reads.collect::<String>())
    }
}
