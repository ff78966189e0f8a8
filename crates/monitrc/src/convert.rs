//! A control file written out as TOML: what it means, in our own language, with the comments that stood in it.

mod alert;
mod connection;
mod notes;
mod program;
mod proof;
mod protocol;
mod reading;
mod rule;
mod service;
mod settings;
mod sheet;
mod text;
mod tls;
mod web;

use std::path::Path;

use hinoban_config::{Config, Kind, Mistake, Mistakes, Place, Severity, Surroundings, toml};

use notes::Notes;
use sheet::Sheet;

/// A control file as TOML.
#[derive(Debug, Clone)]
pub struct Twin {
    /// The text.
    pub text: String,
    /// What is odd about the control file.
    pub warnings: Mistakes,
}

/// Writes the TOML that means what a control file means: `text`, which was found at `path`, with all that it includes.
///
/// Comments stay with what they are about. Passwords are written as they are. The result has been read back, and makes the
/// same plan: the same services in the same order, with the same rules and programs.
///
/// # Errors
/// The mistakes of the control file, if it has some; or what in it TOML cannot say.
pub fn convert(path: &Path, text: &str, around: &dyn Surroundings) -> Result<Twin, Mistakes> {
    let loaded = crate::parse(path, text, around)?;
    let notes = Notes::gather(path, text, around);
    let written = write(path, &loaded.config, notes);
    let sources = loaded.warnings.sources.clone();
    let read = match toml::parse(&path.with_extension("toml"), &written, around) {
        Ok(read) => read.config,
        Err(mistakes) => {
            let list = mistakes.list.iter().filter(|mistake| mistake.severity == Severity::Error);
            let list = list.map(|mistake| {
                let line = written.lines().nth((mistake.place.line as usize).wrapping_sub(1));
                let help = format!("in TOML it would be: {}", line.unwrap_or_default().trim());
                Mistake::error(Place::default(), format!("TOML cannot say this: {}", mistake.message))
                    .help(help)
            });
            return Err(Mistakes { sources, list: list.collect() });
        }
    };
    let found = proof::differences(&loaded.config, &read);
    if found.is_empty() {
        return Ok(Twin { text: written, warnings: loaded.warnings });
    }
    let list = found.into_iter().map(|(place, what)| {
        Mistake::error(place, format!("{what} cannot be said in TOML so that it means the same"))
            .help("nothing is written that would mean something else; keep the control file")
    });
    Err(Mistakes { sources, list: list.collect() })
}

fn write(path: &Path, config: &Config, notes: Notes) -> String {
    let mut sheet = Sheet::new(notes, proof::needed(config));
    let mut head = vec![format!("# This is {} in TOML, written by `hinoban convert`.", path.display())];
    let folded = sheet.notes.files.iter().skip(1).map(|file| format!("#   {file}"));
    let folded: Vec<String> = folded.collect();
    if !folded.is_empty() {
        head.push("# What it includes is in here too:".to_owned());
        head.extend(folded);
    }
    if settings::has_secrets(config) {
        head.push("# There are passwords in it: let nobody else read it (chmod 600).".to_owned());
    }
    head.push(String::new());
    let top = std::mem::take(&mut sheet.notes.head);
    head.extend(top);
    sheet.comments(0, &head);
    sheet.gap();
    settings::settings(&mut sheet, config);
    for (number, service) in config.services.iter().enumerate() {
        // The system that is in every configuration is in this one too.
        if service.kind == Kind::System && service.place.line == 0 {
            continue;
        }
        service::service(&mut sheet, config, number, service);
    }
    let rest = sheet.notes.rest();
    if rest.iter().any(|line| !line.is_empty()) {
        sheet.gap();
        sheet.comments(0, &rest);
    }
    let mut out = sheet.out.trim_end().to_owned();
    out.push('\n');
    out
}
