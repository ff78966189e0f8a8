use super::*;

fn at(index: u32, download: u64, upload: u64) -> Interface {
    let way = |bytes| Way { bytes, packets: bytes / 100, errors: 0, dropped: 0 };
    let counters = Counters { download: way(download), upload: way(upload) };
    Interface { index, name: "eth0".to_owned(), state: 6, on: true, counters }
}

fn traffic(totals: &[&str]) -> Traffic {
    let mut traffic = Traffic::default();
    totals.iter().for_each(|name| traffic.watch(Total::parse(name).unwrap()));
    traffic
}

fn readings(traffic: &Traffic, now: u64, speed: Option<f64>, half: bool) -> Observation {
    let mut seen = Observation::up();
    traffic.push(Duration::from_secs(now), speed, half, &mut seen);
    seen
}

fn real(seen: &Observation, name: &str) -> Option<f64> {
    seen.get(name).and_then(hinoban_reading::Value::as_f64)
}

fn total(traffic: &Traffic, now: u64, name: &str) -> f64 {
    real(&readings(traffic, now, None, false), name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn rates_need_two_looks_some_time_apart() {
    let mut traffic = traffic(&[]);
    traffic.take(Duration::from_secs(10), &at(2, 1000, 500), true);
    let first = readings(&traffic, 10, Some(1e6), false);
    assert_eq!(real(&first, "download.bytes"), Some(1000.0));
    assert_eq!(real(&first, "download.rate"), None);
    assert_eq!(real(&first, "saturation.percent"), None);
    traffic.take(Duration::from_secs(12), &at(2, 51_000, 25_500), true);
    let second = readings(&traffic, 12, Some(1e6), false);
    assert_eq!(real(&second, "download.rate"), Some(25_000.0));
    assert_eq!(real(&second, "upload.rate"), Some(12_500.0));
    assert_eq!(real(&second, "upload.packets.rate"), Some(125.0));
    // 200 and 100 kbit/s of one Mbit/s.
    assert_eq!(real(&second, "saturation.download.percent"), Some(20.0));
    assert_eq!(real(&second, "saturation.upload.percent"), Some(10.0));
    assert_eq!(real(&second, "saturation.percent"), Some(20.0), "each direction has a wire of its own");
    assert_eq!(real(&readings(&traffic, 12, Some(1e6), true), "saturation.percent"), Some(30.0));
    assert_eq!(real(&readings(&traffic, 12, None, true), "saturation.percent"), None);

    traffic.take(Duration::from_millis(12_050), &at(2, 90_000, 25_500), true);
    assert_eq!(
        real(&readings(&traffic, 12, None, false), "download.rate"),
        Some(25_000.0),
        "too soon to tell"
    );
    traffic.take(Duration::from_secs(13), &at(2, 91_000, 25_500), true);
    assert_eq!(real(&readings(&traffic, 13, None, false), "download.rate"), Some(40_000.0));
}

#[test]
fn a_total_is_of_its_time_and_no_longer() {
    let mut traffic = traffic(&["download.total.2m", "download.total.1h", "upload.packets.total.1h"]);
    for second in (0..=600).step_by(10) {
        // 100 bytes a second, for the first five minutes.
        let bytes = 100 * u64::min(second, 300);
        traffic.take(Duration::from_secs(1000 + second), &at(2, 7_000_000 + bytes, 1000 + bytes), true);
        if second == 60 {
            assert_eq!(total(&traffic, 1060, "download.total.2m"), 6000.0, "as much as is known");
        }
        if second == 300 {
            assert_eq!(total(&traffic, 1300, "download.total.2m"), 12_000.0);
        }
        if second == 360 {
            assert_eq!(total(&traffic, 1360, "download.total.2m"), 6000.0);
        }
    }
    assert_eq!(total(&traffic, 1600, "download.total.2m"), 0.0);
    assert_eq!(total(&traffic, 1600, "download.total.1h"), 30_000.0);
    assert_eq!(total(&traffic, 1600, "upload.packets.total.1h"), 300.0);
    assert!(traffic.windows.iter().all(|window| window.parts.len() <= PARTS as usize + 2));
}

#[test]
fn an_interface_that_was_made_again_counts_from_nothing_and_another_one_counts_for_itself() {
    let mut named = traffic(&["download.total.1h"]);
    named.take(Duration::from_secs(10), &at(2, 1000, 0), true);
    named.take(Duration::from_secs(20), &at(2, 1500, 0), true);
    named.gone();
    named.take(Duration::from_secs(30), &at(3, 200, 0), true);
    assert_eq!(total(&named, 30, "download.total.1h"), 700.0);
    // The same interface, its counters set to nothing.
    named.take(Duration::from_secs(40), &at(3, 50, 0), true);
    assert_eq!(total(&named, 40, "download.total.1h"), 750.0);

    let mut addressed = traffic(&["download.total.1h"]);
    addressed.take(Duration::from_secs(10), &at(2, 1000, 0), false);
    addressed.take(Duration::from_secs(20), &at(3, 9_000_000, 0), false);
    assert_eq!(total(&addressed, 20, "download.total.1h"), 0.0, "what it did before is none of ours");
    assert_eq!(real(&readings(&addressed, 20, None, false), "download.rate"), None);
    addressed.take(Duration::from_secs(30), &at(3, 9_000_100, 0), false);
    assert_eq!(total(&addressed, 30, "download.total.1h"), 100.0);
}

#[test]
fn what_is_remembered_goes_on_where_it_ended() {
    let names = ["download.total.1h", "upload.total.10m"];
    let mut before = traffic(&names);
    for second in (0..600).step_by(5) {
        before.take(Duration::from_secs(50 + second), &at(2, 10 * second, 300 * second), true);
    }
    let mut memory = Vec::new();
    before.encode(&mut memory).unwrap();
    assert!(memory.len() < 1000, "{} bytes", memory.len());

    let mut after = traffic(&["upload.total.10m", "download.total.1h", "download.total.3d"]);
    after.decode(&memory).unwrap();
    // A minute later: what went through while nobody looked counts.
    after.take(Duration::from_secs(705), &at(2, 5950 + 77, 178_500), true);
    assert_eq!(total(&after, 705, "download.total.1h"), 5950.0 + 77.0);
    assert_eq!(total(&after, 705, "download.total.3d"), 0.0, "nobody asked for it before");

    for cut in 0..memory.len() {
        let mut torn = traffic(&names);
        torn.decode(&memory[..cut]);
        torn.take(Duration::from_secs(800), &at(2, 8000, 200_000), true);
        readings(&torn, 800, None, false);
    }
}

#[test]
fn numbers_come_back_from_their_bytes() {
    for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
        let mut bytes = Vec::new();
        put(&mut bytes, n);
        assert_eq!(get(&mut &bytes[..]), Some(n));
    }
    assert_eq!(get(&mut &[0x80][..]), None);
    assert_eq!(get(&mut &[0xff; 20][..]), None);
}
