//! The loop that joins them, and owns every task it starts; the [`Registry`] of kinds.
//!
//! # Theory of operation
//!
//! One task, [`Supervisor::run`], turns the crank: it waits for whatever comes first (something that a probe named
//! stirs, an action or a look ends, somebody asks for something, a look is due), gives it to the scheduler, and carries
//! out what that answers. It alone asks what time it is.
//!
//! A look is polled once in the loop itself; one that has to wait becomes a task. Each action is a task. The courier is
//! a task. All of them live in `JoinSet`s of the loop and end with it; processes that actions started go on. No look,
//! action, message or client is waited for by the loop, so none delays another.
//!
//! Dropping every [`Handle`] does not end the supervisor; [`Handle::stop`] does.
#![forbid(unsafe_code)]

mod acts;
mod builder;
mod carry;
mod clock;
mod courier;
mod fallen;
mod handle;
mod history;
mod lateness;
mod looks;
mod memory;
mod plane;
mod post;
mod registry;
mod reload;
mod run;
mod snapshot;
mod tidings;

pub use builder::{Builder, Listener, Supervisor};
pub use clock::Wall;
pub use courier::{Courier, Receipts, Trouble};
pub use handle::{CommandError, Handle, ReloadReport, Status, Unexplained, Vitals};
pub use hinoban_config::{
    Config, Cron, Family, Found, HttpTest, Kind, Link, Mode, OnReboot, PortTest, Program, Protocol, Speech,
    Test, Transport, Turns, UrlTest,
};
pub use hinoban_journal::history::{Incident, Over, Point, Readings, Series, Step, StepKind, Unkept};
pub use hinoban_scheduler::{
    About, Explanation, GivenUp, LastAction, LimitView, Paragraph, PatienceView, Programs, Repairs,
    RuleState, RuleView, ServiceView, TestView, Watching,
};
pub use history::HistoryError;
pub use lateness::Lateness;
pub use registry::{Made, Registry};
pub use run::Ended;
