//! Admission rules: list, read, create, change, reorder, remove. Those of the settings come first, and are changed there.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    authentication::Needs,
    document::{Answer, moment},
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
    rule_schemas::{body_schema, example, list_schema, resource_schema},
};
use crate::{
    admission::{Mode, Rule, RuleFault, RuleId, Word as _},
    app::App,
    operator::OperatorScope,
    store::{RULE_BYTES_MAX, RULES_MAX, RuleChange, RuleChanged, RuleRecord, StoreError},
};

/// The type of a rule in documents.
pub(super) const TYPE: &str = "oauth2_admission_rules";

/// `GET /api/v2/oauth2/admission_rules`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2AdmissionRules",
    summary: "List admission rules in the order in which they decide: those of the settings, those in the store, then the one that \
              ships, `look-alikes`.",
    parameters: &[CURSOR, LIMIT],
    body: None,
    schema: Some(list_schema),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// `POST /api/v2/oauth2/admission_rules`
pub(crate) const CREATE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "createOAuth2AdmissionRule",
    summary: "Create an admission rule, after all others unless `position` says where.",
    parameters: &[],
    body: Some(|| body_schema(&example())),
    schema: READ.schema,
    refusals: &[StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY],
    handler: handler!(create),
};

/// `GET /api/v2/oauth2/admission_rules/{rule_id}`
pub(crate) const READ: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "getOAuth2AdmissionRule",
    summary: "Read an admission rule. `ETag` is its version, for `If-Match`.",
    parameters: &[],
    body: None,
    schema: Some(|| page::one_schema(&resource_schema())),
    refusals: &[StatusCode::NOT_FOUND],
    handler: handler!(read),
};

/// `PATCH /api/v2/oauth2/admission_rules/{rule_id}`
pub(crate) const CHANGE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "updateOAuth2AdmissionRule",
    summary: "Change the members of an admission rule or its position, only in the version that `If-Match` names, if it is \
              sent.",
    parameters: &[],
    body: Some(|| {
        body_schema(&json!({
            "id": "no-tunnels",
            "type": TYPE,
            "attributes": { "mode": "enforce", "note": null, "position": 1 },
        }))
    }),
    schema: READ.schema,
    refusals: &[
        StatusCode::NOT_FOUND,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNPROCESSABLE_ENTITY,
    ],
    handler: handler!(change),
};

/// `DELETE /api/v2/oauth2/admission_rules/{rule_id}`
pub(crate) const REMOVE: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsWrite),
    id: "deleteOAuth2AdmissionRule",
    summary: "Remove an admission rule. The audit event keeps the whole rule.",
    parameters: &[],
    body: None,
    schema: None,
    refusals: &[
        StatusCode::NOT_FOUND,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNPROCESSABLE_ENTITY,
    ],
    handler: handler!(remove),
};

/// A rule of either origin.
enum Shown {
    OfSettings(Box<Rule>),
    OfStore(RuleRecord),
    Shipped(Box<Rule>),
}

impl Shown {
    /// Every rule in order.
    async fn all(app: &App) -> Result<Vec<Self>, ApiError> {
        let settings = &app.config.registration;
        let of_settings = settings.own_rules().into_iter();
        let of_settings = of_settings.map(|rule| Self::OfSettings(Box::new(rule)));
        let of_store = app.store.rules().await?.into_iter().map(Self::OfStore);
        let mut all: Vec<Self> = of_settings.chain(of_store).collect();
        let is_replaced = |rule: &Rule| all.iter().any(|it| it.id() == rule.id.as_str());
        let shipped = settings.shipped_rule().filter(|rule| !is_replaced(rule));
        all.extend(shipped.map(|rule| Self::Shipped(Box::new(rule))));
        Ok(all)
    }

    async fn find(app: &App, id: &str) -> Result<Self, ApiError> {
        let found = Self::all(app).await?.into_iter().find(|rule| rule.id() == id);
        found.ok_or(ApiError::NotFound("admission rule"))
    }

    fn id(&self) -> &str {
        match self {
            Self::OfSettings(rule) | Self::Shipped(rule) => rule.id.as_str(),
            Self::OfStore(record) => &record.rule_id,
        }
    }

    /// A rule of the settings has another version after each change of its text.
    fn version(&self) -> String {
        match self {
            Self::OfSettings(rule) | Self::Shipped(rule) => {
                let rule = rule.to_json();
                let nothing = crate::clock::Timestamp::from_millis(0);
                RuleRecord {
                    rule_id: String::new(),
                    position: 0,
                    rule,
                    changed_at: nothing,
                    changed_by: None,
                }
                .version()
            }
            Self::OfStore(record) => record.version(),
        }
    }

