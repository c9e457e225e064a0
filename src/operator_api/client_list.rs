//! Clients: lists.

use http::StatusCode;

use super::{
    authentication::Needs,
    clients::{DOCUMENT, Known, resource_schema},
    document::Answer,
    error::ApiError,
    operation::{Operation, Request, handler},
    page::{self, CURSOR, LIMIT, Page},
    query::Parameter,
};
use crate::{
    admission::{DestinationPattern, Word as _},
    client::{ClientId, ClientIdentifier},
    clock::Timestamp,
    operator::OperatorScope,
    store::{ClientFilter, ClientFlags, ClientRecord, LastUsed, Look},
};

const CLIENT_ID: &str = "filter[client_id]";
const SORT: &str = "sort";

/// `GET /api/v2/oauth2/clients`
pub(crate) const LIST: Operation = Operation {
    needs: Needs::Scope(OperatorScope::ClientsRead),
    id: "listOAuth2Clients",
    summary: "List clients in the order of their registration, then clients with a metadata document.",
    parameters: &[
        Parameter {
            name: CLIENT_ID,
            about: "Only this client: its `client_id`. Cannot be combined with other filters.",
        },
        Parameter { name: "filter[name]", about: "Part of the name, in upper or lower case." },
        Parameter {
            name: "filter[standing]",
            about: "`active`, `pending`, `suspended`, or `dormant`: the standing that holds. Clients of a suspended family \
                    are `suspended`.",
        },
        Parameter {
            name: "filter[profile]",
            about: "`datadog` or `rfc7591` for the endpoint at which the client registered, or `document`.",
        },
        Parameter { name: "filter[flag]", about: "`look_alike`." },
        Parameter {
            name: "filter[registered][from]",
            about: "Registered, or first allowed, at this time or later (RFC 3339).",
        },
        Parameter {
            name: "filter[registered][until]",
            about: "Registered, or first allowed, before this time.",
        },
        Parameter {
            name: DESTINATION,
            about: "With a redirect URI that leads to this host, `*.host`, `loopback`, or `scheme:NAME`.",
        },
        Parameter { name: "filter[family]", about: "Of this family: a UUID." },
        Parameter { name: "filter[label]", about: "With this label of an admission rule." },
        Parameter {
            name: "filter[source]",
            about: "Registered from this network, such as `192.0.2.0/24`.",
        },
        Parameter {
            name: "filter[used][from]",
            about: "Last used at this time or later (RFC 3339).",
        },
        Parameter { name: "filter[used][until]", about: "Last used before this time." },
        Parameter { name: "filter[unused]", about: "`true` for clients that were never used." },
        Parameter {
            name: SORT,
            about: "`-used_at` for registered clients that were used, the latest use first.",
        },
        CURSOR,
        LIMIT,
    ],
    body: None,
    schema: Some(|| page::schema(&resource_schema())),
    refusals: &[StatusCode::BAD_REQUEST],
    handler: handler!(list),
};

/// Which clients a list shows.
struct Filter {
    registered: ClientFilter,
    /// Whether clients of each kind can pass.
    shows_registered: bool,
    shows_documents: bool,
}

impl Filter {
    fn of(request: &Request<'_>) -> Result<Self, ApiError> {
        let query = &request.query;
        let profile = query.text("filter[profile]")?;
        let is_document = profile == Some(DOCUMENT);
        let profile = if is_document {
            None
        } else {
            query.parsed("filter[profile]", "datadog, rfc7591, or document")?
        };
        let flags = match query.text("filter[flag]")? {
            None => ClientFlags::default(),
            Some("look_alike") => ClientFlags::LOOK_ALIKE,
            Some(_) => {
                return Err(ApiError::parameter("filter[flag]", "The value must be look_alike."));
            }
        };
        let registered = ClientFilter {
            profile,
            flags,
            issued_from: query.moment("filter[registered][from]")?,
            issued_until: query.moment("filter[registered][until]")?,
            standing: query.parsed("filter[standing]", "active, pending, suspended, or dormant")?,
            name_contains: query.text("filter[name]")?.map(str::to_owned),
            destination: destination(DESTINATION, query.text(DESTINATION)?)?,
            family: query.parsed("filter[family]", "a UUID")?,
            label: query.text("filter[label]")?.map(str::to_owned),
            source: query.parsed("filter[source]", "a network, such as 192.0.2.0/24")?,
            used_from: query.moment("filter[used][from]")?,
            used_until: query.moment("filter[used][until]")?,
            is_unused: query.boolean("filter[unused]")?.unwrap_or(false),
        };
        let shows_documents = registered.profile.is_none();
        Ok(Self { registered, shows_registered: !is_document, shows_documents })
    }
}

const DESTINATION: &str = "filter[destination]";

