//! The nearest valid spelling of a word that is not known.

/// The candidate that `word` is most likely a misspelling of; `None` if none is near.
///
/// Upper and lower case are the same, and so are `-`, `_` and a blank. Near means: at most one insertion, deletion,
/// replacement or swap of neighbours for each three letters of the word (two letters at least), or that one of the two
/// is the beginning of the other and has three letters at least. Of two equally near ones the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 40;
    let word = letters(word);
    if word.len() < 2 || word.len() > LONGEST {
        return None;
    }
    let allowed = word.len().div_ceil(3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = letters(candidate);
        if other.is_empty() || other.len() > LONGEST {
            continue;
        }
        let begins =
            word.len().min(other.len()) >= 3 && (other.starts_with(&word) || word.starts_with(&other));
        let mut far = distance(&word, &other);
        if far > allowed && begins {
            far = allowed;
        }
        // A word of which not one letter stays is not a misspelling.
        let near = far <= allowed && far < other.len().max(word.len());
        if near && best.is_none_or(|(so_far, _)| far < so_far) {
            best = Some((far, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn letters(word: &str) -> Vec<char> {
    word.chars().map(|c| if matches!(c, '_' | ' ') { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Edit distance with swaps of neighbours ("optimal string alignment").
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 6] = ["every", "start-delay", "mail", "web", "pidfile", "restart"];

    #[test]
    fn slips_of_the_keyboard_are_recognised() {
        for (slip, meant) in [
            ("evry", "every"),
            ("eveyr", "every"),
            ("start_delay", "start-delay"),
            ("PidFile", "pidfile"),
            ("pid", "pidfile"),
            ("restrat", "restart"),
            ("mial", "mail"),
        ] {
            assert_eq!(nearest(slip, KEYS), Some(meant), "{slip}");
        }
    }

    #[test]
    fn a_different_word_gets_no_suggestion() {
        for word in ["", "x", "colour", "depends-on", "zzzzz"] {
            assert_eq!(nearest(word, KEYS), None, "{word}");
        }
    }

    #[test]
    fn the_nearer_of_two_wins() {
        assert_eq!(nearest("stat", ["stop", "start"]), Some("start"));
    }
}
