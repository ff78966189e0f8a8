use super::*;

const KIND: [fn() -> Kind; 3] =
    [|| Kind::pidfile("/run/p.pid"), || Kind::filesystem("/data"), || Kind::System];
const P: usize = 0;
const F: usize = 1;
const S: usize = 2;

fn says(kind: usize, metric: &Metric, value: f64, sign: &str, limit: f64, dialect: Dialect) -> [String; 2] {
    let operator = match sign {
        ">" => Operator::Greater,
        "<" => Operator::Less,
        "!=" => Operator::NotEqual,
        _ => Operator::GreaterOrEqual,
    };
    let number = |x: f64| if x.fract() == 0.0 { Value::Int(x as i64) } else { Value::Real(x) };
    let (value, limit, kind) = (number(value), number(limit), KIND[kind]());
    let compared = Compared {
        service: "p",
        kind: &kind,
        metric: &metric.name,
        unit: metric.unit,
        operator,
        value: &value,
        limit: &limit,
    };
    [compare(compared, true, dialect), compare(compared, false, dialect)]
}

/// Each line was printed by Monit 5.33 when a rule of this kind failed, or held.
#[test]
fn comparisons_read_as_monit_tells_them() {
    const MB: f64 = 1024.0 * 1024.0;
    const GB: f64 = 1024.0 * MB;
    #[rustfmt::skip]
    let table: [(usize, Metric, f64, &str, f64, &str, &str); 51] = [
        (P, m::CPU, 47.46, ">", 0.0, "cpu usage of 47.5% matches resource limit [cpu usage > 0.0%]", "cpu usage check succeeded [current cpu usage = 47.5%]"),
        (P, m::CPU_TOTAL, 100.0, ">", 5.0, "total cpu usage of 100.0% matches resource limit [cpu usage > 5.0%]", "total cpu usage check succeeded [current cpu usage = 100.0%]"),
        (S, m::CPU, 0.0, "!=", 3.33, "cpu usage of 0.0% matches resource limit [cpu usage != 3.3%]", "cpu usage check succeeded [current cpu usage = 0.0%]"),
        (S, m::CPU_USER, 97.5, ">", 0.0, "cpu user usage of 97.5% matches resource limit [cpu user usage > 0.0%]", "cpu user usage check succeeded [current cpu user usage = 97.5%]"),
        (S, m::CPU_SYSTEM, 2.2, ">", 0.0, "cpu system usage of 2.2% matches resource limit [cpu system usage > 0.0%]", "cpu system usage check succeeded [current cpu system usage = 2.2%]"),
        (S, m::CPU_WAIT, 0.0, ">=", 0.0, "cpu I/O wait of 0.0% matches resource limit [cpu I/O wait >= 0.0%]", "cpu I/O wait check succeeded [current cpu I/O wait = 0.0%]"),
        (S, m::CPU_NICE, 0.0, ">=", 0.0, "cpu nice usage of 0.0% matches resource limit [cpu nice usage >= 0.0%]", "cpu nice usage check succeeded [current cpu nice usage = 0.0%]"),
        (S, m::CPU_HARDIRQ, 0.0, ">=", 0.0, "cpu hardware IRQ usage of 0.0% matches resource limit [cpu hardware IRQ usage >= 0.0%]", "cpu hardware IRQ usage check succeeded [current cpu hardware IRQ usage = 0.0%]"),
        (S, m::CPU_SOFTIRQ, 0.0, ">=", 0.0, "cpu software IRQ usage of 0.0% matches resource limit [cpu software IRQ usage >= 0.0%]", "cpu software IRQ usage check succeeded [current cpu software IRQ usage = 0.0%]"),
        (S, m::CPU_STEAL, 0.3, ">=", 0.0, "cpu steal usage of 0.3% matches resource limit [cpu steal usage >= 0.0%]", "cpu steal usage check succeeded [current cpu steal usage = 0.3%]"),
        (S, m::CPU_GUEST, 0.0, ">=", 0.0, "cpu guest usage of 0.0% matches resource limit [cpu guest usage >= 0.0%]", "cpu guest usage check succeeded [current cpu guest usage = 0.0%]"),
        (S, m::CPU_GUESTNICE, 0.0, ">=", 0.0, "cpu guest nice usage of 0.0% matches resource limit [cpu guest nice usage >= 0.0%]", "cpu guest nice usage check succeeded [current cpu guest nice usage = 0.0%]"),
        (P, m::MEMORY_PERCENT, 0.006, ">", 0.0, "mem usage of 0.0% matches resource limit [mem usage > 0.0%]", "mem usage check succeeded [current mem usage = 0.0%]"),
        (P, m::MEMORY, 1.6 * MB, ">", 1.5 * MB, "mem amount of 1.6 MB matches resource limit [mem amount > 1.5 MB]", "mem amount check succeeded [current mem amount = 1.6 MB]"),
        (P, m::MEMORY, 1.6 * MB, ">", 1024.0, "mem amount of 1.6 MB matches resource limit [mem amount > 1 kB]", "mem amount check succeeded [current mem amount = 1.6 MB]"),
        (P, m::MEMORY_TOTAL_PERCENT, 0.006, ">", 0.0, "total mem amount of 0.0% matches resource limit [total mem amount > 0.0%]", "total mem amount check succeeded [current total mem amount = 0.0%]"),
        (P, m::MEMORY_TOTAL, 1.9 * MB, ">", MB, "total mem amount of 1.9 MB matches resource limit [total mem amount > 1 MB]", "total mem amount check succeeded [current total mem amount = 1.9 MB]"),
        (S, m::SWAP_PERCENT, 0.0, ">=", 0.0, "swap usage of 0.0% matches resource limit [swap usage >= 0.0%]", "swap usage check succeeded [current swap usage = 0.0%]"),
        (S, m::SWAP, 0.0, ">=", 0.0, "swap amount of 0 B matches resource limit [swap amount >= 0 B]", "swap amount check succeeded [current swap amount = 0 B]"),
        (S, m::LOAD_1, 0.84, ">", 0.01, "loadavg (1min) of 0.8 matches resource limit [loadavg (1min) > 0.0]", "loadavg (1min) check succeeded [current loadavg (1min) = 0.8]"),
        (S, m::LOAD_5, 0.5, ">", 0.01, "loadavg (5min) of 0.5 matches resource limit [loadavg (5min) > 0.0]", "loadavg (5min) check succeeded [current loadavg (5min) = 0.5]"),
        (S, m::LOAD_15_CORE, 0.5, ">", 0.01, "loadavg per core (15min) of 0.5 matches resource limit [loadavg per core (15min) > 0.0]", "loadavg per core (15min) check succeeded [current loadavg per core (15min) = 0.5]"),
        (P, m::THREADS, 1.0, ">", 0.0, "threads count 1 matches resource limit [threads > 0]", "threads check succeeded [current threads = 1]"),
        (P, m::CHILDREN, 0.0, ">=", 0.0, "children count 0 matches resource limit [children >= 0]", "children check succeeded [current children = 0]"),
        (P, m::UID, 0.0, "!=", 33.0, "uid test failed for p -- current uid is 0", "uid test succeeded [current uid = 0]"),
        (P, m::EUID, 0.0, "!=", 33.0, "euid test failed for p -- current euid is 0", "euid test succeeded [current euid = 0]"),
        (P, m::GID, 0.0, "!=", 33.0, "gid test failed for p -- current gid is 0", "gid test succeeded [current gid = 0]"),
        (P, m::FDS_PERCENT, 0.025, ">", 0.01, "filedescriptors usage of 0.0% matches limit [filedescriptors > 0.0%]", "filedescriptors usage test succeeded [current filedescriptors usage = 0.0%]"),
        (P, m::UPTIME, 24.0, "<", 7200.0, "uptime test failed for /run/p.pid -- current uptime is 24 seconds", "uptime test succeeded [current uptime = 24 seconds]"),
        (S, m::UPTIME, 9753.0, ">", 1.0, "uptime test failed for (null) -- current uptime is 9753 seconds", "uptime test succeeded [current uptime = 9753 seconds]"),
        (P, m::FDS, 5.0, ">", 1.0, "filedescriptors usage of 5 matches limit [filedescriptors > 1]", "filedescriptors test succeeded [current filedescriptors usage = 5]"),
        (S, m::FDS_ALLOCATED, 713.0, ">", 1.0, "filedescriptors usage of 713 matches limit [filedescriptors > 1]", "filedescriptors test succeeded [current filedescriptors usage = 713]"),
        (P, m::FDS_TOTAL, 5.0, ">", 1.0, "total  filedescriptors usage of 5 matches limit [filedescriptors > 1]", "total filedescriptors usage test succeeded [current filedescriptors usage = 5]"),
        (P, m::READ_RATE, 0.0, ">=", 0.0, "read rate 0 B/s matches resource limit [read >= 0 B/s]", "read rate test succeeded [current read = 0 B/s]"),
        (P, m::WRITE_RATE, 0.0, ">=", 0.0, "write rate 0 B/s matches resource limit [write >= 0 B/s]", "write rate test succeeded [current write = 0 B/s]"),
        (P, m::DISK_READ_RATE, 0.0, ">=", 0.0, "physical read activity 0 B/s matches resource limit [read >= 0 B/s]", "physical read activity test succeeded [current read = 0 B/s]"),
        (P, m::DISK_WRITE_RATE, 0.0, ">=", 0.0, "physical write activity 0 B/s matches resource limit [write >= 0 B/s]", "physical write activity test succeeded [current write = 0 B/s]"),
        (F, m::DISK_READ_RATE, 8.4 * MB, "<", 2.5 * MB, "read rate 8.4 MB/s matches resource limit [read < 2.5 MB/s]", "read rate test succeeded [current read = 8.4 MB/s]"),
        (F, m::DISK_READ_RATE, 0.0, "<", 12.5, "read rate 0 B/s matches resource limit [read < 12 B/s]", "read rate test succeeded [current read = 0 B/s]"),
        (F, m::DISK_WRITE_OPS_RATE, 1.9, ">=", 0.0, "write rate 1.9 operations/s matches resource limit [write >= 0 operations/s]", "write rate test succeeded [current write = 1.9 operations/s]"),
        (F, m::SIZE, 22.0, ">", 1.0, "size test failed for /data -- current size is 22 B", "size check succeeded [current size = 22 B]"),
        (F, m::SIZE, 13933.0, ">", 1.0, "size test failed for /data -- current size is 13.6 kB", "size check succeeded [current size = 13.6 kB]"),
        (F, m::SPACE_PERCENT, 10.56, "<", 95.55, "space usage 10.6% matches resource limit [space usage < 95.6%]", "space usage test succeeded [current space usage = 10.6%]"),
        (F, m::SPACE, 26.7 * GB, ">", MB, "space usage 26.7 GB matches resource limit [space usage > 1 MB]", "space usage test succeeded [current space usage = 26.7 GB]"),
        (F, m::SPACE_FREE_PERCENT, 89.4, ">", 0.1, "space free 89.4% matches resource limit [space free > 0.1%]", "space free test succeeded [current space free = 89.4%]"),
        (F, m::SPACE_FREE, 225.3 * GB, "<", 50_000.0 * GB, "space free 225.3 GB matches resource limit [space free < 48.8 TB]", "space free test succeeded [current space free = 225.3 GB]"),
        (F, m::INODES_PERCENT, 2.9, "<", 50.55, "inode usage 2.9% matches resource limit [inode usage < 50.5%]", "inode usage test succeeded [current inode usage = 2.9%]"),
        (F, m::INODES, 489_150.0, ">", 100.0, "inode usage 489150 matches resource limit [inode usage > 100]", "inode usage test succeeded [current inode usage = 489150]"),
        (F, m::INODES_FREE, 16_288_066.0, ">", 100.0, "inode free 16288066 matches resource limit [inode free > 100]", "inode free test succeeded [current inode free = 16288066]"),
        (F, m::SERVICE_TIME, 0.000_784, "<", 1.5, "service time 0.784 ms/operation matches resource limit [service time < 1.500 s/operation]", "service time test succeeded [current service time = 0.784 ms/operation]"),
        (F, m::SERVICE_TIME, 0.0, "<", 2.0, "service time 0 ms/operation matches resource limit [service time < 2 s/operation]", "service time test succeeded [current service time = 0 ms/operation]"),
    ];
    for (kind, metric, value, sign, limit, failed, holds) in table {
        assert_eq!(says(kind, &metric, value, sign, limit, Dialect::Monit), [failed, holds]);
    }
}

