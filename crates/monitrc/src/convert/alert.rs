//! `[mail]`: through which servers, what messages look like, and who is told; and who is told of one service.

use std::time::Duration;

use hinoban_config::{Config, Events, Mail, MailFormat, MailServer, MailTls, Recipient, Service};

use super::notes::{Note, What};
use super::sheet::Sheet;
use super::{settings, text, tls};
use crate::keyword::Keyword;

/// Writes `[mail]`.
pub(super) fn mail(sheet: &mut Sheet, config: &Config) {
    let mail = &config.mail;
    if *mail == Mail::default() && config.alerts.is_empty() {
        return;
    }
    settings::table(sheet, Note::default(), "mail");
    let mut note = settings::note(sheet, &[Keyword::MailServer]);
    let mut servers = Vec::new();
    for (at, one) in mail.servers.iter().enumerate() {
        if at > 0 {
            note = sheet.notes.take_next(What::Server);
        }
        servers.push((std::mem::take(&mut note), server(one)));
    }
    sheet.list(0, "servers", servers);
    if mail.timeout != Duration::from_secs(30) {
        sheet.entry(0, Note::default(), "timeout", &text::duration(mail.timeout));
    }
    if let Some(name) = &mail.hostname {
        sheet.entry(0, Note::default(), "hostname", &text::string(name));
    }
    let mut note = settings::note(sheet, &[Keyword::EventQueue]);
    // What stands behind it all is about what is said last.
    let beside = if mail.slots.is_some() { std::mem::take(&mut note.beside) } else { Vec::new() };
    if let Some(queue) = &mail.queue {
        sheet.entry(0, std::mem::take(&mut note), "queue", &text::string(&queue.to_string_lossy()));
    }
    if let Some(slots) = mail.slots {
        note.beside.extend(beside);
        sheet.entry(0, note, "slots", &slots.to_string());
    }
    recipients(sheet, "to", &config.alerts);
    let format = format(&mail.format);
    if !format.is_empty() {
        let note = settings::note(sheet, &[Keyword::MailFormat]);
        settings::table(sheet, note, "mail.format");
        for (key, value) in format {
            sheet.entry(0, Note::default(), key, &value);
        }
    }
}

/// Writes who is told of a service, beside or otherwise than of all.
pub(super) fn service(sheet: &mut Sheet, service: &Service) {
    recipients(sheet, "alerts", &service.alerts);
}

fn recipients(sheet: &mut Sheet, key: &str, list: &[Recipient]) {
    let items = list.iter().map(|one| (sheet.notes.take_at(&one.place), recipient(one))).collect();
    sheet.list(0, key, items);
}

fn recipient(recipient: &Recipient) -> String {
    let mut entries = vec![("address", text::string(&recipient.address))];
    if recipient.events != Events::ALL {
        let names = |events: Events| text::list(&events.names().map(text::string).collect::<Vec<_>>());
        // What has no name is in what leaves some out.
        let named = Events::NAMES.iter().filter_map(|(name, _)| Events::named(name));
        let named = named.fold(Events::NONE, Events::and);
        match recipient.events.and(named) == named {
            true => entries.push(("events", names(recipient.events))),
            false => entries.push(("not-events", names(recipient.events.others()))),
        }
    }
    if let Some(own) = &recipient.format {
        entries.push(("format", text::table(&format(own))));
    }
    if let Some(reminder) = recipient.reminder {
        entries.push(("reminder", reminder.to_string()));
    }
    match &entries[..] {
        [(_, address)] => address.clone(),
        entries => text::table(entries),
    }
}

/// What a message looks like.
fn format(format: &MailFormat) -> Vec<(&'static str, String)> {
    [
        ("from", &format.from),
        ("reply-to", &format.reply_to),
        ("subject", &format.subject),
        ("message", &format.message),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, text::lines(value.as_ref()?))))
    .collect()
}

fn server(server: &MailServer) -> String {
    let (scheme, usual) = match server.tls {
        MailTls::Off => ("smtp", 25),
        MailTls::StartTls => ("smtp+starttls", 587),
        MailTls::Implicit => ("smtps", 465),
    };
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host.clone() };
    let port = if server.port == usual { String::new() } else { format!(":{}", server.port) };
    let mut entries = vec![("url", text::string(&format!("{scheme}://{host}{port}")))];
    if let Some((user, password)) = &server.login {
        entries.push(("user", text::string(user)));
        entries.push(("password", text::string(password.reveal())));
    }
    let options = tls::entries(&server.options);
    if !options.is_empty() {
        entries.push(("tls", text::table(&options)));
    }
    match &entries[..] {
        [(_, url)] => url.clone(),
        entries => text::table(entries),
    }
}
