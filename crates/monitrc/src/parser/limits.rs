//! `set limits {…}` and `set expectbuffer`.

use std::time::Duration;

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

const NAMES: [&str; 12] = [
    "networkTimeout",
    "startTimeout",
    "stopTimeout",
    "restartTimeout",
    "programTimeout",
    "execTimeout",
    "shutdownTimeout",
    "programOutput",
    "sendExpectBuffer",
    "fileContentBuffer",
    "httpContentBuffer",
    "}",
];

impl Parser<'_> {
    /// `{NAME: N UNIT …}`. What is set holds from here on; what held at the end is what the configuration has.
    pub(super) fn set_limits(&mut self) -> Parse<()> {
        if self.token.kind != Kind::Open {
            return self.unexpected(&["{"]);
        }
        self.take();
        while self.token.kind != Kind::Close {
            let name = self.raw(&self.token).to_ascii_lowercase();
            let name = NAMES.iter().find(|known| known.eq_ignore_ascii_case(&name));
            let Some(name) = name.copied().filter(|name| *name != "}") else {
                return self.unexpected(&NAMES);
            };
            self.take();
            if self.token.kind != Kind::Colon {
                return self.unexpected(&[":"]);
            }
            self.take();
            if name.ends_with("Timeout") {
                let time = self.limit_time()?;
                self.limit_waiting(name, time);
            } else {
                let bytes = self.size()?;
                self.limit_room(name, bytes);
            }
        }
        self.take();
        Ok(())
    }

    fn limit_waiting(&mut self, name: &str, time: Duration) {
        let (limits, captured) = (&mut self.config.limits, &mut self.captured);
        // Of these two nothing is captured, and no time means no limit.
        let some = (!time.is_zero()).then_some(time);
        match name {
            "networkTimeout" => (limits.network, captured.network) = (time, time),
            "startTimeout" => (limits.start, captured.start) = (time, time),
            "stopTimeout" => (limits.stop, captured.stop) = (time, time),
            "restartTimeout" => (limits.restart, captured.restart) = (time, time),
            "programTimeout" => (limits.program, captured.program) = (time, time),
            "execTimeout" => limits.exec = some,
            _ => limits.shutdown = some,
        }
    }

    fn limit_room(&mut self, name: &str, bytes: u64) {
        let (limits, captured) = (&mut self.config.limits, &mut self.captured);
        let kept = u32::try_from(bytes).unwrap_or(u32::MAX);
        match name {
            "programOutput" => (limits.program_output, captured.output) = (bytes, kept),
            "fileContentBuffer" => (limits.file_content, captured.line) = (bytes, kept),
            "sendExpectBuffer" => limits.send_expect = bytes,
            _ => limits.http_content = bytes,
        }
    }

    /// A number and `seconds` or `ms`.
    fn limit_time(&mut self) -> Parse<Duration> {
        let n = self.int("a number")?.unsigned_abs();
        let time = match self.key() {
            Some(Second) => Duration::from_secs(n),
            Some(Millisecond) => Duration::from_millis(n),
            _ => return self.unexpected(&["seconds", "ms"]),
        };
        self.take();
        Ok(time)
    }

    /// A number and maybe a unit of bytes.
    pub(super) fn size(&mut self) -> Parse<u64> {
        let n = self.int("a number of bytes")?.unsigned_abs();
        Ok(n.saturating_mul(self.byte_unit().unwrap_or(1).unsigned_abs()))
    }
}
