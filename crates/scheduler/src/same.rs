//! Which rule of a changed configuration is which rule of the old one.

use hinoban_config::{Condition, Kind, Rule, Test};
use hinoban_event::Class;

use crate::{flaw, rules};

/// What a rule asks, as a name: what it is about, and a fingerprint of the rest. The same in every life of one version of
/// the supervisor; holds no secret.
pub fn condition_name(when: &Condition) -> String {
    format!("{}/{:016x}", about(when), print(&format!("{when:?}")))
}

/// What a service is, as a name: the same in every life of one version of the supervisor; holds no secret.
pub fn kind_name(kind: &Kind) -> String {
    format!("{:016x}", print(&format!("{kind:?}")))
}

/// FNV-1a: unlike std's hasher it is the same in every life. Debug forms mask secrets.
fn print(text: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

/// What a rule is about, without its limits.
fn about(when: &Condition) -> &str {
    match when {
        Condition::Missing => "missing",
        Condition::Exists => "exists",
        Condition::Compare { metric, .. }
        | Condition::Changed { metric, .. }
        | Condition::Differs { metric }
        | Condition::Content { metric, .. }
        | Condition::Matches { metric, .. } => metric,
        Condition::Test { test: Test::Port(_), .. } => "port",
        Condition::Test { test: Test::Url(_), .. } => "url",
        Condition::Test { test: Test::Unix(_), .. } => "unix",
        Condition::Test { test: Test::Ping(_), .. } => "ping",
        Condition::Test { .. } => "test",
        Condition::Restarts { .. } => "restarts",
        _ => "rule",
    }
}

/// Finds rules again: for each of `old` (its position, its class, and the [`condition_name`] if that is known) the
/// position among `new`, or `None` if there is no such rule any more.
///
/// A rule that asks the same is the same rule, wherever it stands. One that asks the same of something else, such as a
/// higher limit of memory, is the same if it stands in the same place: then it was edited.
pub fn follow(old: &[(usize, Class, Option<&str>)], new: &[Rule]) -> Vec<Option<usize>> {
    let names: Vec<String> = new.iter().map(|rule| condition_name(&rule.when)).collect();
    let mut free = vec![true; new.len()];
    let mut found: Vec<Option<usize>> = old
        .iter()
        .map(|(at, _, name)| {
            let same = |rule: &usize| free[*rule] && Some(names[*rule].as_str()) == *name;
            // Among rules that ask the same, the one in its place first.
            let rule = Some(*at).filter(|at| *at < new.len()).filter(same);
            let rule = rule.or_else(|| (0..new.len()).find(same))?;
            free[rule] = false;
            Some(rule)
        })
        .collect();
    for ((at, class, name), found) in old.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let Some(rule) = new.get(*at).filter(|_| free[*at]) else { continue };
        let subject = name.and_then(|name| name.rsplit_once('/')).map(|(about, _)| about);
        let of = rules::class(&rule.when);
        // Whose kind it is does not show here: of a network interface, being there is a matter of its link.
        let same =
            of == *class || flaw::may_be(&rule.when, *class) || rule.is_existence() && *class == Class::Link;
        if same && subject.is_none_or(|subject| subject == about(&rule.when)) {
            free[*at] = false;
            *found = Some(*at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use hinoban_config::{Branch, Operator, Then};
    use hinoban_reading::Value;

    use super::*;

    fn over(metric: &str, limit: i64) -> Rule {
        let when = Condition::Compare {
            metric: metric.into(),
            operator: Operator::Greater,
            limit: Value::Int(limit),
        };
        let alert = || Branch::once(Then::Alert);
        Rule { when, fail: alert(), ok: alert(), place: Default::default() }
    }

    fn followed(old: &[Rule], new: &[Rule]) -> Vec<Option<usize>> {
        let names: Vec<String> = old.iter().map(|r| condition_name(&r.when)).collect();
        let numbered = old.iter().enumerate().zip(&names);
        let old: Vec<_> = numbered.map(|((i, r), n)| (i, rules::class(&r.when), Some(n.as_str()))).collect();
        follow(&old, new)
    }

    #[test]
    fn a_rule_is_found_again_where_it_moved_to() {
        let (cpu, memory) = (over("cpu.percent", 80), over("memory.bytes", 5));
        let old = [Rule::existence(), cpu.clone(), memory.clone()];
        let new = [memory.clone(), Rule::existence(), over("load", 1), cpu.clone()];
        assert_eq!(followed(&old, &new), [Some(1), Some(3), Some(0)]);
        assert_eq!(followed(&old, &[Rule::existence(), memory]), [Some(0), None, Some(1)]);
        assert_eq!(
            followed(&[cpu.clone(), cpu.clone()], std::slice::from_ref(&cpu)),
            [Some(0), None],
            "each is one"
        );
    }

    #[test]
    fn an_edited_limit_is_the_same_rule_in_its_place_and_another_metric_is_not() {
        let old = [Rule::existence(), over("cpu.percent", 80)];
        assert_eq!(followed(&old, &[Rule::existence(), over("cpu.percent", 90)]), [Some(0), Some(1)]);
        assert_eq!(followed(&old, &[Rule::existence(), over("memory.bytes", 80)]), [Some(0), None]);
        assert_eq!(followed(&old, &[over("cpu.percent", 90), Rule::existence()]), [Some(1), None]);
    }

    #[test]
    fn what_an_older_version_wrote_is_found_by_place_and_class() {
        let new = [Rule::existence(), over("cpu.percent", 80)];
        let old = [(0, Class::NonExist, None), (1, Class::Connection, None), (7, Class::Resource, None)];
        assert_eq!(follow(&old, &new), [Some(0), None, None]);
    }
}
