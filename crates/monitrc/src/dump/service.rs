//! Services: what each is, and its rules in an order of their own.

use hinoban_config::{Condition, Config, Dialect, Found, Kind, Link, Mode, Rule, Service, Turns};

use super::rule::{Shown, command, shown};
use super::settings::{alerts, on_reboot};
use super::{Page, Runtime, amount};

/// So much is shown of a command that starts, stops or restarts, in bytes. Those of rules are shown whole.
const COMMAND_SHOWN: usize = 254;

/// Where a rule stands among the lines of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Missing,
    Exists,
    Pid,
    Ppid,
    Flags,
    Status,
    Checksum,
    Permission,
    Uid,
    Euid,
    Security,
    Descriptors,
    Gid,
    Ping,
    Port,
    Unix,
    Stamp,
    Size,
    Link,
    Capacity,
    Saturation,
    UploadBytes,
    UploadPackets,
    DownloadBytes,
    DownloadPackets,
    Uptime,
    Content,
    Resource,
    Restarts,
}

/// A service.
pub(super) fn write(page: &mut Page, config: &Config, service: &Service, runtime: &Runtime<'_>) {
    head(page, service);
    let rules = rules(config, service, runtime);
    let (existence, others) = rules.split_at(rules.partition_point(|rule| rule.rank <= Rank::Exists));
    let put = |page: &mut Page, rules: &[Shown]| {
        rules.iter().for_each(|rule| page.line(&rule.label, &rule.text));
    };
    put(page, existence);
    for other in service.depends_on.iter().rev() {
        page.line("Depends on Service", &other.name);
    }
    let (before, others) = others.split_at(others.partition_point(|rule| rule.rank < Rank::Status));
    put(page, before);
    if let Kind::Program { program, .. } = &service.kind {
        let time = amount::time(program.timeout);
        page.line("Program timeout", format!("terminate the program if not finished within {time}"));
    }
    let (others, content) = others.split_at(others.partition_point(|rule| rule.rank < Rank::Content));
    put(page, others);
    for ignore in &service.ignore {
        let sign = if ignore.on_match { "=" } else { "!=" };
        page.line("Ignore content", format!("if content {sign} \"{}\" then ignore", ignore.pattern.text()));
    }
    let (resources, restarts) = content.split_at(content.partition_point(|rule| rule.rank < Rank::Restarts));
    put(page, resources);
    turns(page, service);
    put(page, restarts);
    patience(page, service);
    alerts(page, &service.alerts, 20);
}

/// A line for each rule about changes of a mode that has none to begin with.
pub(super) fn missing(service: &Service, runtime: &Runtime<'_>) -> String {
    let (Kind::File { path }
    | Kind::Directory { path }
    | Kind::Fifo { path }
    | Kind::Filesystem { path, .. }) = &service.kind
    else {
        return String::new();
    };
    let of_mode =
        |rule: &&Rule| matches!(&rule.when, Condition::Changed { metric, .. } if metric == "permission");
    let rules = service.rules.iter().filter(of_mode).count();
    if rules == 0 || (runtime.exists)(path) {
        return String::new();
    }
    let path = path.display();
    format!("The path '{path}' used in the PERMISSION statement refer to a non-existing object\n")
        .repeat(rules)
}

/// What it is, and the commands for it.
fn head(page: &mut Page, service: &Service) {
    let (kind, label, value) = subject(&service.kind);
    page.text += &format!("{:<21} = {}\n", format!("{kind} Name"), service.name);
    if !service.groups.is_empty() {
        let named = |group: &String| page.groups.get(&group.to_lowercase());
        let mut groups: Vec<&(usize, String)> = service.groups.iter().filter_map(named).collect();
        groups.sort_by(|a, b| b.cmp(a));
        let groups: Vec<&str> = groups.into_iter().map(|(_, group)| &**group).collect();
        page.line("Group", groups.join(", "));
    }
    if let Some(value) = value {
        page.line(label, value);
    }
    page.line(
        "Monitoring mode",
        match service.mode {
            Mode::Active => "active",
            Mode::Passive => "passive",
        },
    );
    page.line("On reboot", on_reboot(service.on_reboot));
    for (label, program) in [
        ("Start program", &service.start),
        ("Stop program", &service.stop),
        ("Restart program", &service.restart),
    ] {
        if let Some(program) = program {
            let (command, time) = (command(program, COMMAND_SHOWN), amount::time(program.timeout));
            page.line(label, format!("{command} timeout {time}"));
        }
    }
}

