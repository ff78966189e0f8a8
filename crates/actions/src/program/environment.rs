//! What programs are told in `MONIT_*`, with the names and values that scripts written for Monit 5.33 read.

use hinoban_action::Errand;
use hinoban_event::{Class, Doing, Event, Fact};
use hinoban_reading::{Value, metrics};
use jiff::tz::TimeZone;

use crate::local::Local;

/// Longest value of one variable. The kernel takes 128 KiB a string (execve(2)); descriptions can hold program output.
const LONGEST: usize = 64 * 1024;

/// The variables for one attempt. `process`: the service is a process even if nothing has been read of it.
pub(super) fn of(
    cause: &Event,
    errand: &Errand,
    process: bool,
    zone: Option<TimeZone>,
) -> Vec<(&'static str, String)> {
    let (event, description) = words(cause, &errand.doing);
    let mut all = vec![
        ("MONIT_DATE", Local::of(zone).date(cause.at)),
        ("MONIT_SERVICE", errand.service.to_string()),
        ("MONIT_HOST", errand.host.to_string()),
        ("MONIT_EVENT", event),
        ("MONIT_DESCRIPTION", description),
    ];
    let read = |name: &str| errand.readings.iter().find(|r| r.name == name).map(|r| &r.value);
    if process || read(&metrics::PID.name).is_some() {
        let whole = |name: &str| read(name).and_then(Value::as_i64);
        let number = |name: &str, unknown: i64| whole(name).unwrap_or(unknown).to_string();
        let cpu = read(&metrics::CPU.name).and_then(Value::as_f64).unwrap_or(-1.0);
        all.extend([
            ("MONIT_PROCESS_PID", number(&metrics::PID.name, -1)),
            ("MONIT_PROCESS_MEMORY", (whole(&metrics::MEMORY.name).unwrap_or(0) / 1024).to_string()),
            ("MONIT_PROCESS_CHILDREN", number(&metrics::CHILDREN.name, -1)),
            ("MONIT_PROCESS_CPU_PERCENT", format!("{cpu:.1}")),
        ]);
    }
    // Only programs have one.
    if let Some(status) = read(&metrics::EXIT_STATUS.name) {
        all.push(("MONIT_PROGRAM_STATUS", status.to_string()));
    }
    for (_, value) in &mut all {
        value.truncate(value.floor_char_boundary(LONGEST));
    }
    all
}

/// Event and description. The programs that start, stop and restart are told their own doing in both.
fn words(cause: &Event, doing: &Doing) -> (String, String) {
    let done = match doing {
        Doing::Start => "Started",
        Doing::Stop => "Stopped",
        Doing::Restart => "Restarted",
        _ => return (class(&cause.fact).to_owned(), cause.description()),
    };
    (done.to_owned(), done.to_owned())
}

fn class(fact: &Fact) -> &'static str {
    match fact {
        Fact::Failed(failure) | Fact::Doubted(failure) => failure.title(),
        Fact::Recovered(recovery) => recovery.class.succeeded(),
        Fact::NotSeen { .. } => Class::Data.failed(),
        Fact::Seen => Class::Data.succeeded(),
        Fact::Started { .. } | Fact::Stopped { .. } | Fact::Reloaded { .. } => Class::Instance.changed(),
        _ => Class::Action.changed(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hinoban_event::{Class, Failure};
    use hinoban_reading::{Observation, Stamp};
    use tokio::time::Instant;

    use super::*;

    fn told(doing: Doing, readings: Observation, process: bool) -> Vec<String> {
        let failure = Failure {
            rule: 0,
            class: Class::NonExist,
            changed: false,
            reason: None,
            detail: None,
            text: "process is not running".into(),
            then: doing.clone(),
            able: true,
            since: Stamp::default(),
            times: 1,
            ending: None,
            lived: None,
            compared: None,
            dependants: Vec::new(),
        };
        let cause = Event { id: 1, at: Stamp::default(), service: "web".into(), fact: Fact::Failed(failure) };
        let mut errand = Errand::new("web", doing, Instant::now().into_std() + Duration::from_secs(1));
        errand.host = "box".into();
        errand.readings = readings.readings;
        of(&cause, &errand, process, None)
            .into_iter()
            .skip(1)
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn a_start_program_is_told_of_its_start_and_of_the_process() {
        let read = Observation::up()
            .with(&metrics::PID, 42i64)
            .with(&metrics::MEMORY, 2_097_152i64)
            .with(&metrics::CHILDREN, 3i64)
            .with(&metrics::CPU, 12.34);
        let expected = [
            "MONIT_SERVICE=web",
            "MONIT_HOST=box",
            "MONIT_EVENT=Started",
            "MONIT_DESCRIPTION=Started",
            "MONIT_PROCESS_PID=42",
            "MONIT_PROCESS_MEMORY=2048",
            "MONIT_PROCESS_CHILDREN=3",
            "MONIT_PROCESS_CPU_PERCENT=12.3",
        ];
        assert_eq!(told(Doing::Start, read, false), expected);
    }

    #[test]
    fn the_status_of_a_program_is_told() {
        let told = told(Doing::Exec, Observation::up().with(&metrics::EXIT_STATUS, 3i64), false);
        assert_eq!(told[4..], ["MONIT_PROGRAM_STATUS=3"]);
    }

    #[test]
    fn what_is_not_known_of_a_process_reads_as_under_monit() {
        let told = told(Doing::Stop, Observation::up(), true);
        let expected = [
            "MONIT_PROCESS_PID=-1",
            "MONIT_PROCESS_MEMORY=0",
            "MONIT_PROCESS_CHILDREN=-1",
            "MONIT_PROCESS_CPU_PERCENT=-1.0",
        ];
        assert_eq!(told[4..], expected);
    }

    #[test]
    fn an_exec_program_is_told_what_happened() {
        let told = told(Doing::Exec, Observation::up(), false);
        assert_eq!(told[2..], ["MONIT_EVENT=Does not exist", "MONIT_DESCRIPTION=process is not running"]);
    }
}