/// The destination that the parameter `name` selects by.
pub(super) fn destination(
    name: &str,
    text: Option<&str>,
) -> Result<Option<DestinationPattern>, ApiError> {
    let refused = |_| {
        let expected = DestinationPattern::EXPECTED;
        ApiError::parameter(name, format!("The value must be {expected}."))
    };
    text.map(DestinationPattern::parse).transpose().map_err(refused)
}

/// Where a page of clients begins: after a registered client, or after one with a document.
enum Place {
    Registered(Option<ClientId>),
    Document(Option<String>),
}

impl Place {
    fn of(cursor: Option<&str>) -> Result<Self, ApiError> {
        let Some(cursor) = cursor else { return Ok(Self::Registered(None)) };
        if let Ok(id) = cursor.parse() {
            return Ok(Self::Registered(Some(id)));
        }
        if cursor.starts_with("https://") {
            return Ok(Self::Document(Some(cursor.to_owned())));
        }
        Err(page::bad_cursor())
    }
}

async fn list(request: Request<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&request)?;
    let filter = Filter::of(&request)?;
    let expected = "a UUID in lower case, or the URL of a metadata document";
    if let Some(client) = request.query.parsed::<ClientIdentifier>(CLIENT_ID, expected)? {
        let is_alone = filter.registered == ClientFilter::default() && filter.shows_registered;
        if !is_alone || page.cursor.is_some() {
            let detail = "The parameter cannot be combined with other filters or a cursor.";
            return Err(ApiError::parameter(CLIENT_ID, detail));
        }
        let found = Known::named(request.app, &client).await?;
        let found = found.into_iter().collect();
        return Ok(page.answer(
            &request,
            found,
            |_| String::new(),
            |client| client.resource(request.app),
        ));
    }
    if filter.registered.standing.is_some() {
        // Clients are shown with the standing that lets them pass.
        request.app.families.refresh(&request.app.store).await?;
    }
    match request.query.text(SORT)? {
        None => in_order_of_registration(&request, &page, &filter).await,
        Some("-used_at") => in_order_of_use(&request, &page, &filter).await,
        Some(_) => Err(ApiError::parameter(SORT, "The value must be -used_at.")),
    }
}

/// The place of a client in the order of last use, as a cursor: milliseconds and the client.
fn place_of_use(client: &ClientRecord) -> Option<String> {
    let LastUsed { used_at, client_id } = LastUsed::of(client)?;
    Some(format!("{}.{client_id}", used_at.as_millis()))
}

fn read_place_of_use(cursor: &str) -> Option<LastUsed> {
    let (millis, client_id) = cursor.split_once('.')?;
    let used_at = Timestamp::from_millis(millis.parse().ok()?);
    Some(LastUsed { used_at, client_id: client_id.parse().ok()? })
}

async fn in_order_of_use(
    request: &Request<'_>,
    page: &Page<'_>,
    filter: &Filter,
) -> Result<Answer, ApiError> {
    let place = |cursor| read_place_of_use(cursor).ok_or_else(page::bad_cursor);
    let after = page.cursor.map(place).transpose()?;
    let mut look = Look::default();
    if filter.shows_registered {
        let store = &request.app.store;
        look = store.look_for_used_clients(&filter.registered, after, page.limit + 1).await?;
    }
    let next = look.next.map(|last| format!("{}.{}", last.used_at.as_millis(), last.client_id));
    let cursor = |client: &ClientRecord| place_of_use(client).unwrap_or_default();
    let resource = |client: &ClientRecord| Known::Registered(client.clone()).resource(request.app);
    Ok(page.answer_behind(request, (look.clients, next), cursor, resource))
}

async fn in_order_of_registration(
    request: &Request<'_>,
    page: &Page<'_>,
    filter: &Filter,
) -> Result<Answer, ApiError> {
    let store = &request.app.store;
    let (mut found, mut documents_after, mut next) = (Vec::new(), None, None);
    match Place::of(page.cursor)? {
        Place::Registered(after) if filter.shows_registered => {
            let look = store.look_for_clients(&filter.registered, after, page.limit + 1).await?;
            found.extend(look.clients.into_iter().map(Known::Registered));
            next = look.next.map(|id| id.to_string());
        }
        Place::Registered(_) => {}
        Place::Document(after) => documents_after = after,
    }
    // Behind the last registered client.
    if next.is_none() && found.len() <= page.limit && filter.shows_documents {
        let wanted = page.limit + 1 - found.len();
        let after = documents_after.as_deref();
        let documents = store.document_clients_behind(&filter.registered, after, wanted).await?;
        found.extend(documents.into_iter().map(Known::Document));
    }
    let cursor = |client: &Known| match client {
        Known::Registered(client) => client.client_id.to_string(),
        Known::Document(client) => client.url.clone(),
    };
    Ok(page.answer_behind(request, (found, next), cursor, |client| client.resource(request.app)))
}
