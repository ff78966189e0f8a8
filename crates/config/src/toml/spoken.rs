use std::path::Path;

use ::toml::de::DeValue;

use super::reader::{Item, Reader};
use crate::{Condition, Config, Dialect, Kind, NoSurroundings};

/// A comparison as it stands after `when`, in a service of this kind: `total cpu > 80%`, `memory = 2 GB`.
///
/// # Errors
/// What is wrong with it, and what to write instead, on one line.
pub fn comparison(text: &str, kind: &Kind) -> Result<Condition, String> {
    let mut reader = Reader::new(Path::new(""), text, &NoSurroundings);
    let value = DeValue::String(text.into());
    let item = Item { key: "when", span: 0..text.len(), value: &value };
    let condition = reader.comparison(&item, text, Some(kind));
    let mistakes = reader.finish(Config::empty(Dialect::Toml, "")).err();
    let why = mistakes.and_then(|mistakes| mistakes.list.into_iter().next()).map(|mistake| {
        let help = mistake.help.map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help}", mistake.message)
    });
    match (condition, why) {
        (Some(condition), None) => Ok(condition),
        (_, why) => Err(why.unwrap_or_else(|| format!("\"{text}\" is no comparison"))),
    }
}

#[cfg(test)]
mod tests {
    use hinoban_reading::Value;

    use super::*;
    use crate::Operator;

    #[test]
    fn a_comparison_is_read_without_a_file() {
        let process = Kind::pidfile("/run/x.pid");
        let read = |text| comparison(text, &process);
        let compared = |metric: &str, limit| {
            Ok(Condition::Compare { metric: metric.into(), operator: Operator::Equal, limit })
        };
        assert_eq!(read("total cpu=95%"), compared("cpu.total.percent", Value::Int(95)));
        assert_eq!(read("memory = 2 GB"), compared("memory.bytes", Value::Int(2_000_000_000)));
        assert_eq!(read("memory.percent = 40%"), compared("memory.percent", Value::Int(40)));
        let why = read("memry = 2 GB").unwrap_err();
        assert!(why.contains("`memry`") && why.contains("did you mean `memory`?"), "{why}");
        assert!(read("memory = 2 GX").unwrap_err().contains("`2 GX` is no limit"));
        assert!(read("memory").is_err());
    }
}
