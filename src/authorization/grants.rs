//! `/oauth2/grants`: a page on which a person sees and disconnects their apps (OAuth 2.1 §7.9).

use std::net::IpAddr;

use http::{StatusCode, request::Parts};
use hyper::body::Incoming;

use super::{
    consent::{ago, destination, document_host, name, wanted, wanted_resources},
    endpoint::{sign_in_page, text_of},
    error::PageError,
    page::shown,
};
use crate::{
    app::App,
    audit::Actor,
    client::{ClientIdentifier, RedirectUri, Scope},
    clock::Timestamp,
    grant::{GrantId, ResourceIndicator},
    http::{
        answer::{Response, see_other},
        form::Form,
        request_id::origin,
        same_origin::is_same_origin,
    },
    identified_client,
    pages::{ConnectedApp, Destination, FormTarget, GrantsPage, Reader, Site, page},
    sign_in::{self, FORM_BYTES_MAX, Session},
    store::{GrantRecord, StoreError},
};

/// The most grants that one page covers: far more than a person has apps, although each time an app is allowed adds a
/// grant.
const GRANTS_MAX: usize = 500;

/// How many grants a query of the store returns.
const QUERY_MAX: usize = 100;

/// `GET /oauth2/grants`.
pub(crate) async fn grants(app: &App, head: &Parts) -> Response {
    let reader = Reader::of_query(head);
    list(app, head, &reader).await.unwrap_or_else(|error| shown(app, head, &reader, error))
}

async fn list(app: &App, head: &Parts, reader: &Reader) -> Result<Response, PageError> {
    let form = Form::parse(head.uri.query().unwrap_or_default().as_bytes())?;
    // A malformed identifier means the first page, with the newest grants.
    let before = form.one("before")?.and_then(|id| id.parse().ok());
    let session = sign_in::session(app, head).await.map_err(PageError::Grants)?;
    let Some(session) = session else { return Ok(sign_in_page(app, reader, None, "")) };
    let page_of_apps = apps(app, &session, before, reader).await;
    let (apps, more) = page_of_apps.map_err(PageError::Grants)?;
    let shown = GrantsPage {
        site: Site::of(&app.config, reader),
        account: sign_in::account(&session.owner),
        apps,
        more: more.map(|id| id.to_string()),
    };
    Ok(page(&shown, StatusCode::OK, FormTarget::Ourselves))
}

/// The apps of the newest grants before `before`, and the last of those grants if there are older ones.
async fn apps(
    app: &App,
    session: &Session,
    before: Option<GrantId>,
    reader: &Reader,
) -> Result<(Vec<ConnectedApp>, Option<GrantId>), StoreError> {
    let (subject, now) = (&session.owner.subject, app.clock.now());
    let mut grants: Vec<GrantRecord> = Vec::new();
    let more = loop {
        let last = grants.last().map(|grant| grant.grant_id);
        let next = app.store.newest_grants(subject, last.or(before), QUERY_MAX).await?;
        let is_last = next.len() < QUERY_MAX;
        grants.extend(next);
        if is_last {
            break None;
        }
        if grants.len() >= GRANTS_MAX {
            break grants.last().map(|grant| grant.grant_id);
        }
    };
    let mut connections: Vec<Connection<'_>> = Vec::new();
    for grant in grants.iter().filter(|grant| grant.expires_at > now) {
        match connections.iter_mut().find(|known| known.newest.client == grant.client) {
            Some(known) => known.add(grant),
            None => connections.push(Connection::new(grant)),
        }
    }
    let mut apps = Vec::new();
    for connection in connections {
        apps.extend(connection.shown(app, session, reader, now).await?);
    }
    Ok((apps, more))
}

/// All active grants of one person to one client.
struct Connection<'grants> {
    newest: &'grants GrantRecord,
    /// Each destination once, as the page names it; the newest first.
    destinations: Vec<Destination>,
    scopes: Vec<&'grants str>,
    resources: Vec<ResourceIndicator>,
    used_at: Option<Timestamp>,
}

impl<'grants> Connection<'grants> {
    fn new(newest: &'grants GrantRecord) -> Self {
        let mut new = Self {
            newest,
            destinations: Vec::new(),
            scopes: Vec::new(),
            resources: Vec::new(),
            used_at: None,
        };
        new.add(newest);
        new
    }

