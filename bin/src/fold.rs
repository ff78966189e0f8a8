//! What comes again and again in a table of times is shown twice, and then counted.

use std::time::Duration;

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) at: Duration,
    pub(crate) service: String,
    /// A word for what sort of thing it is.
    pub(crate) sort: &'static str,
    pub(crate) text: String,
}

impl Row {
    /// Whether two rows tell the same, at other times.
    fn is_like(&self, other: &Row) -> bool {
        (&self.service, self.sort, &self.text) == (&other.service, other.sort, &other.text)
    }
}

/// A line of what is printed.
#[derive(Debug, PartialEq)]
pub(crate) enum Line<'a> {
    Row(&'a Row),
    /// The rows before this come again and again.
    Again {
        times: usize,
        /// The least and the greatest time between them.
        every: (Duration, Duration),
        until: Duration,
    },
}

/// What comes again and again is shown twice, and then counted.
pub(crate) fn folded(rows: &[Row]) -> Vec<Line<'_>> {
    const LONGEST: usize = 12;
    let mut lines = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let block = |length: usize, from: usize| rows.get(from..from + length);
        let like = |length: usize, from: usize| {
            let (Some(first), Some(this)) = (block(length, at), block(length, from)) else { return false };
            first.iter().zip(this).all(|(a, b)| a.is_like(b))
        };
        let found = (1..=LONGEST).find_map(|length| {
            let times = (1..).take_while(|n| like(length, at + n * length)).count();
            (times >= 3).then_some((length, times))
        });
        match found {
            Some((length, times)) => {
                let shown = 2 * length;
                lines.extend(rows[at..at + shown].iter().map(Line::Row));
                let again = times - 1;
                let starts: Vec<Duration> = (0..=times).map(|n| rows[at + n * length].at).collect();
                let steps: Vec<Duration> =
                    starts.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
                // The first two stand there.
                let steps = steps.get(1..).unwrap_or_default();
                let least = steps.iter().min().copied().unwrap_or_default();
                let every = (least, steps.iter().max().copied().unwrap_or_default());
                let end = at + (times + 1) * length;
                lines.push(Line::Again { times: again, every, until: rows[end - 1].at });
                at = end;
            }
            None => {
                lines.push(Line::Row(&rows[at]));
                at += 1;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: u64, text: &str) -> Row {
        Row { at: Duration::from_secs(at), service: "a".into(), sort: "does", text: text.into() }
    }

    #[test]
    fn what_comes_again_and_again_is_shown_twice_and_counted() {
        let mut rows = vec![row(0, "x")];
        for n in 0..5 {
            rows.extend([row(10 * n + 1, "start"), row(10 * n + 2, "fail")]);
        }
        rows.push(row(60, "y"));
        let lines = folded(&rows);
        assert_eq!(lines.len(), 1 + 4 + 1 + 1);
        let every = (Duration::from_secs(10), Duration::from_secs(10));
        let until = Duration::from_secs(42);
        assert_eq!(lines[5], Line::Again { times: 3, every, until });
        assert_eq!(lines[6], Line::Row(&rows[11]));
        // Three times is not worth folding.
        assert_eq!(folded(&rows[..7]).len(), 7);
    }
}
