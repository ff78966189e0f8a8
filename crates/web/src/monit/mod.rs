//! What programs parse: Monit 5.33's documents, made from a [`Status`](hinoban_supervisor::Status).
//!
//! Everything here is a pure function of a status and an [`About`]; order, spelling and number formats follow the
//! output of Monit 5.33.0 (invariant 13). Lines that Monit does not have come after those it has.

mod about;
mod figures;
mod paint;
mod port;
mod readings;
mod select;
mod summary;
mod text;
mod words;
mod xml;

pub use about::{About, Address, Platform};
pub use select::{Missing, matching, select};
pub use summary::{Count, report, summary};
pub use text::status;
pub use xml::{document, document2};

pub(crate) use paint::Tone;
