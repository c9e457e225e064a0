//! The client configuration endpoint (RFC 7592 §2): a client reads, changes, and removes what it registered.

use std::net::IpAddr;

use bytes::Bytes;
use http::{StatusCode, header::WWW_AUTHENTICATE, request::Parts};
use hyper::body::Incoming;

use super::{
    access_token,
    admission::Admission,
    endpoint::{announced, charge, check_head, judge, rate_limit_headers, received},
    error::{ManagementError, RegistrationError},
    issue::flags,
    response::{self, Management},
};
use crate::{
    app::App,
    audit::{Actor, Author},
    client::{ClientId, ClientMetadata},
    http::{
        answer::{self, Response},
        bearer::{self, bearer},
        body_budget::Held,
        caller::Caller,
        rate_limit::Count,
        request_event::Outcome,
        request_id::origin,
    },
    metadata_policy::{Profile, admit_update},
    store::{ClientFlags, ClientRecord, ClientTerms, ClientUpdate, Generation, Updated},
};

/// Every registration is managed below this endpoint.
const PROFILE: &Profile = &Profile::RFC7591;

/// `GET`: what is registered (RFC 7592 §2.1). Reading rotates no token: a lost response would lock the client out.
pub(crate) async fn read(app: &App, source: IpAddr, head: &Parts) -> Response {
    let caller = Caller::of_program(source, &head.headers);
    let answered = async {
        let presented = Presented::of(app, head)?;
        let _turn = app.failure_limits.registration.turn(caller, app.clock.now()).await;
        let client = presented.client(app).await?;
        Ok(information(app, &client))
    };
    let answered = answered.await;
    told(app, caller, answered, None).await
}

/// `PUT`: replaces what is registered (RFC 7592 §2.2). It costs as much of the rate limits as a registration.
pub(crate) async fn update(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let caller = Caller::of_program(source, &head.headers);
    let mut count = None;
    let reader = app.body_reader(source);
    let updated = match permitted(app, caller, head, announced(&body), &mut count).await {
        Ok(client) => {
            let body = received(app, caller, reader, body, &mut count).await;
            replace(app, source, head, &client, body).await
        }
        Err(error) => {
            // Read all the same: an answer that overtakes the body costs the caller its connection.
            reader.discard(&head.headers, body).await;
            Err(error)
        }
    };
    told(app, caller, updated, count).await
}

/// `DELETE`: removes the client, and ends its grants (RFC 7592 §2.3).
pub(crate) async fn remove(app: &App, source: IpAddr, head: &Parts) -> Response {
    let caller = Caller::of_program(source, &head.headers);
    let answered = async {
        let Presented { client_id, generation } = Presented::of(app, head)?;
        let _turn = app.failure_limits.registration.turn(caller, app.clock.now()).await;
        let by = author(app, client_id, head);
        match app.store.remove_registration(client_id, generation, by).await? {
            Updated::Now(()) => Ok(removed(client_id)),
            Updated::Is(standing) => Err(ManagementError::Forbidden(standing)),
            Updated::NotThere => Err(ManagementError::InvalidToken),
        }
    };
    let answered = answered.await;
    told(app, caller, answered, None).await
}

/// What a request proves by its registration access token, as far as that can be known without the store.
struct Presented {
    client_id: ClientId,
    generation: Generation,
}

impl Presented {
    fn of(app: &App, head: &Parts) -> Result<Self, ManagementError> {
        let token = match bearer(&head.headers) {
            None => return Err(ManagementError::NoToken),
            Some(Err(())) => return Err(ManagementError::InvalidToken),
            Some(Ok(token)) => token,
        };
        let id = head.uri.path().rsplit('/').next().unwrap_or_default();
        // What is no identifier is answered as an unknown one.
        let client_id: ClientId = id.parse().map_err(|_| ManagementError::InvalidToken)?;
        let generation = access_token::verify(app.keys.registrations(), client_id, token);
        let generation = generation.ok_or(ManagementError::InvalidToken)?;
        Ok(Self { client_id, generation })
    }

    /// The client, unless it was removed, or has begun another generation since.
    async fn client(&self, app: &App) -> Result<ClientRecord, ManagementError> {
        let client = app.store.client(self.client_id).await?;
        let now = app.clock.now();
        client
            .filter(|client| client.registration.generation == self.generation)
            .filter(|client| !client.state.terms.are_over(now))
            .ok_or(ManagementError::InvalidToken)
    }
}

