//! What rules of the TOML form say, and how often what they ask for is done.

use std::path::Path;

use hinoban_config::{Change, Condition, Loaded, Mistakes, NoSurroundings, Patience, Then, toml};

fn load(text: &str) -> Result<Loaded, Mistakes> {
    toml::parse(Path::new("/etc/hinoban/hinoban.toml"), text, &NoSurroundings)
}

fn loaded(text: &str) -> Loaded {
    load(text).unwrap_or_else(|e| panic!("{e}"))
}

fn warned(text: &str) -> Vec<String> {
    loaded(text).warnings.lines()
}

fn process(rest: &str) -> String {
    format!("[service.httpd]\npidfile = \"/run/httpd.pid\"\n{rest}")
}

fn rules(checks: &str) -> Vec<hinoban_config::Rule> {
    loaded(&process(checks)).config.services[0].rules[1..].to_vec()
}

#[test]
fn a_reading_may_be_asked_whether_it_changed() {
    let when = |text: &str| rules(&format!("[[service.httpd.check]]\nwhen = {text:?}\n")).remove(0).when;
    let changed = |metric: &str, expect| Condition::Changed { metric: metric.to_owned(), expect };
    for (text, metric, expect) in [
        ("pid changed", "pid", Change::Changed),
        ("ppid has changed", "ppid", Change::Changed),
        ("PID not changed", "pid", Change::Unchanged),
        ("uid unchanged", "uid", Change::Unchanged),
        ("total memory has not changed", "memory.total.bytes", Change::Unchanged),
        ("cpu.total.percent changed", "cpu.total.percent", Change::Changed),
    ] {
        assert_eq!(when(text), changed(metric, expect), "{text}");
    }
    let of = |service: &str, when: &str| {
        let text = format!("{service}\n[[service.x.check]]\nwhen = {when:?}\n");
        loaded(&text).config.services[0].rules.last().expect("a rule").when.clone()
    };
    let file = "[service.x]\nfile = '/f'";
    assert_eq!(of(file, "size not changed"), changed("size", Change::Unchanged));
    assert_eq!(
        of(file, "modify time changed"),
        changed("modify.time", Change::Changed),
        "moments change too"
    );
    let own = "[service.x]\nprobe = 'queue'";
    assert_eq!(of(own, "leader changed"), changed("leader", Change::Changed));
    // A sign before the word makes it a comparison.
    assert!(matches!(of(own, "state = changed"), Condition::Compare { .. }));
    assert!(matches!(of(own, "changed > 5"), Condition::Compare { .. }));
}

#[test]
fn that_a_change_is_over_is_told_only_if_it_is_asked_for() {
    let ok = |check: &str| rules(&format!("[[service.httpd.check]]\n{check}\n")).remove(0).ok.then;
    assert_eq!(ok("when = 'pid changed'"), Then::Nothing);
    assert_eq!(ok("when = 'pid changed'\nelse = 'alert'"), Then::Alert);
    assert_eq!(ok("when = 'pid not changed'\nfor = '1h'"), Then::Alert, "that it moves again is news");
}

