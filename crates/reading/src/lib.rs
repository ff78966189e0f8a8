//! What a look saw: [`Metric`], [`Unit`], [`Value`], [`Standing`], [`Reason`], [`Observation`]. Plain data, serde only.
//!
//! Nothing here looks at the world, decides or acts. A probe answers with an [`Observation`]; rules compare its
//! readings, history stores them, pages and mails print them: one mechanism, so a metric of a custom probe works
//! everywhere the day it is written.
#![forbid(unsafe_code)]

mod clock;
mod ending;
mod killer;
mod metric;
mod observation;
mod packed;
mod show;
mod standing;
mod total;
mod value;

pub use clock::{Moment, Now, Stamp};
pub use ending::{Confidence, Ending, How, Identity, Source, Told};
pub use killer::{Killer, OutOfMemory, Reached};
pub use metric::{Family, Metric, MetricName, metrics};
pub use observation::{Observation, Reading};
pub use packed::Packed;
pub use show::Shown;
pub use standing::{Reason, ReasonKind, Standing};
pub use total::{Period, Total, Traffic};
pub use value::{Unit, Value};
