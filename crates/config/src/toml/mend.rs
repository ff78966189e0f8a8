//! Closing lists and tables that were left open, so that one forgotten bracket does not hide all that follows it.

use ::toml::de::{DeTable, Error};

/// A text that was made readable by adding brackets.
#[derive(Debug)]
pub(super) struct Mended {
    pub(super) text: String,
    /// Where a byte was added, in bytes of the new text, ascending.
    pub(super) inserted: Vec<usize>,
    /// Each gap: the place in the old text, and what was missing there.
    pub(super) gaps: Vec<(usize, String)>,
}

/// More forgotten brackets than these are not looked for.
const MOST: usize = 50;

/// Lines above a statement in which the list or table may begin that it interrupts.
const FARTHEST: usize = 200;

/// Adds what is missing where a statement begins inside of a list or table.
pub(super) fn mend(text: &str, mut errors: Vec<Error>) -> Mended {
    let mut mended = Mended { text: text.to_owned(), inserted: Vec::new(), gaps: Vec::new() };
    while mended.gaps.len() < MOST {
        // The first mistake that is left open; those before it are of other kinds.
        let mut starts: Vec<usize> = errors.iter().filter_map(Error::span).map(|span| span.start).collect();
        starts.sort_unstable();
        let Some((at, missing)) = starts.into_iter().find_map(|start| gap(&mended.text, start)) else {
            break;
        };
        mended.gaps.push((original(&mended.inserted, at), missing.clone()));
        mended.text.insert_str(at, &missing);
        for place in &mut mended.inserted {
            if *place >= at {
                *place += missing.len();
            }
        }
        mended.inserted.extend(at..at + missing.len());
        mended.inserted.sort_unstable();
        errors = DeTable::parse_recoverable(&mended.text).1;
    }
    mended
}

/// The byte of the old text that has become this one.
pub(super) fn original(inserted: &[usize], at: usize) -> usize {
    at - inserted.partition_point(|place| *place < at)
}

/// If a statement that should stand at the top begins at the line of `start`, and something before it is open: where
/// that ends, and what closes it.
fn gap(text: &str, start: usize) -> Option<(usize, String)> {
    let begin = text.get(..start)?.rfind('\n')? + 1;
    let line = text[begin..].lines().next().unwrap_or("");
    let key = statement(line)?;
    if !text[begin..start].trim_start_matches(['[', ' ', '\t']).is_empty() {
        return None;
    }
    // What is open began in this table, and not too far above.
    let above = text[..begin].rmatch_indices('\n').map(|(at, _)| at + 1).chain([0]).filter(|at| *at < begin);
    let (value, open, end) = above
        .map(|at| (at, statement(text[at..].lines().next().unwrap_or(""))))
        .take(FARTHEST)
        .take_while(|(_, line)| *line != Some(false))
        .filter(|(_, line)| *line == Some(true))
        .find_map(|(at, _)| {
            let value = at + text[at..begin].find('=')? + 1;
            let (open, end) = left_open(&text[value..begin]);
            (!open.is_empty()).then_some((value, open, end))
        })?;
    let (_, spread) = *open.last()?;
    if key && spread && open.last().is_some_and(|(bracket, _)| *bracket == '{') {
        // One entry on each line: the entries go on, and only the comma is missing.
        return (!text[..value + end].ends_with([',', '{'])).then(|| (value + end, ",".to_owned()));
    }
    let closing = open.iter().rev().map(|(bracket, _)| if *bracket == '[' { ']' } else { '}' }).collect();
    Some((value + end, closing))
}

/// Whether a line sets a key (`true`) or begins a table (`false`); `None` if it is neither.
fn statement(line: &str) -> Option<bool> {
    let line = line.trim();
    let name = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.\"' ".contains(c);
        !text.trim().is_empty() && text.chars().all(plain)
    };
    if line.starts_with('[') {
        let inside = line.trim_matches(['[', ']']);
        let header = line.contains(']') && !inside.starts_with(['"', '\'']) && name(inside);
        return header.then_some(false);
    }
    line.split_once('=').is_some_and(|(key, _)| name(key)).then_some(true)
}

/// The brackets that this text leaves open, each with whether its line ends behind it, and the end of what is written.
fn left_open(text: &str) -> (Vec<(char, bool)>, usize) {
    let mut open: Vec<(char, bool)> = Vec::new();
    let mut end = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '#' => {
                while chars.next_if(|(_, c)| *c != '\n').is_some() {}
                continue;
            }
            '"' | '\'' => {
                end = at + 1;
                while let Some((at, inside)) = chars.next_if(|(_, c)| *c != '\n') {
                    end = at + inside.len_utf8();
                    match inside {
                        '\\' if c == '"' => {
                            chars.next_if(|(_, c)| *c != '\n');
                        }
                        inside if inside == c => break,
                        _ => {}
                    }
                }
                continue;
            }
            '[' | '{' => {
                let rest = text[at + 1..].lines().next().unwrap_or("").trim();
                open.push((c, rest.is_empty() || rest.starts_with('#')));
            }
            ']' | '}' => drop(open.pop()),
            _ => {}
        }
        if !c.is_whitespace() {
            end = at + c.len_utf8();
        }
    }
    (open, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &str) -> String {
        let errors = DeTable::parse_recoverable(text).1;
        assert!(!errors.is_empty(), "there is nothing to mend in {text:?}");
        mend(text, errors).text
    }

    #[test]
    fn what_is_open_is_closed_where_it_ends() {
        for (text, closed) in [
            ("a = [1\nb = 2\n", "a = [1]\nb = 2\n"),
            ("a = [1, # one\n\nb = 2\n", "a = [1,] # one\n\nb = 2\n"),
            ("a = [\"[\"\n[b]\nc = 1\n", "a = [\"[\"]\n[b]\nc = 1\n"),
            ("a = [{ b = 1\nc = 2\n", "a = [{ b = 1}]\nc = 2\n"),
            ("a = { b = 1\n[[c]]\nd = 1\n", "a = { b = 1}\n[[c]]\nd = 1\n"),
            ("a = {\n b = 1\n c = 2\n}\n", "a = {\n b = 1,\n c = 2\n}\n"),
            ("a = [\n 1,\n { b = 1 },\nc = 2\n", "a = [\n 1,\n { b = 1 },]\nc = 2\n"),
            ("a = [1\nb = [2\nc = 3\n", "a = [1]\nb = [2]\nc = 3\n"),
        ] {
            assert_eq!(mended(text), closed);
        }
    }

    #[test]
    fn other_mistakes_are_left_alone() {
        for text in ["a = \nb = 1\n", "a = x\nb = y\n", "[a\nb = 1\n", "a = [1 2]\nb = 1\n", "a = [1\n"] {
            assert_eq!(mended(text), text);
        }
    }

    #[test]
    fn bytes_are_found_where_they_were() {
        let text = "a = [{ b = 1\nc = 2\n";
        let new = mend(text, DeTable::parse_recoverable(text).1);
        let c = new.text.find('c').expect("it is there");
        assert_eq!(new.gaps, [(12, "}]".to_owned())]);
        assert_eq!(original(&new.inserted, c), text.find('c').expect("it is there"));
    }
}
