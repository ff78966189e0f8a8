//! `[service.NAME]`

use hinoban_config::{Config, Found, Kind, Link, Mode, Rule, Service, Speech, Turns, units};

use super::notes::What;
use super::sheet::Sheet;
use super::{alert, program, proof, rule, settings, text};
use crate::keyword::Keyword;

/// Writes the service of this number.
pub(super) fn service(sheet: &mut Sheet, config: &Config, number: usize, service: &Service) {
    let note = sheet.notes.take_in(number, |what| what == What::Check(number));
    sheet.gap();
    sheet.line(0, note, &format!("[service.{}]", text::key(&service.name)));
    kind(sheet, config, service);
    let of = |keyword| move |what| what == What::Option(number, keyword);
    let limits = &config.limits;
    for (key, keyword, run, usual) in [
        ("start", Keyword::Start, &service.start, limits.start),
        ("stop", Keyword::Stop, &service.stop, limits.stop),
        ("restart", Keyword::Restart, &service.restart, limits.restart),
    ] {
        let Some(run) = run else { continue };
        let mut value = program::program(run, usual, &sheet.notes);
        if let (Some(after), "stop") = (service.kill_after, key) {
            let mut entries = program::entries(run, "run", usual, &sheet.notes);
            entries.push(("kill-after", text::duration(after)));
            value = text::table(&entries);
        }
        let note = sheet.notes.take_in(number, of(keyword));
        sheet.entry(0, note, key, &value);
    }
    turns(sheet, number, service);
    if service.mode != Mode::Active {
        let note = sheet.notes.take_in(number, of(Keyword::Mode));
        sheet.entry(0, note, "mode", "\"passive\"");
    }
    if service.on_reboot != config.on_reboot {
        let note = sheet
            .notes
            .take_in(number, of(Keyword::OnReboot))
            .and(sheet.notes.take_in(number, of(Keyword::Mode)));
        let word = settings::on_reboot(service.on_reboot);
        sheet.entry(0, note, "on-reboot", &text::string(word));
    }
    let strings = |list: Vec<&str>| list.into_iter().map(text::string).collect::<Vec<_>>();
    if !service.groups.is_empty() {
        let groups = strings(service.groups.iter().map(String::as_str).collect());
        let note = sheet.notes.take_in(number, of(Keyword::Group));
        sheet.entry(0, note, "groups", &text::one_or_many(&groups));
    }
    if !service.depends_on.is_empty() {
        let names = strings(service.depends_on.iter().map(|wanted| wanted.name.as_str()).collect());
        let note = sheet.notes.take_in(number, of(Keyword::Depends));
        sheet.entry(0, note, "depends-on", &text::one_or_many(&names));
    }
    let said = rule::missing(sheet, config, service);
    lines(sheet, config, number, service);
    alert::service(sheet, service);
    rule::checks(sheet, config, service, said);
    let rest = sheet.notes.rest_of(number);
    if rest.iter().any(|line| !line.is_empty()) {
        sheet.gap();
        sheet.comments(2, &rest);
    }
}

/// What it is.
fn kind(sheet: &mut Sheet, config: &Config, service: &Service) {
    let path = |path: &std::path::Path| text::string(&path.to_string_lossy());
    let (key, value) = match &service.kind {
        Kind::Process { found: Found::Pidfile(file) } => ("pidfile", path(file)),
        Kind::Process { found: Found::Matching(pattern) } => {
            ("matching", text::string(&proof::ours(pattern, false)))
        }
        Kind::File { path: file } => ("file", path(file)),
        Kind::Directory { path: folder } => ("directory", path(folder)),
        Kind::Fifo { path: fifo } => ("fifo", path(fifo)),
        Kind::Filesystem { path: source, holds: false } => ("filesystem", path(source)),
        Kind::Filesystem { path: inside, holds: true } => {
            ("filesystem", text::table(&[("holding", path(inside))]))
        }
        Kind::Host { address } => ("host", text::string(address)),
        Kind::Network { link: Link::Interface(name) } => ("network", text::string(name)),
        Kind::Network { link: Link::Address(address) } => ("network", text::string(&address.to_string())),
        Kind::Program { program, speech } => {
            let mut entries = program::entries(program, "run", config.limits.program, &sheet.notes);
            match speech {
                Speech::Nagios => entries.push(("format", "\"nagios\"".to_owned())),
                Speech::Json => entries.push(("format", "\"json\"".to_owned())),
                Speech::Plain => {}
            }
            if !service.rules.iter().any(Rule::is_of_an_end) {
                entries.push(("must", "\"run\"".to_owned()));
            }
            if u64::from(service.buffer) != config.limits.program_output {
                entries.push(("output-limit", text::string(&text::size(service.buffer.into()))));
            }
            match &entries[..] {
                [(_, command)] => ("program", command.clone()),
                entries => ("program", text::table(entries)),
            }
        }
        Kind::Custom { probe, .. } => ("probe", text::string(probe)),
        _ => ("system", "true".to_owned()),
    };
    sheet.entry(0, Default::default(), key, &value);
}

/// When it is looked at.
fn turns(sheet: &mut Sheet, number: usize, service: &Service) {
    let (key, value) = match &service.turns {
        Turns::Nth(n) if *n > 1 => ("every", format!("{n} cycles")),
        Turns::At(cron) => ("every", cron.text().to_owned()),
        Turns::Except(cron) => ("not-every", cron.text().to_owned()),
        _ => ("", String::new()),
    };
    if let Some(every) = service.every {
        sheet.entry(0, Default::default(), "every", &string_of(every));
    }
    if !key.is_empty() {
        let of = |keyword| move |what| what == What::Option(number, keyword);
        let note = sheet
            .notes
            .take_in(number, of(Keyword::Every))
            .and(sheet.notes.take_in(number, of(Keyword::NotEvery)));
        sheet.entry(0, note, key, &text::string(&value));
    }
}

fn string_of(time: std::time::Duration) -> String {
    text::string(&units::duration_text(time))
}

/// Which lines of a file are seen, and how much of them.
fn lines(sheet: &mut Sheet, config: &Config, number: usize, service: &Service) {
    if !matches!(service.kind, Kind::File { .. }) {
        return;
    }
    if !service.ignore.is_empty() {
        let items = service.ignore.iter().map(|ignore| {
            let pattern = text::string(&proof::ours(&ignore.pattern, true));
            match ignore.on_match {
                true => pattern,
                false => text::table(&[("not", pattern)]),
            }
        });
        let mut note = sheet.notes.take_in(number, |what| what == What::Option(number, Keyword::Ignore));
        let items = items.map(|item| (std::mem::take(&mut note), item)).collect();
        sheet.list(0, "ignore", items);
    }
    if u64::from(service.buffer) != config.limits.file_content && proof::keeps(service) {
        sheet.entry(0, Default::default(), "line-limit", &text::string(&text::size(service.buffer.into())));
    }
}
