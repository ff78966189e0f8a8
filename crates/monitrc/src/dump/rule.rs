//! Rules: what they ask, how often, and what then.

use hinoban_config::{Algorithm, Branch, Change, Condition, Expect, Kind, Operator, Program, Rule, Then};
use hinoban_reading::Value;

use super::service::Rank;
use super::{Runtime, amount, compare, connection};

/// A rule as it is shown: its place among the lines of a service, its label, and the rest.
pub(super) struct Shown {
    pub(super) rank: Rank,
    pub(super) label: String,
    pub(super) text: String,
}

/// A rule of a service of this kind.
pub(super) fn shown(kind: &Kind, rule: &Rule, runtime: &Runtime<'_>) -> Shown {
    if let Condition::Restarts { count, within } = rule.when {
        let text =
            format!("If restarted {count} times within {within} cycle(s) then {}", actions(&rule.fail));
        return Shown { rank: Rank::Restarts, label: "Timeout".to_owned(), text };
    }
    let (rank, label, mut text) = condition(kind, &rule.when, runtime);
    text += &format!(" {}then {}", rate(&rule.fail), actions(&rule.fail));
    // Everybody is told of every recovery: only more than that is shown.
    if !matches!(rule.ok.then, Then::Alert | Then::Nothing) {
        let up = matches!(kind, Kind::Network { .. }) && rule.when == Condition::Exists;
        let succeeds = matches!(&rule.when, Condition::Test { expect: Expect::Succeeded, .. });
        let turn = if up || succeeds { "failed" } else { "succeeded" };
        text += &format!(" else if {turn} {}then {}", rate(&rule.ok), actions(&rule.ok));
    }
    Shown { rank, label, text }
}

/// Place, label, and the condition from `if` on.
fn condition(kind: &Kind, when: &Condition, runtime: &Runtime<'_>) -> (Rank, String, String) {
    let is = |rank: Rank, label: &str, text: &str| (rank, label.to_owned(), text.to_owned());
    let link = matches!(kind, Kind::Network { .. });
    match when {
        Condition::Missing if link => is(Rank::Link, "Link status", "if down"),
        Condition::Exists if link => is(Rank::Link, "Link status", "if up"),
        Condition::Missing => is(Rank::Missing, "Existence", "if does not exist"),
        Condition::Exists => is(Rank::Exists, "Non-Existence", "if exist"),
        Condition::WrongType => is(Rank::Exists, "Type", "if failed"),
        Condition::Compare { metric, operator, limit } => attribute(metric, *operator, limit)
            .unwrap_or_else(|| compare::shown(kind, metric, *operator, limit)),
        Condition::Changed { metric, expect } => change(metric, *expect),
        Condition::Differs { metric } => differs(kind, metric, runtime),
        Condition::Content { pattern, fails_on_match, .. } => {
            let sign = if *fails_on_match { "=" } else { "!=" };
            (Rank::Content, "Content".to_owned(), format!("if content {sign} \"{}\"", pattern.text()))
        }
        Condition::Matches { metric, pattern, fails_on_match } => {
            let verb = if *fails_on_match { "matches" } else { "does not match" };
            (Rank::Resource, metric.clone(), format!("if {verb} \"{}\"", pattern.text()))
        }
        Condition::Test { test, expect } => {
            let (rank, label, text) = connection::shown(test);
            let verb = match expect {
                Expect::Failed => "failed",
                Expect::Succeeded => "succeeded",
            };
            (rank, label.to_owned(), format!("if {verb} {text}"))
        }
        _ => (Rank::Resource, "Rule".to_owned(), format!("if {when:?}")),
    }
}

/// What is to be so and not otherwise: owners, mode, checksum, security attribute; and how a program ends.
fn attribute(metric: &str, operator: Operator, limit: &Value) -> Option<(Rank, String, String)> {
    if metric == "exit.status" {
        return Some((
            Rank::Status,
            "Status".to_owned(),
            format!("if exit value {} {limit}", operator.sign()),
        ));
    }
    if operator != Operator::NotEqual {
        return None;
    }
    let (rank, label) = match metric {
        "uid" => (Rank::Uid, "UID"),
        "euid" => (Rank::Euid, "EUID"),
        "gid" => (Rank::Gid, "GID"),
        "security.attribute" => (Rank::Security, "Security attribute"),
        "permission" => (Rank::Permission, "Permission"),
        _ => {
            let algorithm = digest(metric)?;
            let text = format!("if failed {limit}({})", algorithm.name());
            return Some((Rank::Checksum, "Checksum".to_owned(), text));
        }
    };
    let limit = match limit {
        Value::Int(mode) if rank == Rank::Permission => format!("{mode:04o}"),
        limit => limit.to_string(),
    };
    Some((rank, label.to_owned(), format!("if failed {limit}")))
}

