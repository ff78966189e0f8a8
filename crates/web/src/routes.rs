//! Which path answers what.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode, header};
use axum::routing::{get, post};
use axum::{Router, response::IntoResponse};
use hinoban_event::Doing;
use hinoban_supervisor::{CommandError, HistoryError, Status, Unexplained};
use tokio::task::JoinSet;

use crate::asked::Asked;
use crate::monit::{self, About, Address, Count};
use crate::reply::{Lasting, Refusal};
use crate::{Backend, Options, api, assets, page, past};

/// What requests are answered from.
#[derive(Debug)]
pub(crate) struct Site<B> {
    pub(crate) backend: B,
    pub(crate) options: Options,
    /// What documents say; its address is that of the request, where the configuration leaves it open.
    pub(crate) about: About,
}

type Here<B> = State<Arc<Site<B>>>;
type Answer = Result<Response<Body>, Refusal>;

/// Paths that begin with an underscore are Monit's own; any other is the name of a service.
pub(crate) fn router<B: Backend>(site: Arc<Site<B>>) -> Router {
    let either = |get: axum::routing::MethodRouter<Arc<Site<B>>>, post| get.merge(post);
    Router::new()
        .route("/", get(overview::<B>))
        .route("/_status", either(get(status::<B>), post(status::<B>)))
        .route("/_status2", either(get(status::<B>), post(status::<B>)))
        .route("/_summary", either(get(summary::<B>), post(summary::<B>)))
        .route("/_report", either(get(report::<B>), post(report::<B>)))
        .route("/_doaction", post(do_action::<B>))
        .route("/_ping", get(async || typed("text/html", "pong".to_owned())))
        .route("/_monit", get(async || typed("text/html", String::new())))
        .route("/_getid", get(id::<B>))
        .route("/_assets/{file}", get(asset))
        .route("/api/v1/host", get(host::<B>))
        .route("/api/v1/services", get(data::<B>))
        .route("/api/v1/incidents", get(incidents::<B>))
        .route("/api/v1/incidents/{id}", get(incident::<B>))
        .route(api::SERVICE, get(datum::<B>))
        .route(api::REST, get(async || no_such_data()))
        .fallback(service::<B>)
        .method_not_allowed_fallback(async |Extension(asked): Extension<Arc<Asked>>| {
            if asked.path.starts_with(api::ROOT) {
                return Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered here");
            }
            Refusal::nothing_called(asked.path.trim_start_matches('/'))
        })
        .with_state(site)
}

/// The largest body of a POST that can mean something: it may name each service once.
pub(crate) async fn longest_body<B: Backend>(site: &Site<B>) -> usize {
    const FIXED: usize = 1024;
    let status = site.backend.status().await;
    // A name may be encoded with three bytes for each of its own.
    let names = status.iter().flat_map(|s| &s.services).map(|view| "&service=".len() + 3 * view.name.len());
    FIXED + names.sum::<usize>()
}

async fn overview<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    /// As the page offers it.
    const REFRESH: u32 = 10;
    let status = known(&site).await?;
    let refresh = asked.form.get("refresh").map(|_| REFRESH);
    let about = about(&site, &asked);
    Ok(typed("text/html", written(status, move |status| page::overview(status, &about, refresh)).await?))
}

async fn asset(Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let asset = assets::find(&asked.path.to_lowercase())
        .ok_or_else(|| Refusal::nothing_called(asked.path.trim_start_matches('/')))?;
    let mut response = ([(header::CONTENT_TYPE, asset.kind)], asset.content).into_response();
    response.extensions_mut().insert(Lasting);
    Ok(response)
}

async fn data<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let about = about(&site, &asked);
    written(known(&site).await?, move |status| api::services(status, &about)).await
}

async fn host<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let vitals = site.backend.vitals().await.ok_or_else(Refusal::ended)?;
    Ok(api::host(&vitals, &about(&site, &asked)))
}

