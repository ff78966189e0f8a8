//! Short texts and what Monit 5.33 makes of them, row by row: whether they are taken, and what they mean where that
//! surprises. Each was run through `monit -t`.

mod world;

use std::path::Path;
use std::time::Duration;

use hinoban_config::*;
use hinoban_reading::{Value, metrics};
use world::World;

const DAEMON: &str = "set daemon 5\n";
const P: &str = "check process p with pidfile /tmp/p.pid\n";
const F: &str = "check file f with path /tmp/f\n";
const H: &str = "check host h with address 127.0.0.1\n";

/// What is taken, and what is refused.
const TAKEN: bool = true;
const REFUSED: bool = false;

fn read(text: &str) -> Result<Loaded, Mistakes> {
    let mut world = World::default();
    world.files.insert("/etc/many/a.conf".into(), "check file a with path /tmp/a".into());
    world.files.insert("/etc/many/b.conf".into(), "check file b with path /tmp/b".into());
    hinoban_monitrc::parse(Path::new("/etc/monitrc"), &format!("{DAEMON}{text}"), &world)
}

fn load(text: &str) -> Config {
    read(text).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

/// The rules that were written for the first service.
fn rules(text: &str) -> Vec<Rule> {
    load(text).services[0].rules.iter().filter(|rule| rule.place.line > 0).cloned().collect()
}

fn port(rule: &Rule) -> &PortTest {
    match &rule.when {
        Condition::Test { test: Test::Port(test), .. } => test,
        other => panic!("not a test of a port: {other:?}"),
    }
}

#[test]
fn texts_are_taken_and_refused_as_by_monit() {
    let rows: &[(u8, String, bool)] = &[
        (1, format!("{P}if cpu > 10% and mem > 20% then alert"), TAKEN),
        (2, format!("{P}if cpu 10% then alert"), TAKEN),
        (3, format!("{P}if cpu>10% then alert"), REFUSED),
        (3, format!("{P}if mem > 10mb then alert"), REFUSED),
        (4, format!("{P}if mem > 10 MB/s then alert"), TAKEN),
        (5, format!("{P}(if cpu > 10%) then (alert);"), TAKEN),
        (6, format!("{P}if does not exist 3 5 cycles then alert"), TAKEN),
        (7, format!("{P}if does not exist for 65 cycles then alert"), REFUSED),
        (8, format!("{P}start program = '/bin/true'"), REFUSED),
        (8, format!("{P}start /bin/true x"), TAKEN),
        (9, format!("{P}start program = \"/bin/sh -c 'a \"b\" c'\""), TAKEN),
        (10, format!("{P}start program = \"/bin/true\" with timeout 60 seconds as uid root"), REFUSED),
        // Monit 6 takes steps; 5.33 does not.
        (11, format!("{P}every \"*/5 * * * *\""), TAKEN),
        (12, format!("{P}if changed pid then alert else alert"), REFUSED),
        (13, format!("{P}depends on b c\ncheck file b path /b\ncheck file c path /c"), REFUSED),
        (13, format!("{P}depends on b,\nc\ncheck file b path /b\ncheck file c path /c"), TAKEN),
        (14, format!("{F}if changed checksum then alert if failed checksum then alert"), TAKEN),
        (15, format!("{F}if content = \"/no/such\" then alert"), REFUSED),
        (16, format!("{F}if size > 1.5 MB then alert"), REFUSED),
        (17, format!("{F}if timestamp is older than 1 hour then alert"), TAKEN),
        (18, "check filesystem d with path / if space > 1.5 GB then alert".to_owned(), TAKEN),
        (19, "check system s if cpu() > 1% then alert".to_owned(), TAKEN),
        (20, H.to_owned(), REFUSED),
        (21, format!("{H}if failed port 80 protocol http timeout 3 seconds request /x then alert"), REFUSED),
        (22, format!("{H}if failed port 80 send \"x\" protocol http then alert"), TAKEN),
        (22, format!("{H}if failed port 80 protocol http send \"x\" then alert"), REFUSED),
        (23, format!("{H}if failed port 1812 protocol radius type udp then alert"), TAKEN),
        (23, format!("{H}if failed port 1812 protocol radius then alert"), REFUSED),
        (24, format!("{H}if failed unixsocket /tmp/x then alert"), REFUSED),
        (24, format!("{P}if failed unixsocket /tmp/x then alert"), TAKEN),
        (
            25,
            "check network n with interface lo if link down then alert if link up then alert".to_owned(),
            REFUSED,
        ),
        (26, "check program g with path /missing/true if status != 0 then alert".to_owned(), REFUSED),
        (27, "set httpd port 2812 allow adm:b".to_owned(), REFUSED),
        (27, "set httpd port 2812 allow \"adm\":\"b\"".to_owned(), TAKEN),
        (28, "set mailserver a1 using hostname x with timeout 5 seconds".to_owned(), REFUSED),
        (31, String::new(), TAKEN),
        (33, "set daemon 10#x".to_owned(), REFUSED),
        (33, "set daemon 10 #x".to_owned(), TAKEN),
        (34, "check process P pidfile /p check process p pidfile /q".to_owned(), REFUSED),
        (35, format!("{P}depends on tower"), TAKEN),
        (36, format!("{P}if failed url http://x-y:81/ then alert"), TAKEN),
        (36, "set mmonit http://u:p@x:/collector\n".to_owned(), REFUSED),
        (36, "set mmonit http://u@x/collector\n".to_owned(), REFUSED),
        (36, "set mmonit http://u:p/q@x/collector\n".to_owned(), TAKEN),
        (
            36,
            format!("{P}group a\ndepends on; (q)\n,r\n{F}check file q path /q\ncheck file r path /r"),
            TAKEN,
        ),
        (36, format!("{P}depends q ;\nr\n{F}check file q path /q\ncheck file r path /r"), TAKEN),
        (36, "set daemon 0".to_owned(), REFUSED),
        (36, "set daemon 0 set daemon 7".to_owned(), TAKEN),
        (36, format!("{P}depends on q,\n\nif cpu > 5% then alert\ncheck file q path /q"), TAKEN),
        (36, format!("{P}depends on q,\nif cpu > 5% then alert\ncheck file q path /q"), REFUSED),
        (36, format!("{P}depends on q,\n\nr\ncheck file q path /q\ncheck file r path /r"), REFUSED),
        (36, "check system s if cpuusage(user) > 5% then alert".to_owned(), TAKEN),
        (36, "check system s if cpu\t(user) > 5% then alert".to_owned(), REFUSED),
        (36, "check system s if loadavg ( 5 min ) > 5 then alert".to_owned(), TAKEN),
        (36, "check system s if loadavg\t(5min) > 5 then alert".to_owned(), REFUSED),
    ];
    for (row, text, taken) in rows {
        let read = read(text);
        assert_eq!(read.is_ok(), *taken, "row {row}: {text}\n{:?}", read.err().map(|found| found.lines()));
    }
}

#[test]
fn of_several_conditions_the_last_counts_and_no_operator_is_equality() {
    let only = rules(&format!("{P}if cpu > 10% and mem > 20% then alert"));
    assert_eq!(only.len(), 1, "row 1");
    let compared = |rule: &Rule| match &rule.when {
        Condition::Compare { metric, operator, limit } => (metric.clone(), *operator, limit.clone()),
        other => panic!("{other:?}"),
    };
    let memory = metrics::MEMORY_PERCENT.name.into_owned();
    assert_eq!(compared(&only[0]), (memory, Operator::Greater, Value::Real(20.0)), "row 1");
    let cpu = metrics::CPU.name.into_owned();
    let equal = rules(&format!("{P}if cpu 10% then alert"));
    assert_eq!(compared(&equal[0]), (cpu, Operator::Equal, Value::Real(10.0)), "row 2");
    let (_, _, limit) = compared(&rules(&format!("{P}if mem > 10 MB/s then alert"))[0]);
    assert_eq!(limit, Value::Int(10 << 20), "row 4");
    let (user, ..) = compared(&rules("check system s if cpu() > 1% then alert")[0]);
    assert_eq!(*user, *metrics::CPU_USER.name, "row 19");
}

#[test]
fn two_numbers_are_a_rate() {
    let rules = rules(&format!("{P}if does not exist 3 5 cycles then alert"));
    assert_eq!(rules[0].fail.rate, Rate { count: 3, within: 5 }, "row 6");
}

#[test]
fn a_command_has_words_and_no_shell() {
    let command =
        |text: &str| load(&format!("{P}{text}")).services[0].start.clone().expect("a command").words;
    assert_eq!(command("start /bin/true x"), ["/bin/true", "x"], "row 8");
    let words = command("start program = \"/bin/sh -c 'a \"b\" c'\"");
    assert_eq!(words, ["/bin/sh", "-c", "a \"b\" c"], "row 9");
}

#[test]
fn of_two_rules_about_a_checksum_the_last_counts() {
    let rules = rules(&format!("{F}if changed checksum then alert if failed checksum then alert"));
    assert!(matches!(&rules[..], [Rule { when: Condition::Differs { .. }, .. }]), "row 14: {rules:?}");
}

#[test]
fn a_protocol_takes_the_place_of_what_was_written_down() {
    let rules = rules(&format!("{H}if failed port 80 send \"x\" protocol http then alert"));
    assert_eq!(port(&rules[0]).protocol, Protocol::Http(Box::default()), "row 22");
}

#[test]
fn the_first_test_of_a_connection_does_not_heed_the_limit() {
    let text = "set limits {networkTimeout: 9 s}\n";
    let first = rules(&format!("{text}{H}if failed port 1 then alert if failed port 2 then alert"));
    assert_eq!(port(&first[0]).timeout, Duration::from_secs(5), "row 29");
    assert_eq!(port(&first[1]).timeout, Duration::from_secs(9), "row 29");
}

#[test]
fn a_setting_holds_from_where_it_stands() {
    let config = load(&format!("{P}set onreboot nostart\n{F}"));
    let found: Vec<OnReboot> = config.services.iter().map(|service| service.on_reboot).collect();
    assert_eq!(found, [OnReboot::Start, OnReboot::NoStart, OnReboot::NoStart], "row 30, and the system last");
}

#[test]
fn an_empty_file_watches_the_system() {
    let config = load("");
    assert!(matches!(&config.services[..], [service] if service.kind == Kind::System), "row 31");
}

#[test]
fn included_files_are_read_last_first() {
    let config = load("include /etc/many/*");
    let names: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "tower"], "row 32");
}
