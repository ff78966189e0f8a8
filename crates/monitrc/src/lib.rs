//! The same model read from Monit control files, and written out as TOML.
//!
//! [`parse`] reads the control language of Monit 5.33 into [`hinoban_config::Config`]. Bytes become tokens in a lexer
//! that has Monit's modes (commands, names and lists of headers are read by rules of their own), tokens become services
//! and rules by recursive descent, and defaults and whole-file checks come last. Nothing is read from the world but
//! through [`Surroundings`]: included files, users and groups, programs, the name of this host.
//!
//! What a valid text means is what Monit makes of it, whatever one might have guessed: noise words vanish anywhere,
//! `and` joins nothing, `(` and `,` are blanks, settings hold from where they stand, included files are read last first.
//! Whatever is passed over there without a word is told here.
//!
//! [`convert`] writes a control file out as TOML, comments and all, and reads that back: it makes the same plan.
//!
//! ```
//! use hinoban_config::NoSurroundings;
//!
//! let text = "set daemon 30\ncheck process httpd with pidfile /run/httpd.pid\n  if cpu > 80% for 3 cycles then restart";
//! let loaded = hinoban_monitrc::parse("monitrc".as_ref(), text, &NoSurroundings).map_err(|m| m.to_string())?;
//! assert_eq!(loaded.config.services[0].name, "httpd");
//! # Ok::<(), String>(())
//! ```
#![forbid(unsafe_code)]

mod convert;
mod dump;
mod files;
mod help;
mod joined;
mod keyword;
mod lexer;
mod lower;
mod modes;
mod parser;
mod quoted;
mod scan;
mod sender;
mod token;
mod trap;

use std::path::Path;

pub use convert::{Twin, convert};
pub use dump::{Runtime, dump, preamble};

use hinoban_config::{Loaded, Mistakes, Surroundings};

/// Reads a control file: `text`, which was found at `path`, and all that it includes.
///
/// Mode and owner of the file are not looked at; that is the business of whoever read it.
///
/// # Errors
/// All mistakes at once, warnings among them, if one keeps the file from being used. Their [`Mistakes::lines`] have
/// the form of Monit's: `FILE:LINE: syntax error 'word'`.
pub fn parse(path: &Path, text: &str, around: &dyn Surroundings) -> Result<Loaded, Mistakes> {
    let files = files::Files::new(path, text);
    let mut read = parser::Parser::new(files, around).run();
    lower::finish(&mut read, around);
    let mut mistakes = Mistakes { sources: read.files.into_sources(), list: read.mistakes };
    let fatal = mistakes.fatal();
    // What Monit tells comes first, and in its order: scripts read the first line.
    mistakes.list.append(&mut read.advice);
    // What could not be read would only look as if it were missing.
    if !fatal {
        mistakes.list.extend(read.config.advice());
        mistakes.list.extend(read.config.unhonoured());
    }
    if mistakes.fatal() { Err(mistakes) } else { Ok(Loaded { config: read.config, warnings: mistakes }) }
}