    /// The members of the rule in their one JSON form.
    fn members(&self) -> Map<String, Value> {
        let json = match self {
            Self::OfSettings(rule) | Self::Shipped(rule) => rule.to_json(),
            Self::OfStore(record) => record.rule.clone(),
        };
        serde_json::from_str(&json).unwrap_or_default()
    }

    /// As documents show it. `hits` says how often each rule has matched here.
    fn resource(&self, hits: &[(String, Mode, u64)]) -> Value {
        let mut attributes = self.members();
        attributes.remove("id");
        let mode = attributes.get("mode").and_then(Value::as_str).unwrap_or_default().to_owned();
        let matched =
            |(id, counted, _): &&(String, Mode, u64)| id == self.id() && counted.as_str() == mode;
        attributes
            .insert("matches".to_owned(), hits.iter().find(matched).map_or(0, |it| it.2).into());
        let (origin, position, at, by) = match self {
            Self::OfSettings(_) => ("settings", None, None, None),
            Self::Shipped(_) => ("built-in", None, None, None),
            Self::OfStore(record) => (
                "store",
                Some(record.position + 1),
                Some(record.changed_at),
                record.changed_by.as_deref(),
            ),
        };
        attributes.insert("origin".to_owned(), origin.into());
        attributes.insert("position".to_owned(), json!(position));
        attributes.insert("changed_at".to_owned(), moment(at));
        attributes.insert("changed_by".to_owned(), json!(by));
        json!({ "id": self.id(), "type": TYPE, "attributes": attributes })
    }
}

/// How often each rule has matched on this node since it started.
fn hits(app: &App) -> Vec<(String, Mode, u64)> {
    let rules = app.rules.current();
    let hits = rules.hits().map(|(rule, hits)| (rule.id.as_str().to_owned(), rule.mode, hits));
    hits.collect()
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let all = Shown::all(request.app).await?;
    let start = match page.cursor {
        None => 0,
        Some(cursor) => {
            let last = all.iter().position(|rule| rule.id() == cursor);
            last.ok_or_else(page::bad_cursor)? + 1
        }
    };
    let found: Vec<Shown> = all.into_iter().skip(start).take(page.limit + 1).collect();
    let hits = hits(request.app);
    let answer =
        page.answer(&request, found, |rule| rule.id().to_owned(), |rule| rule.resource(&hits));
    let default = request.app.config.registration.default.text();
    Ok(answer.with_meta(&json!({ "default": default })))
}

/// The parameter of the path.
const RULE_ID: &str = "rule_id";

async fn read(request: Request<'_>) -> Result<Answer, ApiError> {
    document(&request, &request.path(RULE_ID)?).await
}

async fn document(request: &Request<'_>, id: &str) -> Result<Answer, ApiError> {
    let rule = Shown::find(request.app, id).await?;
    Ok(Answer::one(&rule.resource(&hits(request.app))).tagged(&rule.version()))
}

async fn create(request: Request<'_>) -> Result<Answer, ApiError> {
    let (id, attributes) = page::new_resource(&request.body, TYPE)?;
    let id = id.ok_or_else(|| ApiError::member("/data/id", "The member must be a string."))?;
    // The path of a rule `try` would be that of trials.
    if RuleId::parse(id).is_err() || id == "try" {
        let detail = format!("The value must be {}, and not try.", RuleId::EXPECTED);
        return Err(ApiError::member("/data/id", detail));
    }
    if is_in_settings(request.app, id) {
        return Err(exists(id));
    }
    let mut members = Map::new();
    let place = merge(&mut members, attributes)?;
    let rule = rule(members, id)?.to_json();
    let wanted = RuleChange::Add { id: id.to_owned(), rule, place };
    match request.app.store.change_rules(wanted, request.author()).await? {
        RuleChanged::Now => {}
        RuleChanged::Exists => return Err(exists(id)),
        RuleChanged::TooMuch | RuleChanged::NotThere | RuleChanged::Superseded => {
            return Err(too_much());
        }
    }
    follow(request.app, &request).await;
    Ok(document(&request, id).await?.created())
}

fn is_in_settings(app: &App, id: &str) -> bool {
    app.config.registration.rules.iter().any(|rule| rule.id.as_str() == id)
}

fn exists(id: &str) -> ApiError {
    ApiError::Conflict { pointer: "/data/id", detail: format!("There is a rule {id} already.") }
}

fn too_much() -> ApiError {
    let detail =
        format!("The store keeps {RULES_MAX} rules of at most {RULE_BYTES_MAX} bytes each.");
    ApiError::Unprocessable { pointer: "", detail }
}

/// How often a change is tried again that another one was faster than.
const TRIES_MAX: usize = 10;

