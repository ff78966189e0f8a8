//! What is asked of the history, and what it answers.

use std::sync::Arc;

use hinoban_reading::{MetricName, Stamp, Unit};
use serde::Serialize;

use super::block::Block;
use super::thin::Thin;

/// One reading of one service over time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Series {
    /// The service.
    pub service: Arc<str>,
    /// What of it is looked at: empty for the thing itself, otherwise the name of a test.
    pub part: Arc<str>,
    /// Name of the metric.
    pub metric: MetricName,
    /// Its unit.
    pub unit: Unit,
}

/// Readings to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Of what.
    pub series: Series,
    /// The readings.
    pub content: Content,
}

/// In which form they are kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Each of them.
    Raw(Block),
    /// Five minutes of them as one point.
    Thin(Thin),
}

/// Which readings are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The service.
    pub service: String,
    /// The name of a test; empty: the thing itself; `None`: whatever has this metric, together.
    pub part: Option<String>,
    /// Name of the metric.
    pub metric: String,
    /// From when …
    pub from: Stamp,
    /// … to when, not included.
    pub to: Stamp,
    /// Into how many points at most; at least 1.
    pub points: usize,
    /// What is not on disk yet.
    pub fresh: Vec<Chunk>,
}

/// What the readings of a stretch of time come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Where the stretch begins.
    pub at: Stamp,
    /// How many readings it is of.
    pub count: u32,
    /// The least of them.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
}

/// What is kept of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// The unit; `None`: nothing is kept of such a metric.
    pub unit: Option<Unit>,
    /// Points in order of time; a stretch without readings has none.
    pub points: Vec<Point>,
}
