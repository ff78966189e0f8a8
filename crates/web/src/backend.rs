use std::future::Future;

use hinoban_event::Doing;
use hinoban_supervisor::{CommandError, Explanation, Handle, Status, Unexplained, Vitals};

/// Whom this server asks and commands: a running supervisor, through its [`Handle`], or whatever stands in for one.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Everything that is known now; `None` once it has ended.
    fn status(&self) -> impl Future<Output = Option<Status>> + Send;

    /// How it is itself; `None` once it has ended.
    fn vitals(&self) -> impl Future<Output = Option<Vitals>> + Send;

    /// Why a service stands as it does, by its exact name.
    fn explain(&self, name: String) -> impl Future<Output = Result<Explanation, Unexplained>> + Send;

    /// Accepts that something be done to services, by exact name: to all of them or, on error, to none.
    fn command(
        &self,
        names: Vec<String>,
        doing: Doing,
        by: String,
    ) -> impl Future<Output = Result<(), CommandError>> + Send;
}

impl Backend for Handle {
    async fn status(&self) -> Option<Status> {
        Handle::status(self).await
    }

    async fn vitals(&self) -> Option<Vitals> {
        Handle::vitals(self).await
    }

    async fn explain(&self, name: String) -> Result<Explanation, Unexplained> {
        Handle::explain(self, name).await
    }

    async fn command(&self, names: Vec<String>, doing: Doing, by: String) -> Result<(), CommandError> {
        Handle::command(self, names, doing, by).await
    }
}
