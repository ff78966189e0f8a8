//! Lines of what was measured of a network interface.

use hinoban_reading::{Metric, metrics as m};

use super::Rows;
use crate::monit::figures;
use crate::monit::readings::Readings;

/// Without a link there is a dash for each but the capacity, which has no line then.
pub(super) fn rows(rows: &mut Rows<'_>, seen: Readings<'_>) {
    let there = seen.int(m::DOWNLOAD_BYTES).is_some();
    let rate = |metric: Metric| there.then(|| seen.real(metric).unwrap_or(0.0));
    let errors = rate(m::DOWNLOAD_ERRORS_RATE).zip(rate(m::UPLOAD_ERRORS_RATE));
    rows.value("link", errors.map(|(down, up)| format!("{:.0} errors", (down + up).ceil())));
    if let Some(capacity) = seen.text(m::LINK_CAPACITY) {
        rows.value("capacity", Some(capacity.to_owned()));
    }
    let speed = seen.real(m::LINK_SPEED);
    let bytes = |metric| {
        let rate = rate(metric)?;
        let whole = figures::bytes(rate.trunc());
        Some(match speed {
            Some(speed) => format!("{whole}/s ({:.1}% link saturation)", 100.0 * rate * 8.0 / speed),
            None => format!("{whole}/s"),
        })
    };
    rows.value("download bytes", bytes(m::DOWNLOAD_RATE));
    rows.value("upload bytes", bytes(m::UPLOAD_RATE));
    let packets = |metric| rate(metric).map(|rate| format!("{:.0} per second", rate.trunc()));
    rows.value("download packets", packets(m::DOWNLOAD_PACKETS_RATE));
    rows.value("upload packets", packets(m::UPLOAD_PACKETS_RATE));
}
