//! `when = "pid changed"` and `when = "version matches '^1'"`: a reading beside the one before it, and beside a pattern.

use hinoban_reading::{Metric, Unit};

use super::condition::{self, SHAPE};
use super::metric::Named;
use super::reader::{Item, Reader};
use super::shipped;
use crate::{Change, Condition, Kind, Pattern, spelling};

/// What is said of a reading instead of comparing it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    Changed(Change),
    Differs,
    Matches { fails_on_match: bool },
}

/// The parts of such a text: a reading, the word, and what follows it.
#[derive(Debug, PartialEq)]
struct Said<'t> {
    left: &'t str,
    verb: Verb,
    /// As it was written, in full: `has not changed`.
    word: &'t str,
    rest: &'t str,
}

impl Reader<'_> {
    /// What this text says of a reading.
    pub(super) fn when(&mut self, item: &Item<'_>, kind: Option<&Kind>) -> Option<Condition> {
        let text = self.text(item, "a condition", "\"total cpu > 80%\"")?;
        let Some(said) = said(text) else { return self.comparison(item, text, kind) };
        if said.left.is_empty() {
            let message = format!("\"{text}\" has no reading before its `{}`", said.word);
            let help = match (said.verb, said.rest) {
                (Verb::Changed(_) | Verb::Differs, rest) if !rest.is_empty() => {
                    format!("the reading comes first: \"{rest} {}\"", said.word)
                }
                _ => SHAPE.to_owned(),
            };
            self.error(item.span.clone(), message, help);
            return None;
        }
        match said.verb {
            Verb::Changed(expect) => {
                self.nothing_behind(item, text, &said)?;
                let metric = match self.reading(item, text, said.left, kind)? {
                    Named::One(metric) | Named::Either { amount: metric, .. } => metric.name.into_owned(),
                    Named::Other(name) => name,
                };
                Some(Condition::Changed { metric, expect })
            }
            Verb::Differs => {
                self.nothing_behind(item, text, &said)?;
                let metric = match self.reading(item, text, said.left, kind)? {
                    Named::One(metric) | Named::Either { amount: metric, .. } => metric.name.into_owned(),
                    Named::Other(name) => name,
                };
                Some(Condition::Differs { metric })
            }
            Verb::Matches { fails_on_match }
                if said.left.eq_ignore_ascii_case("content")
                    && matches!(kind, Some(Kind::File { .. } | Kind::Program { .. })) =>
            {
                self.content(item, text, said.rest, fails_on_match, kind)
            }
            Verb::Matches { fails_on_match } => {
                let named = self.reading(item, text, said.left, kind);
                let pattern = self.expression(item, text, said.rest);
                let metric = match named? {
                    Named::One(metric) | Named::Either { amount: metric, .. } => {
                        self.is_text(item, text, said.left, &metric, kind)?;
                        metric.name.into_owned()
                    }
                    Named::Other(name) => name,
                };
                Some(Condition::Matches { metric, pattern: pattern?, fails_on_match })
            }
        }
    }

    /// Nothing follows `changed`: there is nothing to compare with but the look before.
    fn nothing_behind(&mut self, item: &Item<'_>, text: &str, said: &Said<'_>) -> Option<()> {
        let Said { left, word, rest, .. } = said;
        if rest.is_empty() {
            return Some(());
        }
        let help = match rest.split_once(' ').map(|(first, rest)| (first.to_lowercase(), rest)) {
            Some((first, rest)) if first == "for" => {
                format!("write it as a setting of its own: for = \"{}\"", rest.trim())
            }
            Some((first, _)) if condition::joins(&first) => condition::joined(&first).to_owned(),
            _ if said.verb == Verb::Differs => {
                format!("write \"{left} {word}\"; it is compared with the first look")
            }
            _ => format!("write \"{left} {word}\"; it is compared with the look before"),
        };
        self.error(self.part(item, text, rest), format!("nothing can follow `{word}`"), help);
        None
    }

    fn is_text(
        &mut self,
        item: &Item<'_>,
        text: &str,
        left: &str,
        metric: &Metric,
        kind: Option<&Kind>,
    ) -> Option<()> {
        if metric.unit == Unit::Text {
            return Some(());
        }
        let texts = kind.and_then(shipped::texts);
        let help = match texts {
            Some(texts) => texts,
            None => format!("compare it: \"{left} > 100\", or ask whether it changed: \"{left} changed\""),
        };
        let span = self.part(item, text, left);
        self.error(span, format!("`{left}` is a number, and only texts match patterns"), help);
        None
    }

    /// The pattern that stands there, in quotes or not.
    pub(super) fn expression(&mut self, item: &Item<'_>, text: &str, written: &str) -> Option<Pattern> {
        const FORM: &str = "write it in single quotes: when = \"version matches '^1[.]'\"";
        let quote = written.chars().next().filter(|c| ['\'', '"'].contains(c));
        let inside = match quote {
            Some(quote) => {
                let inside = &written[1..];
                match inside.rfind(quote) {
                    Some(end) if end + 1 == inside.len() => &inside[..end],
                    Some(end) => {
                        let span = self.part(item, text, inside[end + 1..].trim());
                        let help = match inside[end + 1..].trim_start().strip_prefix("for ") {
                            Some(rest) => {
                                format!("write it as a setting of its own: for = \"{}\"", rest.trim())
                            }
                            None => FORM.to_owned(),
                        };
                        self.error(span, "nothing can follow a pattern", help);
                        return None;
                    }
                    None => {
                        let span = self.part(item, text, written);
                        self.error(span, format!("the {quote} before this pattern is not closed"), FORM);
                        return None;
                    }
                }
            }
            None => written,
        };
        if inside.is_empty() {
            self.error(item.span.clone(), "there is no pattern to match", FORM);
            return None;
        }
        match Pattern::new(inside) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                let span = self.part(item, text, flaw(inside, &why));
                let help = match inside.contains(['*', '?']) && !inside.contains(['.', '(', '[']) {
                    true => "patterns are regular expressions, not those of file names: `.*` is any text",
                    false => "patterns are regular expressions; `\\` before a sign takes its meaning away",
                };
                self.error(span, format!("`{inside}` is no pattern: {why}"), help);
                None
            }
        }
    }
}

