//! A control file and its twin in TOML make the same plan, and comments stay with what they are about.
#![allow(clippy::unwrap_used)] // these may panic

mod world;

use std::path::{Path, PathBuf};

use hinoban_config::{Condition, Config, Severity, Test, toml};
use hinoban_monitrc::convert;
use world::World;

/// The twin of a control file in the folder `/etc`.
fn twin(text: &str) -> String {
    twin_in(text, &World::default())
}

fn twin_in(text: &str, world: &World) -> String {
    match convert(Path::new("/etc/monitrc"), text, world) {
        Ok(twin) => twin.text,
        Err(mistakes) => panic!("{mistakes}\n{text}"),
    }
}

fn read(text: &str, world: &World) -> Config {
    toml::parse(Path::new("/etc/monitrc.toml"), text, world).unwrap_or_else(|e| panic!("{e}\n{text}")).config
}

/// The control files of a folder, by name.
fn fixtures(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let control = |path: &PathBuf| path.extension().is_none_or(|e| e != "toml" && e != "txt");
    let mut files: Vec<PathBuf> = files.filter(control).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Every comment of a text that has a line of its own.
fn comments(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#') && *line != "#").collect()
}

#[test]
fn every_fixture_has_a_twin_that_means_the_same() {
    let (mut converted, mut refused) = (0, Vec::new());
    for folder in [
        "../../fixtures/config/valid",
        "../../fixtures/monitrc/valid",
        "../../fixtures/monitrc/warned",
        "tests/dumps",
    ] {
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).exists() {
            continue;
        }
        for (path, text) in fixtures(folder) {
            let world = World::default();
            let Ok(one) = hinoban_monitrc::parse(&path, &text, &world) else { continue };
            let twin = match convert(&path, &text, &world) {
                Ok(twin) => twin.text,
                Err(mistakes) => {
                    refused.extend(mistakes.list.into_iter().map(|mistake| mistake.message));
                    continue;
                }
            };
            let other = read(&twin, &world);
            let names = |config: &Config| config.services.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&one.config), names(&other), "{}", path.display());
            for comment in comments(&text) {
                assert!(twin.contains(comment), "{} lost {comment}", path.display());
            }
            converted += 1;
        }
    }
    assert!(converted > 80, "{converted}");
    // What only a control file can ask for.
    let known = ["`http-content` cannot be", "`slots` is out of range", "must be longer than nothing"];
    refused.retain(|message| !known.iter().any(|known| message.contains(known)));
    assert_eq!(refused, [] as [String; 0]);
}

#[test]
fn writing_twice_writes_the_same() {
    let text = "set daemon 5\ncheck process a with pidfile /a # one\n  if cpu > 5% then alert\n";
    assert_eq!(twin(text), twin(text));
}

#[test]
fn comments_stay_with_what_they_are_about() {
    let text = r#"# The shop.
# Ask before you change it.

set daemon 30   # twice a minute

## Where the log goes
set log syslog

set mailserver localhost,
    mail.example.com port 587 username "x" password "y" using tls  # backup
# the boss
set alert boss@example.com not on { instance, action }
set alert ops@example.com with reminder on 10 cycles # us

set httpd port 2812 and
    use address localhost  # only here
    allow localhost
    allow admin:monit      # change this!

# The web server.
#
# Do not touch.
check process nginx with pidfile /run/nginx.pid   # the old one
    group www
    # starts slowly
    start program = "/etc/init.d/nginx start" as uid root with timeout 60 seconds
    # busy
    if cpu > 80% for 3 cycles then alert   # mail only
#    if loadavg (5min) > 10 for 8 cycles then stop
    if 3 restarts within 5 cycles then unmonitor
    depends on conf
    # if failed port 80 then alert

# ---- files ----

# Its configuration
check file conf with path /etc/nginx/nginx.conf
    if changed checksum then exec "/usr/sbin/nginx -t" repeat every 3 cycles

#check program old with path /bin/false
#    if status != 0 then alert

check filesystem root with path /
    if space usage > 80% for 5 times within 8 cycles then alert
# the end
"#;
    insta::assert_snapshot!(twin(text));
}

#[test]
fn comments_go_neither_to_the_next_server_nor_to_the_next_service() {
    let text = twin(
        r#"set daemon 30
set mailserver
    mail.one port 26,   # first
    mail.two            # second
set eventqueue
    basedir /q   # where they wait
    slots 10     # so many
check process a with pidfile /run/a.pid
    if cpu > 80% then alert
    # if cpu > 99% then restart
# between
check file b with path /b
"#,
    );
    assert!(text.contains("\"smtp://mail.one:26\",  # first\n"), "{text}");
    assert!(text.contains("\"smtp://mail.two\",  # second\n"), "{text}");
    assert!(text.contains("# where they wait\nqueue = \"/q\"\nslots = 10  # so many\n"), "{text}");
    let place = |word: &str| text.find(word).unwrap_or_else(|| panic!("{word} in {text}"));
    assert!(place("# if cpu > 99%") < place("# between"), "{text}");
    assert!(text.contains("# if cpu > 99% then restart\n\n# between\n[service.b]"), "{text}");
}

