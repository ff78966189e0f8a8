//! A host with a service of each kind in each state, and a backend that stands in for a supervisor.
#![allow(dead_code)] // each test binary uses a part

pub mod serving;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hinoban_event::{Class, Doing};
use hinoban_reading::{
    Ending, How, Identity, Metric, Observation, Reason, ReasonKind, Source, Stamp, Standing, metrics as m,
};
use hinoban_supervisor::{
    About as Question, CommandError, Explanation, Family, HttpTest, Kind, Lateness, Mode, OnReboot,
    Paragraph, PortTest, Programs, Protocol, RuleState, RuleView, ServiceView, Status, Test, TestView, Turns,
    Unexplained, UrlTest, Vitals, Watching,
};
use hinoban_web::monit::{About, Address, Platform};
use hinoban_web::{Backend, DIALECT};

/// 2026-11-23T10:32:53Z, and a fraction.
pub const LOOKED: Stamp = Stamp::from_micros(1_795_429_973_134_190);

pub fn about() -> About {
    About {
        version: DIALECT.to_owned(),
        banner: format!("Monit {DIALECT}"),
        as_monit: true,
        id: "5de67d678ea4bbf7a97b07a3d9f30da1".to_owned(),
        control_file: "/etc/a<b>.toml".to_owned(),
        address: Some(Address::Tcp { address: "127.0.0.1".to_owned(), port: 2812 }),
        platform: Platform {
            name: "Linux".to_owned(),
            release: "6.18.44".to_owned(),
            version: "#1 SMP".to_owned(),
            machine: "x86_64".to_owned(),
            cpus: 2,
            memory: 24_684_084,
            swap: 0,
        },
        zone: jiff::tz::TimeZone::UTC,
    }
}

pub fn view(name: &str, kind: Kind) -> ServiceView {
    ServiceView {
        name: name.into(),
        kind,
        groups: Vec::new(),
        mode: Mode::Active,
        on_reboot: OnReboot::Start,
        watching: Watching::Yes,
        failing: Vec::new(),
        pending: None,
        doing: None,
        looked_at: Some(LOOKED),
        observation: Some(Observation::up()),
        not_seen: None,
        since: Some(Stamp::from_micros(LOOKED.micros() - 60_000_000)),
        identity: None,
        ending: None,
        tests: Vec::new(),
        rules: Vec::new(),
        restarts: 0,
        patience: None,
        programs: Programs::default(),
        every: Duration::from_secs(5),
        turns: Turns::Each,
        waiting: false,
        passed_over: 0,
        gave_up: None,
        next_look: Some(Stamp::from_micros(LOOKED.micros() + 5_000_000)),
        doing_since: None,
        last_action: None,
        depends_on: Vec::new(),
        dependants: Vec::new(),
        waits_for: Vec::new(),
    }
}

pub fn process(name: &str) -> ServiceView {
    let mut view = view(name, Kind::pidfile("/run/x.pid"));
    view.groups.push("Apps".to_owned());
    view.observation = Some(process_readings());
    view
}

fn with(readings: &[(Metric, f64)]) -> Observation {
    readings.iter().fold(Observation::up(), |o, (metric, value)| {
        // Whole numbers come as such from probes.
        if value.fract() == 0.0 { o.with(metric, *value as i64) } else { o.with(metric, *value) }
    })
}

fn process_readings() -> Observation {
    with(&[
        (m::PID, 13698.0),
        (m::PPID, 1.0),
        (m::UID, 0.0),
        (m::EUID, 33.0),
        (m::GID, 0.0),
        (m::UPTIME, 1810.0),
        (m::THREADS, 4.0),
        (m::CHILDREN, 2.0),
        (m::MEMORY, 22_111_000.0),
        (m::MEMORY_PERCENT, 0.0875),
        (m::MEMORY_TOTAL, 44_222_000.0),
        (m::MEMORY_TOTAL_PERCENT, 0.175),
        (m::CPU, 1.25),
        (m::CPU_TOTAL, 12.5),
        (m::FDS, 5.0),
        (m::FDS_TOTAL, 11.0),
        (m::FDS_SOFT, 20000.0),
        (m::FDS_HARD, 20000.0),
        (m::READ_BYTES, 2_922_224.0),
        (m::READ_RATE, 2.4),
        (m::DISK_READ_BYTES, 16384.0),
        (m::DISK_READ_RATE, 1290.0),
        (m::DISK_READ_OPS, 851.0),
        (m::DISK_READ_OPS_RATE, 1.23),
        (m::WRITE_BYTES, 0.0),
    ])
}

