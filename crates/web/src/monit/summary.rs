use hinoban_supervisor::{ServiceView, Status, Watching};

use super::words::{given_up, state, status_bits, type_name, type_rank};
use super::{About, Tone, text};

/// Columns of a summary: heading and width.
const COLUMNS: [(&str, usize); 3] = [("Service Name", 31), ("Status", 26), ("Type", 13)];

/// A table of `services`: name, status, type.
///
/// It is drawn with colours and boxes, which the command line removes where they cannot be shown. `sorted` puts it in
/// order of type, as Monit does when it shows all services.
pub fn summary(status: &Status, about: &About, services: &[&ServiceView], sorted: bool) -> String {
    let mut services = services.to_vec();
    if sorted {
        services.sort_by_key(|view| type_rank(&view.kind)); // stable: within a type, the order of the configuration
    }
    let bar = Tone::Faint.paint("│");
    let mut out = text::first_line(status, about);
    out += &rule('┌', '┬', '┐');
    let heads = COLUMNS.map(|(head, width)| format!(" {} ", Tone::Heading.paint(&cell(head, width))));
    out += &format!("{bar}{}{bar}{}{bar}{}{bar}\n", heads[0], heads[1], heads[2]);
    for view in services {
        let (tone, state) = state(view, about);
        let [name, word, kind] = [&*text::harmless(&view.name, ""), &state, type_name(&view.kind)];
        let [name, word, kind] = [(name, 0), (word, 1), (kind, 2)].map(|(t, i)| cell(t, COLUMNS[i].1));
        out += &rule('├', '┼', '┤');
        out += &format!("{bar} {name} {bar} {}{bar} {kind} {bar}\n", tone.paint(&format!("{word} ")));
    }
    out += &rule('└', '┴', '┘');
    out
}

fn rule(left: char, middle: char, right: char) -> String {
    let lines = COLUMNS.map(|(_, width)| "─".repeat(width + 2));
    Tone::Faint.paint(&format!("{left}{}{right}", lines.join(&middle.to_string()))) + "\n"
}

/// Padded to `width`; what is longer is cut and ends in three dots. Monit counts bytes, and cuts through characters;
/// here they stay whole.
fn cell(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return format!("{text:<width$}");
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}

/// What a report counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Services that are watched and well.
    Up,
    /// Services of which something fails; under our own configuration also those that a rule gave up.
    Down,
    /// Services of which nothing is known yet.
    Initialising,
    /// Services that are not watched.
    Unmonitored,
    /// All.
    Total,
}

impl Count {
    /// From the word of a request.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "up" => Count::Up,
            "down" => Count::Down,
            "initialising" | "initializing" => Count::Initialising,
            "unmonitored" => Count::Unmonitored,
            "total" => Count::Total,
            _ => return None,
        })
    }

    fn of(view: &ServiceView, about: &About) -> Self {
        match view.watching {
            Watching::No if given_up(view, about) => Count::Down,
            Watching::No => Count::Unmonitored,
            Watching::Initializing => Count::Initialising,
            Watching::Yes if status_bits(view) != 0 => Count::Down,
            Watching::Yes => Count::Up,
        }
    }
}

/// How many of `services` are up, down and so on; with `only`, that one number.
pub fn report(services: &[&ServiceView], about: &About, only: Option<Count>) -> String {
    let total = services.len();
    let count = |what| match what {
        Count::Total => total,
        _ => services.iter().filter(|view| Count::of(view, about) == what).count(),
    };
    if let Some(only) = only {
        return format!("{}\n", count(only));
    }
    let mut out = String::new();
    for (label, what) in [
        ("up:", Count::Up),
        ("down:", Count::Down),
        ("initialising:", Count::Initialising),
        ("unmonitored:", Count::Unmonitored),
    ] {
        let n = count(what);
        let percent = if total == 0 { 0.0 } else { 100.0 * n as f64 / total as f64 };
        out += &format!("{label:<14}{n:>3} ({percent:.1}%)\n");
    }
    out += &format!("{:<14}{total:>3} services\n", "total:");
    out
}
