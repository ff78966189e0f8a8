//! Passwords, and where they come from.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::Secret;

impl Reader<'_> {
    /// A password: a text, `{ file = "…" }` or `{ env = "…" }`.
    pub(super) fn secret(&mut self, item: &Item<'_>) -> Option<Secret> {
        let from = match item.value {
            DeValue::String(text) => return self.filled(item, text),
            DeValue::Table(table) => table,
            _ => {
                let key = item.key;
                let help = format!(
                    "{key} = {{ file = \"/etc/hinoban/{key}\" }} or {key} = {{ env = \"NAME\" }} keep it out of this file"
                );
                self.wrong(item, "a text, or where to read it", help);
                return None;
            }
        };
        let mut fields = Fields::new(format!("`{}`", item.key), from, item.span.clone());
        let (file, variable) = (fields.take("file"), fields.take("env"));
        self.close(fields);
        match (file, variable) {
            (Some(file), None) => {
                let path = self.path(&file)?;
                match self.around.read(&path) {
                    Ok(text) => {
                        let line = text.strip_suffix('\n').unwrap_or(&text);
                        self.filled(&file, line.strip_suffix('\r').unwrap_or(line))
                    }
                    Err(e) => {
                        self.error(
                            file.span,
                            format!("{} cannot be read: {e}", path.display()),
                            "it must hold nothing but the password, and be readable by the user this runs as",
                        );
                        None
                    }
                }
            }
            (None, Some(variable)) => {
                let name = self.text(&variable, "the name of a variable", "\"MAIL_PASSWORD\"")?;
                match self.around.variable(name) {
                    Some(text) => self.filled(&variable, &text),
                    None => {
                        self.error(
                            variable.span,
                            format!("the environment has no variable `{name}`"),
                            "set it where the daemon is started, or use { file = \"…\" }",
                        );
                        None
                    }
                }
            }
            _ => {
                self.missing(
                    item.span.clone(),
                    format!("`{}` must come from exactly one place", item.key),
                    "write { file = \"…\" } or { env = \"…\" }",
                );
                None
            }
        }
    }

    fn filled(&mut self, item: &Item<'_>, text: &str) -> Option<Secret> {
        if text.is_empty() {
            self.error(item.span.clone(), "this password is empty", "a password has at least one character");
            return None;
        }
        Some(Secret::new(text))
    }
}
