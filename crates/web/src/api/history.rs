//! Readings over time, as programs get them.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use hinoban_reading::{Stamp, Unit};
use hinoban_supervisor::{Readings, Series};
use jiff::Timestamp;
use serde::Serialize;

use super::model::At;
use crate::form::Form;
use crate::reply::Refusal;

/// What follows the path of a service for its readings over time.
pub(crate) const HISTORY: &str = "/history";

/// Points, unless it is said otherwise, and at most.
const POINTS: usize = 200;
const MOST: usize = 2000;

/// Seconds since 1970 of times that can be asked for: the years 1970 to 2261. Further ones cannot be counted in nanoseconds.
const LEAST: i64 = 0;
const MOST_LATE: i64 = 9_214_646_400;

/// The stretch of time, unless it is said otherwise.
const DAY: Duration = Duration::from_secs(86_400);

/// Which readings are asked for.
pub(crate) struct Wanted {
    /// None: which there are.
    pub(crate) metric: Option<String>,
    pub(crate) part: Option<String>,
    pub(crate) from: Stamp,
    pub(crate) to: Stamp,
    pub(crate) points: usize,
}

impl Wanted {
    /// From the parameters of a request.
    ///
    /// # Errors
    /// If a time is none, or the end comes before the beginning.
    pub(crate) fn read(form: &Form, now: Stamp) -> Result<Self, Refusal> {
        let refuse = |text: String| Refusal::new(StatusCode::BAD_REQUEST, text);
        let time = |name: &str| {
            match form.get(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => stamp(text).map(Some).ok_or_else(|| {
                refuse(format!(
                    "{name} is no time: {text}; write 2026-11-23T10:00:00Z, or seconds since 1970, up to the year 2261"
                ))
            }),
        }
        };
        let to = time("to")?.unwrap_or(now);
        let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
        let from = time("from")?.unwrap_or(Stamp::from_micros(to.micros().saturating_sub(day)));
        if from >= to {
            return Err(refuse("from must come before to".to_owned()));
        }
        let points = match form.get("points").map(str::parse::<usize>) {
            None => POINTS,
            Some(Ok(points @ 1..=MOST)) => points,
            Some(_) => return Err(refuse(format!("points must be a number from 1 to {MOST}"))),
        };
        let text = |name: &str| form.get(name).map(str::to_owned);
        Ok(Self { metric: text("metric").filter(|m| !m.is_empty()), part: text("part"), from, to, points })
    }
}

/// A time that can be written in RFC 3339, so that the answer can name it.
fn stamp(text: &str) -> Option<Stamp> {
    let time = match text.parse::<i64>() {
        Ok(secs) => Timestamp::from_second(secs).ok()?,
        Err(_) => text.parse::<Timestamp>().ok()?,
    };
    (LEAST..MOST_LATE).contains(&time.as_second()).then(|| Stamp::from_micros(time.as_microsecond()))
}

/// Which readings of a service are kept.
pub(crate) fn kept(service: &str, series: &[Series]) -> Response<Body> {
    #[derive(Serialize)]
    struct Kept<'a> {
        service: &'a str,
        series: Vec<One<'a>>,
    }
    #[derive(Serialize)]
    struct One<'a> {
        /// The test; empty: the service itself.
        part: &'a str,
        metric: &'a str,
        unit: Unit,
    }
    let one = |series: &'_ Series| -> (String, String, Unit) {
        (series.part.to_string(), series.metric.to_string(), series.unit)
    };
    let mut list: Vec<_> = series.iter().map(one).collect();
    list.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    let series = list.iter().map(|(part, metric, unit)| One { part, metric, unit: *unit }).collect();
    super::json(&Kept { service, series })
}

/// Readings over time.
pub(crate) fn over_time(service: &str, metric: &str, wanted: &Wanted, found: &Readings) -> Response<Body> {
    #[derive(Serialize)]
    struct OverTime<'a> {
        service: &'a str,
        metric: &'a str,
        part: Option<&'a str>,
        unit: Option<Unit>,
        from: At,
        to: At,
        /// Stretches without readings are left out.
        points: Vec<Point>,
    }
    #[derive(Serialize)]
    struct Point {
        /// Where the stretch begins.
        at: At,
        count: u32,
        min: f64,
        mean: f64,
        max: f64,
    }
    let point = |point: &hinoban_supervisor::Point| Point {
        at: At(point.at),
        count: point.count,
        min: point.min,
        mean: point.mean,
        max: point.max,
    };
    super::json(&OverTime {
        service,
        metric,
        part: wanted.part.as_deref(),
        unit: found.unit,
        from: At(wanted.from),
        to: At(wanted.to),
        points: found.points.iter().map(point).collect(),
    })
}
