//! `set …`

use std::time::Duration;

use hinoban_config::{Facility as Syslogs, LogTarget, Mistake};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;

const SETTINGS: [&str; 20] = [
    "daemon",
    "init",
    "log",
    "logfile",
    "pidfile",
    "idfile",
    "statefile",
    "eventqueue",
    "mailserver",
    "mail-format",
    "alert",
    "httpd",
    "limits",
    "onreboot",
    "terminal",
    "ssl",
    "tls",
    "mmonit",
    "fips",
    "expectbuffer",
];

impl Parser<'_> {
    /// A `set` statement; `set` is the next token.
    pub(super) fn set(&mut self) -> Parse<()> {
        self.take();
        let Some(setting) = self.key() else { return self.unexpected(&SETTINGS) };
        if !matches!(
            setting,
            Daemon
                | Init
                | Log
                | PidFile
                | IdFile
                | StateFile
                | EventQueue
                | MailServer
                | MailFormat
                | Alert
                | Httpd
                | Limits
                | ExpectBuffer
                | OnReboot
                | Terminal
                | Fips
                | Ssl
                | Mmonit
        ) {
            return self.unexpected(&SETTINGS);
        }
        if setting == Ssl {
            return self.set_tls();
        }
        let token = self.take();
        self.doubt_late(&token);
        match setting {
            Daemon => self.set_daemon(),
            Init => {
                self.config.foreground = true;
                Ok(())
            }
            Fips => {
                self.config.fips = true;
                Ok(())
            }
            Log => self.set_log(),
            PidFile => self.path("a path").map(|path| self.config.files.pidfile = Some(path)),
            IdFile => self.path("a path").map(|path| self.config.files.idfile = Some(path)),
            StateFile => self.path("a path").map(|path| self.config.files.statefile = Some(path)),
            EventQueue => self.set_event_queue(),
            MailServer => self.mail_servers(),
            // As a whole: what this one leaves out is as if nothing had been said before.
            // The last counts as a whole, but for whom answers go to: Monit never forgets that.
            MailFormat => self.mail_format().map(|mut format| {
                format.reply_to = format.reply_to.or_else(|| self.config.mail.format.reply_to.take());
                self.config.mail.format = format;
            }),
            Alert => self.recipient().map(|recipient| self.config.alerts.push(recipient)),
            Httpd => self.httpd(),
            Mmonit => self.mmonit(),
            Limits => self.set_limits(),
            ExpectBuffer => self.size().map(|bytes| self.config.limits.send_expect = bytes),
            OnReboot => self.on_reboot().map(|on_reboot| self.captured.on_reboot = on_reboot),
            _ => {
                self.need(Batch, &["batch"])?;
                self.config.batch = true;
                Ok(())
            }
        }
    }

    fn set_daemon(&mut self) -> Parse<()> {
        let number = self.token.clone();
        let seconds = self.int("a number of seconds")?;
        self.config.every = Some(Duration::from_secs(seconds.unsigned_abs()));
        self.config.start_delay = Duration::ZERO;
        self.idle = (seconds == 0).then(|| self.place(&number));
        if self.eat(Start) {
            self.need(Delay, &["delay"])?;
            let delay = self.int("a number of seconds")?;
            self.config.start_delay = Duration::from_secs(delay.unsigned_abs());
        }
        if matches!(self.key(), Some(Second | Minute | Hour)) {
            return self.refuse("this time is in seconds and takes no unit");
        }
        Ok(())
    }

    fn set_log(&mut self) -> Parse<()> {
        if !self.eat(Syslog) {
            let path = self.path("a path")?;
            self.config.log = Some(LogTarget::File(path));
            return Ok(());
        }
        let mut facility = Syslogs::User;
        if self.eat(Facility) {
            let token = self.token.clone();
            let name = self.string("a facility")?;
            match facility_of(&name.to_ascii_lowercase()) {
                Some(found) => facility = found,
                None => {
                    let mistake = Mistake::error(self.place(&token), "Invalid syslog facility").word(name);
                    self.note(mistake.help("one of log_user, log_daemon, log_local0 to log_local7"));
                }
            }
        }
        self.config.log = Some(LogTarget::Syslog(facility));
        Ok(())
    }

    fn set_event_queue(&mut self) -> Parse<()> {
        let based = self.eat(BaseDir);
        if based {
            let path = self.path("a path")?;
            self.config.mail.queue = Some(path);
        } else if !self.at(Slots) {
            return self.unexpected(&["basedir", "slots"]);
        } else {
            // Without a folder Monit goes back to its own, whatever was said before.
            self.config.mail.queue = Some("/var/monit".into());
        }
        if self.eat(Slots) {
            let slots = self.int("a number of messages")?;
            self.config.mail.slots = usize::try_from(slots).ok();
        }
        Ok(())
    }

    /// `start`, `nostart` or `laststate`.
    pub(super) fn on_reboot(&mut self) -> Parse<hinoban_config::OnReboot> {
        let on_reboot = match self.key() {
            Some(Start) => hinoban_config::OnReboot::Start,
            Some(NoStart) => hinoban_config::OnReboot::NoStart,
            Some(LastState) => hinoban_config::OnReboot::LastState,
            _ => return self.unexpected(&["start", "nostart", "laststate"]),
        };
        self.take();
        Ok(on_reboot)
    }
}

fn facility_of(name: &str) -> Option<Syslogs> {
    match name {
        // 5.33 refuses its own default here; 5.34.4 takes it.
        "log_user" => Some(Syslogs::User),
        "log_daemon" => Some(Syslogs::Daemon),
        _ => match name.strip_prefix("log_local")?.parse() {
            Ok(n @ 0..=7) => Some(Syslogs::Local(n)),
            _ => None,
        },
    }
}
