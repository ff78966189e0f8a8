//! What the TOML form promises beside its fixtures.

use std::path::Path;

use hinoban_config::{
    Branch, Condition, Cron, Kind, Loaded, Mistakes, NoSurroundings, Severity, Surroundings, Then, Turns,
    toml,
};
use proptest::prelude::*;

fn load(text: &str) -> Result<Loaded, Mistakes> {
    toml::parse(Path::new("/etc/hinoban/hinoban.toml"), text, &NoSurroundings)
}

fn loaded(text: &str) -> Loaded {
    load(text).unwrap_or_else(|e| panic!("{e}"))
}

fn process(rest: &str) -> String {
    format!("[service.httpd]\npidfile = \"/run/httpd.pid\"\n{rest}")
}

fn comparison(when: &str) -> (String, hinoban_reading::Value) {
    compared(&process(""), when)
}

/// What the check means that is added to this service.
fn compared(service: &str, when: &str) -> (String, hinoban_reading::Value) {
    let name = service.split(['.', ']']).nth(1).expect("[service.NAME]");
    let text = format!("{service}\n[[service.{name}.check]]\nwhen = {when:?}\n");
    match loaded(&text).config.services[0].rules.last().expect("a rule").when.clone() {
        Condition::Compare { metric, limit, .. } => (metric, limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_file_watches_the_system_every_thirty_seconds() {
    let config = loaded("").config;
    assert_eq!(config.every, Some(std::time::Duration::from_secs(30)));
    assert_eq!(config.services.len(), 1);
    assert_eq!((config.services[0].name.as_str(), &config.services[0].kind), ("localhost", &Kind::System));
}

#[test]
fn a_written_system_replaces_the_one_that_is_added() {
    let config = loaded("[service.machine]\nsystem = true\n").config;
    assert_eq!(config.services.len(), 1);
    assert_eq!(config.system().map(|s| s.name.as_str()), Some("machine"));
}

#[test]
fn services_and_checks_keep_the_order_they_are_written_in() {
    let text = "[service.b]\npidfile='/b'\n[service.a]\npidfile='/a'\n[service.c]\npidfile='/c'\n\
                [[service.c.check]]\nwhen = 'cpu > 1%'\n[[service.c.check]]\nwhen = 'threads > 2'\n";
    let config = loaded(text).config;
    let names: Vec<&str> = config.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["b", "a", "c", "localhost"]);
    let lines: Vec<u32> = config.services[2].rules.iter().map(|r| r.place.line).collect();
    assert_eq!(lines, [0, 8, 10], "existence, which is not written, and then the two checks");
}

#[test]
fn words_of_monit_and_names_of_metrics_mean_the_same() {
    assert_eq!(comparison("total cpu > 80%"), ("cpu.total.percent".into(), 80i64.into()));
    assert_eq!(comparison("cpu.total.percent > 80"), ("cpu.total.percent".into(), 80i64.into()));
    assert_eq!(comparison("memory > 100 MB"), ("memory.bytes".into(), 100_000_000i64.into()));
    assert_eq!(comparison("memory > 50%"), ("memory.percent".into(), 50i64.into()));
    let system = |when| compared("[service.tower]\nsystem = true", when);
    assert_eq!(system("loadavg(15min) >= 2.5"), ("load.15".into(), 2.5.into()));
    assert_eq!(system("load 5 per core > 2"), ("load.5.core".into(), 2i64.into()));
    let root = |when| compared("[service.root]\nfilesystem = '/'", when);
    assert_eq!(root("space > 80%"), ("space.percent".into(), 80i64.into()));
    assert_eq!(root("space usage > 5 GB"), ("space.bytes".into(), 5_000_000_000i64.into()));
    assert_eq!(root("space free < 5 GiB"), ("space.free.bytes".into(), (5i64 << 30).into()));
    assert_eq!(root("free space < 5%"), ("space.free.percent".into(), 5i64.into()));
    assert_eq!(root("inodes > 90%"), ("inodes.percent".into(), 90i64.into()));
    assert_eq!(root("inodes free < 1000"), ("inodes.free".into(), 1000i64.into()));
    assert_eq!(root("inode usage > 1000"), ("inodes.used".into(), 1000i64.into()));
    assert_eq!(root("read rate > 10 MB/s"), ("disk.read.rate".into(), 10_000_000i64.into()));
    assert_eq!(root("filesystem.type != '9p'"), ("filesystem.type".into(), "9p".into()));
    let log = |when| compared("[service.log]\nfile = '/var/log/syslog'", when);
    assert_eq!(log("size > 10 MB"), ("size".into(), 10_000_000i64.into()));
    assert_eq!(log("size > 100"), ("size".into(), 100i64.into()));
    assert_eq!(log("permission != 0644"), ("permission".into(), 0o644i64.into()), "octal, as it looks");
    assert_eq!(log("permission = 4755"), ("permission".into(), 0o4755i64.into()));
    assert_eq!(comparison("uptime < 1h"), ("uptime".into(), 3600i64.into()));
}

#[test]
fn what_is_missing_is_restarted_if_there_is_a_way_to() {
    let what = |text: &str| loaded(text).config.services[0].rules[0].fail.then.clone();
    assert_eq!(what(&process("")), Then::Restart);
    assert_eq!(what(&process("mode = 'passive'")), Then::Alert);
    assert_eq!(what(&process("missing = 'stop'")), Then::Stop);
    assert_eq!(what("[service.q]\nprobe = 'queue'\n"), Then::Alert);
    assert_eq!(what("[service.q]\nprobe = 'queue'\nstart = 'true'\n"), Then::Restart);
    for kind in ["file = '/f'", "filesystem = '/'"] {
        assert_eq!(what(&format!("[service.f]\n{kind}\n")), Then::Alert, "{kind}");
        assert_eq!(what(&format!("[service.f]\n{kind}\nstop = 'true'\n")), Then::Alert, "{kind}");
        assert_eq!(what(&format!("[service.f]\n{kind}\nstart = 'true'\n")), Then::Restart, "{kind}");
        assert_eq!(what(&format!("[service.f]\n{kind}\nrestart = 'true'\n")), Then::Restart, "{kind}");
        let passive = format!("[service.f]\n{kind}\nstart = 'true'\nmode = 'passive'\n");
        assert_eq!(what(&passive), Then::Alert, "{kind}");
    }
}

#[test]
fn what_stands_in_place_of_a_file_is_dealt_with_as_if_it_were_missing() {
    let rules = |rest: &str| loaded(&format!("[service.f]\n{rest}\n")).config.services[0].rules.clone();
    for (text, then) in [
        ("file = '/f'", Then::Alert),
        ("file = '/f'\nstart = 'true'", Then::Restart),
        ("file = '/f'\nstart = 'true'\nmissing = 'unmonitor'", Then::Unmonitor),
    ] {
        let rules = rules(text);
        assert_eq!(rules.len(), 2, "{text}");
        assert_eq!((&rules[1].when, &rules[1].fail.then), (&Condition::WrongType, &then), "{text}");
    }
    assert_eq!(rules("filesystem = '/f'").len(), 1, "a file system has no type to be wrong");
}

#[test]
fn what_a_file_system_is_mounted_from_is_no_path_below_our_folder() {
    let path = |text: &str| match &loaded(&format!("[service.f]\n{text}\n")).config.services[0].kind {
        Kind::File { path } | Kind::Filesystem { path, .. } => path.display().to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(path("filesystem = 'nas:/export'"), "nas:/export");
    assert_eq!(path("filesystem = 'tank/data'"), "tank/data");
    assert_eq!(path("filesystem = '/dev/sda1'"), "/dev/sda1");
    assert_eq!(path("file = 'keys/tls.pem'"), "/etc/hinoban/keys/tls.pem");
}

#[test]
fn an_action_that_is_none_of_ours_is_left_to_the_registry() {
    let text = process("[[service.httpd.check]]\ntcp = 'localhost:80'\nthen = 'page-someone'\n");
    assert_eq!(loaded(&text).config.services[0].rules[1].fail.then, Then::Custom("page-someone".into()));
}

#[test]
fn all_mistakes_are_reported_in_the_order_of_the_text() {
    let text = "evry = '1s'\n[service.a]\npidfile = 3\nmode = 'x'\n[log]\nsyslog = daemon\n";
    let mistakes = load(text).expect_err("four mistakes");
    let lines: Vec<(u32, u32)> = mistakes.list.iter().map(|m| (m.place.line, m.place.column)).collect();
    assert_eq!(lines, [(1, 1), (3, 11), (4, 8), (6, 10)]);
    assert_eq!(
        mistakes.lines()[0],
        "/etc/hinoban/hinoban.toml:1: `evry` is not known at the top of the file"
    );
}

#[test]
fn columns_count_characters() {
    let mistakes = load(
        "every = \"30s\"\n[service.\"ぶ\"]\npidfile = \"/run/ぶ\"\nstart = { run = \"/bin/ぶ\", x = 1 }\n",
    )
    .expect_err("x is not known");
    assert_eq!((mistakes.list[0].place.line, mistakes.list[0].place.column), (4, 27));
}

/// Nothing exists here, and no name resolves.
struct Desert;

impl Surroundings for Desert {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        NoSurroundings.read(path)
    }
    fn glob(&self, _: &str) -> Vec<std::path::PathBuf> {
        Vec::new()
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn group(&self, _: &str) -> Option<u32> {
        None
    }
    fn host_name(&self) -> String {
        "desert".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, _: &Path, _: bool) -> bool {
        false
    }
    fn resolves(&self, _: &str) -> bool {
        false
    }
}

/// A host on which each user has a group of its own.
struct Groups;

impl Surroundings for Groups {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        NoSurroundings.read(path)
    }
    fn glob(&self, _: &str) -> Vec<std::path::PathBuf> {
        Vec::new()
    }
    fn user(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn group(&self, name: &str) -> Option<u32> {
        name.parse().ok()
    }
    fn primary_group(&self, uid: u32) -> Option<u32> {
        Some(uid + 1000)
    }
    fn host_name(&self) -> String {
        "groups".to_owned()
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn exists(&self, _: &Path, _: bool) -> bool {
        true
    }
    fn resolves(&self, _: &str) -> bool {
        true
    }
}

/// A program that runs as somebody else does not stay in our group.
#[test]
fn a_user_brings_its_primary_group() {
    let text = "[service.a]\nprogram = { run = '/a', user = '7' }\n\
                start = { run = '/a', user = '7', group = '9' }\nstop = { run = '/a' }\n";
    let loaded = toml::parse(Path::new("/etc/h.toml"), text, &Groups).unwrap_or_else(|e| panic!("{e}"));
    let a = loaded.config.services.iter().find(|s| s.name == "a").expect("it");
    let Kind::Program { program, .. } = &a.kind else { panic!("{:?}", a.kind) };
    let ids = |p: Option<&hinoban_config::Program>| p.map(|p| (p.uid, p.gid));
    assert_eq!(ids(Some(program)), Some((Some(7), Some(1007))));
    assert_eq!(ids(a.start.as_ref()), Some((Some(7), Some(9))));
    assert_eq!(ids(a.stop.as_ref()), Some((None, None)));
}

#[test]
fn what_is_odd_but_usable_is_a_warning() {
    let text = "[mail]\nto = 'a@b'\n[web]\nlisten = ':1'\nallow = 'nowhere'\n[service.a]\npidfile = '/a'\n\
                start = '/bin/absent | tee'\n[[service.a.check]]\nwhen = 'cpu > 200%'\n";
    let loaded = toml::parse(Path::new("/etc/h.toml"), text, &Desert).unwrap_or_else(|e| panic!("{e}"));
    assert!(loaded.warnings.list.iter().all(|m| m.severity == Severity::Warning));
    insta::assert_snapshot!(loaded.warnings.to_string());
}

#[test]
fn passwords_are_neither_in_the_mistakes_nor_in_their_texts() {
    let text = "[mail]\nservers = ['smtp://u:hunter2@h', { url = 'x:hunter2@y', user = 'u', password = 'hunter2' }]\n\
                [web]\nallow = 'admin:hunter2'\nusers = [{ name = 'a', password = hunter2 }]\nx = 1\n\
                [service.a]\nhost = 'http://u:hunter2@h'\n[[service.a.check]]\nhttp = 'u:hunter2@h'\n\
                [[service.a.check]]\ntcp = 'http://u:hunter2@h:80/'\nheaders = { Authorization = 'hunter2' }\n";
    let mistakes = load(text).expect_err("many mistakes");
    let shown = format!("{mistakes}\n{}", mistakes.lines().join("\n"));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn deep_nesting_is_refused_and_not_followed_down() {
    assert!(load(&format!("a = {}", "[".repeat(100_000))).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        if let Err(mistakes) = load(&text) {
            prop_assert!(mistakes.fatal());
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }

    #[test]
    fn any_value_under_any_key_is_answered(
        key in "every|patience|patience.first|patience.give-up|budget|budget.restarts|history|history.size|service.a.patience|service.a.stop.kill-after|service.a.missing|start-delay|mail|web|log|files|service|check|service.a.pidfile|service.a.check|service.a.start|service.a.probe|mail.servers|mail.to|web.listen|web.allow|web.users",
        value in "([a-z0-9:/@%<>= .\\[\\]{},'\"é-]|\\n){0,40}",
        quoted: bool,
    ) {
        let text = if quoted { format!("{key} = {value:?}\n") } else { format!("{key} = {value}\n") };
        if let Err(mistakes) = load(&text) {
            prop_assert!(!mistakes.to_string().is_empty());
        }
    }

    #[test]
    fn any_check_is_answered(
        sort in "http|tcp|url|probe|when|for|else-for|then|status",
        value in "((pid|size|state) (not )?(changed|matches) )?[a-z0-9:/@%<>= .\\[\\](){}*+?|^$é'-]{0,30}",
    ) {
        let _ = load(&process(&format!("[[service.httpd.check]]\nwhen = 'cpu > 1%'\n[[service.httpd.check]]\n{sort} = {value:?}\n")));
    }
}

#[test]
fn a_repair_without_a_program_for_it_is_warned_of() {
    let text = r#"
[service.web]
pidfile = "/run/web.pid"
start = "/bin/true"
  [[service.web.check]]
  http = "http://localhost/"
  then = "restart"

[service.bare]
pidfile = "/run/bare.pid"
  [[service.bare.check]]
  tcp = "localhost:25"
  then = "start"

[service.log]
file = "/var/log/web.log"
  [[service.log.check]]
  when = "size > 1 GB"
  then = "restart"

[service.socket]
file = "/run/web.sock"
start = "/bin/true"
  [[service.socket.check]]
  when = "permission != 0666"
  then = "restart"
"#;
    let loaded = toml::parse("hinoban.toml".as_ref(), text, &NoSurroundings).unwrap();
    let lines = loaded.warnings.lines();
    assert_eq!(
        lines,
        [
            "hinoban.toml:6: web cannot be restarted while its process lives: it has no stop program",
            "hinoban.toml:12: bare cannot be started: it has no start program",
            "hinoban.toml:18: log cannot be started: it has no start program",
        ]
    );
}

#[test]
fn a_stop_without_a_program_and_a_branch_for_recovery_are_warned_of_on_every_kind() {
    let text = r#"
[service.web]
host = "127.0.0.1"
  [[service.web.check]]
  tcp = "127.0.0.1:80"
  then = "stop"

[service.mail]
host = "127.0.0.1"
  [[service.mail.check]]
  tcp = "127.0.0.1:25"
  then = "alert"
  else = "restart"

[service.bare]
pidfile = "/run/bare.pid"
"#;
    assert_eq!(
        warned(text),
        [
            "/etc/hinoban/hinoban.toml:5: web cannot be stopped: it has no stop program, so it would only be watched no longer",
            "/etc/hinoban/hinoban.toml:11: mail cannot be started: it has no start program",
        ]
    );
}

#[test]
fn a_start_of_what_is_up_whenever_it_is_checked_is_warned_of() {
    let text = r#"
[service.web]
pidfile = "/run/web.pid"
start = "/bin/true"
  [[service.web.check]]
  tcp = "localhost:80"
  then = "start"

[service.missing]
pidfile = "/run/missing.pid"
start = "/bin/true"
missing = "start"

[service.host]
host = "127.0.0.1"
start = "/bin/true"
  [[service.host.check]]
  tcp = "127.0.0.1:80"
  then = "start"
"#;
    assert_eq!(
        warned(text),
        [
            "/etc/hinoban/hinoban.toml:6: web is not started by this: it is up when this is checked, and a start of what is up does nothing"
        ]
    );
}

#[test]
fn an_interface_that_lets_nobody_in_is_warned_of_and_a_period_of_nothing_is_refused() {
    let loaded =
        toml::parse("h.toml".as_ref(), "[web]\nlisten = \"127.0.0.1:2812\"\n", &NoSurroundings).unwrap();
    assert_eq!(
        loaded.warnings.lines(),
        ["h.toml:2: nothing will listen there: nobody is allowed to connect"]
    );
    let mistakes = toml::parse("h.toml".as_ref(), "every = \"1ns\"\n", &NoSurroundings).unwrap_err();
    assert_eq!(mistakes.lines(), ["h.toml:1: `every` must be at least 100ms"]);
}

#[test]
fn turns_and_limits_are_written_as_people_say_them() {
    let service = |lines: &str| loaded(&process(lines)).config.services[0].clone();
    let turns = |lines: &str| {
        let service = service(lines);
        (service.every, service.turns.clone())
    };
    let pattern = |text: &str| Cron::parse(text).expect("a pattern").0;
    let ten = Some(std::time::Duration::from_secs(10));
    assert_eq!(turns("every = \"10s\""), (ten, Turns::Each));
    assert_eq!(turns("every = \"3 cycles\""), (None, Turns::Nth(3)));
    for text in ["*/5 8-19 * * 1-5", "30 4 1 1 0"] {
        assert_eq!(turns(&format!("every = \"{text}\"")), (None, Turns::At(pattern(text))));
    }
    let except = Turns::Except(pattern("* 2-4 * * *"));
    assert_eq!(turns("every = \"10s\"\nnot-every = \"* 2-4 * * *\""), (ten, except));

    let service = service("[[service.httpd.check]]\nrestarts = \"3 within 5 cycles\"\nthen = \"unmonitor\"");
    let rule = service.rules.last().expect("a rule");
    assert_eq!(rule.when, Condition::Restarts { count: 3, within: 5 });
    assert_eq!(rule.fail, Branch::once(Then::Unmonitor));
}

fn warned(text: &str) -> Vec<String> {
    load(text).unwrap_or_else(|e| panic!("{text}\n{e}")).warnings.lines()
}

#[test]
fn a_user_with_a_mistake_in_it_is_still_somebody() {
    let text = "[web]\nlisten = '127.0.0.1:2812'\nusers = [{ name = 'a', password = { file = '/none' } }]\n";
    let mistakes = load(text).unwrap_err().lines();
    assert!(matches!(&mistakes[..], [only] if only.contains("/none cannot be read")), "{mistakes:?}");
}

#[test]
fn who_can_stop_services_from_elsewhere_without_a_password_is_warned_of() {
    let text = |listen: &str, rest: &str| format!("[web]\nlisten = {listen}\n{rest}\n");
    let warned = |listen: &str, rest: &str| warned(&text(listen, rest));
    let told = warned("':2812'", "allow = ['127.0.0.1', '10.0.0.0/8']");
    assert_eq!(
        told,
        ["/etc/hinoban/hinoban.toml:2: there are no users: everybody at 10.0.0.0/8 may stop services"]
    );
    assert_eq!(warned("'192.0.2.1:1'", "allow = ['127.0.0.0/1']").len(), 1, "half of the world");
    let user = "users = [{ name = 'a', password = 'b' }]";
    for (listen, rest) in [
        ("':2812'", "allow = ['127.0.0.1', '::1', 'localhost', '127.0.0.0/8']".to_owned()),
        ("'127.0.0.1:2812'", "allow = '10.0.0.0/8'".to_owned()),
        ("{ at = ':2812', read-only = true }", "allow = '10.0.0.0/8'".to_owned()),
        ("'unix:/run/x'", "allow = '10.0.0.0/8'".to_owned()),
        ("':2812'", format!("allow = '10.0.0.0/8'\n{user}")),
    ] {
        assert_eq!(warned(listen, &rest), [""; 0], "{listen} {rest}");
    }
}

#[test]
fn users_that_differ_in_case_alone_are_one() {
    let text = "[web]\nusers = [{ name = 'Admin', password = 'a' }, { name = 'admin', password = 'b' }]\n";
    let mistakes = load(text).unwrap_err().lines();
    assert!(mistakes[0].ends_with("the users `Admin` and `admin` are the same: case makes no difference"));
}

#[test]
fn names_that_commands_and_addresses_need_are_refused() {
    for name in ["all", "ALL", ".", "..", "_status", "_", "api/v1/services"] {
        let mistakes = load(&format!("[service.'{name}']\npidfile = '/a'\n")).unwrap_err().lines();
        assert!(mistakes[0].contains(&format!("`{name}` cannot be the name of a service: ")), "{mistakes:?}");
    }
    for name in ["allow", "a.b", "...", "a_b", "api"] {
        loaded(&format!("[service.'{name}']\npidfile = '/a'\n"));
    }
}

#[test]
fn control_characters_are_in_neither_groups_nor_paths() {
    for text in ["groups = ['a', \"b\\u001b[31m\"]", "groups = \"b\\nc\""] {
        let mistakes = load(&process(text)).unwrap_err().lines();
        assert!(mistakes[0].contains("cannot be the name of a group"), "{mistakes:?}");
    }
    for text in ["pidfile", "file", "filesystem"] {
        let mistakes = load(&format!("[service.a]\n{text} = \"/a\\nb\"\n")).unwrap_err();
        let lines = mistakes.lines();
        assert!(lines[0].contains(&format!("`{text}` holds a control character: \"/a\\nb\"")), "{lines:?}");
    }
}
