//! What rules of network interfaces mean. Monit 5.33 was asked about each.

mod world;

use std::path::Path;

use hinoban_config::*;
use hinoban_reading::Value;
use world::World;

fn compare(metric: &str, operator: Operator, limit: i64) -> Condition {
    Condition::Compare { metric: metric.to_owned(), operator, limit: Value::Int(limit) }
}

#[test]
fn all_that_can_be_asked_of_a_link_is_understood() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/config/valid/networks.monitrc");
    let text = std::fs::read_to_string(path).expect("a fixture");
    let Loaded { config, warnings } =
        match hinoban_monitrc::parse(Path::new("monitrc"), &text, &World::default()) {
            Ok(loaded) => loaded,
            Err(mistakes) => panic!("{mistakes}"),
        };
    assert_eq!(warnings.lines(), Vec::<String>::new());
    use Operator::{Greater, GreaterOrEqual, Less};
    let uplink = &config.services[0];
    assert_eq!(uplink.kind, Kind::Network { link: Link::Interface("eth0".into()) });
    let changed = Condition::Changed { metric: "link.capacity".into(), expect: Change::Changed };
    let expected = [
        Condition::Missing,
        changed,
        compare("saturation.percent", Greater, 90),
        compare("upload.rate", Greater, 500 << 10),
        compare("download.rate", GreaterOrEqual, 100),
        compare("upload.packets.rate", Greater, 1000),
        compare("download.packets.rate", Less, 5),
        compare("upload.total.2h", Greater, 1 << 30),
        compare("download.total.24h", Greater, 10 << 30),
        compare("upload.packets.total.1m", Greater, 5),
        compare("download.total.60m", Greater, 1 << 20),
        Condition::Restarts { count: 2, within: 3 },
        // Monit tells of these by the rule about the link.
        compare("upload.errors.rate", Greater, 0),
        compare("download.errors.rate", Greater, 0),
    ];
    let rules: Vec<&Condition> = uplink.rules.iter().map(|rule| &rule.when).collect();
    assert_eq!(rules, expected.iter().collect::<Vec<_>>());
    let (link, errors) = (&uplink.rules[0], &uplink.rules[12]);
    assert_eq!((link.fail.rate.count, link.ok.rate.count), (2, 3));
    assert!(matches!(link.ok.then, Then::Exec { .. }));
    assert_eq!((&errors.fail, &errors.ok), (&link.fail, &link.ok));
    assert_eq!(uplink.rules[1].ok.then, Then::Alert, "that a link no longer changes is told, as Monit does");

    let spare = &config.services[1];
    assert_eq!(spare.kind, Kind::Network { link: Link::Address("192.0.2.7".parse().expect("an address")) });
    let [up] = &spare.rules[..] else { panic!("{:?}", spare.rules) };
    assert_eq!(up.when, Condition::Exists, "with it, errors are not asked for");
    assert_eq!(up.ok.rate, Rate { count: 2, within: 3 });

    let plain = &config.services[2];
    let rules: Vec<_> = plain.rules.iter().map(|rule| (&rule.when, &rule.fail.then, &rule.ok.then)).collect();
    assert_eq!(rules[0], (&Condition::Missing, &Then::Alert, &Then::Alert), "it is not restarted for that");
    assert_eq!(rules.len(), 3);

    let system = &config.services[3];
    let percent = Value::Real(80.5);
    let metric = "fds.allocated.percent".to_owned();
    assert_eq!(system.rules[0].when, Condition::Compare { metric, operator: Greater, limit: percent });
    assert_eq!(system.rules[1].when, compare("fds.allocated", Greater, 100_000));
}
