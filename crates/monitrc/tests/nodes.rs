//! What rules about files, directories and pipes mean.

mod world;

use std::path::Path;

use hinoban_config::*;
use hinoban_reading::Value;
use world::World;

fn parse(text: &str) -> Loaded {
    match hinoban_monitrc::parse(Path::new("monitrc"), text, &World::default()) {
        Ok(loaded) => loaded,
        Err(mistakes) => panic!("{mistakes}"),
    }
}

fn compare(metric: &str, operator: Operator, limit: impl Into<Value>) -> Condition {
    Condition::Compare { metric: metric.to_owned(), operator, limit: limit.into() }
}

fn changed(metric: &str) -> Condition {
    Condition::Changed { metric: metric.to_owned(), expect: Change::Changed }
}

fn differs(metric: &str) -> Condition {
    Condition::Differs { metric: metric.to_owned() }
}

#[test]
fn all_spellings_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config/valid/nodes.monitrc");
    let Loaded { config, warnings } = parse(&std::fs::read_to_string(path).expect("a fixture"));
    assert_eq!(warnings.lines(), Vec::<String>::new());
    use Operator::{Greater, Less, NotEqual};
    let wanted: [(&str, Vec<Condition>); 7] = [
        (
            "passwd",
            vec![
                compare("permission", NotEqual, 0o644i64),
                compare("uid", NotEqual, 0i64),
                compare("gid", NotEqual, 0i64),
                differs("checksum.md5"),
                compare("timestamp.age", Greater, 3600i64),
            ],
        ),
        (
            "bin",
            vec![
                compare("checksum.md5", NotEqual, "098f6bcd4621d373cade4e832627b4f6"),
                changed("permission"),
                compare("access.age", Greater, 864_000i64),
                compare("change.age", Less, 300i64),
                compare("links", Greater, 1i64),
                changed("modify.time"),
            ],
        ),
        ("key", vec![compare("checksum.sha1", NotEqual, "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3")]),
        ("conf", vec![changed("checksum.sha1")]),
        (
            "backups",
            vec![
                compare("timestamp.age", Greater, 90_000i64),
                compare("permission", NotEqual, 0o750i64),
                changed("timestamp"),
            ],
        ),
        ("events", vec![compare("uid", NotEqual, 33i64), compare("modify.age", Greater, 600i64)]),
        ("root", vec![compare("permission", NotEqual, 0o755i64), compare("uid", NotEqual, 0i64)]),
    ];
    for (service, (name, rules)) in config.services.iter().zip(&wanted) {
        assert_eq!(service.name, *name);
        let written: Vec<_> = service.rules[..rules.len()].iter().map(|rule| rule.when.clone()).collect();
        assert_eq!(&written, rules, "{name}");
        let last = service.rules.last().map(|rule| &rule.when);
        let mounted = matches!(service.kind, Kind::Filesystem { .. });
        assert_eq!(
            last == Some(&Condition::WrongType),
            !mounted,
            "{name}: only a mount has no type to be wrong"
        );
    }
}

/// As Monit 5.33 does: `-t -v` shows but one rule of each.
#[test]
fn the_last_rule_about_an_owner_a_mode_or_a_checksum_counts_whatever_it_asks() {
    let text = "check file f with path /f\n\
                if changed checksum then alert\n\
                if failed sha1 checksum expect a94a8fe5ccb19ba61c4c0873d391e987982fbbd3 then stop\n\
                if failed checksum then alert\n\
                if failed uid 1 then alert\n\
                if failed uid 2 then alert\n\
                if changed permission then alert\n\
                if failed permission 600 then alert\n\
                if mtime > 1 then alert\n\
                if mtime > 2 then alert\n";
    let Loaded { config, warnings } = parse(text);
    let rules: Vec<_> = config.services[0].rules.iter().map(|rule| rule.when.clone()).collect();
    assert_eq!(
        rules[..5],
        [
            differs("checksum.md5"),
            compare("uid", Operator::NotEqual, 2i64),
            compare("permission", Operator::NotEqual, 0o600i64),
            compare("modify.age", Operator::Greater, 1i64),
            compare("modify.age", Operator::Greater, 2i64),
        ]
    );
    assert_eq!(
        warnings.lines(),
        [
            "monitrc:2: only the last rule about the checksum counts",
            "monitrc:3: only the last rule about the checksum counts",
            "monitrc:5: only the last rule about the uid counts",
            "monitrc:7: only the last rule about the permission counts",
        ]
    );
}

#[test]
fn a_checksum_of_what_is_not_there_yet_is_warned_of() {
    let text = "check file f with path /missing/f\nif failed checksum then alert\n";
    let warnings = parse(text).warnings.lines();
    assert_eq!(warnings, ["monitrc:2: Cannot compute a checksum for file /missing/f"]);
}

#[test]
fn a_newer_kind_of_checksum_is_understood() {
    let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    for text in
        [format!("failed checksum expect {sha256}"), format!("failed sha256 checksum expect {sha256}")]
    {
        let Loaded { config, .. } = parse(&format!("check file f with path /f\nif {text} then alert\n"));
        assert_eq!(
            config.services[0].rules[0].when,
            compare("checksum.sha256", Operator::NotEqual, sha256),
            "{text}"
        );
    }
}