    fn add(&mut self, grant: &'grants GrantRecord) {
        let destination = destination_of(grant);
        if self.destinations.iter().all(|known| !known.looks_like(&destination)) {
            self.destinations.push(destination);
        }
        for token in grant.scope.iter().flat_map(Scope::tokens) {
            if !self.scopes.contains(&token) {
                self.scopes.push(token);
            }
        }
        for resource in &grant.resources {
            if !self.resources.contains(resource) {
                self.resources.push(resource.clone());
            }
        }
        self.used_at = self.used_at.max(used_at(grant));
    }

    /// The app as the page shows it; `None` if the client was deleted, which ended its grants.
    async fn shown(
        self,
        app: &App,
        session: &Session,
        reader: &Reader,
        now: Timestamp,
    ) -> Result<Option<ConnectedApp>, StoreError> {
        let client = &self.newest.client;
        let name = match client {
            ClientIdentifier::Registered(id) => match app.store.client(*id).await? {
                Some(record) => name(&identified_client::metadata(&record)?, reader),
                None => return Ok(None),
            },
            // This page fetches no documents.
            ClientIdentifier::Document(_) => None,
        };
        let scope = Scope::parse(&self.scopes.join(" ")).ok().flatten();
        let is_for_api = self.resources.iter().any(|one| app.config.is_api(one.as_str()));
        Ok(Some(ConnectedApp {
            form_token: session.form_token(app, &about(client)),
            client: client.to_string(),
            name,
            destinations: self.destinations,
            document_host: document_host(client),
            allowed: ago(self.newest.issued_at, now),
            used: self.used_at.map(|at| ago(at, now)),
            resources: wanted_resources(app, &self.resources),
            wanted: wanted(app, (scope.as_ref(), is_for_api), None),
        }))
    }
}

fn destination_of(grant: &GrantRecord) -> Destination {
    let redirect_uri = &grant.code.redirect_uri;
    match RedirectUri::parse(redirect_uri) {
        Ok((uri, reach)) => destination(&uri, reach),
        // An earlier release accepted this redirect URI.
        Err(_) => Destination::Website(redirect_uri.clone()),
    }
}

/// When the client last obtained a token from the grant.
fn used_at(grant: &GrantRecord) -> Option<Timestamp> {
    let refreshed = grant.refresh.as_ref().and_then(|refresh| refresh.previous.as_ref());
    refreshed.map(|(_, superseded_at)| *superseded_at).or(grant.code.redeemed_at)
}

/// The content that the form token of a disconnect is bound to. The space tells it from an authorization request,
/// which has none.
fn about(client: &ClientIdentifier) -> Vec<u8> {
    format!("disconnect {client}").into_bytes()
}

/// `POST /oauth2/grants`: disconnects an app.
pub(crate) async fn take_back(app: &App, source: IpAddr, head: &Parts, body: Incoming) -> Response {
    let taken = async {
        let text = text_of(app, source, &head.headers, body, FORM_BYTES_MAX).await?;
        disconnect(app, head, &text).await
    };
    taken.await.unwrap_or_else(|error| shown(app, head, &Reader::of_query(head), error))
}

/// Ends every grant that the person has given the client, and their consent.
async fn disconnect(app: &App, head: &Parts, body: &str) -> Result<Response, PageError> {
    if !is_same_origin(&head.headers, app.config.issuer_origin()) {
        return Err(PageError::ForeignForm);
    }
    let form = Form::parse(body.as_bytes())?;
    let session = sign_in::session(app, head).await.map_err(PageError::Grants)?;
    let Some(session) = session else {
        return Ok(sign_in_page(app, &Reader::of_query(head), None, ""));
    };
    let client: Option<ClientIdentifier> = form.one("client")?.and_then(|id| id.parse().ok());
    // Only the page of this session has a valid token.
    let made = form.one("form_token")?;
    let client = client
        .filter(|client| session.made_form(app, &about(client), made))
        .ok_or(PageError::OldForm)?;
    let subject = &session.owner.subject;
    let by = app.author(Actor::Person(subject.clone()), origin(head));
    // The consent ends too, so the next consent page is that of a first request.
    app.store.disconnect(subject, &client, by).await?;
    Ok(see_other(&sign_in::go_on(app, "")))
}
