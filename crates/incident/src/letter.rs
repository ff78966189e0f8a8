//! The outer form of a message, which differs with what the configuration was written in.

use hinoban_config::{Dialect, MailFormat};
use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Recovery, Report};
use hinoban_reading::{ReasonKind, Stamp};

use crate::account::{Scene, is_outage};
use crate::form::{Form, address};
use crate::words::{clean, cut, date, date_with_zone, one_line, span};
use crate::{Delivery, Options};

/// Longer subjects are cut: lists of mails show less than this.
const SUBJECT: usize = 120;

/// One thing to tell, in both forms.
pub(crate) struct Letter {
    /// The class of what happened: whoever asked for none of it does not hear of it.
    pub(crate) class: Class,
    /// The text of `$EVENT`.
    title: &'static str,
    /// The word of `$ACTION`.
    action: String,
    /// `$DESCRIPTION`.
    description: String,
    /// Subject in our own form, after the host.
    subject: String,
    /// The plain account.
    account: String,
}

impl Letter {
    pub(crate) fn failed(scene: Scene<'_>, failure: &Failure) -> Self {
        let still = if failure.times > 1 { "still " } else { "" };
        let service = &scene.event.service;
        let subject = match is_outage(failure.class) {
            // Such a sentence says by itself what is wrong.
            _ if failure.reason == Some(ReasonKind::WrongType) => {
                format!("{service} {still}{}", failure.text)
            }
            _ if matches!(failure.reason, Some(ReasonKind::FileAbsent | ReasonKind::NotMounted)) => {
                format!("{service}: {still}{}", failure.text)
            }
            _ if failure.changed => format!("{service}: {}", failure.text),
            true => format!("{service} is {still}down: {}", failure.text),
            // The name of the host stands before it anyway.
            false if **service == *scene.host => format!("{still}{}", failure.text),
            false => format!("{service} {still}has a problem: {}", failure.text),
        };
        Self {
            class: failure.class,
            title: failure.title(),
            action: failure.then.word().to_owned(),
            description: failure.text.clone(),
            subject,
            account: scene.failed(failure),
        }
    }

    pub(crate) fn recovered(scene: Scene<'_>, recovery: &Recovery) -> Self {
        let lasted = span(scene.event.at.since(recovery.since));
        let service = &scene.event.service;
        let subject = match is_outage(recovery.class) {
            true => format!("{service} is back after {lasted}"),
            false if **service == *scene.host => format!("well again after {lasted}: {}", recovery.text),
            false => format!("{service} is well again after {lasted}: {}", recovery.text),
        };
        Self {
            class: recovery.class,
            title: recovery.class.succeeded(),
            action: recovery.then.word().to_owned(),
            description: recovery.text.clone(),
            subject,
            account: scene.recovered(recovery),
        }
    }

    pub(crate) fn not_seen(scene: Scene<'_>, why: &str) -> Self {
        Self {
            class: Class::Data,
            title: Class::Data.failed(),
            action: Doing::Alert.word().to_owned(),
            description: scene.event.description(),
            subject: format!("{} could not be looked at: {why}", scene.event.service),
            account: scene.not_seen(why),
        }
    }

    pub(crate) fn seen(scene: Scene<'_>, lasted: Option<std::time::Duration>) -> Self {
        Self {
            class: Class::Data,
            title: Class::Data.succeeded(),
            action: Doing::Alert.word().to_owned(),
            description: scene.event.description(),
            subject: format!("{} can be looked at again", scene.event.service),
            account: scene.seen(lasted),
        }
    }

    /// An action that somebody asked for ended.
    pub(crate) fn commanded(
        scene: Scene<'_>,
        doing: &Doing,
        because: &Because,
        ok: bool,
        report: &Report,
    ) -> Self {
        let (service, word) = (&scene.event.service, doing.word());
        let result = if ok { "done" } else { "failed" };
        Self {
            class: Class::Action,
            title: Class::Action.changed(),
            action: Doing::Alert.word().to_owned(),
            description: format!("{word} action {result}"),
            subject: format!("{service}: {word} {result}"),
            account: scene.ended(doing, because, ok, report),
        }
    }

    /// An action that a rule asked for failed.
    pub(crate) fn action_failed(scene: Scene<'_>, doing: &Doing, because: &Because, report: &Report) -> Self {
        Self {
            class: Class::Exec,
            title: Class::Exec.failed(),
            action: Doing::Alert.word().to_owned(),
            description: scene.event.description(),
            subject: format!("{} failed to {}", scene.event.service, doing.word()),
            account: scene.ended(doing, because, false, report),
        }
    }

    /// An action that had failed succeeded. `done` is its past tense, as control files' readers know it.
    pub(crate) fn action_recovered(
        scene: Scene<'_>,
        doing: &Doing,
        because: &Because,
        report: &Report,
    ) -> Self {
        let done = match doing {
            Doing::Start => "started",
            Doing::Stop => "stopped",
            Doing::Restart => "restarted",
            _ => "done",
        };
        Self {
            class: Class::Exec,
            title: Class::Exec.succeeded(),
            action: Doing::Alert.word().to_owned(),
            description: done.to_owned(),
            subject: format!("{} {done} after all", scene.event.service),
            account: scene.ended(doing, because, true, report),
        }
    }