async fn datum<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let name = asked.path.strip_prefix("/api/v1/services/").unwrap_or_default();
    let status = known(&site).await?;
    // A name may end so too, and is a name before anything else.
    let known = status.services.iter().any(|view| view.name.to_lowercase() == name.to_lowercase());
    if let Some(name) = name.strip_suffix(api::HISTORY).filter(|_| !known) {
        return over_time(&site, &asked, &status, name).await;
    }
    match name.strip_suffix(api::EXPLAIN).filter(|_| !known) {
        Some(name) => explain(&site, &asked, name).await,
        None => api::service(&status, name),
    }
}

/// A service in words: as text, or as JSON for whoever asks for that, by `format=json` or by what it accepts.
async fn explain<B: Backend>(site: &Site<B>, asked: &Asked, name: &str) -> Answer {
    let explanation = site.backend.explain(name.to_owned()).await.map_err(|why| match why {
        Unexplained::Gone => Refusal::ended(),
        why => Refusal::new(StatusCode::NOT_FOUND, why.to_string()),
    })?;
    let json = asked.form.get("format").map_or(asked.takes_json, |form| form.eq_ignore_ascii_case("json"));
    Ok(match json {
        true => api::explanation(&explanation),
        false => typed("text/plain; charset=utf-8", explanation.to_string()),
    })
}

/// The name of a service as it calls itself; as it was written, if there is none now: what was is kept.
fn called(status: &Status, name: &str) -> String {
    let found = status.services.iter().find(|view| view.name.to_lowercase() == name.to_lowercase());
    found.map_or(name, |view| &view.name).to_owned()
}

/// So long a disk that hangs is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what the history answers, but not for a disk that hangs.
async fn was<T>(answer: impl Future<Output = Result<T, HistoryError>>) -> Result<T, Refusal> {
    let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(HistoryError::Busy));
    answer.map_err(|why| match why {
        HistoryError::Gone => Refusal::ended(),
        HistoryError::Off => Refusal::new(StatusCode::NOT_FOUND, capital(&why.to_string())),
        why => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, capital(&why.to_string())),
    })
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn as_text(asked: &Asked) -> bool {
    asked.form.get("format").is_some_and(|format| format.eq_ignore_ascii_case("text"))
}

/// The incidents, the newest first.
async fn incidents<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    const LIMIT: usize = 50;
    const MOST: usize = 1000;
    let limit = match asked.form.get("limit").map(str::parse::<usize>) {
        None => LIMIT,
        Some(Ok(limit @ 1..=MOST)) => limit,
        Some(_) => {
            let text = format!("limit must be a number from 1 to {MOST}");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
        }
    };
    let status = known(&site).await?;
    let service = asked.form.get("service").filter(|name| !name.is_empty());
    let service = service.map(|name| called(&status, name));
    let found = was(site.backend.incidents(service.clone(), limit)).await?;
    if let (Some(name), []) = (&service, found.as_slice())
        && !status.services.iter().any(|view| *view.name == **name)
    {
        let none = CommandError::NoSuchService(name.clone());
        return Err(Refusal::new(StatusCode::NOT_FOUND, none.to_string()));
    }
    let unkept = site.backend.unkept();
    let unkept = tokio::time::timeout(PATIENCE, unkept).await.ok().flatten();
    let note = unkept.as_ref().map(|unkept| past::unkept(unkept, &site.about.zone));
    Ok(match (as_text(&asked), note) {
        (true, Some(note)) if found.is_empty() => {
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, note));
        }
        (true, note) => {
            let list = past::list(&found, status.now, &site.about.zone);
            let note = note.map(|note| format!("{note}.\n")).unwrap_or_default();
            typed("text/plain; charset=utf-8", list + &note)
        }
        (false, _) => api::incidents(&found, unkept.as_ref()),
    })
}

