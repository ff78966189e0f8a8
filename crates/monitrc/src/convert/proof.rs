//! Whether two configurations mean the same, one read from a control file and one from its twin in TOML. What may differ
//! is what makes no difference: see [`plan`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{
    Allow, Branch, Condition, Config, Dialect, Found, Ignore, Kind, Limits, Mail, MailTls, Mode, Pattern,
    Place, Program, Protocol, Rule, Service, Step, Test, Then, Tls, Turns, Web,
};
use hinoban_reading::Value;

/// The same configuration in the form in which equal plans are equal:
///
/// - patterns are in our own syntax, numbers without a fraction are whole;
/// - rules about existence that only tell when they hold again stand first: nothing else can be tried before them;
/// - a restart that follows from the kind, of something without a program that nobody depends on, is an alert: it can do no
///   more, unless such restarts are counted;
/// - a relative path of a program begins at `/`, where programs are run;
/// - who may log in and who may connect are apart; how much is kept of output and lines is of programs and files alone.
pub(super) fn plan(config: &Config) -> Config {
    let mut plan = config.clone();
    let monit = config.dialect == Dialect::Monit;
    plan.dialect = Dialect::Toml;
    plan.tls = if speaks_tls(config) { config.tls_defaults() } else { Tls::default() };
    plan.web.allow.sort_by_key(rank);
    let (output, lines) = kept(config);
    if !output {
        (plan.limits.program_output, plan.limits.program) = (0, Duration::ZERO);
    }
    if !lines {
        plan.limits.file_content = 0;
    }
    let needed = needed(config);
    for service in &mut plan.services {
        let vain = restarts_in_vain(service, &needed);
        let service = Arc::make_mut(service);
        plain(service, monit);
        for rule in &mut service.rules {
            let implied =
                rule.place.line == 0 && matches!(rule.when, Condition::Missing | Condition::WrongType);
            if implied && vain && rule.fail.then == Then::Restart {
                rule.fail.then = Then::Alert;
            }
        }
        service.rules.sort_by_key(|rule| match rule.when {
            Condition::Missing if comes_first(rule) => 0,
            Condition::WrongType => 1,
            _ => 2,
        });
    }
    plan
}

/// What is not the same in the two, each with where it stands in the first.
pub(super) fn differences(one: &Config, other: &Config) -> Vec<(Place, String)> {
    let (one, other) = (plan(one), plan(other));
    let mut found = Vec::new();
    for (at, service) in one.services.iter().enumerate() {
        match other.services.get(at) {
            Some(twin) if twin == service => {}
            Some(twin) => found.push(difference(service, twin)),
            None => found.push((service.place.clone(), format!("the service {}", service.name))),
        }
    }
    if other.services.len() > one.services.len() {
        found.push((Place::default(), "how many services there are".to_owned()));
    }
    let mut say = |same: bool, what: &str| {
        if !same {
            found.push((Place::default(), what.to_owned()));
        }
    };
    say(one.every == other.every && one.start_delay == other.start_delay, "the time between looks");
    say(one.mail == other.mail, "how mail leaves");
    say(one.alerts == other.alerts, "who is told");
    say(one.web == other.web, "the HTTP interface");
    say(one.tls == other.tls, "TLS in general");
    say(one.limits == other.limits, "the limits");
    say(one.collectors == other.collectors, "M/Monit");
    let rest = |config: Config| Config {
        services: Vec::new(),
        every: None,
        start_delay: Duration::ZERO,
        mail: Mail::default(),
        alerts: Vec::new(),
        web: Web::default(),
        tls: Tls::default(),
        limits: Limits::default(),
        collectors: Vec::new(),
        ..config
    };
    say(rest(one) == rest(other), "a setting");
    found
}

/// What is not the same in two services.
fn difference(one: &Service, other: &Service) -> (Place, String) {
    let rules = one.rules.iter().zip(&other.rules).find(|(one, other)| one != other);
    match rules {
        Some((rule, _)) if rule.place.line > 0 => (rule.place.clone(), "this rule".to_owned()),
        _ => (one.place.clone(), format!("the service {}", one.name)),
    }
}

/// Whether something is said of TLS in general, or spoken where that counts.
pub(super) fn speaks_tls(config: &Config) -> bool {
    let tests = config.services.iter().flat_map(|service| &service.rules).any(|rule| match &rule.when {
        Condition::Test { test: Test::Port(test), .. } => test.tls.is_some(),
        Condition::Test { test: Test::Url(test), .. } => test.url.starts_with("https"),
        _ => false,
    });
    let mail = config.mail.servers.iter().any(|server| server.tls != MailTls::Off);
    let said = config.tls != Tls::default() && config.tls != Tls { verify: Some(false), ..Tls::default() };
    tests || mail || said || config.fips || !config.collectors.is_empty()
}

/// Whether there are programs whose output is kept, and files of which lines are.
pub(super) fn kept(config: &Config) -> (bool, bool) {
    let any = |program: bool| {
        let of = |service: &Arc<Service>| matches!(service.kind, Kind::Program { .. }) == program;
        config.services.iter().any(|service| of(service) && keeps(service))
    };
    (any(true), any(false))
}

/// Whether something is kept of what is read here: the output of a program, lines of a file that rules look into.
pub(super) fn keeps(service: &Service) -> bool {
    let content = |rule: &Rule| matches!(rule.when, Condition::Content { .. });
    match service.kind {
        Kind::Program { .. } => true,
        Kind::File { .. } => service.rules.iter().any(content),
        _ => false,
    }
}

