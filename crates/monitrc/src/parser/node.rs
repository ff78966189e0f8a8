//! Rules about what stat(2) says of files, directories, pipes and mount points, and about checksums: `if failed uid root …`,
//! `if timestamp > 1 hour …`, `if failed checksum expect … then …`.

use std::path::Path;

use hinoban_config::{Condition, Kind as Type, Mistake, Operator, Place, Rule};
use hinoban_reading::{Metric, Value as Limit, metrics};

use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Subject};

const CHECKSUMS: [Metric; 3] = [metrics::CHECKSUM_MD5, metrics::CHECKSUM_SHA1, metrics::CHECKSUM_SHA256];

/// Times, how the words for them begin, and the readings that tell how long ago they were.
const TIMES: [(&str, Metric, Metric); 4] = [
    ("a", metrics::ACCESS_TIME, metrics::ACCESS_AGE),
    ("c", metrics::CHANGE_TIME, metrics::CHANGE_AGE),
    ("m", metrics::MODIFY_TIME, metrics::MODIFY_AGE),
    ("t", metrics::TIMESTAMP, metrics::TIMESTAMP_AGE),
];

impl Parser<'_> {
    /// `if failed …`: who owns it, its mode, its checksum; `failed` is the next token.
    pub(super) fn attribute(&mut self, subject: Subject, place: Place) -> Parse<Condition> {
        self.take();
        let (metric, limit) = match self.key() {
            Some(Uid) => (metrics::UID, self.user()?.ok_or(Wrong)?),
            Some(Gid) => (metrics::GID, self.group()?.ok_or(Wrong)?),
            Some(Permission) => (metrics::PERMISSION, self.mode_bits()?),
            _ if subject == Subject::File && self.at_checksum() => return self.expected_checksum(place),
            _ if subject == Subject::File => {
                return self.unexpected(&["uid", "gid", "permission", "checksum"]);
            }
            _ => return self.unexpected(&["uid", "gid", "permission"]),
        };
        self.only_one(std::slice::from_ref(&metric), &metric.name);
        let (metric, limit) = (metric.name.into_owned(), Limit::Int(limit.into()));
        Ok(Condition::Compare { metric, operator: Operator::NotEqual, limit })
    }

    /// `permission 644`, which are octal digits and yet a number.
    fn mode_bits(&mut self) -> Parse<u32> {
        self.take();
        if self.token.kind != Kind::Number {
            return self.unexpected(&["a number of octal digits such as 644"]);
        }
        let place = self.here();
        let token = self.take();
        let text = self.raw(&token).to_owned();
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if bits <= 0o7777 => Ok(bits),
            _ => {
                let message = "Permission statements must have an octal value between 0 and 7777";
                let mistake = Mistake::error(place, message).word(text);
                self.note(mistake.help("write it as for chmod: 'if failed permission 644 then alert'"));
                Err(Wrong)
            }
        }
    }

    /// Whether `checksum` comes, perhaps behind its kind.
    pub(super) fn at_checksum(&self) -> bool {
        matches!(self.key(), Some(Checksum | Md5 | Sha1)) || self.at_word(&["sha256"])
    }

    /// `[md5|sha1|sha256] checksum`: the kind that was written.
    pub(super) fn checksum(&mut self) -> Parse<Option<Metric>> {
        let kind = match self.key() {
            Some(Md5) => Some(metrics::CHECKSUM_MD5),
            Some(Sha1) => Some(metrics::CHECKSUM_SHA1),
            Some(_) => None,
            None => Some(metrics::CHECKSUM_SHA256),
        };
        if kind.is_some() {
            self.take();
        }
        self.need(Checksum, &["checksum"])?;
        Ok(kind)
    }

    /// `checksum [expect HASH]`: without one it is what it was when the file was read.
    fn expected_checksum(&mut self, place: Place) -> Parse<Condition> {
        let kind = self.checksum()?;
        if !self.eat(Expect) {
            self.only_one(&CHECKSUMS, "checksum");
            self.has_checksum(
                place,
                "the first that is seen is taken for right; to say which is, write 'expect'",
            );
            let metric = kind.unwrap_or(metrics::CHECKSUM_MD5).name.into_owned();
            return Ok(Condition::Differs { metric });
        }
        if self.token.kind == Kind::Number {
            let hash = self.raw(&self.token);
            let help = format!("a checksum of digits only goes into quotes: expect \"{hash}\"");
            return self.refuse(help);
        }
        let here = self.here();
        // What stands between the digits, such as colons, says nothing.
        let written = self.string("a checksum")?;
        let hash: String = written.to_lowercase().chars().filter(char::is_ascii_hexdigit).collect();
        let by_length = match hash.len() {
            32 => Some(metrics::CHECKSUM_MD5),
            40 => Some(metrics::CHECKSUM_SHA1),
            64 => Some(metrics::CHECKSUM_SHA256),
            _ => None,
        };
        let path = self.file_path().map(|path| path.display().to_string()).unwrap_or_default();
        let (message, help) = match (by_length, kind) {
            (Some(found), written) if written.as_ref().is_none_or(|written| *written == found) => {
                self.only_one(&CHECKSUMS, "checksum");
                let (metric, limit) = (found.name.into_owned(), Limit::Text(hash));
                return Ok(Condition::Compare { metric, operator: Operator::NotEqual, limit });
            }
            (Some(_), _) => {
                (format!("Invalid checksum [{hash}] for file {path}"), "it is as long as one of another kind")
            }
            (None, _) => (
                format!("Unknown checksum type [{hash}] for file {path}"),
                "an MD5 has 32 hexadecimal digits, an SHA-1 has 40, an SHA-256 has 64",
            ),
        };
        self.note(Mistake::error(here, message).word(hash).help(help));
        Err(Wrong)
    }

    /// Warns if there is nothing that a later checksum could be compared with.
    pub(super) fn has_checksum(&mut self, place: Place, help: &str) {
        let Some(path) = self.file_path() else { return };
        if self.around.exists(path, false) && self.around.is_directory(path) != Some(true) {
            return;
        }
        let message = format!("Cannot compute a checksum for file {}", path.display());
        self.note(Mistake::warning(place, message).help(help));
    }

    fn file_path(&self) -> Option<&Path> {
        match &self.draft.as_ref()?.service.kind {
            Type::File { path } => Some(path),
            _ => None,
        }
    }

    /// `timestamp`, `mtime`, `modify time` …, which is the next token: the time, and the reading of how long ago it was.
    pub(super) fn stamp(&mut self) -> (Metric, Metric) {
        let token = self.take();
        let word = self.raw(&token).to_lowercase();
        let [.., (_, time, age)] = TIMES;
        let found = TIMES.into_iter().find(|(begin, ..)| word.starts_with(begin));
        found.map_or((time, age), |(_, time, age)| (time, age))
    }

    /// `hardlink`, which only newer versions know and which therefore is a word as any other.
    pub(super) fn at_links(&self) -> bool {
        self.at_word(&["hardlink", "hardlinks"])
    }

    pub(super) fn at_word(&self, words: &[&str]) -> bool {
        let is = |word: &&str| self.raw(&self.token).eq_ignore_ascii_case(word);
        self.token.kind == Kind::Word && words.iter().any(is)
    }

    /// Of rules about one of these only the last counts, whatever it asks.
    pub(super) fn only_one(&mut self, metrics: &[Metric], what: &str) {
        let of = |rule: &Rule| match &rule.when {
            Condition::Compare { metric, .. }
            | Condition::Changed { metric, .. }
            | Condition::Differs { metric } => metrics.iter().any(|one| *one.name == **metric),
            _ => false,
        };
        let rules = self.draft.as_mut().map(|draft| &mut draft.service.rules);
        let replaced = rules.and_then(|rules| rules.iter().position(of).map(|at| rules.remove(at)));
        if let Some(rule) = replaced {
            let mistake = Mistake::warning(rule.place, format!("only the last rule about the {what} counts"));
            self.advise(mistake.help("the other one, further down, replaces it; take this one out"));
        }
    }

    /// Of rules about a checksum, of whatever kind.
    pub(super) fn only_one_checksum(&mut self) {
        self.only_one(&CHECKSUMS, "checksum");
    }
}
