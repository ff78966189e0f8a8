//! What rules of processes mean. Monit 5.33 was asked about each.

mod world;

use std::path::Path;

use hinoban_config::*;
use hinoban_reading::Value;
use world::World;

fn load(text: &str) -> Loaded {
    match hinoban_monitrc::parse(Path::new("monitrc"), text, &World::default()) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{text}\n{mistakes}"),
    }
}

fn refused(rule: &str) -> String {
    let text = format!("check process p matching \"p\"\n{rule} then alert\n");
    match hinoban_monitrc::parse(Path::new("monitrc"), &text, &World::default()) {
        Ok(loaded) => panic!("{text} is accepted as {:?}", loaded.config),
        Err(mistakes) => mistakes.lines().remove(0),
    }
}

fn compare(metric: &str, operator: Operator, limit: Value) -> Condition {
    Condition::Compare { metric: metric.to_owned(), operator, limit }
}

#[test]
fn all_that_can_be_asked_of_a_process_is_understood() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config/valid/processes.monitrc");
    let Loaded { config, warnings } = load(&std::fs::read_to_string(path).expect("a fixture"));
    assert_eq!(warnings.lines(), Vec::<String>::new());
    let worker = &config.services[0];
    let Kind::Process { found: Found::Matching(pattern) } = &worker.kind else { panic!("{:?}", worker.kind) };
    assert!(pattern.is_match("/usr/bin/python3 -O worker.py") && !pattern.is_match("sh worker.py"));
    use Operator::{Greater, GreaterOrEqual, Less, NotEqual};
    let text = |text: &str| Value::Text(text.to_owned());
    let expected = [
        compare("uid", NotEqual, Value::Int(33)),
        compare("euid", NotEqual, Value::Int(0)),
        compare("gid", NotEqual, Value::Int(33)),
        compare("security.attribute", NotEqual, text("docker-default (enforce)")),
        compare("security.attribute", NotEqual, text("/usr/sbin/worker")),
        compare("fds.percent", Greater, Value::Real(80.0)),
        compare("fds.open", Greater, Value::Int(1000)),
        compare("fds.total", GreaterOrEqual, Value::Int(4000)),
        compare("read.rate", Greater, Value::Int(10 << 20)),
        compare("write.rate", Greater, Value::Int(1536)),
        compare("disk.read.operations.rate", Greater, Value::Int(500)),
        compare("disk.write.rate", Less, Value::Int(2 << 20)),
        compare("load.5.core", Greater, Value::Real(4.0)),
        compare("load.1", Greater, Value::Real(8.0)),
    ];
    let conditions: Vec<&Condition> = worker.rules.iter().map(|rule| &rule.when).collect();
    assert_eq!(conditions[..expected.len()], expected.iter().collect::<Vec<_>>());
    assert_eq!(*conditions[expected.len()], Condition::Missing);
    assert_eq!(worker.rules[2].fail.rate, Rate { count: 2, within: 2 });
    assert_eq!(worker.rules[2].ok.rate, Rate { count: 3, within: 3 });
    let Kind::Process { found: Found::Matching(kernel) } = &config.services[1].kind else {
        panic!("a process")
    };
    assert_eq!(kernel.text(), "kthreadd");
}

#[test]
fn of_two_rules_about_one_owner_the_last_counts_and_that_is_warned_of() {
    let loaded = load(
        "check process p matching \"p\"\nif failed uid 1 then stop\nif failed uid 2 then alert\nif failed euid 3 then alert\n",
    );
    let rules = &loaded.config.services[0].rules;
    assert_eq!(rules[0].when, compare("uid", Operator::NotEqual, Value::Int(2)));
    assert_eq!(rules[1].when, compare("euid", Operator::NotEqual, Value::Int(3)));
    assert_eq!(loaded.warnings.lines(), ["monitrc:2: only the last rule about the uid counts"]);
}

#[test]
fn what_monit_refuses_is_refused_with_a_reason() {
    for (rule, told) in [
        ("if read < 10 operations/s", "monitrc:2: syntax error 'operations/s'"),
        ("if disk read < 1.5 operations", "monitrc:2: syntax error 'operations'"),
        ("if filedescriptors > 1.5", "monitrc:2: syntax error 'then'"),
        ("if total filedescriptors > 50%", "monitrc:2: syntax error '%'"),
        ("if failed uid nosuchuser", "monitrc:2: Requested user not found on the system 'nosuchuser'"),
        ("if succeeded uid 0", "monitrc:2: syntax error 'uid'"),
        ("if filedescriptors > 5 and cpu > 5%", "monitrc:2: syntax error 'cpu'"),
        ("if loadavg > 3 per core", "monitrc:2: syntax error 'core'"),
        ("if changed uid", "monitrc:2: syntax error 'uid'"),
        ("if failed security foo", "monitrc:2: syntax error 'foo'"),
        ("if disk > 5", "monitrc:2: syntax error '>'"),
    ] {
        assert_eq!(refused(rule), told, "{rule}");
    }
}