/// The names of services that others depend on, in lower case.
pub(super) fn needed(config: &Config) -> HashSet<String> {
    config
        .services
        .iter()
        .flat_map(|other| &other.depends_on)
        .map(|wanted| wanted.name.to_lowercase())
        .collect()
}

/// Whether a restart that follows from the kind of this service comes to nothing. These are `needed` by others.
pub(super) fn restarts_in_vain(service: &Service, needed: &HashSet<String>) -> bool {
    let counted = service.rules.iter().any(|rule| matches!(rule.when, Condition::Restarts { .. }));
    let programs = service.start.is_some() || service.stop.is_some() || service.restart.is_some();
    let process = matches!(service.kind, Kind::Process { .. });
    let alone = || !needed.contains(&service.name.to_lowercase());
    !counted && (service.mode == Mode::Passive || !process && !programs && alone())
}

/// Whether it makes no difference what stands before this rule about existence.
pub(super) fn comes_first(rule: &Rule) -> bool {
    rule.ok.then == Then::Alert && rule.ok.also.is_empty()
}

/// The pattern in our own syntax. `line`: it is looked for in single lines.
pub(super) fn ours(pattern: &Pattern, line: bool) -> String {
    let text = pattern.text();
    let Ok(translated) = Pattern::translated(text) else { return text.to_owned() };
    let bare = translated.strip_prefix("(?s)").unwrap_or(&translated);
    // Only these can meet the end of a line.
    let meets = bare.contains('.') || bare.contains("[^") || bare.contains(r"\W") || bare.contains(r"\S");
    if line || !meets { bare.to_owned() } else { translated }
}

fn rank(allow: &Allow) -> u8 {
    match allow {
        Allow::Host(_) => 0,
        Allow::User(_) => 1,
        Allow::File(_) => 2,
        Allow::Group { .. } => 3,
    }
}

fn plain(service: &mut Service, monit: bool) {
    let translated = |pattern: &mut Pattern, line: bool| {
        if monit && let Ok(own) = Pattern::new(&ours(pattern, line)) {
            *pattern = own;
        }
    };
    if let Turns::Nth(0 | 1) = service.turns {
        service.turns = Turns::Each;
    }
    let file = matches!(service.kind, Kind::File { .. });
    if !keeps(service) {
        service.buffer = 0;
    }
    match &mut service.kind {
        Kind::Process { found: Found::Matching(pattern) } => translated(pattern, false),
        Kind::Program { program, .. } => rooted(program),
        _ => {}
    }
    [&mut service.start, &mut service.stop, &mut service.restart].into_iter().flatten().for_each(rooted);
    for Ignore { pattern, .. } in &mut service.ignore {
        translated(pattern, true);
    }
    for rule in &mut service.rules {
        for branch in [&mut rule.fail, &mut rule.ok] {
            programs(branch);
        }
        match &mut rule.when {
            Condition::Compare { limit, .. } => whole(limit),
            Condition::Matches { pattern, .. } => translated(pattern, false),
            Condition::Content { pattern, .. } => translated(pattern, file),
            Condition::Test { test, .. } => tested(test, translated),
            _ => {}
        }
    }
}

/// A test in the form in which equal tests are equal: the `Host` header that is sent in any case is written out, and what is
/// shown instead of secrets follows from them.
fn tested(test: &mut Test, translated: impl Fn(&mut Pattern, bool)) {
    let protocol = match test {
        Test::Port(test) => {
            let host = if test.host.contains(':') { format!("[{}]", test.host) } else { test.host.clone() };
            let usual = if test.tls.is_some() { 443 } else { 80 };
            let host = if test.port == usual { host } else { format!("{host}:{}", test.port) };
            if let Protocol::Http(http) = &mut test.protocol
                && !http.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"))
            {
                http.headers.insert(0, ("Host".to_owned(), host));
            }
            &mut test.protocol
        }
        Test::Unix(test) => &mut test.protocol,
        Test::Url(test) => {
            test.masked = None;
            if let Some(body) = &mut test.content {
                translated(&mut body.pattern, false);
            }
            return;
        }
        _ => return,
    };
    match protocol {
        Protocol::Generic(steps) => {
            for step in steps {
                if let Step::Expect(pattern) = step {
                    translated(pattern, false);
                }
            }
        }
        Protocol::Websocket(websocket) => websocket.version = Some(websocket.version.unwrap_or(0)),
        Protocol::Http(http) => {
            http.masked = None;
            if let Some(body) = &mut http.content {
                translated(&mut body.pattern, false);
            }
        }
        _ => {}
    }
}

fn programs(branch: &mut Branch) {
    for then in branch.also.iter_mut().chain([&mut branch.then]) {
        if let Then::Exec { program, .. } = then {
            rooted(program);
        }
    }
}

/// Programs are run in `/`.
fn rooted(program: &mut Program) {
    if let Some(first) = program.words.first_mut()
        && first.contains('/')
        && !first.starts_with('/')
    {
        *first = format!("/{}", first.strip_prefix("./").unwrap_or(first));
    }
}

fn whole(limit: &mut Value) {
    if let Value::Real(number) = limit
        && number.fract() == 0.0
        && number.abs() < 9e15
    {
        *limit = Value::Int(*number as i64);
    }
}
