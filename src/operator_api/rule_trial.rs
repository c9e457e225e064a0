//! Tries a draft of an admission rule on the clients of the last days.

use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::time::{Duration, Instant};

use super::{
    authentication::Needs,
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page,
    rule_schemas::members_schema,
    rules::{merge, rule},
};
use crate::{
    admission::{Rule, Word as _},
    config::RegistrationConfig,
    operator::OperatorScope,
    registration::{Draft, Trial, TrialSpan, Tried, TriedClient, existing_rule},
    store::{RuleRecord, StoreError},
};

/// The type of a trial in documents.
const TYPE: &str = "oauth2_admission_rule_trials";

/// `POST /api/v2/oauth2/admission_rules/try`
pub(crate) const TRY: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "tryOAuth2AdmissionRule",
    summary: "Try an admission rule on the clients of the last days, the latest first, and change nothing.",
    parameters: &[],
    body: Some(body_schema),
    schema: Some(schema),
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(try_rule),
};

/// How long a trial looks at clients.
const TRIAL_MAX: Duration = Duration::from_secs(20);

const DAYS: u32 = 30;
const DAYS_MAX: u32 = 36_500;
/// The id of a draft without one.
const DRAFT: &str = "draft";

async fn try_rule(request: Request<'_>) -> Result<Answer, ApiError> {
    let app = request.app;
    let (_, attributes) = page::new_resource(&request.body, TYPE)?;
    let asked = Asked::of(attributes)?;
    let of_store = app.store.rules().await?;
    let settings = &app.config.registration;
    let draft = asked.draft(settings, &of_store)?;
    let unreadable = |_| ApiError::Unprocessable {
        pointer: "",
        detail: "A rule in the store cannot be read.".to_owned(),
    };
    let of_store = crate::live_rules::read(&of_store).map_err(unreadable)?;
    let trial = Trial::new(draft.among(settings, of_store), settings);
    // One at a time on each node: a trial reads the store as fast as it answers.
    let Ok(_turn) = app.rules.trials.try_acquire() else { return Err(StoreError::Busy.into()) };
    let since = request.now.before_days(asked.days.into());
    let span = TrialSpan { since, now: request.now, until: Some(Instant::now() + TRIAL_MAX) };
    let tried = trial.run(&app.store, span, &|| {}).await?;
    Ok(Answer::one(&resource(&draft.rule, &tried, span)))
}

/// What a request asks for.
struct Asked<'body> {
    rule_id: Option<&'body str>,
    members: Option<&'body Map<String, Value>>,
    place: Option<usize>,
    days: u32,
}

impl<'body> Asked<'body> {
    fn of(attributes: Option<&'body Map<String, Value>>) -> Result<Self, ApiError> {
        let mut asked = Self { rule_id: None, members: None, place: None, days: DAYS };
        for (name, value) in attributes.into_iter().flatten() {
            let pointer = format!("/data/attributes/{}", crate::json::pointer_step(name));
            let number = |max: u64| {
                value.as_u64().filter(|number| (1..=max).contains(number)).ok_or_else(|| {
                    let detail = format!("The value must be a whole number from 1 to {max}.");
                    ApiError::member(&pointer, detail)
                })
            };
            match name.as_str() {
                "rule_id" => {
                    let refused = || ApiError::member(&pointer, "The value must be a string.");
                    asked.rule_id = Some(value.as_str().ok_or_else(refused)?);
                }
                "rule" => {
                    let refused = || ApiError::member(&pointer, "The value must be an object.");
                    asked.members = Some(value.as_object().ok_or_else(refused)?);
                }
                "position" => asked.place = usize::try_from(number(1_000)? - 1).ok(),
                "days" => asked.days = u32::try_from(number(DAYS_MAX.into())?).unwrap_or(DAYS),
                _ => return Err(ApiError::member(&pointer, "There is no such member.")),
            }
        }
        Ok(asked)
    }

