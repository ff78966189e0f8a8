//! What stands outside the services.

use std::time::Duration;

use hinoban_config::{Config, Dialect, Facility, HISTORY, Limits, LogTarget, OnReboot};

use super::notes::{Note, What};
use super::sheet::Sheet;
use super::{alert, proof, text, tls, web};
use crate::keyword::Keyword;

/// Writes everything but the services.
pub(super) fn settings(sheet: &mut Sheet, config: &Config) {
    top(sheet, config);
    files(sheet, config);
    log(sheet, config);
    limits(sheet, config);
    general(sheet, config);
    alert::mail(sheet, config);
    web::web(sheet, config);
    web::collectors(sheet, config);
}

/// What is said of these settings.
pub(super) fn note(sheet: &mut Sheet, of: &[Keyword]) -> Note {
    sheet.notes.take_settings(|what| matches!(what, What::Setting(keyword) if of.contains(&keyword)))
}

/// Keys above the first table.
fn top(sheet: &mut Sheet, config: &Config) {
    let daemon = note(sheet, &[Keyword::Daemon]);
    let every = match config.every {
        Some(every) => text::duration(every),
        None => "\"once\"".to_owned(),
    };
    sheet.entry(0, daemon, "every", &every);
    if config.start_delay != Duration::ZERO {
        sheet.entry(0, Note::default(), "start-delay", &text::duration(config.start_delay));
    }
    if config.foreground {
        let note = note(sheet, &[Keyword::Init]);
        sheet.entry(0, note, "foreground", "true");
    }
    if config.on_reboot != OnReboot::Start {
        let note = note(sheet, &[Keyword::OnReboot]);
        sheet.entry(0, note, "on-reboot", &text::string(on_reboot(config.on_reboot)));
    }
    if config.batch {
        let note = note(sheet, &[Keyword::Terminal]);
        sheet.entry(0, note, "batch", "true");
    }
    sheet.gap();
    sheet.comments(0, &["# Repairs are repeated as Monit repeats them: without pauses of our own, and as many as there are to make.".to_owned()]);
    sheet.entry(0, Note::default(), "patience", "false");
    sheet.entry(0, Note::default(), "budget", "false");
    match config.history {
        Some(HISTORY) => {}
        None => sheet.entry(0, Note::default(), "history", "false"),
        Some(size) => {
            let table = text::table(&[("size", text::string(&text::size(size)))]);
            sheet.entry(0, Note::default(), "history", &table);
        }
    }
}

/// The word for it.
pub(super) fn on_reboot(on_reboot: OnReboot) -> &'static str {
    match on_reboot {
        OnReboot::Start => "start",
        OnReboot::NoStart => "no-start",
        OnReboot::LastState => "last-state",
    }
}

/// Begins a table.
pub(super) fn table(sheet: &mut Sheet, note: Note, name: &str) {
    sheet.gap();
    sheet.line(0, note, &format!("[{name}]"));
}

fn files(sheet: &mut Sheet, config: &Config) {
    let files = [
        ("pidfile", Keyword::PidFile, &config.files.pidfile),
        ("idfile", Keyword::IdFile, &config.files.idfile),
        ("statefile", Keyword::StateFile, &config.files.statefile),
    ];
    if files.iter().all(|(.., path)| path.is_none()) {
        return;
    }
    table(sheet, Note::default(), "files");
    for (name, keyword, path) in files {
        let Some(path) = path else { continue };
        let note = note(sheet, &[keyword]);
        sheet.entry(0, note, name, &text::string(&path.to_string_lossy()));
    }
}

fn log(sheet: &mut Sheet, config: &Config) {
    let (key, value) = match &config.log {
        None => return,
        Some(LogTarget::File(path)) => ("file", text::string(&path.to_string_lossy())),
        Some(LogTarget::Stderr) => ("stderr", "true".to_owned()),
        Some(LogTarget::Syslog(facility)) => {
            let name = match facility {
                Facility::User => "user".to_owned(),
                Facility::Daemon => "daemon".to_owned(),
                Facility::Local(n) => format!("local{n}"),
            };
            ("syslog", text::string(&name))
        }
    };
    table(sheet, Note::default(), "log");
    let note = note(sheet, &[Keyword::Log]);
    sheet.entry(0, note, key, &value);
}

fn limits(sheet: &mut Sheet, config: &Config) {
    let mut limits = config.limits.clone();
    let usual = Limits::of(Dialect::Toml);
    // What nothing here is bound by is not said.
    let (output, lines) = proof::kept(config);
    if !output {
        (limits.program_output, limits.program) = (usual.program_output, usual.program);
    }
    if !lines {
        limits.file_content = usual.file_content;
    }
    if limits == usual {
        return;
    }
    let note = note(sheet, &[Keyword::Limits, Keyword::ExpectBuffer]);
    table(sheet, note, "limits");
    let sizes = [
        ("program-output", limits.program_output, usual.program_output),
        ("send-expect", limits.send_expect, usual.send_expect),
        ("file-content", limits.file_content, usual.file_content),
        ("http-content", limits.http_content, usual.http_content),
    ];
    for (name, bytes, usual) in sizes {
        if bytes != usual {
            sheet.entry(0, Note::default(), name, &text::string(&text::size(bytes)));
        }
    }
    let times = [
        ("network", Some(limits.network), Some(usual.network)),
        ("program", Some(limits.program), Some(usual.program)),
        ("stop", Some(limits.stop), Some(usual.stop)),
        ("start", Some(limits.start), Some(usual.start)),
        ("restart", Some(limits.restart), Some(usual.restart)),
        ("exec", limits.exec, usual.exec),
        ("shutdown", limits.shutdown, usual.shutdown),
    ];
    for (name, time, _) in times.into_iter().filter(|(_, time, usual)| time != usual) {
        let value = time.map_or_else(|| "false".to_owned(), text::duration);
        sheet.entry(0, Note::default(), name, &value);
    }
}

/// What holds for TLS in general. TOML verifies by itself, a control file does not: that is said where TLS is spoken.
fn general(sheet: &mut Sheet, config: &Config) {
    if !proof::speaks_tls(config) {
        return;
    }
    let note = note(sheet, &[Keyword::Ssl]);
    table(sheet, note, "tls");
    if config.fips {
        let note = self::note(sheet, &[Keyword::Fips]);
        sheet.entry(0, note, "fips", "true");
    }
    for (key, value) in tls::entries(&config.tls_defaults()) {
        sheet.entry(0, Note::default(), key, &value);
    }
}

/// Whether there is something in it that nobody else should read.
pub(super) fn has_secrets(config: &Config) -> bool {
    let mail = config.mail.servers.iter().any(|server| server.login.is_some());
    let web = config.web.allow.iter().any(|allow| matches!(allow, hinoban_config::Allow::User(_)));
    let tests = config.services.iter().flat_map(|service| &service.rules).any(|rule| match &rule.when {
        hinoban_config::Condition::Test { test: hinoban_config::Test::Port(test), .. } => {
            test.protocol.without_secrets() != test.protocol
        }
        _ => false,
    });
    mail || web || tests || !config.collectors.is_empty()
}