    /// Repairs did not help, and no more are made.
    pub(crate) fn gave_up(scene: Scene<'_>, text: &str, since: Stamp, times: u32) -> Self {
        let still = if times > 1 { "still " } else { "" };
        let (service, (cause, _)) = (&scene.event.service, text.rsplit_once(" -- ").unwrap_or((text, "")));
        Self {
            class: Class::Timeout,
            title: Class::Timeout.failed(),
            action: Doing::Alert.word().to_owned(),
            description: text.to_owned(),
            subject: format!("{service} is {still}given up: {cause}"),
            account: scene.gave_up(text, since, times),
        }
    }

    /// A repair is put off for the sake of the host.
    pub(crate) fn held(scene: Scene<'_>, doing: &Doing, why: &str) -> Self {
        Self {
            class: Class::Exec,
            title: Class::Exec.failed(),
            action: Doing::Alert.word().to_owned(),
            description: scene.event.description(),
            subject: format!("{}: {} is put off: {why}", scene.event.service, doing.word()),
            account: scene.held(doing, why),
        }
    }

    /// Watching was switched by an operator.
    pub(crate) fn switched(scene: Scene<'_>, doing: &Doing, by: &str) -> Self {
        let (service, word) = (&scene.event.service, doing.word());
        let state = if *doing == Doing::Monitor { "is watched" } else { "is no longer watched" };
        Self {
            class: Class::Action,
            title: Class::Action.changed(),
            action: Doing::Alert.word().to_owned(),
            description: format!("{word} action done"),
            subject: format!("{service} {state}"),
            account: scene.switched(state, by),
        }
    }

    /// The supervisor itself started, reloaded or stopped.
    pub(crate) fn instance(scene: Scene<'_>, action: Doing) -> Self {
        let what = scene.event.description();
        let account = match &scene.event.fact {
            Fact::Stopped { left, .. } => {
                let else_ = if left.is_empty() { "" } else { " else" };
                scene.plain(&format!("{what}. What{else_} it watched goes on, but nobody watches it"))
            }
            _ => scene.plain(&what),
        };
        Self {
            class: Class::Instance,
            title: Class::Instance.changed(),
            action: action.word().to_owned(),
            description: what.clone(),
            subject: what,
            account,
        }
    }

    /// Closes and addresses it, in the form of its readers, where they have one of their own, and of everybody's for the rest.
    pub(crate) fn seal(
        &self,
        options: &Options,
        event: &Event,
        own: Option<&MailFormat>,
        to: Vec<String>,
    ) -> Delivery {
        let mail_host = options.mail_host.as_deref().unwrap_or(&options.host);
        let local = match options.dialect {
            Dialect::Monit => "monit",
            Dialect::Toml => "hinoban",
        };
        let form = Form::new(own, &options.format);
        let from = form.from.and_then(|from| address(&from.replace("$HOST", &options.host), &options.host));
        let reply_to =
            form.reply_to.and_then(|reply| address(&reply.replace("$HOST", &options.host), &options.host));
        let id = format!("{}.{}.{:016x}@{mail_host}", event.at.micros(), event.id, self.hash(event, own));
        let subject = match form.subject {
            Some(text) => self.filled(text, options, event).replace(['\r', '\n'], " "),
            None => self.subject(options, event),
        };
        // What somebody wrote is all he wants to read: it may be for a program, or for a telephone.
        let body = match form.message {
            Some(text) => format!("{}\n", clean(&self.filled(text, options, event)).trim_end()),
            None => self.body(options, event),
        };
        Delivery {
            id,
            from: from.unwrap_or_else(|| format!("{local}@{}", options.host)),
            reply_to,
            to,
            subject,
            body,
        }
    }

    fn subject(&self, options: &Options, event: &Event) -> String {
        match options.dialect {
            // Two blanks: filters match them.
            Dialect::Monit => {
                format!("monit alert --  {} {}", self.title, event.service).replace(['\r', '\n'], " ")
            }
            Dialect::Toml => cut(one_line(&format!("[{}] {}", options.host, self.subject)), SUBJECT),
        }
    }

    /// Under a control file Monit 5.33's default mail format, as captured on the wire, and below it the account.
    fn body(&self, options: &Options, event: &Event) -> String {
        let Letter { title, action, description, account, .. } = self;
        if options.dialect == Dialect::Toml {
            return account.clone();
        }
        // One blank at the end of the first line.
        format!(
            "{title} Service {service} \n\n\tDate:        {date}\n\tAction:      {action}\n\tHost:        {host}\n\
             \tDescription: {description}\n\nYour faithful employee,\nMonit\n\n{account}",
            service = event.service,
            date = date(event.at, &options.zone),
            host = options.host,
            description = clean(description),
        )
    }

    /// A text with what happened in place of its variables, in Monit's order: what one of them brings may name one that comes
    /// after it.
    fn filled(&self, text: &str, options: &Options, event: &Event) -> String {
        let date = match options.dialect {
            Dialect::Monit => date(event.at, &options.zone),
            Dialect::Toml => date_with_zone(event.at, &options.zone),
        };
        [
            ("$HOST", options.host.as_str()),
            ("$DATE", &date),
            ("$SERVICE", &event.service),
            ("$EVENT", self.title),
            ("$DESCRIPTION", &self.description),
            ("$ACTION", &self.action),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// FNV-1a over what the message is about: the same in every life of the supervisor, unlike std's hasher.
    fn hash(&self, event: &Event, own: Option<&MailFormat>) -> u64 {
        let mut parts = vec![&*event.service, self.title, &self.action, &self.description];
        // The same event in another form is another message.
        let own = own.map(|own| [&own.from, &own.reply_to, &own.subject, &own.message]);
        parts.extend(own.iter().flatten().map(|field| field.as_deref().unwrap_or_default()));
        let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}