async fn incident<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let text = asked.path.strip_prefix("/api/v1/incidents/").unwrap_or_default();
    let none = || Refusal::new(StatusCode::NOT_FOUND, format!("There is no incident {text}"));
    let id = text.parse::<u64>().map_err(|_| none())?;
    let now = known(&site).await?.now;
    let found = was(site.backend.incident(id)).await?.ok_or_else(none)?;
    Ok(match as_text(&asked) {
        true => typed("text/plain; charset=utf-8", past::one(&found, now, &site.about.zone)),
        false => api::incident(&found),
    })
}

/// Readings of a service over time, or which there are.
async fn over_time<B: Backend>(site: &Site<B>, asked: &Asked, status: &Status, name: &str) -> Answer {
    let name = called(status, name);
    let wanted = api::Wanted::read(&asked.form, status.now)?;
    let series = was(site.backend.series(name.clone())).await?;
    if series.is_empty() && !status.services.iter().any(|view| *view.name == *name) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, CommandError::NoSuchService(name).to_string()));
    }
    let Some(metric) = &wanted.metric else { return Ok(api::kept(&name, &series)) };
    let (time, points) = ((wanted.from, wanted.to), wanted.points);
    let found = site.backend.over_time(name.clone(), wanted.part.clone(), metric.clone(), time, points);
    let found = was(found).await?;
    if found.unit.is_none() {
        let text = format!("Nothing is kept of {metric} of {name}; without metric= this says what is");
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    }
    Ok(api::over_time(&name, metric, &wanted, &found))
}

fn no_such_data() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "There is nothing here; all there is begins with /api/v1/services or /api/v1/incidents",
    )
}

async fn status<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let status = known(&site).await?;
    let about = about(&site, &asked);
    let format = asked.form.get("format").unwrap_or_default();
    if format.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("xml")) {
        let two = asked.path.eq_ignore_ascii_case("/_status2");
        let document = if two { monit::document2 } else { monit::document };
        return Ok(typed("text/xml", written(status, move |status| document(status, &about)).await?));
    }
    let chosen = chosen(&status, &asked)?;
    Ok(typed("text/plain", monit::status(&status, &about, &chosen)))
}

async fn summary<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let status = known(&site).await?;
    let chosen = chosen(&status, &asked)?;
    let all = ["service", "group"].into_iter().all(|name| asked.form.all(name).next().is_none());
    Ok(typed("text/plain", monit::summary(&status, &about(&site, &asked), &chosen, all)))
}

async fn report<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    let status = known(&site).await?;
    let only = match asked.form.get("type").filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => Some(Count::from_word(word).ok_or_else(|| {
            Refusal::new(StatusCode::BAD_REQUEST, format!("Invalid report type: '{word}'"))
        })?),
    };
    // An unknown group is no error here: it has no members.
    let chosen = monit::select(&status.services, &[], asked.form.get("group")).unwrap_or_default();
    Ok(typed("text/plain", monit::report(&chosen, &site.about, only)))
}

async fn id<B: Backend>(State(site): Here<B>) -> Answer {
    Ok(typed("text/html", site.options.id.clone()))
}

async fn do_action<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    asked.must_act()?;
    let Some(doing) = wanted(&asked)? else { return Ok(typed("text/html", String::new())) };
    let status = known(&site).await?;
    let mut names: Vec<String> = Vec::new();
    for name in asked.form.all("service") {
        let found = monit::matching(&status.services, name);
        if found.is_empty() {
            let none = CommandError::NoSuchService(name.to_owned());
            return Err(Refusal::new(StatusCode::BAD_REQUEST, none.to_string()));
        }
        for view in found {
            if !names.iter().any(|n| **n == *view.name) {
                names.push(view.name.to_string());
            }
        }
    }
    if !names.is_empty() {
        command(&site, names, doing, &asked).await?;
    }
    Ok(typed("text/html", String::new()))
}

