//! `hinoban convert`: a control file as TOML.

use std::process::ExitCode;

use hinoban::config::Surroundings;

use crate::flags::Flags;
use crate::load::{find, shown, told};
use crate::surroundings::World;
use crate::terminal::{complain, show};

/// Prints the TOML that means what a control file means. Nothing is checked of the file but what it says: it may be a copy
/// that lies anywhere.
pub(crate) fn convert(flags: &Flags) -> Result<ExitCode, String> {
    let path = match flags.words.get(1..) {
        Some([]) | None => find(flags)?,
        Some([file]) => flags.here.join(file),
        Some(_) => return Err("convert takes one file: hinoban convert /etc/monit/monitrc".to_owned()),
    };
    let file = path.display();
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Err(format!(
            "'{file}' is TOML already; name a control file: hinoban convert /etc/monit/monitrc"
        ));
    }
    let text = World.text(&path).map_err(|why| format!("Cannot read the control file '{file}': {why}"))?;
    let twin = hinoban::monitrc::convert(&path, &text, &World).map_err(|mistakes| told(&mistakes))?;
    if !twin.warnings.list.is_empty() {
        complain(shown(&twin.warnings));
    }
    show(&twin.text);
    Ok(ExitCode::SUCCESS)
}