/// The client that may replace what it registered, before the body is read.
async fn permitted(
    app: &App,
    caller: Caller,
    head: &Parts,
    bytes: Option<u32>,
    count: &mut Option<Count>,
) -> Result<ClientRecord, ManagementError> {
    let presented = Presented::of(app, head)?;
    let _turn = app.failure_limits.registration.turn(caller, app.clock.now()).await;
    let client = presented.client(app).await?;
    *count = charge(app, caller, 1, bytes).await;
    judge(*count)?;
    let standing = client.state.standing;
    if !standing.is_usable() {
        return Err(ManagementError::Forbidden(standing));
    }
    check_head(&head.headers)?;
    Ok(client)
}

/// Admits the metadata as a registration does, and stores it.
async fn replace(
    app: &App,
    source: IpAddr,
    head: &Parts,
    client: &ClientRecord,
    body: Result<Held<'_, Bytes>, RegistrationError>,
) -> Result<Response, ManagementError> {
    let body = body?;
    let settings = &app.config.registration;
    let id = client.client_id.to_string();
    let admitted =
        admit_update(&body, &id, PROFILE, settings).map_err(RegistrationError::Metadata)?;
    drop(body);
    let rules = app.rules.current();
    let is_imitation = app.protected_names.borrowed_by(admitted.metadata()).is_some();
    let admission = Admission {
        rules: &rules,
        is_imitation,
        // The token with which the client registered still counts.
        initial_access_token: client.registration.policy(),
    };
    let let_in = admission
        .decide(client.profile, admitted.metadata(), Some(source))
        .map_err(RegistrationError::Rejected)?;
    // A flag that is not about the metadata stays.
    let mut new_flags = client.flags.without(ClientFlags::LOOK_ALIKE);
    new_flags.insert(flags(is_imitation, settings));
    let is_labeled = client.state.terms.label.is_some();
    let before = is_labeled.then(|| serde_json::from_str::<ClientMetadata>(&client.metadata).ok());
    let label_before = before.flatten().and_then(|before| {
        let is_imitation = client.flags.contains(ClientFlags::LOOK_ALIKE);
        let admission = Admission { is_imitation, ..admission };
        admission.label(client.profile, &before, client.source.or(Some(source)))
    });
    let update = ClientUpdate {
        client_id: client.client_id,
        generation: client.registration.generation,
        metadata: admitted.metadata().document(),
        flags: new_flags,
        is_held: let_in.is_held,
        terms: ClientTerms::of(let_in.terms, client.issued_at),
        label_before,
    };
    let (metadata, flags) = (update.metadata.clone(), update.flags);
    let by = author(app, client.client_id, head);
    match app.store.update_registration(update, by).await? {
        Updated::Now(registration) => {
            Ok(information(app, &ClientRecord { flags, metadata, registration, ..client.clone() }))
        }
        Updated::Is(standing) => Err(ManagementError::Forbidden(standing)),
        Updated::NotThere => Err(ManagementError::InvalidToken),
    }
}

fn author(app: &App, client: ClientId, head: &Parts) -> Author {
    app.author(Actor::Client(client.into()), origin(head))
}

/// The client information response (RFC 7592 §3).
fn information(app: &App, client: &ClientRecord) -> Response {
    let body = response::stored_information(client, Management::of(app).as_ref());
    about(client.client_id, answer::json(StatusCode::OK, body))
}

fn removed(client: ClientId) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    about(client, response)
}

fn about(client: ClientId, mut response: Response) -> Response {
    let outcome = Outcome { client_id: Some(client.into()), ..Outcome::default() };
    response.extensions_mut().insert(outcome);
    response
}

/// The answer. An invalid token may be a guess, and counts against the failure limit of its source.
async fn told(
    app: &App,
    caller: Caller,
    answered: Result<Response, ManagementError>,
    count: Option<Count>,
) -> Response {
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            let limit = &app.failure_limits.registration;
            let counted = if error.refusal(PROFILE).may_be_a_guess {
                limit.count(caller, app.clock.now()).await
            } else {
                Ok(())
            };
            match counted {
                Ok(()) => refused(error, count),
                Err(retry_after_seconds) => {
                    refused(ManagementError::TooManyFailures { retry_after_seconds }, count)
                }
            }
        }
    };
    if let Some(count) = count {
        rate_limit_headers(PROFILE, count, response.headers_mut());
    }
    response
}

fn refused(error: ManagementError, count: Option<Count>) -> Response {
    let challenge = match &error {
        ManagementError::NoToken => Some(bearer::CHALLENGE),
        ManagementError::InvalidToken => Some(bearer::INVALID_TOKEN),
        ManagementError::Forbidden(_)
        | ManagementError::TooManyFailures { .. }
        | ManagementError::Registration(_) => None,
    };
    let mut response = error.answer(PROFILE, count);
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
