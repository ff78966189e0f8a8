//! What is said of network interfaces: under a control file Monit's sentences, seen of its log.

use std::fmt::{self, Display};

use hinoban_config::{Dialect, Kind, Link};
use hinoban_reading::{Observation, Period, ReasonKind, Total, Traffic, Unit, Value, metrics as m};

use super::compare::Compared;
use super::figures::Figure;

/// Whether there is a link, as Monit says it.
pub(super) fn existence(link: &Link, seen: &Observation) -> String {
    let absent = seen.standing.reason().is_some_and(|reason| reason.kind == ReasonKind::LinkAbsent);
    match link {
        _ if seen.standing.is_up() => "link up".to_owned(),
        _ if !absent => "link down".to_owned(),
        Link::Address(address) => format!("link data collection failed -- Address {address} not found"),
        Link::Interface(name) => format!(
            "link data collection failed -- Cannot read /sys/class/net/{name}/operstate -- No such file or directory"
        ),
    }
}

/// What is compared of a network interface, in Monit's words; `None`: nothing of one is, or not in these.
pub(crate) fn link(
    compared: Compared<'_>,
    seen: &Observation,
    failed: bool,
    dialect: Dialect,
) -> Option<String> {
    if dialect == Dialect::Toml || !matches!(compared.kind, Kind::Network { .. }) {
        return None;
    }
    let is = |metric: &hinoban_reading::Metric| *compared.metric == *metric.name;
    if is(&m::SATURATION) {
        return Some(saturation(compared, seen, failed));
    }
    for (metric, way) in [(m::UPLOAD_ERRORS_RATE, "upload"), (m::DOWNLOAD_ERRORS_RATE, "download")] {
        if is(&metric) {
            // Monit counts whole errors a second, and never tells of less than one.
            let errors = compared.value.as_f64().unwrap_or(0.0).round().max(1.0);
            return Some(match failed {
                true => format!("{errors:.0} {way} errors detected"),
                false => format!("{way} errors check succeeded"),
            });
        }
    }
    let (total, of, count, unit) = match Total::parse(compared.metric) {
        Some(Total { of, count, unit: Period::Minute }) => ("total ", of, count, "minute"),
        Some(Total { of, count, unit: Period::Hour }) => ("total ", of, count, "hour"),
        // A day is 24 hours there.
        Some(Total { of, count, unit: Period::Day }) => ("total ", of, count * 24, "hour"),
        None => {
            let each = [
                (m::UPLOAD_RATE, Traffic::UploadBytes),
                (m::UPLOAD_PACKETS_RATE, Traffic::UploadPackets),
                (m::DOWNLOAD_RATE, Traffic::DownloadBytes),
                (m::DOWNLOAD_PACKETS_RATE, Traffic::DownloadPackets),
            ];
            let (_, of) = each.into_iter().find(|(metric, _)| is(metric))?;
            ("", of, 1, "second")
        }
    };
    let (way, rate) = match of {
        Traffic::UploadBytes => ("upload", "upload rate"),
        Traffic::UploadPackets => ("upload packets", "upload packets"),
        Traffic::DownloadBytes => ("download", "download rate"),
        Traffic::DownloadPackets => ("download packets", "download packets"),
    };
    let [value, limit] = [compared.value, compared.limit].map(|value| Amount { of, value });
    let sign = compared.operator.sign();
    Some(match failed {
        true => format!("{total}{way} {value} matches limit [{rate} {sign} {limit} in last {count} {unit}]"),
        false => format!("{total}{way} check succeeded [current {rate} {value} in last {count} {unit}]"),
    })
}

/// Which direction it is about is told: the one that is used more.
fn saturation(compared: Compared<'_>, seen: &Observation, failed: bool) -> String {
    let ways = [(m::UPLOAD_SATURATION, " upload"), (m::DOWNLOAD_SATURATION, " download")];
    let same = |metric: &hinoban_reading::Metric| seen.get(&metric.name) == Some(compared.value);
    // Where both share a wire it is neither.
    let way = ways.iter().find(|(metric, _)| same(metric)).map_or("", |(_, way)| *way);
    let (unit, sign) = (Unit::Percent, compared.operator.sign());
    let value = Figure { unit, value: compared.value, limit: false };
    let limit = Figure { unit, value: compared.limit, limit: true };
    match failed {
        true => format!("link{way} saturation of {value} matches limit [saturation {sign} {limit}]"),
        false => format!("link{way} saturation check succeeded [current{way} saturation {value}]"),
    }
}

/// Bytes, or packets: whole ones.
struct Amount<'a> {
    of: Traffic,
    value: &'a Value,
}

impl Display for Amount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Value::Int(self.value.as_i64().unwrap_or(0));
        match self.of.unit() {
            Unit::Bytes => Figure { unit: Unit::Bytes, value: &whole, limit: false }.fmt(f),
            _ => whole.fmt(f),
        }
    }
}