#[test]
fn our_own_sentences_have_one_form_and_always_name_the_limit() {
    let own = |kind, metric: &Metric, value, limit| says(kind, metric, value, ">", limit, Dialect::Toml);
    assert_eq!(
        own(F, &m::SIZE, 22.0, 1.0),
        ["size of 22 B matches resource limit [size > 1 B]", "size check succeeded [current size = 22 B]"]
    );
    assert_eq!(
        own(S, &m::UPTIME, 9753.0, 1.0)[0],
        "uptime of 2 h 42 min matches resource limit [uptime > 1 s]"
    );
    assert_eq!(
        own(P, &m::CPU_TOTAL, 99.0, 80.0)[0],
        "total cpu usage of 99.0% matches resource limit [total cpu usage > 80.0%]"
    );
    assert_eq!(
        own(S, &m::LOAD_1, 0.84, 0.01)[1],
        "loadavg (1min) check succeeded [current loadavg (1min) = 0.84]"
    );
}

#[test]
fn a_metric_of_somebody_elses_is_told_by_its_name_and_in_its_unit() {
    for dialect in [Dialect::Monit, Dialect::Toml] {
        let says =
            |unit, value, limit| says(S, &Metric::new("queue.depth", unit), value, ">", limit, dialect);
        assert_eq!(
            says(Unit::Count, 12.0, 10.0),
            [
                "queue.depth of 12 matches resource limit [queue.depth > 10]",
                "queue.depth check succeeded [current queue.depth = 12]"
            ]
        );
        assert_eq!(
            says(Unit::Bytes, 2048.0, 1536.0)[0],
            "queue.depth of 2 KiB matches resource limit [queue.depth > 1.5 KiB]"
        );
        assert_eq!(
            says(Unit::Percent, 50.0, 10.0)[1],
            "queue.depth check succeeded [current queue.depth = 50.0%]"
        );
        assert_eq!(
            says(Unit::Seconds, 90.0, 60.0)[0],
            "queue.depth of 1 min 30 s matches resource limit [queue.depth > 1 min]"
        );
    }
}
