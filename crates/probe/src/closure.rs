use std::fmt;
use std::future::Future;

use async_trait::async_trait;
use hinoban_reading::{Metric, Observation};

use crate::{Look, Probe, ProbeError};

/// A probe made of an asynchronous closure and the metrics it may report.
///
/// ```
/// use hinoban_probe::from_fn;
/// use hinoban_reading::Observation;
/// let probe = from_fn("always", vec![], || async { Ok(Observation::up()) });
/// ```
pub fn from_fn<F, Fut>(name: &'static str, metrics: Vec<Metric>, look: F) -> FromFn<F>
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<Observation, ProbeError>> + Send,
{
    FromFn { name, metrics, look }
}

/// See [`from_fn`].
pub struct FromFn<F> {
    name: &'static str,
    metrics: Vec<Metric>,
    look: F,
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, Fut> Probe for FromFn<F>
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<Observation, ProbeError>> + Send,
{
    async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
        (self.look)().await
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}