/// Speed and duplex beside what they were, as Monit says it: `10000 Mb/s full-duplex` is taken apart again.
pub(super) fn change(before: &Value, value: &Value) -> String {
    let (Value::Text(before), Value::Text(value)) = (before, value) else { return String::new() };
    let apart = |text: &str| {
        let (speed, mode) = text.split_once(" Mb/s").unwrap_or((text, ""));
        (speed.to_owned(), mode.trim().to_owned())
    };
    let ((old, _), (speed, mode)) = (apart(before), apart(value));
    match (before == value, old == speed) {
        (true, _) => format!("link speed has not changed since last cycle [current speed = {speed} Mb/s]"),
        (false, false) => format!("link speed changed to {speed} Mb/s"),
        (false, true) => format!("link mode is now {mode}"),
    }
}

#[cfg(test)]
mod tests {
    use hinoban_config::Operator;
    use hinoban_reading::{Metric, Reason, Standing};

    use super::*;

    fn eth0() -> Kind {
        Kind::Network { link: Link::Interface("eth0".into()) }
    }

    /// Each line was printed by Monit 5.33 when a rule of this kind failed, or held.
    #[test]
    fn comparisons_read_as_monit_tells_them() {
        let seen = Observation::up()
            .with(&m::UPLOAD_SATURATION, 0.00001)
            .with(&m::DOWNLOAD_SATURATION, 0.00002)
            .with(&m::SATURATION, 0.00002);
        let says = |metric: Metric, value: f64, limit: i64, failed| {
            let (kind, value, limit) = (eth0(), Value::Real(value), Value::Int(limit));
            let compared = Compared {
                service: "n",
                kind: &kind,
                metric: &metric.name,
                unit: metric.unit,
                operator: Operator::Greater,
                value: &value,
                limit: &limit,
            };
            link(compared, &seen, failed, Dialect::Monit).expect("it is of a link")
        };
        let total = |name| Total::parse(name).expect("it is a total").metric();
        for (metric, value, limit, failed, sentence) in [
            (
                m::UPLOAD_RATE,
                178.4,
                1,
                true,
                "upload 178 B matches limit [upload rate > 1 B in last 1 second]",
            ),
            (
                m::DOWNLOAD_RATE,
                0.0,
                1,
                false,
                "download check succeeded [current download rate 0 B in last 1 second]",
            ),
            (
                m::DOWNLOAD_PACKETS_RATE,
                2.0,
                1,
                true,
                "download packets 2 matches limit [download packets > 1 in last 1 second]",
            ),
            (
                m::UPLOAD_PACKETS_RATE,
                1.0,
                1,
                false,
                "upload packets check succeeded [current upload packets 1 in last 1 second]",
            ),
            (
                total("upload.total.2m"),
                180.0,
                1,
                true,
                "total upload 180 B matches limit [upload rate > 1 B in last 2 minute]",
            ),
            (
                total("upload.total.3h"),
                180.0,
                1 << 31,
                false,
                "total upload check succeeded [current upload rate 180 B in last 3 hour]",
            ),
            (
                total("download.total.1h"),
                266.0,
                1024,
                false,
                "total download check succeeded [current download rate 266 B in last 1 hour]",
            ),
            (
                total("download.packets.total.1h"),
                3.0,
                2,
                true,
                "total download packets 3 matches limit [download packets > 2 in last 1 hour]",
            ),
            (
                total("upload.packets.total.1d"),
                2.0,
                2,
                false,
                "total upload packets check succeeded [current upload packets 2 in last 24 hour]",
            ),
            (
                m::SATURATION,
                0.00002,
                0,
                true,
                "link download saturation of 0.0% matches limit [saturation > 0.0%]",
            ),
            (
                m::SATURATION,
                0.00002,
                9,
                false,
                "link download saturation check succeeded [current download saturation 0.0%]",
            ),
            (m::SATURATION, 0.5, 0, true, "link saturation of 0.5% matches limit [saturation > 0.0%]"),
            (m::UPLOAD_ERRORS_RATE, 0.03, 0, true, "1 upload errors detected"),
            (m::DOWNLOAD_ERRORS_RATE, 0.0, 0, false, "download errors check succeeded"),
        ] {
            assert_eq!(says(metric, value, limit, failed), sentence);
        }
    }

    #[test]
    fn a_link_and_its_speed_read_as_monit_tells_them() {
        let with = |kind| Observation::new(Standing::Down(Reason::new(kind, "why")));
        let eth0 = Link::Interface("eth0".into());
        assert_eq!(existence(&eth0, &Observation::up()), "link up");
        assert_eq!(existence(&eth0, &with(ReasonKind::LinkDown)), "link down");
        let sentence = "link data collection failed -- Cannot read /sys/class/net/eth0/operstate -- No such file or directory";
        assert_eq!(existence(&eth0, &with(ReasonKind::LinkAbsent)), sentence);
        let address = Link::Address("10.91.0.2".parse().expect("an address"));
        let sentence = "link data collection failed -- Address 10.91.0.2 not found";
        assert_eq!(existence(&address, &with(ReasonKind::LinkAbsent)), sentence);
        let says = |before: &str, value: &str| change(&before.into(), &value.into());
        let full = "10000 Mb/s full-duplex";
        assert_eq!(
            says(full, full),
            "link speed has not changed since last cycle [current speed = 10000 Mb/s]"
        );
        assert_eq!(says(full, "1000 Mb/s full-duplex"), "link speed changed to 1000 Mb/s");
        assert_eq!(says(full, "10000 Mb/s half-duplex"), "link mode is now half-duplex");
    }
}
