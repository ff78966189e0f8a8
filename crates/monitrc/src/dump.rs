//! What was understood of a configuration, line for line as `monit -t -v` shows it.
//!
//! Labels, order, blanks and numbers are Monit's (5.33), so that the same control file gives the same text here and there:
//! whoever comes from Monit sees by an empty diff that nothing was taken for something else. Of several rules of one sort
//! the last is shown first, as Monit has them on a stack.

mod amount;
mod compare;
mod connection;
mod rule;
mod service;
mod settings;
mod tls;
mod url;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use hinoban_config::{Algorithm, Config};

/// What a dump shows beside the configuration.
pub struct Runtime<'a> {
    /// The file that was read.
    pub control: &'a Path,
    /// Where our process id is.
    pub pidfile: &'a Path,
    /// Where our identity is.
    pub idfile: &'a Path,
    /// Where what survives a restart is.
    pub statefile: &'a Path,
    /// The socket that the command line talks to; shown under TOML only, as Monit has none.
    pub socket: &'a Path,
    /// Whether a file exists. Asked for each whose mode is watched for changes.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// The digest of a file, in hexadecimal digits; `None` if it cannot be read. Asked for each rule that takes the checksum
    /// there is for the right one.
    pub checksum: &'a dyn Fn(&Path, Algorithm) -> Option<String>,
    /// The addresses of a name or an address; empty if it has none. Asked for each host that may use the HTTP interface.
    pub addresses: &'a dyn Fn(&str) -> Vec<IpAddr>,
}

impl std::fmt::Debug for Runtime<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("control", &self.control).finish_non_exhaustive()
    }
}

/// Everything that `-t -v` shows before its verdict, but for [`preamble`]: settings, then services.
pub fn dump(config: &Config, runtime: &Runtime<'_>) -> String {
    let mut page = Page::default();
    for group in config.services.iter().flat_map(|service| &service.groups) {
        let place = page.groups.len();
        page.groups.entry(group.to_lowercase()).or_insert_with(|| (place, group.clone()));
    }
    settings::write(&mut page, config, runtime);
    page.text.push_str("\nThe service list contains the following entries:\n\n");
    for service in &config.services {
        service::write(&mut page, config, service, runtime);
        page.text.push('\n');
    }
    page.text.push_str(&"-".repeat(79));
    page.text.push('\n');
    page.text
}

/// The lines that Monit shows while it reads the file, which come before all others: who may use the HTTP interface, and
/// whose mode is watched for changes though it is not there.
pub fn preamble(config: &Config, runtime: &Runtime<'_>) -> String {
    let mut text = settings::admitted(config, runtime);
    for service in &config.services {
        text += &service::missing(service, runtime);
    }
    text
}

/// Lines of the form `LABEL = VALUE`.
#[derive(Default)]
struct Page {
    text: String,
    /// Groups in the order in which they were first named, and as they are spelled there, by the same in small letters.
    groups: HashMap<String, (usize, String)>,
}

impl Page {
    /// A line about a setting.
    fn setting(&mut self, label: &str, value: impl std::fmt::Display) {
        self.text += &format!(" {label:<18} = {value}\n");
    }

    /// A line about a service.
    fn line(&mut self, label: &str, value: impl std::fmt::Display) {
        self.text += &format!(" {label:<20} = {value}\n");
    }
}
