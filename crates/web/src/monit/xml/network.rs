//! What was measured of a network interface.

use hinoban_reading::{Metric, ReasonKind, metrics as m};

use super::writer::Xml;
use crate::monit::readings::Readings;

/// The link: 1 up, 0 down, -1 not known; all of what is not known is -1. Speed is in bits a second.
pub(super) fn link(x: &mut Xml, seen: Readings<'_>) {
    let reason = seen.0.map(|seen| seen.standing.reason().map(|reason| reason.kind));
    let state = match reason {
        Some(None) => 1,
        Some(Some(ReasonKind::LinkDown)) => 0,
        _ => -1,
    };
    let duplex = match seen.text(m::LINK_DUPLEX) {
        Some("full") => 1,
        Some("half") => 0,
        _ => -1,
    };
    x.within("link", |x| {
        x.leaf("state", state);
        x.leaf("speed", seen.int(m::LINK_SPEED).unwrap_or(-1));
        x.leaf("duplex", duplex);
        for (name, counters) in [("download", DOWNLOAD), ("upload", UPLOAD)] {
            x.within(name, |x| {
                for (name, total, rate) in counters {
                    x.within(name, |x| {
                        let total = seen.int(total);
                        let now = total.map(|_| seen.int(rate).unwrap_or(0));
                        x.leaf("now", now.unwrap_or(-1));
                        x.leaf("total", total.unwrap_or(-1));
                    });
                }
            });
        }
    });
}

type Counters = [(&'static str, Metric, Metric); 3];

const DOWNLOAD: Counters = [
    ("packets", m::DOWNLOAD_PACKETS, m::DOWNLOAD_PACKETS_RATE),
    ("bytes", m::DOWNLOAD_BYTES, m::DOWNLOAD_RATE),
    ("errors", m::DOWNLOAD_ERRORS, m::DOWNLOAD_ERRORS_RATE),
];

const UPLOAD: Counters = [
    ("packets", m::UPLOAD_PACKETS, m::UPLOAD_PACKETS_RATE),
    ("bytes", m::UPLOAD_BYTES, m::UPLOAD_RATE),
    ("errors", m::UPLOAD_ERRORS, m::UPLOAD_ERRORS_RATE),
];