fn digest(metric: &str) -> Option<Algorithm> {
    match metric {
        "checksum.md5" => Some(Algorithm::Md5),
        "checksum.sha1" => Some(Algorithm::Sha1),
        "checksum.sha256" => Some(Algorithm::Sha256),
        _ => None,
    }
}

fn change(metric: &str, expect: Change) -> (Rank, String, String) {
    let (rank, label) = match metric {
        "pid" => (Rank::Pid, "Pid"),
        "ppid" => (Rank::Ppid, "PPid"),
        "filesystem.flags" => (Rank::Flags, "Filesystem flags"),
        "exit.status" => (Rank::Status, "Status"),
        "permission" => (Rank::Permission, "Permission"),
        "timestamp" => (Rank::Stamp, "modify/change time"),
        "access.time" => (Rank::Stamp, "access time"),
        "change.time" => (Rank::Stamp, "change time"),
        "modify.time" => (Rank::Stamp, "modify time"),
        "size" => (Rank::Size, "Size"),
        "links" => (Rank::Size, "Hardlink"),
        "link.capacity" => (Rank::Capacity, "Link capacity"),
        "output" => (Rank::Content, "Content"),
        _ if digest(metric).is_some() => (Rank::Checksum, "Checksum"),
        _ => (Rank::Resource, metric),
    };
    let verb = match expect {
        Change::Changed => "changed",
        Change::Unchanged => "not changed",
    };
    let text = match (metric, digest(metric)) {
        ("exit.status", _) => format!("if exit value {verb}"),
        ("output", _) => format!("if content {verb}"),
        (_, Some(algorithm)) => format!("if {verb} {}", algorithm.name()),
        _ => format!("if {verb}"),
    };
    (rank, label.to_owned(), text)
}

/// A checksum that is to stay what it is now.
fn differs(kind: &Kind, metric: &str, runtime: &Runtime<'_>) -> (Rank, String, String) {
    let Some(algorithm) = digest(metric) else {
        return (Rank::Resource, metric.to_owned(), "if it is not what it was".to_owned());
    };
    let found = match kind {
        Kind::File { path } => (runtime.checksum)(path, algorithm),
        _ => None,
    };
    let length = match algorithm {
        Algorithm::Md5 => 32,
        Algorithm::Sha1 => 40,
        Algorithm::Sha256 => 64,
    };
    let sum = found.unwrap_or_else(|| "0".repeat(length));
    (Rank::Checksum, "Checksum".to_owned(), format!("if failed {sum}({})", algorithm.name()))
}

/// How often, with a blank behind it; empty if at once.
fn rate(branch: &Branch) -> String {
    if let Some(time) = branch.lasting {
        return format!("for {} ", amount::time(time));
    }
    match (branch.rate.count, branch.rate.within) {
        (_, 1) => String::new(),
        (count, within) if count == within => format!("for {count} cycles "),
        (count, within) => format!("for {count} times within {within} cycles "),
    }
}

fn actions(branch: &Branch) -> String {
    let all = std::iter::once(&branch.then).chain(&branch.also);
    all.map(action).collect::<Vec<_>>().join(" and ")
}

fn action(then: &Then) -> String {
    match then {
        Then::Nothing => "ignore".to_owned(),
        Then::Alert => "alert".to_owned(),
        Then::Start => "start".to_owned(),
        Then::Stop => "stop".to_owned(),
        Then::Restart => "restart".to_owned(),
        Then::Unmonitor => "unmonitor".to_owned(),
        Then::Exec { program, repeat } => {
            let repeat = repeat.map(|cycles| format!(" repeat every {cycles} cycle(s)")).unwrap_or_default();
            format!("exec {}{repeat}", command(program, usize::MAX))
        }
        Then::Custom(name) => name.clone(),
        then => format!("{then:?}"),
    }
}

/// A command, cut if it has more bytes than these, and whom it is run as.
pub(super) fn command(program: &Program, most: usize) -> String {
    let mut line = program.line();
    if line.len() > most {
        line.truncate(line.floor_char_boundary(most - 2));
        line += "...";
    }
    let mut text = format!("'{line}'");
    if let Some(uid) = program.uid {
        text += &format!(" as uid {uid}");
    }
    if let Some(gid) = program.gid {
        text += &format!(" as gid {gid}");
    }
    text
}
