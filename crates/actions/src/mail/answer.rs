//! What servers say.

use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;
use tokio::time::timeout;

use super::Attempt;

/// What a server said that was not yes.
pub(super) struct Refusal {
    pub(super) text: String,
    /// Whether it is a 5xx answer, which will not change by itself.
    pub(super) for_good: bool,
    /// Whether the server is still listening.
    pub(super) listening: bool,
}

/// Waits for an answer, and puts what is not yes into words.
pub(super) async fn within<T>(
    time: Duration,
    what: &str,
    asking: impl Future<Output = Result<T, Error>>,
) -> Result<T, Refusal> {
    match timeout(time, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(Refusal {
            text: words(&e),
            for_good: e.is_permanent(),
            listening: e.is_permanent() || e.is_transient(),
        }),
        Err(_) => Err(Refusal {
            text: format!("no answer to {what} within {} s", time.as_secs_f64()),
            for_good: false,
            listening: false,
        }),
    }
}

/// An error with its causes; a server's own words without the library's around them.
fn words(e: &Error) -> String {
    let said = std::error::Error::source(e).map(ToString::to_string);
    match (e.status(), said) {
        (Some(code), Some(said)) => format!("{code} {said}"),
        _ => e.to_string(),
    }
}

/// Recipients who have not got it.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) deferred: Vec<(String, String)>,
    pub(super) refused: Vec<(String, String)>,
}

impl Sorted {
    pub(super) fn sort<'a>(&mut self, recipients: impl Iterator<Item = &'a String>, refusal: &Refusal) {
        let list = if refusal.for_good { &mut self.refused } else { &mut self.deferred };
        list.extend(recipients.map(|to| (to.clone(), refusal.text.clone())));
    }
}

impl From<Sorted> for Attempt {
    fn from(sorted: Sorted) -> Self {
        Attempt::Answered { deferred: sorted.deferred, refused: sorted.refused }
    }
}
