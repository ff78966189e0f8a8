//! What a program prints as one JSON object: its members are readings.

use hinoban_reading::{Reading, Unit, Value};
use serde_json::Value as Json;

use super::nagios::{MOST, name};

/// Longest text that is a reading, in bytes; more of it is cut.
const TEXT: usize = 1024;

/// The members of an object as readings: `json.` and their names, those of nested ones joined by dots. Numbers stay numbers,
/// `true` and `false` are 1 and 0, elements of lists are numbered from 0, and `null` is no reading. Second: how many were
/// left out, for they were too many or their names too long.
///
/// # Errors
/// What is wrong, and in which line and column.
pub(super) fn spoken(output: &str) -> Result<(Vec<Reading>, usize), String> {
    if output.is_empty() {
        return Err("it printed nothing, where a JSON object was expected".to_owned());
    }
    match serde_json::from_str::<Json>(output) {
        Ok(object @ Json::Object(_)) => {
            let mut all = (Vec::new(), 0);
            members("", &object, &mut all);
            Ok(all)
        }
        Ok(other) => Err(format!("it printed {}, where a JSON object was expected", kind(&other))),
        Err(e) => {
            let text = e.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            let (line, column) = (e.line(), e.column());
            Err(format!("what it printed is no JSON: {what}, in line {line} column {column} of its output"))
        }
    }
}

fn members(path: &str, value: &Json, all: &mut (Vec<Reading>, usize)) {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let (unit, value) = match value {
        Json::Object(object) => {
            object.iter().for_each(|(name, value)| members(&join(name), value, all));
            return;
        }
        Json::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| members(&join(&n.to_string()), value, all));
            return;
        }
        Json::Null => return,
        Json::Bool(yes) => (Unit::Count, Value::Int((*yes).into())),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(whole), _) => (Unit::Count, Value::Int(whole)),
            (None, Some(real)) => (Unit::Count, Value::Real(real)),
            (None, None) => return,
        },
        Json::String(text) => (Unit::Text, Value::from(&text[..text.floor_char_boundary(TEXT)])),
    };
    match name("json.", path) {
        Some(name) if all.0.len() < MOST => all.0.push(Reading { name: name.into(), unit, value }),
        _ => all.1 += 1,
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_readings() {
        let text = r#"{"queue": {"depth": 12, "oldest": 1.5}, "ok": true, "version": "1.2", "last": null, "disks": [3, {"free": 4}]}"#;
        let (mut readings, left_out) = spoken(text).unwrap();
        readings.sort_by(|a, b| a.name.cmp(&b.name));
        let read: Vec<_> = readings.iter().map(|r| (&*r.name, r.value.clone())).collect();
        let expected = [
            ("json.disks.0", Value::Int(3)),
            ("json.disks.1.free", Value::Int(4)),
            ("json.ok", Value::Int(1)),
            ("json.queue.depth", Value::Int(12)),
            ("json.queue.oldest", Value::Real(1.5)),
            ("json.version", Value::from("1.2")),
        ];
        assert_eq!(read, expected);
        assert_eq!(left_out, 0);
        assert_eq!(readings[5].unit, Unit::Text);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = "what it printed is no JSON: expected `,` or `}`, in line 2 column 6 of its output";
        assert_eq!(spoken("{\"a\": 1\n     \"b\": 2}").unwrap_err(), wrong);
        assert_eq!(spoken("[1]").unwrap_err(), "it printed a list, where a JSON object was expected");
        assert_eq!(spoken("").unwrap_err(), "it printed nothing, where a JSON object was expected");
    }

    #[test]
    fn there_is_room_for_so_many() {
        let many: Vec<String> = (0..1000).map(|n| format!("\"m{n}\": 1")).collect();
        let (readings, left_out) = spoken(&format!("{{{}}}", many.join(","))).unwrap();
        assert_eq!((readings.len(), left_out), (MOST, 1000 - MOST));
    }
}
