//! What a Nagios plug-in prints: a line for people, perhaps more of them, and performance data behind a bar.
//!
//! The form is that of the guidelines for authors of monitoring plug-ins (section "Plugin Output for Nagios"): performance
//! data stands behind the first bar of the first line, and behind the first bar of the lines that follow it, up to the end.

use hinoban_reading::{Reading, Unit, Value};

/// Readings that one look may have beside those that all programs have; more of them are left out.
pub(super) const MOST: usize = 128;

/// Longest name of one of them, in bytes.
pub(super) const LONGEST: usize = 100;

/// The output of a plug-in, taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Spoken {
    /// Without the performance data.
    pub(super) text: String,
    pub(super) readings: Vec<Reading>,
    /// Whether some performance data could not be read, or was too much.
    pub(super) left_out: usize,
}

/// Takes the output of a plug-in apart.
pub(super) fn spoken(output: &str) -> Spoken {
    let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
    let (line, mut data) = match first.split_once('|') {
        Some((line, data)) => (line, data.to_owned()),
        None => (first, String::new()),
    };
    let (more, further) = rest.split_once('|').unwrap_or((rest, ""));
    data.push(' ');
    data.push_str(further);
    let text = match more.trim_end() {
        "" => line.trim().to_owned(),
        more => format!("{}\n{more}", line.trim()),
    };
    let mut spoken = Spoken { text, ..Spoken::default() };
    let mut rest = data.as_str();
    while let Some((label, value, behind)) = next(rest) {
        rest = behind;
        match datum(&label, value) {
            Some(reading) if spoken.readings.len() < MOST => {
                // Of two with one label the first counts.
                if spoken.readings.iter().all(|known| known.name != reading.name) {
                    spoken.readings.push(reading);
                }
            }
            _ => spoken.left_out += 1,
        }
    }
    spoken
}

/// The next `label=value…` of performance data; what is none is passed over, and comes with an empty value.
fn next(data: &str) -> Option<(String, &str, &str)> {
    let data = data.trim_start();
    if data.is_empty() {
        return None;
    }
    let (label, rest) = match data.strip_prefix('\'') {
        // A quote within quotes is written twice.
        Some(quoted) => {
            let mut label = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next() {
                    Some((_, '\'')) if chars.as_str().starts_with('\'') => {
                        chars.next();
                        label.push('\'');
                    }
                    Some((at, '\'')) => break at + 1,
                    Some((_, c)) => label.push(c),
                    None => break quoted.len(),
                }
            };
            (label, &quoted[end..])
        }
        None => {
            let end = data.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(data.len());
            (data[..end].to_owned(), &data[end..])
        }
    };
    let Some(value) = rest.strip_prefix('=') else {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        return Some((label, "", &rest[end..]));
    };
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    Some((label, &value[..end], &value[end..]))
}

/// `value[UOM];warn;crit;min;max` under its label. What comes behind the value is the plug-in's own business.
fn datum(label: &str, written: &str) -> Option<Reading> {
    let value = written.split(';').next()?;
    let end = value.find(|c: char| !(c.is_ascii_digit() || "+-.,eE".contains(c))).unwrap_or(value.len());
    // `1E` is a number of exabytes, and no power of ten.
    let end = value[..end].trim_end_matches(['e', 'E']).len();
    let (number, uom) = value.split_at(end);
    // Plug-ins print numbers as the locale has them.
    let number = number.replace(',', ".");
    let (unit, factor) = unit(uom)?;
    let value = match number.parse::<i64>() {
        Ok(whole) if factor == 1.0 => Value::Int(whole),
        _ => number.parse::<f64>().ok().map(|x| x * factor).filter(|x| x.is_finite()).map(Value::Real)?,
    };
    Some(Reading { name: name("perf.", label)?.into(), unit, value })
}

/// The unit of a value, and what it is to be multiplied with.
fn unit(uom: &str) -> Option<(Unit, f64)> {
    Some(match uom {
        "" | "c" => (Unit::Count, 1.0),
        "s" => (Unit::Seconds, 1.0),
        "ms" => (Unit::Seconds, 1e-3),
        "us" | "µs" => (Unit::Seconds, 1e-6),
        "ns" => (Unit::Seconds, 1e-9),
        "%" => (Unit::Percent, 1.0),
        "B" => (Unit::Bytes, 1.0),
        "KB" | "kB" | "KiB" => (Unit::Bytes, 1024.0),
        "MB" | "MiB" => (Unit::Bytes, 1024f64.powi(2)),
        "GB" | "GiB" => (Unit::Bytes, 1024f64.powi(3)),
        "TB" | "TiB" => (Unit::Bytes, 1024f64.powi(4)),
        "PB" | "PiB" => (Unit::Bytes, 1024f64.powi(5)),
        "EB" | "EiB" => (Unit::Bytes, 1024f64.powi(6)),
        // Volts, degrees, packets: numbers like any other.
        _ if uom.len() <= 8 && uom.chars().all(|c| c.is_alphabetic() || "°/%".contains(c)) => {
            (Unit::Count, 1.0)
        }
        _ => return None,
    })
}