/// The character at which a pattern goes wrong: all beginnings that hold it are wrong for this reason. What is left open
/// is wrong for other reasons too on its way.
fn flaw<'p>(pattern: &'p str, why: &str) -> &'p str {
    const LONGEST: usize = 500;
    if pattern.len() > LONGEST {
        return pattern;
    }
    let open = why.contains("clos");
    let chars: Vec<(usize, char)> = pattern.char_indices().collect();
    let same = |end: usize| Pattern::new(&pattern[..end]).is_err_and(|other| open || other == why);
    let wrong = chars.iter().rev().take_while(|(at, c)| same(at + c.len_utf8())).last();
    wrong.map_or(pattern, |(at, c)| &pattern[*at..at + c.len_utf8()])
}

/// Splits a text that says that a reading changes or matches; `None` if a comparison comes first.
fn said(text: &str) -> Option<Said<'_>> {
    let sign = condition::sign(text).unwrap_or(text.len());
    let words: Vec<&str> = text.split_whitespace().collect();
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    let (n, verb) = words.iter().enumerate().find_map(|(n, word)| {
        let verb = match word.to_lowercase().as_str() {
            "changed" => Verb::Changed(Change::Changed),
            "unchanged" => Verb::Changed(Change::Unchanged),
            "differs" => Verb::Differs,
            "matches" | "match" => Verb::Matches { fails_on_match: true },
            _ => return None,
        };
        (place(word) < sign).then_some((n, verb))
    })?;
    // A reading may be called so; then a sign follows at once.
    if n == 0 && sign < text.len() {
        return None;
    }
    let mut begin = n;
    let mut verb = verb;
    if begin > 0 && words[begin - 1].eq_ignore_ascii_case("not") {
        begin -= 1;
        verb = match verb {
            Verb::Changed(Change::Changed) => Verb::Changed(Change::Unchanged),
            Verb::Changed(Change::Unchanged) => Verb::Changed(Change::Changed),
            Verb::Matches { fails_on_match } => Verb::Matches { fails_on_match: !fails_on_match },
            // `not differs` is nothing that somebody says.
            Verb::Differs => return None,
        };
    }
    if begin > 0
        && ["has", "is", "was", "does", "did"].iter().any(|w| words[begin - 1].eq_ignore_ascii_case(w))
    {
        begin -= 1;
    }
    let (start, end) = (place(words[begin]), place(words[n]) + words[n].len());
    Some(Said { left: text[..start].trim(), verb, word: &text[start..end], rest: text[end..].trim() })
}

/// What was probably meant by a text without a sign.
pub(super) fn nearly(text: &str) -> Option<&'static str> {
    text.split_whitespace().skip(1).find_map(|word| {
        let word = if word.eq_ignore_ascii_case("changes") { "changed" } else { word };
        spelling::nearest(word, ["changed", "unchanged", "differs", "matches"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<(&str, Verb, &str)> {
        said(text).map(|s| (s.left, s.verb, s.rest))
    }

    #[test]
    fn words_are_told_from_comparisons() {
        let changed = |left, expect| Some((left, Verb::Changed(expect), ""));
        assert_eq!(split("pid changed"), changed("pid", Change::Changed));
        assert_eq!(split("pid has changed"), changed("pid", Change::Changed));
        assert_eq!(split("size  not  changed"), changed("size", Change::Unchanged));
        assert_eq!(split("size unchanged"), changed("size", Change::Unchanged));
        assert_eq!(split("total memory has NOT changed"), changed("total memory", Change::Unchanged));
        let matches = |fails_on_match| Verb::Matches { fails_on_match };
        assert_eq!(split("version matches '^>= 1'"), Some(("version", matches(true), "'^>= 1'")));
        assert_eq!(split("version does not match x y"), Some(("version", matches(false), "x y")));
        assert_eq!(split("state = 'it changed'"), None);
        assert_eq!(split("changed > 5"), None);
        assert_eq!(split("cpu > 5 and pid changed"), None);
    }

    #[test]
    fn the_wrong_character_of_a_pattern_is_found() {
        for (pattern, wrong) in [("a)b", ")"), ("ab(c", "("), ("*a", "*"), ("é[b", "["), ("a(?=b)c", "=")] {
            let why = Pattern::new(pattern).expect_err(pattern);
            assert_eq!(flaw(pattern, &why), wrong, "{pattern}: {why}");
        }
    }
}
