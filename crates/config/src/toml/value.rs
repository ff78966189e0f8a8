//! Taking typed values out of parsed TOML.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use ::toml::Spanned;
use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader, listed, type_name};
use crate::spelling;
use crate::units::{self, UnitError};

/// The tags of fstab(5), and the folder of `/dev/disk` in which udev makes links for each.
const TAGS: [(&str, &str); 4] =
    [("UUID", "by-uuid"), ("LABEL", "by-label"), ("PARTUUID", "by-partuuid"), ("PARTLABEL", "by-partlabel")];

impl Reader<'_> {
    /// Says that a value is of the wrong type.
    pub(super) fn wrong(&mut self, item: &Item<'_>, expected: &str, help: impl Into<String>) {
        let message = format!("`{}` must be {expected}, not {}", item.key, type_name(item.value));
        self.error(item.span.clone(), message, help);
    }

    pub(super) fn fields<'d>(
        &mut self,
        item: &Item<'d>,
        what: impl Into<String>,
        help: &str,
    ) -> Option<Fields<'d>> {
        match item.value {
            DeValue::Table(table) => Some(Fields::new(what, table, item.span.clone())),
            _ => {
                self.wrong(item, "a table", help);
                None
            }
        }
    }

    /// The text of this value, which must not be empty.
    pub(super) fn text<'d>(&mut self, item: &Item<'d>, expected: &str, example: &str) -> Option<&'d str> {
        match item.value {
            DeValue::String(text) if text.trim().is_empty() => {
                self.error(
                    item.span.clone(),
                    format!("`{}` is empty", item.key),
                    format!("it must be {expected}, such as {example}"),
                );
                None
            }
            DeValue::String(text) => Some(text.as_ref()),
            _ => {
                let help = match item.value {
                    DeValue::Array(list) if list.len() == 1 => {
                        let only = self.written(list.first().map_or(0..0, Spanned::span));
                        format!("write it without brackets: {} = {only}", item.key)
                    }
                    _ => format!("for example: {} = {example}", item.key),
                };
                self.wrong(item, expected, help);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, item: &Item<'_>) -> Option<bool> {
        match item.value {
            DeValue::Boolean(yes) => Some(*yes),
            DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
                self.wrong(item, "true or false", format!("write it without quotes: {} = {text}", item.key));
                None
            }
            _ => {
                self.wrong(item, "true or false", format!("for example: {} = true", item.key));
                None
            }
        }
    }

    pub(super) fn whole(&mut self, item: &Item<'_>, range: Range<i64>) -> Option<i64> {
        let limits = format!("a whole number from {} to {}", range.start, range.end - 1);
        let DeValue::Integer(number) = item.value else {
            let help = match item.value {
                DeValue::String(text) if text.parse::<i64>().is_ok() => {
                    format!("write it without quotes: {} = {text}", item.key)
                }
                _ => format!("for example: {} = {}", item.key, range.start.max(1)),
            };
            self.wrong(item, &limits, help);
            return None;
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(n) if range.contains(&n) => Some(n),
            _ => {
                self.error(
                    item.span.clone(),
                    format!("`{}` is out of range", item.key),
                    format!("it must be {limits}"),
                );
                None
            }
        }
    }

    /// A duration longer than nothing.
    pub(super) fn duration(&mut self, item: &Item<'_>) -> Option<Duration> {
        match self.duration_or_zero(item) {
            Some(Duration::ZERO) => {
                let message = format!("`{}` must be longer than nothing", item.key);
                self.error(item.span.clone(), message, format!("for example: {} = \"30s\"", item.key));
                None
            }
            other => other,
        }
    }

    /// A duration from `least` to `most`.
    pub(super) fn between(&mut self, item: &Item<'_>, least: Duration, most: Duration) -> Option<Duration> {
        let time = self.duration(item)?;
        if (least..=most).contains(&time) {
            return Some(time);
        }
        let [least, most] = [least, most].map(units::duration_text);
        let message = format!("`{}` is out of range", item.key);
        self.error(item.span.clone(), message, format!("it must be from {least} to {most}"));
        None
    }

    /// Time between looks. Below the least, looking itself would be the load of the host.
    pub(super) fn period(&mut self, item: &Item<'_>) -> Option<Duration> {
        const LEAST: Duration = Duration::from_millis(100);
        let period = self.duration(item)?;
        if period < LEAST {
            let message = format!("`{}` must be at least 100ms", item.key);
            let help = "a process that ends is seen at once all the same; every = \"30s\" is usual";
            self.error(item.span.clone(), message, help);
            return None;
        }
        Some(period)
    }

    pub(super) fn duration_or_zero(&mut self, item: &Item<'_>) -> Option<Duration> {
        const EXPECTED: &str = "a duration in quotes, such as \"30s\"";
        let DeValue::String(text) = item.value else {
            let help = match item.value {
                DeValue::Integer(n) => {
                    format!("write {0} = \"{n}s\" for {n} seconds, {0} = \"{n}m\" for {n} minutes", item.key)
                }
                _ => format!("for example: {} = \"30s\"", item.key),
            };
            self.wrong(item, EXPECTED, help);
            return None;
        };
        match units::duration(text) {
            Ok(duration) => Some(duration),
            Err(UnitError::UnknownUnit { unit, .. })
                if spelling::nearest(&unit, ["cycles", "cycle"]).is_some() =>
            {
                self.error(
                    item.span.clone(),
                    format!("`{}` cannot be counted in cycles yet", item.key),
                    format!("write a duration: {} = \"30s\"", item.key),
                );
                None
            }
            Err(e) => {
                let help = match &e {
                    UnitError::UnknownUnit { nearest: Some(near), .. } => format!("did you mean `{near}`?"),
                    UnitError::NoUnit { number } => {
                        format!("write \"{number}s\" for seconds, \"{number}m\" for minutes")
                    }
                    UnitError::TooLarge => "a thousand years are the most".to_owned(),
                    _ => "a duration is numbers with units: \"500ms\", \"30s\", \"2m\", \"1h 30m\", \"1d\""
                        .to_owned(),
                };
                self.error(item.span.clone(), format!("`{}` is not a duration: {e}", item.key), help);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, item: &Item<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let all = listed(&names);
        let text = self.text(item, "one word", &format!("\"{}\"", names[0]))?;
        if let Some((_, value)) = words.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Some(*value);
        }
        let help = match spelling::nearest(text, names) {
            Some(near) => format!("did you mean \"{near}\"? It may be {all}"),
            None => format!("it may be {all}"),
        };
        self.error(item.span.clone(), format!("`{}` cannot be \"{text}\"", item.key), help);
        None
    }

    /// A path; a relative one is taken from the folder of the configuration file.
    pub(super) fn path(&mut self, item: &Item<'_>) -> Option<PathBuf> {
        let text = self.text(item, "a path in quotes", "\"/var/run/httpd.pid\"")?;
        self.resolved(item, text)
    }

    /// Refuses a path that only a shell would complete.
    pub(super) fn whole_path(&mut self, item: &Item<'_>, path: &str) -> Option<()> {
        if path.starts_with(['~', '$']) {
            let help = "write it in full, such as \"/home/web/app.log\"; no shell expands it";
            self.error(item.span.clone(), format!("\"{path}\" is not a path in full"), help);
            return None;
        }
        Some(())
    }

    /// What a file system is found by. It is no path if it is on another host or in a pool, so nothing is joined to it.
    pub(super) fn source(&mut self, item: &Item<'_>) -> Option<PathBuf> {
        let text = self.text(item, "a mount point, a device, or what it is mounted from", "\"/var\"")?;
        self.whole_path(item, text)?;
        if let Some((tag, value)) = text.split_once('=')
            && let Some((_, folder)) = TAGS.iter().find(|(known, _)| tag.eq_ignore_ascii_case(known))
        {
            let help = format!(
                "write {} = \"/dev/disk/{folder}/{}\", or its mount point",
                item.key,
                value.trim_matches('"')
            );
            self.error(item.span.clone(), "only fstab and mount know file systems by such a tag", help);
            return None;
        }
        if text.contains(char::is_control) {
            let message = format!("`{}` holds a control character: \"{}\"", item.key, text.escape_debug());
            self.error(item.span.clone(), message, "name the file system by its mount point or its device");
            return None;
        }
        if text.starts_with('.') {
            let help = "write it in full, such as \"/var\"; `findmnt` lists what is mounted where";
            self.error(
                item.span.clone(),
                format!("\"{text}\" is no mount point: those begin with `/`"),
                help,
            );
            return None;
        }
        if text.contains('\0') {
            return self.resolved(item, text);
        }
        Some(PathBuf::from(text))
    }

    pub(super) fn resolved(&mut self, item: &Item<'_>, path: &str) -> Option<PathBuf> {
        if path.contains('\0') {
            self.error(item.span.clone(), format!("`{}` holds a zero byte", item.key), "no path can");
            return None;
        }
        if path.contains(char::is_control) {
            let message = format!("`{}` holds a control character: \"{}\"", item.key, path.escape_debug());
            let help = "such a path could forge lines in logs and pages; rename the file, or link to it";
            self.error(item.span.clone(), message, help);
            return None;
        }
        Some(self.folder.join(path.strip_prefix("./").unwrap_or(path)))
    }
}