#[test]
fn what_is_included_is_folded_in_and_said() {
    let mut world = World::default();
    let files = [
        (
            "/etc/conf.d/a",
            "# of a\ncheck host a with address 10.0.0.1 # there\n  if failed port 1 then alert\n# end of a\n",
        ),
        ("/etc/conf.d/b", "# of b\ncheck process b with pidfile /b\n"),
    ];
    world.files.extend(files.map(|(path, text)| (PathBuf::from(path), text.to_owned())));
    let text = twin_in("set daemon 30\n# more\ninclude /etc/conf.d/*\n", &world);
    assert!(text.contains("# What it includes is in here too:\n#   /etc/conf.d/"), "{text}");
    for comment in ["# of a\n", "# there\n", "# end of a\n", "# of b\n", "# more\n"] {
        assert_eq!(text.matches(comment).count(), 1, "{comment} in {text}");
    }
    // Files are read last first, and so are their services written.
    let place = |word: &str| text.find(word).unwrap();
    assert!(place("[service.b]") < place("[service.a]"), "{text}");
    assert!(place("# of a") < place("[service.a]") && place("# of b") < place("[service.b]"), "{text}");
}

#[test]
fn what_monit_does_otherwise_is_written_out() {
    let text = twin(
        "set daemon 30\ncheck process a with pidfile /a\n  start program = \"/x\" as uid 7\n  if cpu > 5% then exec \"/y\"\n",
    );
    for said in ["patience = false", "budget = false", "group = false", "timeout = false"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(twin("check process a with pidfile /a\n").contains("every = \"once\""));
    assert!(
        !twin("set daemon 30\ncheck process a with pidfile /a\n").contains("[limits]"),
        "nothing is bound by them"
    );
    let tls = "check host a with address example.com\n  if failed port 443 protocol https then alert\n";
    assert!(twin(tls).contains("[tls]\nverify = false\n"), "{}", twin(tls));
    let program = "check program p with path /x\n  if content = \"bad\" then alert\n";
    assert!(twin(program).contains("must = \"run\""), "{}", twin(program));
    let file = "check file f with path /f\n  if match \"a.*[[:digit:]]\" then alert\n";
    assert!(twin(file).contains("when = \"content matches 'a.*[[:digit:]]'\""), "{}", twin(file));
}

#[test]
fn passwords_are_written_and_warned_of() {
    let open = twin("set daemon 30\ncheck process a with pidfile /a\n");
    assert!(!open.contains("chmod"), "{open}");
    let closed =
        twin("set daemon 30\nset httpd port 2812 allow admin:monit\ncheck process a with pidfile /a\n");
    assert!(closed.contains("chmod 600") && closed.contains("password = \"monit\""), "{closed}");
}

#[test]
fn a_file_with_mistakes_has_no_twin() {
    let mistakes = convert(Path::new("/etc/monitrc"), "check proces a with pidfile /a\n", &World::default());
    let mistakes = mistakes.unwrap_err();
    assert!(
        mistakes.list.iter().any(|mistake| mistake.severity == Severity::Error && mistake.place.line == 1)
    );
}

#[test]
fn users_are_called_as_the_file_calls_them() {
    let text = twin(
        "check process a with pidfile /a\n  start program = \"/x\" as uid root and gid 12\n  stop program = \"/x\" as uid 0\n",
    );
    assert!(text.contains("start = { run = \"/x\", user = \"root\", group = \"12\" }"), "{text}");
    assert!(text.contains("stop = { run = \"/x\", user = \"root\", group = false }"), "{text}");
}

#[test]
fn rules_about_being_there_stay_where_they_are_needed() {
    let rules = |text: &str| {
        let config = read(&twin(text), &World::default());
        config.services[0].rules.iter().map(|rule| rule.when.clone()).collect::<Vec<_>>()
    };
    let both = "check process a with pidfile /a\n  if exist then alert\n  if not exist then stop\n";
    assert_eq!(rules(both), [Condition::Missing, Condition::Exists]);
    let file = "check file a with path /a\n  if not exist for 3 cycles then alert\n";
    assert_eq!(rules(file), [Condition::Missing, Condition::WrongType]);
    assert!(twin(file).contains("missing = { for = \"3 cycles\" }"), "{}", twin(file));
    assert!(twin(file).contains("when = \"wrong type\""), "{}", twin(file));
    assert!(!twin("check file a with path /a\n").contains("missing"), "nothing could restart it");
    let needed = "check file a with path /a\ncheck process b with pidfile /b\n  depends on a\n";
    assert!(twin(needed).contains("missing = \"restart\""), "its restart restarts what needs it");
}

#[test]
fn tests_of_ports_are_tests_of_the_same_ports() {
    let text = "check host a with address example.com\n  if failed port 8080 protocol http request \"/x\" status = 200 for 2 cycles then alert\n";
    let config = read(&twin(text), &World::default());
    let Condition::Test { test: Test::Port(test), .. } = &config.services[0].rules[0].when else {
        panic!("no port")
    };
    assert_eq!((test.host.as_str(), test.port), ("example.com", 8080));
}