#[test]
fn texts_are_matched_by_patterns_in_any_quotes() {
    let when = |text: &str| {
        let text = format!("[service.x]\nprobe = 'agent'\n[[service.x.check]]\nwhen = {text}\n");
        match loaded(&text).config.services[0].rules.last().expect("a rule").when.clone() {
            Condition::Matches { metric, pattern, fails_on_match } => (metric, pattern, fails_on_match),
            other => panic!("{other:?}"),
        }
    };
    for (text, fails_on_match) in [
        (r#""version matches '^1\\.'""#, true),
        (r#"'version matches "^1\."'"#, true),
        (r"'version matches ^1\.'", true),
        (r#""version not matches '^1\\.'""#, false),
        (r#""version does not match '^1\\.'""#, false),
    ] {
        let (metric, pattern, fails) = when(text);
        assert_eq!((metric.as_str(), pattern.text(), fails), ("version", r"^1\.", fails_on_match), "{text}");
        assert!(pattern.is_match("1.2") && !pattern.is_match("10.2"));
    }
    assert_eq!(when(r#""version matches '>= 1'""#).1.text(), ">= 1", "a sign in a pattern compares nothing");
}

#[test]
fn a_list_changes_the_service_once_and_runs_the_rest_before() {
    let fail = |then: &str| {
        let check = format!("[[service.httpd.check]]\nwhen = 'cpu > 1%'\nthen = {then}\n");
        let branch = rules(&check).remove(0).fail;
        let name = |then: &Then| match then {
            Then::Exec { program, .. } => program.line(),
            Then::Custom(name) => name.clone(),
            other => format!("{other:?}"),
        };
        (name(&branch.then), branch.also.iter().map(name).collect::<Vec<_>>().join(" "))
    };
    let is = |then: &str, also: &str| (then.to_owned(), also.to_owned());
    assert_eq!(fail("['dump', 'restart', { exec = 'note' }]"), is("Restart", "dump note"));
    assert_eq!(fail("[{ exec = 'note' }, 'alert', 'dump']"), is("dump", "note"));
    assert_eq!(fail("['unmonitor']"), is("Unmonitor", ""));
    assert_eq!(fail("['alert', 'alert']"), is("Alert", ""));
    assert_eq!(fail("['dump']"), fail("'dump'"), "a list of one is that one");
}

#[test]
fn both_sides_of_a_rule_may_count_looks_or_last() {
    let sides = |lines: &str| {
        let rule = rules(&format!("[[service.httpd.check]]\nwhen = 'cpu > 1%'\n{lines}\n")).remove(0);
        [rule.fail, rule.ok]
            .map(|side| (side.rate.count, side.rate.within, side.lasting.map(|t| t.as_secs())))
    };
    assert_eq!(sides(""), [(1, 1, None), (1, 1, None)]);
    assert_eq!(sides("for = '2m'"), [(1, 1, Some(120)), (1, 1, None)]);
    assert_eq!(
        sides("for = '3 m'"),
        [(1, 1, Some(180)), (1, 1, None)],
        "a blank before the unit makes no look of it"
    );
    assert_eq!(sides("for = 3\nelse-for = '5m'"), [(3, 3, None), (1, 1, Some(300))]);
    assert_eq!(sides("for = '5 of 8'\nelse-for = '2 cycles'"), [(5, 8, None), (2, 2, None)]);
    let gone = |missing: &str| loaded(&process(missing)).config.services[0].rules[0].clone();
    let rule = gone("missing = { for = '1m', else-for = 2 }");
    assert_eq!((&rule.fail.then, rule.fail.lasting.map(|t| t.as_secs())), (&Then::Restart, Some(60)));
    assert_eq!((rule.ok.rate.count, &rule.ok.then), (2, &Then::Alert));
    let rule = gone("missing = ['page', 'stop']");
    assert_eq!((rule.fail.then, rule.fail.also), (Then::Stop, vec![Then::Custom("page".into())]));
}

#[test]
fn patience_is_everybodys_and_a_service_changes_single_keys_of_it() {
    let config = loaded(
        "[patience]\nfirst = '2s'\ngive-up = 'never'\ngive-up-gone = 9\n\
         [service.a]\npidfile = '/a'\n[service.a.patience]\nlongest = '1m'\ngive-up = 3\n[service.b]\npidfile = '/b'\n",
    )
    .config;
    let all = Patience {
        first: std::time::Duration::from_secs(2),
        give_up: None,
        give_up_gone: Some(9),
        ..Patience::default()
    };
    let a = Patience { longest: std::time::Duration::from_secs(60), give_up: Some(3), ..all };
    let of = |n: usize| config.services[n].patience;
    assert_eq!([of(0), of(1), of(2)], [Some(a), Some(all), Some(all)], "the system that nobody wrote too");
}

#[test]
fn a_pause_that_is_refused_brings_no_second_mistake() {
    let why = load("[patience]\nfirst = '10ms'\nlongest = '100ms'\n").err().unwrap().to_string();
    assert!(why.contains("10ms") && !why.contains("longer than the longest"), "{why}");
}

#[test]
fn the_host_has_a_budget_and_a_history_unless_it_is_said_otherwise() {
    let of = |text: &str| {
        let config = loaded(text).config;
        (config.budget.map(|b| (b.restarts, b.within.as_secs())), config.history)
    };
    assert_eq!(of(""), (Some((3, 60)), Some(64_000_000)));
    assert_eq!(of("budget = false\nhistory = false"), (None, None));
    assert_eq!(of("budget = true\nhistory = true"), of(""));
    assert_eq!(of("[budget]\nrestarts = 9\n[history]\nsize = '1 GiB'"), (Some((9, 60)), Some(1 << 30)));
}

#[test]
fn what_can_only_last_till_the_next_look_is_warned_of() {
    let text = |service: &str, lasts: &str| {
        process(&format!("{service}\n[[service.httpd.check]]\nwhen = 'cpu > 1%'\nfor = '{lasts}'\n"))
    };
    let told = |service: &str, lasts: &str| warned(&text(service, lasts));
    let short = |period: &str| {
        format!("/etc/hinoban/hinoban.toml:6: `for` is shorter than the time between two looks, {period}")
    };
    assert_eq!(told("", "20s"), [short("30s")]);
    assert_eq!(told("every = '1m'", "30s"), [short("1m")]);
    assert_eq!(told("every = '4 cycles'", "1m"), [short("2m")]);
    for (service, lasts) in [("", "30s"), ("every = '10s'", "20s"), ("every = '* 4 * * *'", "2s")] {
        assert_eq!(told(service, lasts), [""; 0], "{service}");
    }
    // What all services have is known, wherever it stands.
    let all = warned(&format!("every = '5s'\n{}", text("", "5s")));
    assert_eq!(all, [""; 0]);
}

#[test]
fn a_limit_that_the_pauses_keep_from_being_reached_is_warned_of() {
    let text = |patience: &str, limit: &str| {
        let service =
            process(&format!("[[service.httpd.check]]\nrestarts = '{limit}'\nthen = 'unmonitor'\n"));
        warned(&format!("every = '10s'\npatience = {{ {patience} }}\n{service}"))
    };
    // 1 + 2 + 4 + … + 256 + 300 = 811 s for the eleventh.
    let told = text("", "11 within 50 cycles");
    assert_eq!(
        told,
        [
            "/etc/hinoban/hinoban.toml:6: httpd is never restarted 11 times within 50 cycles: its pauses make that last 13m 31s, and the cycles 8m 20s"
        ]
    );
    assert_eq!(text("", "3 within 5 cycles"), [""; 0]);
    assert_eq!(text("", "11 within 100 cycles"), [""; 0]);
    assert_eq!(text("longest = '30s'", "11 within 50 cycles"), [""; 0], "31 s and six times 30 s");
    assert_eq!(
        text("stable = '5s'", "11 within 50 cycles"),
        [""; 0],
        "what lives for 5 s has no pause any more"
    );
    assert_eq!(text("first = '5m'", "2 within 5 cycles").len(), 1);
    assert_eq!(text("", "4000000000 within 4000000000 cycles").len(), 1);
}
