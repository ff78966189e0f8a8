//! `[[mmonit]]`: M/Monit servers.

use super::address;
use super::reader::{Item, Reader};
use crate::{Collector, Config, Secret};

const EXAMPLE: &str =
    "url = \"https://mmonit.example.com:8443/collector\", user = \"monit\" and password = { file = \"…\" }";

impl Reader<'_> {
    pub(super) fn collectors(&mut self, item: &Item<'_>, config: &mut Config) {
        for item in item.list() {
            let Some(mut fields) = self.fields(&item, "[[mmonit]]", EXAMPLE) else { continue };
            let url = fields.take("url");
            let (user, password) = (fields.take("user"), fields.take("password"));
            let timeout = fields.take("timeout").map(|item| self.duration(&item));
            let tls = fields.take("tls").map(|item| self.tls_table(&item));
            let groups = fields.take("groups");
            if let Some(item) = fields.take("register") {
                config.register_credentials &= self.flag(&item).unwrap_or(true);
            }
            let span = fields.span.clone();
            self.close(fields);
            let names = groups.iter().flat_map(Item::list);
            let groups: Vec<_> = names
                .filter_map(|item| self.text(&item, "names of groups", "[\"web\"]").map(str::to_owned))
                .collect();
            let login = self.login(user, password);
            let Some(url) = url else {
                self.missing(span, "this M/Monit server has no `url`", EXAMPLE);
                continue;
            };
            let Some(url) = self.collector_url(&url, login.flatten()) else { continue };
            let timeout = timeout.unwrap_or(Some(self.defaults.network));
            if let (Some(timeout), None | Some(Some(_))) = (timeout, &tls) {
                config.collectors.push(Collector { url, timeout, tls: tls.flatten(), groups });
            }
        }
    }

    /// The address of a server, with user and password put into it as its requests need them.
    fn collector_url(&mut self, item: &Item<'_>, login: Option<(String, Secret)>) -> Option<Secret> {
        let text =
            self.text(item, "the address of a collector", "\"https://mmonit.example.com:8443/collector\"")?;
        let shown = super::mask::secrets(text);
        let parts = match address::url(text) {
            Ok(parts) if matches!(parts.scheme.as_str(), "http" | "https") && !parts.host.is_empty() => parts,
            Ok(_) => {
                let help = "it begins with http:// or https:// and a host";
                self.error(item.span.clone(), format!("\"{shown}\" is no M/Monit server"), help);
                return None;
            }
            Err(why) => {
                self.error(item.span.clone(), format!("\"{shown}\" is no M/Monit server: {why}"), EXAMPLE);
                return None;
            }
        };
        if parts.login.is_some() {
            let message = "a password in an address would be shown with it in logs";
            self.error(item.span.clone(), message, "write `user` and `password` beside `url`");
            return None;
        }
        let Some((user, password)) = login else { return Some(Secret::new(text)) };
        let (scheme, rest) = text.split_once("://")?;
        let [user, password] = [&*user, password.reveal()].map(encoded);
        Some(Secret::new(format!("{scheme}://{user}:{password}@{rest}")))
    }
}

/// What would end a user or a password in an address, as `%HH`.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '@' | ':' | '/' | '?' | '#' | ' ' => out.push_str(&format!("%{:02X}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}