async fn service<B: Backend>(State(site): Here<B>, Extension(asked): Extension<Arc<Asked>>) -> Answer {
    /// Failures on the page of a service, and how long it waits for them.
    const LATEST: usize = 5;
    const SHORTLY: Duration = Duration::from_secs(1);
    let name = asked.path.strip_prefix('/').unwrap_or(&asked.path);
    let find =
        |status: &Status| status.services.iter().position(|v| v.name.to_lowercase() == name.to_lowercase());
    let mut status = known(&site).await?;
    let at = find(&status).ok_or_else(|| Refusal::nothing_called(name))?;
    if asked.posted && asked.form.get("action").is_some() {
        asked.must_act()?;
        if let Some(doing) = wanted(&asked)? {
            command(&site, vec![status.services[at].name.to_string()], doing, &asked).await?;
            status = known(&site).await?; // to show what is pending now
        }
    }
    let at = find(&status).ok_or_else(|| Refusal::nothing_called(name))?;
    let token = asked.may_act.then_some(asked.token.as_str());
    let view = &status.services[at];
    let why = site.backend.explain(view.name.to_string()).await.ok();
    let latest = site.backend.incidents(Some(view.name.to_string()), LATEST);
    let failures = tokio::time::timeout(SHORTLY, latest).await.ok().and_then(Result::ok).unwrap_or_default();
    Ok(typed(
        "text/html",
        page::service(&status, &about(&site, &asked), view, why.as_ref(), &failures, token),
    ))
}

/// The action asked for; `None`: none.
fn wanted(asked: &Asked) -> Result<Option<Doing>, Refusal> {
    let Some(word) = asked.form.get("action") else { return Ok(None) };
    [Doing::Start, Doing::Stop, Doing::Restart, Doing::Monitor, Doing::Unmonitor]
        .into_iter()
        .find(|doing| doing.word().eq_ignore_ascii_case(word))
        .map(Some)
        .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, format!("Invalid action \"{word}\"")))
}

async fn command<B: Backend>(
    site: &Site<B>,
    names: Vec<String>,
    doing: Doing,
    asked: &Asked,
) -> Result<(), Refusal> {
    match site.backend.command(names, doing, asked.by()).await {
        Ok(()) => Ok(()),
        Err(CommandError::Gone) => Err(Refusal::ended()),
        Err(why) => Err(Refusal::new(StatusCode::BAD_REQUEST, why.to_string())),
    }
}

async fn known<B: Backend>(site: &Site<B>) -> Result<Status, Refusal> {
    site.backend.status().await.ok_or_else(Refusal::ended)
}

/// What is made of a status. That of many services takes a while, and looks are made where we stand: then a thread does it.
async fn written<T: Send + 'static>(
    status: Status,
    write: impl FnOnce(&Status) -> T + Send + 'static,
) -> Result<T, Refusal> {
    /// So many are written about within two milliseconds.
    const FEW: usize = 1_000;
    if status.services.len() <= FEW {
        return Ok(write(&status));
    }
    let mut thread = JoinSet::new();
    thread.spawn_blocking(move || write(&status));
    match thread.join_next().await {
        Some(Ok(written)) => Ok(written),
        Some(Err(panicked)) => match panicked.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Refusal::ended()),
        },
        None => Err(Refusal::ended()),
    }
}

fn chosen<'a>(
    status: &'a Status,
    asked: &Asked,
) -> Result<Vec<&'a hinoban_supervisor::ServiceView>, Refusal> {
    let names: Vec<&str> = asked.form.all("service").collect();
    monit::select(&status.services, &names, asked.form.get("group"))
        .map_err(|missing| Refusal::new(StatusCode::BAD_REQUEST, missing.to_string()))
}

/// What documents say; an address that the configuration leaves open is the one this request came to.
fn about<B>(site: &Site<B>, asked: &Asked) -> About {
    let mut about = site.about.clone();
    if let Some(Address::Tcp { address, port }) = &mut about.address {
        if address.is_empty() {
            *address =
                asked.gate.local.map_or("localhost".to_owned(), |at| at.ip().to_canonical().to_string());
        }
        if *port == 0 {
            *port = asked.gate.local.map_or(0, |at| at.port());
        }
    }
    about
}

fn typed(kind: &'static str, body: String) -> Response<Body> {
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}