fn system() -> ServiceView {
    let mut view = view("größe & co", Kind::System);
    view.observation = Some(with(&[
        (m::LOAD_1, 0.234),
        (m::LOAD_5, 2.48),
        (m::LOAD_15, 4.56),
        (m::CPU_USER, 2.5),
        (m::CPU_SYSTEM, 4.04),
        (m::CPU_NICE, 0.0),
        (m::CPU_WAIT, 0.4),
        (m::MEMORY, 413_532_160.0),
        (m::MEMORY_PERCENT, 1.64),
        (m::SWAP, 0.0),
        (m::SWAP_PERCENT, 0.0),
        (m::FDS_ALLOCATED, 658.0),
        (m::FDS_UNUSED, 0.0),
        (m::FDS_MAXIMUM, 2_466_170.0),
        (m::BOOT_TIME, 1_795_428_540.0),
    ]));
    view
}

pub fn port(
    rule: usize,
    port: u16,
    protocol: Protocol,
    tls: bool,
    observation: Option<Observation>,
) -> TestView {
    let test = PortTest {
        host: "127.0.0.1".to_owned(),
        port,
        family: if tls { Family::V4 } else { Family::Any },
        protocol,
        tls: tls.then(Default::default),
        timeout: Duration::from_secs(5),
        retry: 1,
        ..PortTest::new("", 0)
    };
    TestView { rule, test: Test::Port(test.into()), observation, not_seen: None }
}

fn answered(seconds: f64) -> Option<Observation> {
    Some(Observation::up().with(&m::RESPONSE_TIME, seconds))
}

fn refused() -> Option<Observation> {
    Some(Observation::new(Standing::Down(Reason::new(ReasonKind::Refused, "connection refused"))))
}

fn host() -> ServiceView {
    let mut view = view("lhost", Kind::Host { address: "127.0.0.1".to_owned() });
    view.observation = None;
    view.failing = vec![Class::Resource, Class::Connection];
    let http = |request: Option<&str>| {
        Protocol::Http(HttpTest { request: request.map(str::to_owned), ..HttpTest::default() }.into())
    };
    let url = UrlTest {
        url: "https://u:secret@example.com/ä?]]>".to_owned(),
        masked: None,
        status: None,
        tls: Default::default(),
        timeout: Duration::from_secs(5),
        retry: 1,
        ..UrlTest::new("")
    };
    view.tests = vec![
        port(0, 23201, Protocol::Default, false, answered(0.001_724)),
        port(1, 23299, http(Some("/x?y=1")), false, refused()),
        port(2, 443, http(None), true, answered(0.033_701)),
        TestView { rule: 3, test: Test::Url(url.into()), observation: refused(), not_seen: None },
        port(4, 1, Protocol::Default, false, None),
    ];
    view
}

fn file() -> ServiceView {
    let mut view = view("notes", Kind::File { path: "/srv/notes".into() });
    view.failing = vec![Class::Permission, Class::Size];
    view.observation = Some(with(&[
        (m::PERMISSION, f64::from(0o4750)),
        (m::UID, 0.0),
        (m::GID, 33.0),
        (m::SIZE, 13_952.0),
        (m::LINKS, 1.0),
        (m::ACCESS_TIME, 1_795_429_948.0),
        (m::CHANGE_TIME, 1_795_429_922.0),
        (m::MODIFY_TIME, -1.0),
    ]));
    view
}

