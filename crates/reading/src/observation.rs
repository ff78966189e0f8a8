use serde::{Deserialize, Serialize};

use crate::{Ending, Identity, Metric, MetricName, Standing, Unit, Value};

/// One reading: a metric and its value. Serialises with its metric's name and unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Name of the metric, or a member of an open family.
    pub name: MetricName,
    /// Unit of the value.
    pub unit: Unit,
    /// The value.
    pub value: Value,
}

/// What one look saw: a standing, and a few readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Up, down or absent.
    pub standing: Standing,
    /// What was measured; empty when nothing could be.
    pub readings: Vec<Reading>,
    /// The process looked at, when it is one and lives.
    pub identity: Option<Identity>,
    /// The pid that stands for it, whether a process of that pid lives or not: what a pidfile says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<u32>,
    /// A process that stood for it at an earlier look, does so no longer, and still lives: its pidfile was removed or
    /// written anew before it ended.
    pub former: Option<Identity>,
    /// How a process seen by an *earlier* look ended, once that is known. It may come with the look that finds it
    /// gone, or with a later one.
    pub ending: Option<Ending>,
}

impl Observation {
    /// Up, nothing measured.
    pub fn up() -> Self {
        Self::new(Standing::Up)
    }

    /// This standing, nothing measured.
    pub fn new(standing: Standing) -> Self {
        Self { standing, readings: Vec::new(), identity: None, named: None, former: None, ending: None }
    }

    /// Adds a reading.
    pub fn with(mut self, metric: &Metric, value: impl Into<Value>) -> Self {
        self.push(metric, value);
        self
    }

    /// Adds a reading in place.
    pub fn push(&mut self, metric: &Metric, value: impl Into<Value>) {
        self.readings.push(Reading { name: metric.name.clone(), unit: metric.unit, value: value.into() });
    }

    /// The value read under this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.readings.iter().find(|r| r.name == name).map(|r| &r.value)
    }
}
