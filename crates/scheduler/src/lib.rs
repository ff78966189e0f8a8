//! Whose turn it is, what a look means, what to do next. `now` in, effects out.
#![forbid(unsafe_code)]

mod view;

pub use view::{RuleView, ServiceView, TestView, Watching};