/// A directory where a file should be.
fn not_a_file() -> ServiceView {
    let mut view = view("folder", Kind::File { path: "/srv".into() });
    view.failing = vec![Class::Invalid];
    view.observation =
        Some(Observation::new(Standing::Down(Reason::new(ReasonKind::WrongType, "/srv is a directory"))));
    view
}

fn filesystem() -> ServiceView {
    let mut view = view("rootfs", Kind::filesystem("/"));
    let readings = with(&[
        (m::PERMISSION, f64::from(0o755)),
        (m::UID, 0.0),
        (m::GID, 0.0),
        (m::BLOCK_SIZE, 4096.0),
        (m::SPACE_TOTAL, 1_000_000.0 * 4096.0),
        (m::SPACE, 250_000.0 * 4096.0),
        (m::SPACE_PERCENT, 25.0),
        (m::SPACE_FREE, 750_000.0 * 4096.0),
        (m::SPACE_FREE_PERCENT, 75.0),
        (m::SPACE_AVAILABLE, 700_000.0 * 4096.0),
        (m::INODES_TOTAL, 65_536.0),
        (m::INODES, 1024.0),
        (m::INODES_PERCENT, 1.5625),
        (m::INODES_FREE, 64_512.0),
        (m::INODES_FREE_PERCENT, 98.4375),
        (m::DISK_READ_BYTES, 16_605_213_696.0),
        (m::DISK_READ_RATE, 2_111_407.6),
        (m::DISK_READ_OPS, 289_341.0),
        (m::DISK_READ_OPS_RATE, 122.6),
        (m::DISK_WRITE_BYTES, 8_584_192_000.0),
        (m::DISK_WRITE_RATE, 6537.2),
        (m::DISK_WRITE_OPS, 49_353.0),
        (m::DISK_WRITE_OPS_RATE, 1.6),
        (m::SERVICE_TIME, 0.000_421),
        (m::SERVICE_TIME_READ, 0.000_42),
        (m::SERVICE_TIME_WRITE, 0.000_001),
    ]);
    view.observation = Some(
        readings.with(&m::FILESYSTEM_TYPE, "ext4").with(&m::FILESYSTEM_FLAGS, "rw,relatime,lowerdir=/a&b"),
    );
    view
}

/// One without blocks, inodes and a device.
fn pseudo_filesystem() -> ServiceView {
    let mut view = view("proc", Kind::filesystem("/proc"));
    let readings = with(&[
        (m::PERMISSION, f64::from(0o555)),
        (m::UID, 0.0),
        (m::GID, 0.0),
        (m::BLOCK_SIZE, 4096.0),
        (m::SPACE_TOTAL, 0.0),
        (m::SPACE, 0.0),
        (m::SPACE_PERCENT, 0.0),
        (m::SPACE_FREE, 0.0),
        (m::SPACE_FREE_PERCENT, 100.0),
        (m::SPACE_AVAILABLE, 0.0),
    ]);
    view.observation =
        Some(readings.with(&m::FILESYSTEM_TYPE, "proc").with(&m::FILESYSTEM_FLAGS, "rw,relatime"));
    view
}

