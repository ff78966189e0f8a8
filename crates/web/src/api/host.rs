//! How the supervisor itself is.

use hinoban_supervisor::{Lateness, Vitals};
use serde::Serialize;

use super::model::At;
use crate::monit::About;

/// Cheap to ask for, however much is watched.
#[derive(Serialize)]
pub(super) struct Host<'a> {
    /// Name of the host, as alerts call it.
    host: &'a str,
    /// Program and version.
    version: &'a str,
    /// 32 hexadecimal digits.
    id: &'a str,
    now: At,
    /// When this configuration was taken on.
    since: At,
    /// Time between looks; 0: each service is looked at once only.
    every_seconds: f64,
    /// How many services there are.
    services: usize,
    lateness: Late,
}

/// How long after their turn looks began, since the supervisor did.
#[derive(Serialize)]
struct Late {
    looks: u64,
    p50_seconds: f64,
    p99_seconds: f64,
    longest_seconds: f64,
    /// Those that are not empty: how many looks began less than so much too late, and not less than the one before.
    buckets: Vec<Bucket>,
}

#[derive(Serialize)]
struct Bucket {
    below_seconds: f64,
    looks: u64,
}

impl<'a> Host<'a> {
    pub(super) fn of(vitals: &'a Vitals, about: &'a About) -> Self {
        Self {
            host: &vitals.host,
            version: &about.banner,
            id: &about.id,
            now: At(vitals.now),
            since: At(vitals.since),
            every_seconds: vitals.every.as_secs_f64(),
            services: vitals.services,
            lateness: Late::of(&vitals.lateness),
        }
    }
}

impl Late {
    fn of(lateness: &Lateness) -> Self {
        let bucket =
            |(below, looks): (std::time::Duration, u64)| Bucket { below_seconds: below.as_secs_f64(), looks };
        Self {
            looks: lateness.looks(),
            p50_seconds: lateness.quantile(0.5).as_secs_f64(),
            p99_seconds: lateness.quantile(0.99).as_secs_f64(),
            longest_seconds: lateness.longest().as_secs_f64(),
            buckets: lateness.buckets().map(bucket).collect(),
        }
    }
}
