//! What a service takes in the scheduler: room in memory, measured and not computed.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Branch, Condition, Config, Dialect, Kind, Operator, Program, Rate, Rule, Service, Then,
};
use hinoban_reading::{Identity, Metric, Moment, Now, Observation, Stamp, Value, metrics};
use hinoban_scheduler::{Effect, Input, LookId, Restored, Scheduler};

/// So many that neither what the process has besides nor the size of its pages counts.
const SERVICES: u32 = 20_000;

/// The readings that the shipped probe of a process gives.
const READ: [Metric; 30] = [
    metrics::PID,
    metrics::PPID,
    metrics::UID,
    metrics::EUID,
    metrics::GID,
    metrics::UPTIME,
    metrics::THREADS,
    metrics::CHILDREN,
    metrics::CPU,
    metrics::CPU_TOTAL,
    metrics::MEMORY,
    metrics::MEMORY_PERCENT,
    metrics::MEMORY_TOTAL,
    metrics::MEMORY_TOTAL_PERCENT,
    metrics::FDS,
    metrics::FDS_TOTAL,
    metrics::FDS_SOFT,
    metrics::FDS_HARD,
    metrics::READ_BYTES,
    metrics::READ_RATE,
    metrics::DISK_READ_BYTES,
    metrics::DISK_READ_RATE,
    metrics::DISK_READ_OPS,
    metrics::DISK_READ_OPS_RATE,
    metrics::WRITE_BYTES,
    metrics::WRITE_RATE,
    metrics::DISK_WRITE_BYTES,
    metrics::DISK_WRITE_RATE,
    metrics::DISK_WRITE_OPS,
    metrics::DISK_WRITE_OPS_RATE,
];

fn rule(metric: Metric, limit: f64) -> Rule {
    let rate = Rate { count: 5, within: 5 };
    Rule {
        when: Condition::Compare {
            metric: metric.name.into(),
            operator: Operator::Greater,
            limit: Value::Real(limit),
        },
        fail: Branch { rate, ..Branch::once(Then::Restart) },
        ok: Branch::once(Then::Alert),
        place: Default::default(),
    }
}

fn service(i: u32) -> Arc<Service> {
    let mut service = Service::new(format!("p{i}"), Kind::pidfile(format!("/run/p{i}.pid")));
    let words = vec!["/bin/start".to_owned(), format!("p{i}")];
    service.start = Some(Program { words, uid: None, gid: None, timeout: Duration::from_secs(30) });
    service.rules = vec![Rule::existence(), rule(metrics::CPU, 95.0), rule(metrics::MEMORY_TOTAL, 9e8)];
    service.into()
}

fn seen(i: u32) -> Observation {
    let mut seen = Observation::up();
    seen.readings.reserve(READ.len());
    seen.identity = Some(Identity { pid: i + 1, start: 77 });
    seen.named = Some(i + 1);
    for (n, metric) in READ.iter().enumerate() {
        match metric.name.contains("percent") || metric.name.ends_with("rate") {
            true => seen.push(metric, 0.5 + n as f64),
            false => seen.push(metric, 1000 + i64::from(i)),
        }
    }
    seen
}

/// Memory of this process that is in use, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[test]
fn a_service_takes_less_than_a_kilobyte_with_all_that_was_seen_of_it() {
    let mut config = Config::empty(Dialect::Toml, "vm");
    config.every = Some(Duration::from_secs(1));
    config.services = (0..SERVICES).map(service).collect();
    let before = resident();
    let mut scheduler = Scheduler::new(&config, &Restored::default(), Moment::ZERO);
    for second in 0..3 {
        let end = Moment::new(Duration::from_secs(second + 1));
        while let Some(due) = scheduler.next_deadline().filter(|due| *due < end) {
            let now = Now { moment: due, stamp: Stamp::from_micros(due.elapsed().as_micros() as i64) };
            for effect in scheduler.handle(now, Input::Tick) {
                let Effect::Look { look, .. } = effect else { continue };
                look_at(&mut scheduler, now, look);
            }
        }
    }
    let each = (resident() - before) / SERVICES as usize;
    assert!(each <= 1024, "a service takes {each} bytes");
}

fn look_at(scheduler: &mut Scheduler, now: Now, look: LookId) {
    scheduler.handle(now, Input::Observed { look, result: Ok(seen(look.service.0)) });
}
