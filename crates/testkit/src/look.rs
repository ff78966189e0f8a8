use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, ProbeError};
use hinoban_reading::Observation;
use tokio::time::{Instant, timeout_at};

use crate::WallClock;

/// Looks once with a probe, as the supervisor would: a look that is due, dropped after `limit`.
///
/// # Errors
/// What the probe answers; [`ProbeError::Overdue`] if it does not answer within `limit` on the runtime's clock.
///
/// # Panics
/// If the observation holds a reading that the probe does not declare in [`Probe::metrics`]: no rule could name it.
pub async fn look_once(
    probe: &mut dyn Probe,
    limit: Duration,
    clock: &WallClock,
) -> Result<Observation, ProbeError> {
    let deadline = Instant::now() + limit;
    let wall = Duration::from_micros(u64::try_from(clock.stamp().micros()).unwrap_or(0));
    let look = Look::new(deadline.into_std(), wall, Cause::Due);
    let seen = timeout_at(deadline, probe.observe(&look)).await.map_err(|_| ProbeError::Overdue(limit))??;
    for reading in &seen.readings {
        assert!(
            probe.metrics().iter().any(|metric| metric.covers(&reading.name) && metric.unit == reading.unit),
            "the reading {} ({:?}) is not among the metrics that {probe:?} declares; add it there",
            reading.name,
            reading.unit
        );
    }
    Ok(seen)
}
