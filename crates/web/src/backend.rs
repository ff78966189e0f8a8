use std::future::Future;

use hinoban_event::Doing;
use hinoban_reading::Stamp;
use hinoban_supervisor::{
    CommandError, Explanation, Handle, HistoryError, Incident, Readings, Series, Status, Unexplained, Unkept,
    Vitals,
};

/// Whom this server asks and commands: a running supervisor, through its [`Handle`], or whatever stands in for one.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Everything that is known now; `None` once it has ended.
    fn status(&self) -> impl Future<Output = Option<Status>> + Send;

    /// How it is itself; `None` once it has ended.
    fn vitals(&self) -> impl Future<Output = Option<Vitals>> + Send;

    /// Why a service stands as it does, by its exact name.
    fn explain(&self, name: String) -> impl Future<Output = Result<Explanation, Unexplained>> + Send;

    /// The incidents, the newest first: of the service of this exact name, or of all; at most so many.
    fn incidents(
        &self,
        _service: Option<String>,
        _limit: usize,
    ) -> impl Future<Output = Result<Vec<Incident>, HistoryError>> + Send {
        std::future::ready(Err(HistoryError::Off))
    }

    /// Since when what fails cannot be written down, and why; `None`: it can.
    fn unkept(&self) -> impl Future<Output = Option<Unkept>> + Send {
        std::future::ready(None)
    }

    /// One incident.
    fn incident(&self, _id: u64) -> impl Future<Output = Result<Option<Incident>, HistoryError>> + Send {
        std::future::ready(Err(HistoryError::Off))
    }

    /// What is kept of the readings of a service.
    fn series(&self, _service: String) -> impl Future<Output = Result<Vec<Series>, HistoryError>> + Send {
        std::future::ready(Err(HistoryError::Off))
    }

    /// Readings of a service from one time to another, in so many points at most.
    fn over_time(
        &self,
        _service: String,
        _part: Option<String>,
        _metric: String,
        _time: (Stamp, Stamp),
        _points: usize,
    ) -> impl Future<Output = Result<Readings, HistoryError>> + Send {
        std::future::ready(Err(HistoryError::Off))
    }

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

    async fn incidents(&self, service: Option<String>, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        Handle::incidents(self, service, limit).await
    }

    async fn unkept(&self) -> Option<Unkept> {
        Handle::unkept(self).await
    }

    async fn incident(&self, id: u64) -> Result<Option<Incident>, HistoryError> {
        Handle::incident(self, id).await
    }

    async fn series(&self, service: String) -> Result<Vec<Series>, HistoryError> {
        Handle::series(self, service).await
    }

    async fn over_time(
        &self,
        service: String,
        part: Option<String>,
        metric: String,
        time: (Stamp, Stamp),
        points: usize,
    ) -> Result<Readings, HistoryError> {
        Handle::over_time(self, service, part, metric, time, points).await
    }

    async fn command(&self, names: Vec<String>, doing: Doing, by: String) -> Result<(), CommandError> {
        Handle::command(self, names, doing, by).await
    }
}