async fn change(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.path(RULE_ID)?;
    let attributes = page::attributes(&request.body, TYPE, &id)?;
    for _ in 0..TRIES_MAX {
        let record = stored(&request, &id).await?;
        let mut members = serde_json::from_str(&record.rule).unwrap_or_default();
        let place = merge(&mut members, attributes)?;
        let rule = rule(members, &id)?.to_json();
        if rule == record.rule && place.is_none_or(|place| place as u64 == record.position) {
            return document(&request, &id).await;
        }
        // What the change was made of.
        let versions = Some(vec![record.version()]);
        let wanted = RuleChange::Edit { id: id.clone(), rule, place };
        match request.app.store.change_rules_in(wanted, versions, request.author()).await? {
            RuleChanged::Now => {
                follow(request.app, &request).await;
                return document(&request, &id).await;
            }
            RuleChanged::Superseded => {}
            RuleChanged::NotThere => return Err(ApiError::NotFound("admission rule")),
            RuleChanged::TooMuch | RuleChanged::Exists => return Err(too_much()),
        }
    }
    Err(StoreError::Busy.into())
}

/// The rule in the store that the path names, in a version that the caller means.
async fn stored(request: &Request<'_>, id: &str) -> Result<RuleRecord, ApiError> {
    let refused = |detail: &str| ApiError::Unprocessable { pointer: "", detail: detail.to_owned() };
    let record = match Shown::find(request.app, id).await? {
        Shown::OfStore(record) => record,
        Shown::OfSettings(_) => {
            return Err(refused("The rule is in the settings: change it there."));
        }
        Shown::Shipped(_) => {
            return Err(refused(
                "The rule ships with Doorward: set registration.look_alikes, or create a rule with this id to replace it.",
            ));
        }
    };
    let is_meant = request.versions().is_none_or(|versions| versions.contains(&record.version()));
    if is_meant { Ok(record) } else { Err(ApiError::Superseded) }
}

async fn remove(request: Request<'_>) -> Result<Answer, ApiError> {
    let id = request.path(RULE_ID)?;
    stored(&request, &id).await?;
    let wanted = RuleChange::Remove { id };
    let versions = request.versions();
    match request.app.store.change_rules_in(wanted, versions, request.author()).await? {
        RuleChanged::Now => {
            follow(request.app, &request).await;
            Ok(Answer::nothing())
        }
        RuleChanged::Superseded => Err(ApiError::Superseded),
        RuleChanged::NotThere | RuleChanged::Exists | RuleChanged::TooMuch => {
            Err(ApiError::NotFound("admission rule"))
        }
    }
}

/// Lets this node follow at once; the others look within seconds. What fails here is tried again then.
async fn follow(app: &App, request: &Request<'_>) {
    let _followed = app.rules.refresh(&app.store, request.now).await;
}

/// Puts the attributes of a request into the members of a rule: `null` removes one. Returns the place, from 0.
pub(super) fn merge(
    members: &mut Map<String, Value>,
    attributes: Option<&Map<String, Value>>,
) -> Result<Option<usize>, ApiError> {
    let mut place = None;
    let attributes = || attributes.into_iter().flatten();
    for (name, value) in attributes() {
        let pointer = format!("/data/attributes/{}", crate::json::pointer_step(name));
        match name.as_str() {
            "position" => {
                let position = value.as_u64().and_then(|it| usize::try_from(it).ok());
                let refused =
                    || ApiError::member(&pointer, "The value must be a whole number from 1.");
                place = Some(position.and_then(|it| it.checked_sub(1)).ok_or_else(refused)?);
            }
            "id" => return Err(ApiError::member(&pointer, "This member cannot be changed.")),
            _ if value.is_null() => drop(members.remove(name)),
            _ => drop(members.insert(name.clone(), value.clone())),
        }
    }
    // The reason of a rejection goes with it.
    let is_rejection = members.get("effect").is_none_or(|effect| effect == "reject");
    if !is_rejection && !attributes().any(|(name, _)| name == "reason") {
        members.remove("reason");
    }
    Ok(place)
}

/// The rule of these members.
pub(super) fn rule(mut members: Map<String, Value>, id: &str) -> Result<Rule, ApiError> {
    members.insert("id".to_owned(), id.into());
    let read = Rule::from_json(Value::Object(members).to_string().as_bytes());
    read.map_err(|faults| faults.into_iter().next().map_or_else(too_much, |it| refused(&it)))
}

/// `any_destination[0]` is `/any_destination/0`.
fn refused(fault: &RuleFault) -> ApiError {
    let member = fault.member.replace('[', "/").replace(']', "");
    let pointer = format!("/data/attributes/{member}");
    ApiError::member(pointer.trim_end_matches('/'), fault.to_string())
}
