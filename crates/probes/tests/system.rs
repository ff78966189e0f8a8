//! The system probe against this machine.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe};
use hinoban_probes::SystemProbe;
use hinoban_reading::Observation;
use procfs::{Current, CurrentSI};
use tokio::time::{Instant, sleep};

async fn look(probe: &mut SystemProbe) -> Observation {
    let deadline = Instant::now() + Duration::from_secs(60);
    probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, Cause::Due)).await.unwrap()
}

#[tokio::test]
async fn this_machine_is_measured() {
    let mut probe = SystemProbe::new();
    let seen = look(&mut probe).await;
    assert!(seen.standing.is_up());
    assert_eq!(seen.get("cpu.user.percent"), None, "one look gives no rate");
    let real = |name: &str| seen.get(name).unwrap_or_else(|| panic!("no {name}")).as_f64().unwrap();
    let memory = procfs::Meminfo::current().unwrap();
    assert!(real("memory.bytes") > 0.0 && real("memory.bytes") < memory.mem_total as f64);
    assert!((real("memory.percent") - 100.0 * real("memory.bytes") / memory.mem_total as f64).abs() < 0.01);
    assert!(real("swap.percent") <= 100.0);
    assert!(real("load.1") >= 0.0 && real("load.15") >= 0.0);
    assert!(real("fds.allocated") > 0.0 && real("fds.allocated") <= real("fds.maximum"));
    let full = 100.0 * real("fds.allocated") / real("fds.maximum");
    assert!((real("fds.allocated.percent") - full).abs() < 1e-9);
    assert!(real("pids.used") >= 1.0 && real("pids.used") <= real("pids.maximum"));
    let [most, threads] = ["pid_max", "threads-max"].map(|name| {
        let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap();
        text.trim().parse::<f64>().unwrap()
    });
    assert!(real("pids.maximum") <= most.min(threads), "a container may have less");
    if std::fs::read("/proc/pressure/io").is_ok() {
        for reading in ["cpu.some.avg10", "memory.full.avg60", "io.some.avg300"] {
            assert!((0.0..=100.0).contains(&real(&format!("pressure.{reading}"))), "{reading}");
        }
    }
    let boot = procfs::KernelStats::current().unwrap().btime as f64;
    assert!((real("boot.time") - boot).abs() <= 1.0, "{} {boot}", real("boot.time"));
    for reading in &seen.readings {
        assert!(
            probe.metrics().iter().any(|m| m.name == reading.name && m.unit == reading.unit),
            "{reading:?}"
        );
    }
}

#[tokio::test]
async fn processor_parts_appear_with_the_second_look() {
    let mut probe = SystemProbe::new();
    look(&mut probe).await;
    for _ in 0..100 {
        sleep(Duration::from_millis(50)).await;
        let seen = look(&mut probe).await;
        if let Some(user) = seen.get("cpu.user.percent").and_then(|v| v.as_f64()) {
            let cpu = seen.get("cpu.percent").unwrap().as_f64().unwrap();
            assert!((0.0..=100.0).contains(&user) && cpu >= user - 1e-9 && cpu <= 100.0);
            return;
        }
    }
    panic!("no processor time in five seconds");
}
