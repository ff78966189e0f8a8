//! What is shown of a control file is what Monit 5.33 showed of the same one, line for line: each `dumps/NAME.monitrc` gives
//! `dumps/NAME.txt`, which Monit printed.

mod world;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use hinoban_config::{Algorithm, Config, NoSurroundings};
use hinoban_monitrc::{Runtime, dump, preamble};
use world::World;

/// Everything that is shown, where nothing is known but what `localhost` is.
fn shown(config: &Config) -> String {
    let here = |host: &str| match host.parse() {
        Ok(address) => vec![address],
        Err(_) if host == "localhost" => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        Err(_) => Vec::new(),
    };
    let empty = |path: &Path, algorithm| match algorithm {
        Algorithm::Md5 if path == Path::new("/empty") => Some("d41d8cd98f00b204e9800998ecf8427e".to_owned()),
        _ => None,
    };
    let runtime = Runtime {
        control: Path::new("/etc/monitrc"),
        pidfile: Path::new("/run/monit.pid"),
        idfile: Path::new("/var/lib/monit/id"),
        statefile: Path::new("/var/lib/monit/state"),
        socket: Path::new("/run/watch.sock"),
        exists: &|path| !path.starts_with("/no"),
        checksum: &empty,
        addresses: &here,
    };
    preamble(config, &runtime) + &dump(config, &runtime)
}

fn read(text: &str) -> Config {
    let loaded = hinoban_monitrc::parse(Path::new("monitrc"), text, &World::default());
    loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

#[test]
fn every_statement_is_shown_as_monit_shows_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dumps");
    let mut seen = 0;
    let mut wrong = String::new();
    for entry in std::fs::read_dir(folder).expect("the folder of dumps") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "monitrc") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).expect("a control file");
        let want = std::fs::read_to_string(path.with_extension("txt")).expect("what Monit shows");
        let ours = shown(&read(&text));
        let mut lines = want.lines().map(Some).chain(std::iter::repeat(None));
        let mut others = ours.lines().map(Some).chain(std::iter::repeat(None));
        loop {
            match (lines.next().flatten(), others.next().flatten()) {
                (None, None) => break,
                (theirs, ours) if theirs == ours => {}
                (theirs, ours) => {
                    wrong += &format!("{}\n  Monit {theirs:?}\n  ours  {ours:?}\n", path.display());
                    break;
                }
            }
        }
    }
    assert!(seen >= 20, "only {seen} control files were found");
    assert_eq!(wrong, "");
}

#[test]
fn what_is_taken_for_the_right_checksum_is_shown() {
    let text = shown(&read("check file f path /empty\n if failed checksum then alert"));
    assert!(
        text.contains(" Checksum             = if failed d41d8cd98f00b204e9800998ecf8427e(MD5) then alert\n")
    );
}

#[test]
fn who_may_connect_is_named_once() {
    let text = shown(&read(
        "set httpd port 2812 allow localhost allow 127.0.0.1 allow 10.0.0.0/8 allow 10.0.0.0/8 allow ::1 allow a:\"b\"",
    ));
    let added: Vec<_> = text.lines().filter(|line| line.starts_with("Adding")).collect();
    assert_eq!(
        added,
        [
            "Adding 'allow localhost' -- host resolved to [::ffff:127.0.0.1]",
            "Adding 'allow 10.0.0.0/8'",
            "Adding 'allow ::1' -- host resolved to [::1]",
            "Adding credentials for user 'a'",
        ]
    );
}

#[test]
fn each_pattern_of_a_file_has_a_line() {
    let mut world = World::default();
    world.files.insert("/patterns".into(), "one\n\ntwo [a]\n".to_owned());
    let text = "check file f path /tmp/f\n if content = /patterns then alert\n ignore content != /patterns";
    let loaded = hinoban_monitrc::parse(Path::new("monitrc"), text, &world).unwrap_or_else(|m| panic!("{m}"));
    let text = shown(&loaded.config);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("content")).collect();
    assert_eq!(
        lines,
        [
            " Ignore content       = if content != \"one\" then ignore",
            " Ignore content       = if content != \"two [a]\" then ignore",
            " Content              = if content = \"one\" then alert",
            " Content              = if content = \"two [a]\" then alert",
        ]
    );
}

#[test]
fn what_only_toml_says_is_shown_too() {
    let text = r#"
[service.api]
pidfile = "/run/api.pid"
every = "5s"
[[service.api.check]]
when = "cgroup.memory.percent > 90"
for = "2m"
then = "restart"
"#;
    let loaded = hinoban_config::toml::parse(Path::new("c.toml"), text, &NoSurroundings);
    let text = shown(&loaded.unwrap_or_else(|mistakes| panic!("{mistakes}")).config);
    assert!(text.contains("\n Command socket     = /run/watch.sock\n"), "{text}");
    assert!(text.contains("\nProcess Name          = api\n"), "{text}");
    assert!(text.contains(" Control group memory = if greater than 90.0% for 2 m then restart\n"), "{text}");
    assert!(text.contains(" Cycle                = 5 s\n"), "{text}");
    assert!(text.contains(" Restart budget     = 3 within 1 m\n"), "{text}");
    let repairs =
        " Repairs              = at once, then after 1 s up to 5 m, given up after 5 in vain if it lives\n";
    assert!(text.contains(repairs), "{text}");
}
