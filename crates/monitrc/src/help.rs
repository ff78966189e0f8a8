//! Why a word was not understood, in words for people: the traps of this language have their own.

use crate::token::Kind;
use crate::trap;

/// A token that does not fit, and what stands around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Misfit<'a> {
    pub(crate) kind: Kind,
    /// As it is written.
    pub(crate) raw: &'a str,
    /// Its line up to it.
    pub(crate) before: &'a str,
    /// What is left of its line behind it.
    pub(crate) after: &'a str,
}

/// What to do about a token where one of `expected` should stand: spellings, or texts that begin with an article.
pub(crate) fn explain(misfit: Misfit<'_>, expected: &[&str]) -> String {
    let wanted = list(expected);
    if let Some(reason) = trap::find(misfit, &trap::Wanted::of(expected)) {
        return if expected.len() > 9 { reason } else { format!("{reason}; expected {wanted}") };
    }
    let Misfit { kind, raw, .. } = misfit;
    if matches!(kind, Kind::Word | Kind::Key(_) | Kind::Name)
        && let Some(near) = nearest(raw, expected)
    {
        return format!("did you mean '{near}'?");
    }
    if kind == Kind::End {
        let open = if expected.contains(&"}") { ", and a { is still open" } else { "" };
        format!("the file ends here{open}; expected {wanted}")
    } else {
        format!("expected {wanted}")
    }
}

/// `a`, `a or b`, `a, b or c`; spellings in quotes.
fn list(expected: &[&str]) -> String {
    let mut out = String::new();
    for (i, one) in expected.iter().enumerate() {
        out.push_str(match i {
            0 => "",
            _ if i + 1 == expected.len() => " or ",
            _ => ", ",
        });
        let described = ["a ", "an ", "the ", "for N", "N "].iter().any(|start| one.starts_with(start));
        if described {
            out.push_str(one);
        } else {
            out.push('\'');
            out.push_str(one);
            out.push('\'');
        }
    }
    out
}

/// The spelling that a word is most likely meant to be: at most two letters off, and fewer than half of them.
pub(crate) fn nearest<'s>(word: &str, spellings: &[&'s str]) -> Option<&'s str> {
    let word = word.to_lowercase();
    let near = spellings.iter().map(|s| (distance(&word, &s.to_lowercase()), *s)).min_by_key(|(d, _)| *d);
    near.filter(|(d, s)| (1..=2).contains(d) && d * 2 < s.chars().count()).map(|(_, s)| s)
}

/// Letters to insert, delete, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(32).collect(), b.chars().take(32).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spelling_is_found_and_strangers_are_not() {
        assert_eq!(nearest("pidfle", &["pidfile", "matching"]), Some("pidfile"));
        assert_eq!(nearest("pop3", &["http", "pop", "imap"]), Some("pop"));
        assert_eq!(nearest("tehn", &["then"]), Some("then"));
        assert_eq!(nearest("dropbear", &["ssh", "http"]), None);
        assert_eq!(nearest("b", &["get", "{"]), None);
    }
}
