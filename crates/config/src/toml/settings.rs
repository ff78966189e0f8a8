//! What stands outside the services: cycle, files and log.

use std::sync::Arc;

use ::toml::de::{DeTable, DeValue};

use super::reader::{Fields, Item, Reader};
use crate::{Config, Dialect, Facility, LogTarget, OnReboot};

/// Whether a service is watched after a boot.
pub(super) const ON_REBOOT: [(&str, OnReboot); 3] =
    [("start", OnReboot::Start), ("no-start", OnReboot::NoStart), ("last-state", OnReboot::LastState)];

impl Reader<'_> {
    /// The whole configuration.
    pub(super) fn config(&mut self, root: &DeTable<'_>) -> Config {
        let mut config = Config::empty(Dialect::Toml, "");
        let mut fields = Fields::new("", root, 0..0);
        if let Some(item) = fields.take("every") {
            config.every = match item.value {
                DeValue::String(text) if text == "once" => None,
                _ => self.period(&item).or(config.every),
            };
        }
        self.every = config.every.unwrap_or(self.every);
        if let Some(item) = fields.take("start-delay") {
            config.start_delay = self.duration_or_zero(&item).unwrap_or_default();
        }
        if let Some(item) = fields.take("foreground") {
            config.foreground = self.flag(&item).unwrap_or_default();
        }
        if let Some(item) = fields.take("batch") {
            config.batch = self.flag(&item).unwrap_or_default();
        }
        if let Some(item) = fields.take("on-reboot") {
            self.on_reboot = self.word(&item, &ON_REBOOT).unwrap_or_default();
            config.on_reboot = self.on_reboot;
        }
        if let Some(item) = fields.take("limits") {
            self.defaults = self.limits_table(&item).unwrap_or_else(|| self.defaults.clone());
            config.limits = self.defaults.clone();
        }
        if let Some(item) = fields.take("tls") {
            self.tls_of_all(&item, &mut config);
        }
        if let Some(item) = fields.take("mmonit") {
            self.collectors(&item, &mut config);
        }
        if let Some(item) = fields.take("files") {
            self.files(&item, &mut config);
        }
        if let Some(item) = fields.take("log") {
            config.log = self.log(&item);
        }
        if let Some(item) = fields.take("mail") {
            self.mail(&item, &mut config);
        }
        if let Some(item) = fields.take("web") {
            self.web(&item, &mut config);
        }
        if let Some(item) = fields.take("patience") {
            self.patience = self.patience(&item, "[patience]".to_owned(), self.patience);
        }
        if let Some(item) = fields.take("budget") {
            config.budget = self.budget(&item);
        }
        if let Some(item) = fields.take("history") {
            config.history = self.history(&item);
        }
        config.services = {
            let item = fields.take("service");
            self.services(item).into_iter().map(Arc::new).collect()
        };
        self.close(fields);
        config
    }

    /// `[tls]`: what holds for every connection that says nothing else, and whether it is to be FIPS 140.
    fn tls_of_all(&mut self, item: &Item<'_>, config: &mut Config) {
        let help = "write [tls] and below it ca-file = \"/etc/ssl/own.pem\"";
        let Some(mut fields) = self.fields(item, "[tls]", help) else { return };
        if let Some(item) = fields.take("fips") {
            config.fips = self.flag(&item).unwrap_or_default();
        }
        config.tls = self.tls_keys(&mut fields).unwrap_or_default();
        self.close(fields);
    }

    fn files(&mut self, item: &Item<'_>, config: &mut Config) {
        let Some(mut fields) =
            self.fields(item, "[files]", "for example: [files] and below it pidfile = \"…\"")
        else {
            return;
        };
        config.files.pidfile = fields.take("pidfile").and_then(|item| self.path(&item));
        config.files.idfile = fields.take("idfile").and_then(|item| self.path(&item));
        config.files.statefile = fields.take("statefile").and_then(|item| self.path(&item));
        self.close(fields);
    }

    fn log(&mut self, item: &Item<'_>) -> Option<LogTarget> {
        const HELP: &str = "write [log] and below it syslog = \"daemon\" or file = \"/var/log/hinoban.log\"";
        let mut fields = self.fields(item, "[log]", HELP)?;
        let (syslog, file, stderr) = (fields.take("syslog"), fields.take("file"), fields.take("stderr"));
        let span = fields.span.clone();
        self.close(fields);
        let given: Vec<&Item<'_>> = [&syslog, &file, &stderr].into_iter().flatten().collect();
        if let [first, second, ..] = given[..] {
            let message = format!("[log] cannot have both `{}` and `{}`", first.key, second.key);
            self.error(second.span.clone(), message, "the log goes to one place; keep one of them");
        }
        match (syslog, file, stderr) {
            (Some(item), _, _) => self.facility(&item).map(LogTarget::Syslog),
            (_, Some(item), _) => self.path(&item).map(LogTarget::File),
            (_, _, Some(item)) => self.flag(&item)?.then_some(LogTarget::Stderr),
            (None, None, None) => {
                self.missing(span, "[log] does not say where the log goes", HELP);
                None
            }
        }
    }

    fn facility(&mut self, item: &Item<'_>) -> Option<Facility> {
        const WORDS: [(&str, Facility); 10] = [
            ("daemon", Facility::Daemon),
            ("user", Facility::User),
            ("local0", Facility::Local(0)),
            ("local1", Facility::Local(1)),
            ("local2", Facility::Local(2)),
            ("local3", Facility::Local(3)),
            ("local4", Facility::Local(4)),
            ("local5", Facility::Local(5)),
            ("local6", Facility::Local(6)),
            ("local7", Facility::Local(7)),
        ];
        if let DeValue::String(text) = item.value {
            let name = text.to_ascii_lowercase();
            let name = name.strip_prefix("log_").unwrap_or(&name);
            if let Some((_, facility)) = WORDS.iter().find(|(word, _)| *word == name) {
                return Some(*facility);
            }
        }
        self.word(item, &WORDS)
    }
}
