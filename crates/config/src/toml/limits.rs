//! `[limits]`: how much is kept and how long is waited, where nothing else is said.

use std::time::Duration;

use super::reader::{Item, Reader};
use crate::{Limits, units};

/// Room for one answer or output at the most: it is held in memory.
const MOST: u64 = 16 << 20;

impl Reader<'_> {
    pub(super) fn limits_table(&mut self, item: &Item<'_>) -> Option<Limits> {
        let help = "write [limits] and below it start = \"60s\", http-content = \"1 MiB\"";
        let mut limits = self.defaults.clone();
        let mut fields = self.fields(item, "[limits]", help)?;
        for (key, slot) in [
            ("program-output", &mut limits.program_output),
            ("send-expect", &mut limits.send_expect),
            ("file-content", &mut limits.file_content),
            ("http-content", &mut limits.http_content),
        ] {
            if let Some(item) = fields.take(key) {
                *slot = self.kept(&item).unwrap_or(*slot);
            }
        }
        for (key, slot) in [
            ("network", &mut limits.network),
            ("program", &mut limits.program),
            ("stop", &mut limits.stop),
            ("start", &mut limits.start),
            ("restart", &mut limits.restart),
        ] {
            if let Some(item) = fields.take(key) {
                *slot = self.duration(&item).unwrap_or(*slot);
            }
        }
        for (key, slot) in [("exec", &mut limits.exec), ("shutdown", &mut limits.shutdown)] {
            if let Some(item) = fields.take(key) {
                *slot = self.duration(&item);
            }
        }
        self.close(fields);
        Some(limits)
    }

    /// How much is kept of something.
    fn kept(&mut self, item: &Item<'_>) -> Option<u64> {
        let text = self.text(item, "a size", "\"64 kB\"")?;
        match units::size(text) {
            Ok(bytes) if (1..=MOST).contains(&bytes) => Some(bytes),
            Ok(_) => {
                let help = "it may be from 1 B to 16 MiB; it is held in memory";
                self.error(item.span.clone(), format!("`{}` cannot be {text}", item.key), help);
                None
            }
            Err(why) => {
                let help = "write a size such as \"64 kB\"";
                self.error(item.span.clone(), format!("\"{text}\" is no size: {why}"), help);
                None
            }
        }
    }

    /// Time for a program under this key, if it says none itself.
    pub(super) fn program_time(&self, key: &str) -> Duration {
        match key {
            "start" => self.defaults.start,
            "stop" => self.defaults.stop,
            "restart" => self.defaults.restart,
            "program" => self.defaults.program,
            // Of a rule.
            _ => self.defaults.exec.unwrap_or(Duration::from_secs(30)),
        }
    }
}
