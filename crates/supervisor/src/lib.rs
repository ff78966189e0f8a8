//! The loop that joins them, and owns every task it starts; the `Registry` of kinds.
#![forbid(unsafe_code)]

mod handle;

pub use handle::{CommandError, Handle, ReloadReport, Status};
pub use hinoban_config::{
    Config, Family, HttpTest, Kind, Mode, OnReboot, PortTest, Protocol, Test, UrlTest,
};
pub use hinoban_scheduler::{RuleView, ServiceView, TestView, Watching};