    /// The draft: a rule that exists with the given members instead of its own, or a new one.
    fn draft(
        &self,
        settings: &RegistrationConfig,
        of_store: &[RuleRecord],
    ) -> Result<Draft, ApiError> {
        let mut members = match self.rule_id {
            None => Map::new(),
            Some(id) => {
                let json = existing_rule(id, settings, of_store);
                let json = json.ok_or(ApiError::NotFound("admission rule"))?;
                serde_json::from_str(&json).unwrap_or_default()
            }
        };
        merge(&mut members, self.members).map_err(below_rule)?;
        let rule = rule(members, self.rule_id.unwrap_or(DRAFT)).map_err(below_rule)?;
        Ok(Draft { rule, place: self.place })
    }
}

/// The members of a rule are in a member of their own here.
fn below_rule(error: ApiError) -> ApiError {
    match error {
        ApiError::Member { pointer, detail } => {
            let pointer = pointer.replacen("/data/attributes", "/data/attributes/rule", 1);
            ApiError::Member { pointer, detail }
        }
        other => other,
    }
}

fn resource(rule: &Rule, tried: &Tried, span: TrialSpan) -> Value {
    let client = |client: &TriedClient| {
        json!({
            "client_id": client.client.to_string(),
            "name": client.name,
            "connections": client.connections,
        })
    };
    json!({
        "id": rule.id.as_str(),
        "type": TYPE,
        "attributes": {
            "effect": rule.effect.name().text(),
            "since": moment(Some(span.since)),
            "is_complete": tried.is_complete,
            "evaluated": tried.evaluated,
            "matched": tried.decided,
            "in_use": tried.in_use,
            "in_use_clients": tried.in_use_clients.iter().map(client).collect::<Vec<_>>(),
            "other_clients": tried.other_clients.iter().map(client).collect::<Vec<_>>(),
            "without_source": tried.without_source,
        },
    })
}

fn body_schema() -> Value {
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": { "const": TYPE },
                "attributes": { "type": "object", "properties": {
                    "rule_id": { "type": "string", "description": "A rule that exists; without it, the draft is a new rule." },
                    "rule": {
                        "type": "object",
                        "description": "The members of the draft, instead of those of the rule that exists.",
                        "properties": members_schema(),
                    },
                    "position": { "type": "integer", "minimum": 1, "description": "Among the rules in the store." },
                    "days": { "type": "integer", "minimum": 1, "maximum": DAYS_MAX, "default": DAYS },
                } },
            },
        } },
        "examples": [{ "data": { "type": TYPE, "attributes": {
            "rule": { "any_destination": ["*.tunnel.example"], "effect": "reject", "reason": "no tunnels" },
            "days": 30,
        } } }],
    })
}

fn schema() -> Value {
    let number = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let clients = |about: &str| {
        json!({ "type": "array", "description": about, "items": {
            "type": "object",
            "required": ["client_id", "name", "connections"],
            "properties": {
                "client_id": { "type": "string" },
                "name": { "type": ["string", "null"] },
                "connections": { "type": "integer" },
            },
        } })
    };
    json!({ "type": "object", "required": ["data"], "properties": { "data": {
        "type": "object",
        "required": ["id", "type", "attributes"],
        "properties": {
            "id": { "type": "string", "description": "The id of the rule; `draft` for a new one." },
            "type": { "const": TYPE },
            "attributes": { "type": "object", "properties": {
                "effect": { "enum": ["allow", "hold", "reject"] },
                "since": { "type": "string" },
                "is_complete": {
                    "type": "boolean",
                    "description": "Whether all clients of the days were evaluated, or the latest ones, as many as there was time for.",
                },
                "evaluated": number("Clients that were evaluated."),
                "matched": number("Clients that the rule would have decided about, at its position."),
                "in_use": number("Those of them that someone has allowed."),
                "in_use_clients": clients("The latest of these."),
                "other_clients": clients("The latest of the others."),
                "without_source": number("Clients without a stored address: they match no network."),
            } },
        },
        "examples": [{
            "id": "draft",
            "type": TYPE,
            "attributes": {
                "effect": "reject",
                "since": "2026-12-16T14:05:00Z",
                "is_complete": true,
                "evaluated": 18_233,
                "matched": 412,
                "in_use": 1,
                "in_use_clients": [
                    { "client_id": "019aa7b4-5a1c-7bd1-b0ff-6f4b3f3b8f0e", "name": "Notes", "connections": 2 },
                ],
                "other_clients": [],
                "without_source": 0,
            },
        }],
    } } })
}