/// The name of a reading: blanks and what would break lines stand as `_`. `None`: it would be empty or too long.
pub(super) fn name(family: &str, label: &str) -> Option<String> {
    let label = label.trim();
    if label.is_empty() || family.len() + label.len() > LONGEST {
        return None;
    }
    let plain = |c: char| if c.is_whitespace() || c.is_control() { '_' } else { c };
    Some(family.chars().chain(label.chars().map(plain)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(output: &str) -> Vec<(String, Unit, Value)> {
        let readings = spoken(output).readings;
        readings.into_iter().map(|r| (r.name.into_owned(), r.unit, r.value)).collect()
    }

    #[test]
    fn performance_data_become_readings_in_their_units() {
        let load =
            "OK - load average: 0.10, 0.05, 0.01|load1=0.100;15.000;30.000;0; load5=0.050;10.000;25.000;0;";
        let expected = [
            ("perf.load1".to_owned(), Unit::Count, Value::Real(0.1)),
            ("perf.load5".to_owned(), Unit::Count, Value::Real(0.05)),
        ];
        assert_eq!(readings(load), expected);
        assert_eq!(spoken(load).text, "OK - load average: 0.10, 0.05, 0.01");
        for (written, unit, value) in [
            ("x=5", Unit::Count, Value::Int(5)),
            ("x=7c;;;0", Unit::Count, Value::Int(7)),
            ("x=0.25s", Unit::Seconds, Value::Real(0.25)),
            ("x=250ms;100;200", Unit::Seconds, Value::Real(0.25)),
            ("x=50us", Unit::Seconds, Value::Real(50.0 * 1e-6)),
            ("x=80%;90;95", Unit::Percent, Value::Int(80)),
            ("x=-3", Unit::Count, Value::Int(-3)),
            ("x=2KB", Unit::Bytes, Value::Real(2048.0)),
            ("x=1,5MB", Unit::Bytes, Value::Real(1_572_864.0)),
            ("x=1EB", Unit::Bytes, Value::Real(1024f64.powi(6))),
            ("x=1e3", Unit::Count, Value::Real(1000.0)),
            ("x=21.5°C", Unit::Count, Value::Real(21.5)),
        ] {
            let read = readings(&format!("OK|{written}"));
            assert_eq!(read, [("perf.x".to_owned(), unit, value)], "{written}");
        }
    }

    #[test]
    fn labels_may_be_quoted() {
        let names = |output| readings(output).into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
        assert_eq!(names("OK|'/var log'=5 '/'=6"), ["perf./var_log", "perf./"]);
        assert_eq!(names("OK|'it''s'=5"), ["perf.it's"]);
        assert_eq!(names("OK|a=1 a=2"), ["perf.a"], "the first of two counts");
    }

    #[test]
    fn data_stand_on_the_first_line_and_at_the_end() {
        let output = "DISK OK - free | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n/boot 68 MB (69%); | /boot=68MB;88\n/home=69357MB;253404";
        let spoken = spoken(output);
        assert_eq!(spoken.text, "DISK OK - free\n/ 15272 MB (77%);\n/boot 68 MB (69%);");
        let names: Vec<_> = spoken.readings.iter().map(|r| &*r.name).collect();
        assert_eq!(names, ["perf./", "perf./boot", "perf./home"]);
        assert_eq!(spoken.left_out, 0);
    }

    #[test]
    fn what_is_no_datum_is_left_out_and_counted() {
        let spoken = spoken("OK|a=U b good=1 c= =4 'open=3");
        assert_eq!(spoken.readings.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["perf.good"]);
        assert_eq!(spoken.left_out, 5);
        let many: String = (0..1000).map(|n| format!("l{n}=1 ")).collect();
        let spoken = super::spoken(&format!("OK|{many}"));
        assert_eq!((spoken.readings.len(), spoken.left_out), (MOST, 1000 - MOST));
        let long = "x".repeat(LONGEST);
        assert_eq!(super::spoken(&format!("OK|{long}=1")).left_out, 1);
    }

    proptest::proptest! {
        #[test]
        fn anything_may_be_printed(output in "\\PC*|[a-z=;|' \n]*") {
            spoken(&output);
        }
    }
}
