use std::fmt;
use std::future::Future;

use async_trait::async_trait;
use hinoban_event::Event;

use crate::{Action, ActionError, Errand, Outcome};

/// An action made of an asynchronous closure.
///
/// ```
/// use hinoban_action::{Outcome, from_fn};
/// let quiet = from_fn("quiet", |_cause, _errand| async { Ok(Outcome::default()) });
/// ```
pub fn from_fn<F, Fut>(name: &'static str, act: F) -> FromFn<F>
where
    F: Fn(Event, Errand) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Outcome, ActionError>> + Send,
{
    FromFn { name, act }
}

/// See [`from_fn`].
pub struct FromFn<F> {
    name: &'static str,
    act: F,
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, Fut> Action for FromFn<F>
where
    F: Fn(Event, Errand) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Outcome, ActionError>> + Send,
{
    async fn act(&self, cause: &Event, errand: &Errand) -> Result<Outcome, ActionError> {
        (self.act)(cause.clone(), errand.clone()).await
    }

    fn describe(&self) -> Option<String> {
        Some(self.name.to_owned())
    }
}