/// The word for a kind, and what is watched, under its label.
fn subject(kind: &Kind) -> (&str, &'static str, Option<String>) {
    match kind {
        Kind::Process { found: Found::Pidfile(path) } => {
            ("Process", "Pid file", Some(path.display().to_string()))
        }
        Kind::Process { found: Found::Matching(pattern) } => {
            ("Process", "Match", Some(pattern.text().to_owned()))
        }
        Kind::File { path } => ("File", "Path", Some(path.display().to_string())),
        Kind::Directory { path } => ("Directory", "Path", Some(path.display().to_string())),
        Kind::Fifo { path } => ("Fifo", "Path", Some(path.display().to_string())),
        Kind::Filesystem { path, .. } => ("Filesystem", "Path", Some(path.display().to_string())),
        Kind::Host { address } => ("Remote Host", "Address", Some(address.clone())),
        Kind::System => ("System", "", None),
        Kind::Program { program, .. } => ("Program", "Path", Some(program.line())),
        Kind::Network { link: Link::Interface(name) } => ("Network", "Interface", Some(name.clone())),
        Kind::Network { link: Link::Address(address) } => ("Network", "Interface", Some(address.to_string())),
        Kind::Custom { probe, .. } => (probe, "", None),
        _ => ("Service", "", None),
    }
}

/// Its rules in order: by rank, and the last written first, but for those about content.
fn rules(config: &Config, service: &Service, runtime: &Runtime<'_>) -> Vec<Shown> {
    let visible = service.rules.iter().filter(|rule| !is_part(config, service, rule));
    let mut rules: Vec<Shown> = visible.map(|rule| shown(&service.kind, rule, runtime)).collect();
    let content = |rule: &Shown| rule.rank == Rank::Content;
    let mut written: Vec<Shown> = Vec::new();
    let mut at = 0;
    while at < rules.len() {
        if content(&rules[at]) {
            written.push(rules.remove(at));
        } else {
            at += 1;
        }
    }
    rules.reverse();
    rules.extend(written);
    rules.sort_by_key(|rule| rule.rank);
    rules
}

/// Whether a rule is none that was written, but part of another or of what its kind means.
fn is_part(config: &Config, service: &Service, rule: &Rule) -> bool {
    let implied = rule.place.line == 0;
    match &rule.when {
        Condition::WrongType => implied,
        Condition::Compare { metric, .. } if metric == "run.error" => implied,
        // Monit tells of errors of an interface by its rule about the link.
        Condition::Compare { metric, .. } if config.dialect == Dialect::Monit => {
            matches!(service.kind, Kind::Network { .. })
                && matches!(metric.as_str(), "upload.errors.rate" | "download.errors.rate")
        }
        _ => false,
    }
}

/// When it is looked at, if not in each cycle.
fn turns(page: &mut Page, service: &Service) {
    match &service.turns {
        Turns::Each => {}
        Turns::Nth(cycles) => page.line("Every", format!("Check service every {cycles} cycles")),
        Turns::At(cron) => page.line("Every", format!("Check service every {cron}")),
        Turns::Except(cron) => page.line("Every", format!("Don't check service every {cron}")),
    }
    if let Some(every) = service.every {
        page.line("Cycle", amount::time(every));
    }
}

/// How repairs in vain are repeated, which Monit does without a pause.
fn patience(page: &mut Page, service: &Service) {
    let Some(patience) = &service.patience else { return };
    let (first, longest) = (amount::time(patience.first), amount::time(patience.longest));
    let mut text = format!("at once, then after {first} up to {longest}");
    for (count, what) in [(patience.give_up, "lives"), (patience.give_up_gone, "is gone")] {
        text += &count.map(|n| format!(", given up after {n} in vain if it {what}")).unwrap_or_default();
    }
    page.line("Repairs", text);
}
