//! `[[service.NAME.check]]`, and `missing`.

use hinoban_config::{Branch, Change, Condition, Config, Expect, Kind, Mode, Rule, Service, Then};

use super::sheet::Sheet;
use super::{connection, program, proof, reading, text};

/// Writes `missing`, if the rule about that can be said by it: gives its number among the rules.
pub(super) fn missing(sheet: &mut Sheet, config: &Config, service: &Service) -> Option<usize> {
    let (at, rule) = service.rules.iter().enumerate().find(|(_, rule)| rule.when == Condition::Missing)?;
    if !proof::comes_first(rule) {
        return None;
    }
    let usual = usual(service);
    let silent = Branch::once(Then::Alert);
    let then = asked(sheet, service, rule);
    let told = Branch { then, ..rule.fail.clone() };
    let plain = rule.ok == silent;
    if plain
        && told == Branch::once(usual.clone())
        && service.rules.iter().filter(|r| r.is_existence()).count() == 1
    {
        let note = sheet.notes.take_at(&rule.place);
        sheet.comments(0, &[note.above, note.beside].concat());
        return Some(at);
    }
    let mut entries = Vec::new();
    if told.then != usual || !told.also.is_empty() {
        entries.push(("then", program::deeds(&told, config, &sheet.notes)));
    }
    entries.extend(program::lasts(&told).map(|lasts| ("for", lasts)));
    entries.extend(program::lasts(&rule.ok).map(|lasts| ("else-for", lasts)));
    let value = match &entries[..] {
        [("then", then)] => then.clone(),
        [] => program::deeds(&told, config, &sheet.notes),
        entries => text::table(entries),
    };
    let note = sheet.notes.take_at(&rule.place);
    sheet.entry(0, note, "missing", &value);
    Some(at)
}

/// What TOML does by itself when such a service is missing.
fn usual(service: &Service) -> Then {
    let process = matches!(service.kind, Kind::Process { .. });
    let repair = process || service.start.is_some() || service.restart.is_some();
    match repair && service.mode == Mode::Active {
        true => Then::Restart,
        false => Then::Alert,
    }
}

/// What a rule about existence asks for: what follows from the kind and comes to nothing is not asked for.
fn asked(sheet: &Sheet, service: &Service, rule: &Rule) -> Then {
    match rule.place.line == 0
        && rule.fail.then == Then::Restart
        && proof::restarts_in_vain(service, &sheet.needed)
    {
        true => Then::Alert,
        false => rule.fail.then.clone(),
    }
}

/// Writes all checks of a service but the rule of this number, which `missing` says.
pub(super) fn checks(sheet: &mut Sheet, config: &Config, service: &Service, said: Option<usize>) {
    // What TOML makes of something else in its place.
    let implied = match said.and_then(|at| service.rules.get(at)) {
        Some(rule) => {
            let then = asked(sheet, service, rule);
            (Branch { then, ..rule.fail.clone() }, rule.ok.clone())
        }
        None => (Branch::once(usual(service)), Branch::once(Then::Alert)),
    };
    let runnable = Rule::runnable();
    for (at, rule) in service.rules.iter().enumerate() {
        let program = matches!(service.kind, Kind::Program { .. });
        if said == Some(at) || program && *rule == runnable {
            continue;
        }
        if rule.when == Condition::WrongType {
            let own = Branch { then: asked(sheet, service, rule), ..rule.fail.clone() };
            if (&own, &rule.ok) == (&implied.0, &implied.1) {
                continue;
            }
        }
        let then = match rule.when {
            Condition::Missing | Condition::WrongType => asked(sheet, service, rule),
            _ => rule.fail.then.clone(),
        };
        check(sheet, config, service, rule, &Branch { then, ..rule.fail.clone() });
    }
}

fn check(sheet: &mut Sheet, config: &Config, service: &Service, rule: &Rule, fail: &Branch) {
    let mut note = sheet.notes.take_at(&rule.place);
    sheet.gap();
    sheet.comments(2, &std::mem::take(&mut note.above));
    sheet.line(2, Default::default(), &format!("[[service.{}.check]]", text::key(&service.name)));
    let mut entries: Vec<(&str, String)> = Vec::new();
    match &rule.when {
        Condition::Test { test, expect } => {
            entries.extend(connection::test(test, config));
            if *expect == Expect::Succeeded {
                entries.push(("must", "\"fail\"".to_owned()));
            }
        }
        Condition::Restarts { count, within } => {
            entries.push(("restarts", format!("\"{count} within {within} cycles\"")));
        }
        condition => {
            let when = reading::when(condition, &service.kind, &sheet.notes).unwrap_or_default();
            entries.push(("when", text::string(&when)));
        }
    }
    if fail.then != Then::Alert || !fail.also.is_empty() {
        entries.push(("then", program::deeds(fail, config, &sheet.notes)));
    }
    entries.extend(program::lasts(fail).map(|lasts| ("for", lasts)));
    if rule.ok.then != usual_end(&rule.when) || !rule.ok.also.is_empty() {
        entries.push(("else", program::deeds(&rule.ok, config, &sheet.notes)));
    }
    entries.extend(program::lasts(&rule.ok).map(|lasts| ("else-for", lasts)));
    for (key, value) in entries {
        sheet.entry(2, std::mem::take(&mut note), key, &value);
    }
}

/// What is done when this holds again and nothing is said.
fn usual_end(when: &Condition) -> Then {
    match when {
        Condition::Changed { expect: Change::Changed, .. } | Condition::Content { .. } => Then::Nothing,
        _ => Then::Alert,
    }
}