/// Every kind of service, every state.
pub fn status() -> Status {
    let mut dead = process("dead");
    dead.failing = vec![Class::NonExist];
    dead.observation = Some(Observation::new(Standing::Down(Reason::new(
        ReasonKind::ProcessGone,
        "process 12 does not exist",
    ))));
    let killed = How::Signalled { signal: 9, core: false };
    dead.ending = Some(Ending::certain(Identity { pid: 12, start: 1 }, killed, Source::Pidfd));
    dead.doing = Some(Doing::Restart);

    let mut unknown = process("doubtful");
    unknown.observation = Some(Observation::new(Standing::Absent(Reason::new(
        ReasonKind::PidfileAbsent,
        "there is no /run/x.pid",
    ))));

    let mut off = process("off");
    off.watching = Watching::No;
    off.pending = Some(Doing::Start);
    off.failing = vec![Class::NonExist];
    off.mode = Mode::Passive;
    off.on_reboot = OnReboot::LastState;

    let mut new = process("new");
    new.watching = Watching::Initializing;
    new.observation = None;
    new.looked_at = None;
    new.groups.push("www".to_owned());

    let mut blind = process("blind");
    blind.failing = vec![Class::Data];
    blind.not_seen = Some("/proc/7/stat: permission denied; run as root".to_owned());

    let mut custom = view("queue", Kind::Custom { probe: "queue".to_owned(), options: Default::default() });
    custom.observation =
        Some(Observation::up().with(&Metric::new("queue.length", hinoban_reading::Unit::Count), 12i64));

    Status {
        host: "größe & co".into(),
        since: Stamp::from_micros(LOOKED.micros() - 3_725_000_000),
        now: LOOKED,
        every: Duration::from_secs(5),
        start_delay: Duration::ZERO,
        services: vec![
            process("svc"),
            host(),
            system(),
            dead,
            unknown,
            off,
            new,
            blind,
            custom,
            filesystem(),
            pseudo_filesystem(),
            file(),
            not_a_file(),
        ],
        limits: Default::default(),
    }
}

/// Knows a status, remembers what it is told to do.
#[derive(Clone, Default)]
pub struct Double {
    pub status: Arc<Mutex<Option<Status>>>,
    pub told: Arc<Mutex<Vec<String>>>,
}

impl Double {
    pub fn new(status: Status) -> Self {
        Self { status: Arc::new(Mutex::new(Some(status))), told: Arc::default() }
    }

    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

impl Backend for Double {
    async fn status(&self) -> Option<Status> {
        self.status.lock().unwrap().clone()
    }

    async fn vitals(&self) -> Option<Vitals> {
        let Status { host, since, now, every, services, .. } = self.status.lock().unwrap().clone()?;
        let mut lateness = Lateness::default();
        [1, 1, 1, 40].into_iter().for_each(|ms| lateness.count(Duration::from_millis(ms)));
        Some(Vitals { host, since, now, every, services: services.len(), lateness })
    }

    async fn explain(&self, name: String) -> Result<Explanation, Unexplained> {
        let status = self.status.lock().unwrap();
        let services = &status.as_ref().ok_or(Unexplained::Gone)?.services;
        match services.iter().find(|view| view.name.eq_ignore_ascii_case(&name)) {
            Some(view) => {
                let paragraph =
                    |about, sentence: &str| Paragraph { about, sentences: vec![sentence.to_owned()] };
                let paragraphs = vec![
                    paragraph(Question::Standing, "It is up."),
                    paragraph(Question::Next, "If it died <now>, it would be started."),
                ];
                Ok(Explanation { service: view.name.to_string(), paragraphs })
            }
            None => Err(Unexplained::NoSuchService { name, near: Some("svc".to_owned()) }),
        }
    }

    async fn command(&self, names: Vec<String>, doing: Doing, by: String) -> Result<(), CommandError> {
        let mut status = self.status.lock().unwrap();
        let status = status.as_mut().ok_or(CommandError::Gone)?;
        for view in &mut status.services {
            if names.iter().any(|name| **name == *view.name) {
                view.pending = Some(doing.clone());
            }
        }
        self.told.lock().unwrap().push(format!("{} {} by {by}", doing.word(), names.join(",")));
        Ok(())
    }
}

/// A rule that fails, or holds.
pub fn rule(text: &str, failed: bool) -> RuleView {
    RuleView {
        text: text.into(),
        class: Class::Connection,
        state: if failed { RuleState::Fails } else { RuleState::Unknown },
        failed,
        changed: false,
        since: failed.then_some(LOOKED),
        last: if failed { format!("{text}: it did not") } else { String::new() },
        limit: None,
        rate: String::new(),
        then: Doing::Alert,
        program: None,
        recovery: Doing::Alert,
    }
}
