//! `set …`

use std::time::Duration;

use hinoban_config::{Facility as Syslogs, LogTarget, Mistake};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

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
        let set = self.take();
        let place = self.place(&set);
        let Some(setting) = self.key() else { return self.unexpected(&SETTINGS) };
        let name = match setting {
            Ssl => "set ssl",
            MailFormat => "set mail-format",
            Mmonit => "set mmonit",
            Fips => "set fips",
            ExpectBuffer => "set expectbuffer",
            Daemon | Init | Log | PidFile | IdFile | StateFile | EventQueue | MailServer | Alert | Httpd
            | Limits | OnReboot | Terminal => "",
            _ => return self.unexpected(&SETTINGS),
        };
        if !name.is_empty() {
            return self.unsupported(place, name);
        }
        self.take();
        match setting {
            Daemon => self.set_daemon(),
            Init => {
                self.config.foreground = true;
                Ok(())
            }
            Log => self.set_log(),
            PidFile => self.path("a path").map(|path| self.config.files.pidfile = Some(path)),
            IdFile => self.path("a path").map(|path| self.config.files.idfile = Some(path)),
            StateFile => self.path("a path").map(|path| self.config.files.statefile = Some(path)),
            EventQueue => self.set_event_queue(),
            MailServer => self.mail_servers(),
            Alert => self.set_alert(),
            Httpd => self.httpd(),
            Limits => self.set_limits(),
            OnReboot => self.on_reboot().map(|on_reboot| self.captured.on_reboot = on_reboot),
            _ => self.need(Batch, &["batch"]),
        }
    }

    fn set_daemon(&mut self) -> Parse<()> {
        let number = self.token.clone();
        let seconds = self.int("a number of seconds")?;
        self.config.every = Some(Duration::from_secs(seconds.unsigned_abs()));
        self.config.start_delay = Duration::ZERO;
        if seconds == 0 {
            let mistake = Mistake::error(self.place(&number), "Poll time is invalid or not defined");
            self.note(mistake.word("0").help("write a number of seconds above 0, such as 'set daemon 30'"));
        }
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
        } else if self.config.mail.queue.is_none() {
            self.config.mail.queue = Some("/var/monit".into());
        }
        if self.eat(Slots) {
            let slots = self.int("a number of messages")?;
            self.config.mail.slots = usize::try_from(slots).ok();
        }
        Ok(())
    }

    fn set_limits(&mut self) -> Parse<()> {
        if self.token.kind != Kind::Open {
            return self.unexpected(&["{"]);
        }
        self.take();
        while self.token.kind != Kind::Close {
            let limit = self.key();
            if !matches!(
                limit,
                Some(
                    SizeLimit
                        | FileContentBuffer
                        | ProgramOutput
                        | NetworkTimeout
                        | ProgramTimeout
                        | StopTimeout
                        | StartTimeout
                        | RestartTimeout
                )
            ) {
                return self.unexpected(&[
                    "networkTimeout",
                    "startTimeout",
                    "stopTimeout",
                    "restartTimeout",
                    "programTimeout",
                    "programOutput",
                    "sendExpectBuffer",
                    "fileContentBuffer",
                    "httpContentBuffer",
                    "}",
                ]);
            }
            self.take();
            if self.token.kind != Kind::Colon {
                return self.unexpected(&[":"]);
            }
            self.take();
            let n = self.int("a number")?.unsigned_abs();
            if matches!(limit, Some(SizeLimit | FileContentBuffer | ProgramOutput)) {
                let bytes = n.saturating_mul(self.byte_unit().unwrap_or(1).unsigned_abs());
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                match limit {
                    Some(ProgramOutput) => self.captured.output = bytes,
                    Some(FileContentBuffer) => self.captured.line = bytes,
                    // Sizes of buffers that no supported statement has: understood, and without effect.
                    _ => {}
                }
                continue;
            }
            let time = match self.key() {
                Some(Second) => Duration::from_secs(n),
                Some(Millisecond) => Duration::from_millis(n),
                _ => return self.unexpected(&["seconds", "ms"]),
            };
            self.take();
            match limit {
                Some(NetworkTimeout) => self.captured.network = time,
                Some(StartTimeout) => self.captured.start = time,
                Some(StopTimeout) => self.captured.stop = time,
                Some(RestartTimeout) => self.captured.restart = time,
                Some(ProgramTimeout) => self.captured.program = time,
                _ => {}
            }
        }
        self.take();
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
