//! Every setting, in one table: key, type, default and what it means.
//!
//! The table below is the only place that knows a setting. The structures, the checks, the names of
//! environment variables, the sample file, the dump and `docs/run/configuration.md` are made from it.
//! Left to others: whether the files and addresses named here can be used (`server/`, `store/`).
//!
//! A new setting needs a default with which yesterday's file behaves as yesterday.

mod algorithm;
mod branding;
mod choices;
mod derived;
mod exports;
mod fault;
mod guard;
mod identity;
mod kind;
mod load;
mod location;
mod otel;
mod pattern;
mod print;
mod redis_url;
mod secret_files;
mod setting;
mod source;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod traces;
mod values;

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use url::Url;

use crate::admission::EffectName;

pub use self::exports::*;
use self::{
    branding::{BRAND, COLOR, LINK, LOGO},
    kind::{Boolean, Integer, List},
    redis_url::REDIS,
    setting::table,
    tables::entries,
    text::{
        ACCESS, ADDRESS, ADDRESS_OR_NONE, ALGORITHM, FILE, FILE_OR_NONE, FILTER, FORMAT, HOST,
        ISSUER, KEY_FILE, KEYS_SECRET, LOOK_ALIKES, NETWORK, PASSWORD, STORE, WHEN_UNREACHABLE,
        word,
    },
    traces::{ATTRIBUTE, SAMPLER, SERVICE_NAME, Share, TRACES_HEADERS, TRACES_URL},
};
pub(crate) use self::{
    identity::OWN_CLAIMS,
    pattern::{Strictness, ToolMatch, path_matches, tool_matches},
    text::without_credentials,
    traces::export_headers,
};

// The words after a default: `dev`, the default under `--dev`; `example`, shown where the default
// says little. `unset` is no default: the setting must be given (in an `optional` section: once any
// setting of the section is given). Defaults and examples are TOML.
table! {
    /// All settings, checked; nothing that reads them has to check them again.
    Config {
        /// Where clients are kept: a folder for the embedded store, or a database of PostgreSQL.
        ///
        /// A folder is made when it is not there. A database is
        /// `postgres://user@host:port,host:port/database?parameter=value` with the parameters of libpq
        /// that concern a connection; with several hosts, `target_session_attrs=read-write` finds the
        /// primary, and is the default. Connections that leave the machine are encrypted and the
        /// server is known by its certificate, unless `sslmode=disable` is given. The password belongs
        /// into `postgres.password`. See `[postgres]`, and "PostgreSQL" in `docs/run/operating.md`.
        store: StoreLocation = "doorward-data", STORE;
        /// Receivers of audit events and registrations, each a table `[[webhooks]]`. See `docs/run/webhooks.md`.
        webhooks: Vec<Webhook> = [] example [
            { name = "audit", url = "https://hooks.example.com/doorward",
              secret_file = "/etc/doorward/webhook.secret", actions = ["client.*", "grant.reused"] },
        ], entries::<Webhook>();
        /// People who operate this server, each table `[[operators]]` with the role that some of them have. See "People who
        /// operate the server" in `docs/run/operating.md`.
        operators: Vec<Operators> = [] example [
            { role = "admin", subjects = ["acme:248289761001"] },
            { role = "operator", provider = "acme", emails = ["oncall@example.com"] },
            { role = "viewer", provider = "acme", groups = ["support", "security"] },
        ], entries::<Operators>();
    }

    /// How the server is reached.
    server: ServerConfig {
        /// Public listener.
        listen: SocketAddr = "127.0.0.1:8080", ADDRESS;
        /// Management listener: health and metrics. Keep it away from strangers.
        management: SocketAddr = "127.0.0.1:9000", ADDRESS;
        /// The issuer (RFC 8414 §2): the public address under which clients know this server.
        ///
        /// Without a query, a fragment, a user name or a trailing slash. `http` is refused for any
        /// host but `localhost`, `127.0.0.1` and `[::1]`, and `https` is refused without `[tls]`,
        /// unless `server.tls_terminated_in_front` is true. `--dev` derives it from `server.listen`.
        issuer: String = unset example "https://register.example.com", ISSUER;
        /// TLS ends in front of this process, in a proxy that alone can reach the public listener.
        tls_terminated_in_front: bool = false, Boolean;
        /// Proxies whose `Forwarded`, `X-Forwarded-For` and `X-Request-Id` are believed.
        trusted_proxies: Vec<IpNet> = [] example ["10.0.0.0/8", "fd00::/8"], List(NETWORK);
        /// How long requests in flight may take to finish once the server is asked to stop.
        shutdown_deadline_seconds: u64 = 25, Integer(1..=3600);
    }

    /// Certificate files, read again on SIGHUP; without them TLS is off.
    tls[optional]: TlsConfig {
        /// The certificate chain in PEM, the server's own certificate first.
        certificate_file: PathBuf = unset example "/etc/doorward/tls.crt", FILE;
        /// The private key of the certificate, in PEM.
        key_file: PathBuf = unset example "/etc/doorward/tls.key", KEY_FILE;
    }

    /// What connections to the public listener may cost.
    connections: ConnectionsConfig {
        /// Connections in all, clamped by the limit of open files. Beyond it, the one that idles longest is closed.
        max: usize = 4096, Integer(1..=1_000_000);
        /// Connections from one source: an IPv4 address or an IPv6 /64, twice as many from a /56, four times as many
        /// from a /48; trusted proxies are not counted.
        per_source_max: usize = 512, Integer(1..=1_000_000);
        /// Requests in flight on one HTTP/2 connection, those with answers that the caller has not taken among them.
        http2_streams_max: u32 = 16, Integer(1..=1_000);
        /// How long the headers of a request may take to arrive.
        headers_timeout_seconds: u64 = 10, Integer(1..=3600);
        /// How long the body of a request may take to arrive, and how long the caller may take for the answer.
        body_timeout_seconds: u64 = 10, Integer(1..=3600);
        /// Bytes of request bodies that the server holds in all. When they are used up, a request whose body has yet
        /// to arrive is answered 503; those that are arriving finish.
        body_bytes_max: usize = 67_108_864, Integer(1_048_576..=2_000_000_000);
        /// Bytes of request bodies from one source (IPv4 address, IPv6 /64) that the server holds.
        body_bytes_per_source_max: usize = 4_194_304, Integer(131_072..=2_000_000_000);
        /// Bytes of requests and answers, without request bodies, that the server holds; a quarter by source (IPv4
        /// address, IPv6 /48). Beyond it, the server closes connections of the source that holds the most.
        answer_bytes_max: usize = 67_108_864, Integer(1_048_576..=2_000_000_000);
        /// How long the server may take to make an answer before it closes the connection.
        request_timeout_seconds: u64 = 60, Integer(1..=3600);
        /// How long a connection may stay open between requests.
        idle_timeout_seconds: u64 = 60, Integer(1..=3600);
    }

    /// How often strangers may register, and fail.
    rate_limit: RateLimitConfig {
        /// Registrations that one source (IPv4 address, IPv6 /64) may ask for in a period; 0 for no
        /// limit.
        per_source: u32 = 60 dev 0, Integer(0..=10_000_000);
        /// Registrations that all sources together may ask for in a period; 0 for no limit.
        total: u32 = 6000 dev 0, Integer(0..=10_000_000);
        /// Bytes of registrations that one source may send in a period; 0 for no limit.
        ///
        /// The largest registrations of real clients have 10 KiB, most have less than 1 KiB.
        bytes_per_source: u32 = 131_072 dev 0, Integer(0..=2_000_000_000);
        /// Bytes of registrations that all sources together may send in a period; 0 for no limit.
        ///
        /// Of this limit and of `rate_limit.total`, one quarter is reserved for sources with at most three
        /// registrations in the period.
        bytes_total: u32 = 4_194_304 dev 0, Integer(0..=2_000_000_000);
        /// How often one source may fail in a period with an invalid client, code, verifier, token, secret, or
        /// redirect URI; 0 for no limit.
        ///
        /// The authorization pages, the token and revocation endpoints, the introspection endpoint, and the endpoint at
        /// which clients manage their registration count apart. So do requests that browsers send for pages of other sites. Until the period ends, further
        /// failures of the source are answered 429; requests that succeed are answered as always.
        failures_per_source: u32 = 600 dev 0, Integer(0..=10_000_000);
        /// The length of a period, which is aligned to the clock.
        period_seconds: u32 = 60, Integer(1..=86_400);
        /// How many sources are remembered at most.
        sources_max: usize = 65_536, Integer(1_000..=10_000_000);
        /// The Redis or Valkey in which all nodes of an issuer count together. Nothing: each node counts
        /// for itself.
        ///
        /// `rediss` speaks TLS. A password is better kept in a file that the variable with `_FILE` names.
        redis: Option<RedisUrl> = "" example "rediss://doorward:secret@redis.internal:6379/0", REDIS;
        /// How long a request waits for Redis before it does without.
        redis_timeout_milliseconds: u64 = 250, Integer(1..=10_000);
        /// What holds while Redis cannot be reached: `local`, the limits above, counted by each node;
        /// `open`, no limit; `closed`, no registration, and 503.
        when_unreachable: WhenUnreachable = "local", WHEN_UNREACHABLE;
    }

    /// Which registrations are admitted, and what is kept of them.
    registration: RegistrationConfig {
        /// Whether the caller's address is kept on the record.
        keep_source_address: bool = true, Boolean;
        /// Whether redirect URIs may lead into private networks: to private addresses (RFC 1918, IPv6
        /// unique local), and over `http` to names that only a local network knows.
        allow_lan_redirects: bool = false, Boolean;
        /// The scope catalogue: the scopes a client may register for; empty when there is none.
        scopes: Vec<CatalogueScope> = [] example [
            "projects:read",
            { scope = "projects:write", description = "Change your projects" },
            { scope = "projects:delete", description = "Delete your projects", sensitive = true },
        ], entries::<CatalogueScope>();
        /// Names that strangers like to borrow.
        ///
        /// A client whose name looks like one of these is flagged on its record, unless its redirect
        /// URIs belong to the name: by one of the `hosts` (or a subdomain), or by one of the
        /// private-use `schemes`. The consent page says so and names the first of the hosts; see
        /// `registration.look_alikes`.
        /// A client with loopback redirect URIs alone is flagged only if its name disguises one of these.
        /// A list of your own replaces this one.
        protected_names: Vec<ProtectedName> = [
            { name = "Amazon", hosts = ["amazon.com", "amazonaws.com"] }, { name = "Anthropic", hosts = ["anthropic.com", "claude.ai", "claude.com"] },
            { name = "ChatGPT", hosts = ["chatgpt.com", "openai.com"] },
            { name = "Claude", hosts = ["claude.ai", "claude.com", "anthropic.com"], schemes = ["claude"] },
            { name = "Claude Code", hosts = ["claude.ai", "claude.com", "anthropic.com"] },
            { name = "Copilot", hosts = ["microsoft.com", "github.com", "vscode.dev"], schemes = ["vscode", "vscode-insiders"] },
            { name = "Cursor", hosts = ["cursor.com", "cursor.sh"], schemes = ["cursor"], ordinary_word = true },
            { name = "Datadog", hosts = ["datadoghq.com", "datadoghq.eu", "ddog-gov.com"] }, { name = "DeepSeek", hosts = ["deepseek.com"] },
            { name = "Dropbox", hosts = ["dropbox.com"] }, { name = "Facebook", hosts = ["facebook.com", "meta.com"] },
            { name = "Gemini", hosts = ["google.com"], ordinary_word = true }, { name = "GitHub", hosts = ["github.com"] },
            { name = "GitHub Copilot", hosts = ["github.com", "vscode.dev"], schemes = ["vscode", "vscode-insiders"] },
            { name = "Google", hosts = ["google.com"] }, { name = "Hugging Face", hosts = ["huggingface.co"] },
            { name = "Le Chat", hosts = ["mistral.ai"], ordinary_word = true },
            { name = "Microsoft", hosts = ["live.com", "microsoft.com", "microsoftonline.com"] }, { name = "Mistral", hosts = ["mistral.ai"] },
            { name = "Notion", hosts = ["notion.com", "notion.so"], schemes = ["notion"], ordinary_word = true },
            { name = "OpenAI", hosts = ["chatgpt.com", "openai.com"] }, { name = "PayPal", hosts = ["paypal.com"] },
            { name = "Perplexity", hosts = ["perplexity.ai", "perplexity.com"] }, { name = "Slack", hosts = ["slack.com"], schemes = ["slack"] },
            { name = "Stripe", hosts = ["stripe.com"], ordinary_word = true },
            { name = "Visual Studio Code", hosts = ["code.visualstudio.com", "vscode.dev"], schemes = ["vscode", "vscode-insiders"] },
            { name = "VS Code", hosts = ["code.visualstudio.com", "vscode.dev"], schemes = ["vscode", "vscode-insiders"] },
            { name = "Windsurf", hosts = ["codeium.com", "windsurf.com"], schemes = ["windsurf"], ordinary_word = true },
        ], entries::<ProtectedName>();
        /// What happens to a client whose name looks like a protected one that is not its own, if no admission rule
        /// decides about it: `label`, it gets the label `look-alike` and a flag, and the consent page warns people;
        /// `hold`, it waits for approval as well; `reject`, it is turned away; `off`, none of these.
        ///
        /// This is the last admission rule, `look-alikes`, and never lets a client in that `registration.default` would
        /// not. A rule of your own with that id replaces it.
        look_alikes: LookAlikes = "label", LOOK_ALIKES;
        /// Admission rules, in order: the first enforced rule that a client matches decides.
        ///
        /// A client matches a rule if it meets all conditions that the rule gives; a condition with several values is
        /// met by any of them. See "Admission rules" in `docs/run/operating.md`.
        rules: Vec<AdmissionRule> = [] example [
            { id = "no-tunnels", any_destination = ["*.tunnel.example", "*.preview.example"], effect = "reject",
              reason = "redirect URIs of tunnels are not allowed" },
        ], entries::<AdmissionRule>();
        /// The decision about a client that no rule decides about.
        default: EffectName = "allow", word::<EffectName>();
        /// Who may register: `open`, everyone; `token`, only clients with an initial access token (RFC 7591 §3), at every
        /// registration endpoint; `either`, everyone, and a token that is presented has to be valid.
        ///
        /// `doorward registration-token create` makes tokens. Clients with a metadata document do not register: see
        /// `client_documents.enabled`.
        access: RegistrationAccess = "open", ACCESS;
        /// Whether clients can read, change, and remove their own registration (RFC 7592).
        ///
        /// If so, responses of `/oauth2/register` have `registration_client_uri` and `registration_access_token`. The
        /// tokens are derived from `token.keys_secret`: with a store in PostgreSQL and without that secret, the default
        /// is false.
        management: bool = true, Boolean;
    }

    /// How resource owners sign in. If no way to sign in is configured, clients can only register: the authorization
    /// and token endpoints do not exist.
    sign_in: SignInConfig {
        /// Whether one person may sign in with a password that the server generates and prints at each start. For
        /// development: `--dev` turns it on.
        local: bool = false dev true, Boolean;
        /// OpenID Providers at which people sign in; with several, they choose on a page.
        ///
        /// `allowed_domains` and `allowed_groups` restrict who may sign in. If both are empty, every account of the
        /// provider may.
        providers: Vec<Provider> = [] example [
            { id = "acme", name = "Acme", issuer = "https://login.acme.example", client_id = "doorward",
              client_secret_file = "/etc/doorward/acme.secret", allowed_domains = ["acme.example"] },
        ], entries::<Provider>();
        /// How long an unused session lasts, in minutes.
        session_idle_minutes: u64 = 60, Integer(1..=43_200);
        /// How long a session lasts at most, in minutes.
        session_lifetime_minutes: u64 = 720, Integer(1..=43_200);
        /// How many sign-ins one source (IPv4 address, IPv6 /64) may begin or try in a minute.
        per_source: u32 = 30, Integer(1..=1_000_000);
    }

    /// How the pages look that people see.
    branding: BrandingConfig {
        /// The name by which people know this server. Pages show it before the host.
        name: Option<String> = "" example "Acme", BRAND;
        /// The logo: an `https` URL, or a PNG, JPEG, or WebP image of at most 16 KiB as
        /// `data:image/png;base64,…`, which every page then contains.
        logo: Option<Logo> = "" example "https://www.example.com/logo.svg", LOGO;
        /// The color of buttons and links. Links are darker, or lighter in dark mode, if people could not read them
        /// otherwise. Browsers cache the stylesheet for an hour.
        accent_color: Option<Color> = "" example "#7a1fa2", COLOR;
        /// A page where people get help.
        support_url: Option<Url> = "" example "https://www.example.com/support", LINK;
        /// The privacy policy of this server.
        privacy_url: Option<Url> = "" example "https://www.example.com/privacy", LINK;
        /// The terms of use of this server.
        terms_url: Option<Url> = "" example "https://www.example.com/terms", LINK;
        /// The legal notice that some countries require.
        legal_notice_url: Option<Url> = "" example "https://www.example.com/imprint", LINK;
    }

    /// What clients may be allowed to do.
    authorization: AuthorizationConfig {
        /// The protected resources whose tokens are issued here (RFC 8707), each by the `uri` that its clients
        /// name in `resource`.
        resources: Vec<Resource> = [] example [
            { uri = "https://mcp.example.com/mcp", name = "Example tools", id = "tools",
              secret_sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" },
        ], entries::<Resource>();
        /// Requests that one person may allow or deny in a minute; 0 for no limit.
        decisions_per_person: u32 = 60 dev 0, Integer(0..=1_000_000);
        /// How long an authorization code is valid.
        code_lifetime_seconds: u64 = 60, Integer(1..=600);
        /// How long a consent is stored, in days. A stored consent makes the consent page shorter; the page appears
        /// all the same.
        consent_lifetime_days: u64 = 90, Integer(1..=3650);
    }

    /// Access tokens and refresh tokens.
    token: TokenConfig {
        /// What access tokens are signed with: `ES256`, `RS256` or `EdDSA`.
        algorithm: SigningAlgorithm = "ES256", ALGORITHM;
        /// How long an access token is good. A resource that does not ask takes it for good all that time.
        access_token_lifetime_seconds: u64 = 900, Integer(30..=86_400);
        /// How long a refresh token is good that is not used, in days.
        refresh_token_idle_days: u64 = 30, Integer(1..=3650);
        /// How long a grant lives at most, in days; then its owner is asked again.
        grant_lifetime_days: u64 = 365, Integer(1..=3650);
        /// How long the refresh token before the last one may still be presented, and gets the same
        /// successor.
        refresh_grace_seconds: u64 = 30, Integer(0..=300);
        /// How many requests one client may make at the token endpoint in a minute from each source (IPv4 address,
        /// IPv6 /64); 0 for no limit.
        per_client: u32 = 600, Integer(0..=10_000_000);
        /// After how many days another key signs.
        key_lifetime_days: u64 = 90, Integer(2..=3650);
        /// What the signing keys are sealed with where they are kept: at least 32 characters, the same on all
        /// nodes. For a file of it, set the variable `DOORWARD_TOKEN__KEYS_SECRET_FILE`.
        ///
        /// Nothing: the embedded store makes one, in `keys.secret` in its folder.
        keys_secret: Secret = "", KEYS_SECRET;
    }

    /// The guard in front of resources that have `[authorization.resources.guard]`.
    guard: GuardConfig {
        /// Proxies that may ask about requests at `/guard/…`; to all others, these addresses do not exist.
        ///
        /// Unless `guard.listen` is set, a proxy that leads strangers to this server must keep them from `/guard/`.
        proxies: Vec<IpNet> = ["127.0.0.0/8", "::1"], List(NETWORK);
        /// A listener of its own for questions of proxies and the metadata of guarded resources. The public listener
        /// then answers `/guard/…` with 404. Nothing: the public listener answers.
        ///
        /// On loopback it speaks plain HTTP. Elsewhere it speaks TLS with the certificate of `[tls]`, or a proxy speaks
        /// TLS in front of this server (`server.tls_terminated_in_front`) and asks in the clear.
        listen: Option<SocketAddr> = "" example "10.0.0.5:9080", ADDRESS_OR_NONE;
        /// The log has one in this many of the allowed requests to each guarded resource, and all refused ones; 0: none.
        log_allowed_every: u64 = 100, Integer(0..=1_000_000);
    }

    /// The operator API.
    operator: OperatorConfig {
        /// A listener of its own for the operator API, which the public listener then does not know (404). Nothing: the
        /// public listener answers.
        ///
        /// It speaks TLS with the certificate of `[tls]`. Without one, it must be on loopback, or a proxy speaks TLS in
        /// front (`server.tls_terminated_in_front`).
        listen: Option<SocketAddr> = "" example "10.0.0.5:9443", ADDRESS_OR_NONE;
        /// Calls of one operator token, or of one person, in a minute; 0 for no limit. Each node counts for itself.
        calls_per_minute: u32 = 6000 dev 0, Integer(0..=10_000_000);
    }

    /// When clients expire. Pending and suspended clients do not; a live grant keeps a client. Nothing expires with `--dev`.
    clients: ClientsConfig {
        /// Days after which a client that was never authorized is removed; 0 for never.
        ///
        /// This server must see the authorizations: if another server authorizes the clients that register here, set
        /// 0.
        unused_days: u64 = 30 dev 0, Integer(0..=36_500);
        /// Days after which an unused client without a live grant becomes dormant; 0 for never.
        ///
        /// The next authorization makes a dormant client active again. After another 90 days it is removed.
        idle_days: u64 = 400 dev 0, Integer(0..=36_500);
        /// Days for which the page of a removed client says when and why it was removed; 0 for always.
        tombstone_days: u64 = 400 dev 0, Integer(0..=36_500);
    }

    /// The audit log.
    audit: AuditConfig {
        /// Days for which events are stored; 0 for always.
        ///
        /// Events about the removal of clients are stored for `clients.tombstone_days`, if that is longer.
        keep_days: u64 = 400 dev 0, Integer(0..=36_500);
    }

    /// Clients that do not register but publish their metadata at the URL that is their identifier (Client ID
    /// Metadata Documents).
    client_documents: ClientDocumentsConfig {
        /// Whether such clients are let in. Their documents are fetched from the internet.
        enabled: bool = false, Boolean;
        /// Only documents of these hosts and their subdomains; all when empty.
        allowed_hosts: Vec<String> = [] example ["claude.ai", "vscode.dev"], List(HOST);
        /// No documents of these hosts and their subdomains.
        denied_hosts: Vec<String> = [] example ["tunnel.example"], List(HOST);
        /// How long fetching a document may take, from the name to the last byte.
        timeout_seconds: u64 = 5, Integer(1..=30);
        /// How many documents are fetched at once for clients with a grant, and as many again for all others; a
        /// quarter of either from the hosts of one domain, and for one source (IPv4 address, IPv6 /48).
        fetches_max: usize = 16, Integer(1..=1_000);
        /// How many documents one source (IPv4 address, IPv6 /48) may make the server fetch in a minute, of clients
        /// without a grant; 0 for no limit. Requests that browsers send for pages of other sites count apart.
        fetches_per_source: u32 = 30, Integer(0..=10_000_000);
        /// How many documents of clients with a grant are remembered, and as many again of all others.
        remembered_max: usize = 1_000, Integer(1..=1_000_000);
        /// How long a document is remembered at least, whatever its server says.
        remembered_seconds_min: u64 = 60, Integer(1..=86_400);
        /// How long a document is remembered at most.
        remembered_seconds_max: u64 = 86_400, Integer(1..=604_800);
    }

    /// The embedded store.
    embedded: EmbeddedConfig {
        /// How many changes may wait for the writer; the next one is answered 503.
        queue_max: usize = 4096, Integer(1..=1_000_000);
        /// Page cache of the writer, in KiB.
        cache_kib: u32 = 8192, Integer(1_024..=1_048_576);
        /// How many connections read.
        readers: usize = 2, Integer(1..=64);
    }

    /// The store in PostgreSQL.
    postgres: PostgresConfig {
        /// The password of the database user. For a file of it, set the variable
        /// `DOORWARD_POSTGRES__PASSWORD_FILE`.
        password: Secret = "", PASSWORD;
        /// Certificates of the authorities that vouch for the database, in PEM; otherwise those that this machine trusts.
        ca_file: Option<PathBuf> = "" example "/etc/doorward/database-ca.pem", FILE_OR_NONE;
        /// Connections of this process.
        connections_max: usize = 8, Integer(2..=1000);
        /// How many batches of one kind are in flight at once; fewer than `connections_max`. The kinds are registrations,
        /// exchanges of codes and refresh tokens, and lookups of clients and of grants.
        writers: usize = 2, Integer(1..=100);
        /// How many requests one batch takes.
        batch_max: usize = 256, Integer(1..=10_000);
        /// How many requests of one kind may wait for their batch; the next one is answered 503.
        queue_max: usize = 4096, Integer(1..=1_000_000);
        /// How long a request may wait for its batch, or for a connection, before it is answered 503.
        wait_timeout_seconds: u64 = 2, Integer(1..=3600);
        /// How long one server may take until it has accepted a connection.
        connect_timeout_seconds: u64 = 3, Integer(1..=3600);
        /// How long one statement of a server may take; commands have an hour.
        statement_timeout_seconds: u64 = 5, Integer(1..=3600);
        /// How long the server asks what became of a batch whose answer was lost, before its callers are answered 503.
        settle_timeout_seconds: u64 = 5, Integer(1..=3600);
        /// Whether statements are prepared once for a connection. Off behind a pooler that gives
        /// each transaction another connection, such as PgBouncer in transaction mode.
        prepared_statements: bool = true, Boolean;
        /// Whether `serve` brings the tables up to date itself, instead of asking for `doorward migrate up`.
        migrate_at_start: bool = false dev true, Boolean;
    }

    /// What is logged, and how.
    log: LogConfig {
        /// `auto` is `text` on a terminal and `json` elsewhere.
        format: LogFormat = "auto", FORMAT;
        /// Which events are logged: a level, or levels by module, as `tracing` reads them.
        filter: String = "info" example "warn,doorward=debug", FILTER;
        /// Whether callers' addresses are logged, and are in spans.
        addresses: bool = false, Boolean;
    }

    /// Traces of requests, which the `OTEL_` variables set too. See `docs/run/tracing.md`.
    traces: TracesConfig {
        /// Where spans are sent by OTLP over HTTP: the whole URL. Nothing: requests are not traced. `https` is required
        /// unless the host is this machine or in a private network.
        endpoint: Option<Url> = "" example "http://localhost:4318/v1/traces", TRACES_URL;
        /// Headers of every request to the collector, such as `api-key=…,tenant=42`. For a file of them, set the variable
        /// `DOORWARD_TRACES__HEADERS_FILE`.
        headers: Secret = "", TRACES_HEADERS;
        /// Which requests are traced, by the names of `OTEL_TRACES_SAMPLER`. The decision of a caller counts only if the
        /// caller is one of `server.trusted_proxies`.
        sampler: TraceSampler = "parentbased_always_on", SAMPLER;
        /// The share of requests that a sampler with a ratio traces.
        sampler_ratio: Ratio = 1.0 example 0.1, Share;
        /// The name of this service in traces.
        service_name: String = "doorward", SERVICE_NAME;
        /// What every span says of this server.
        resource_attributes: Vec<(String, String)> = []
            example ["deployment.environment.name=production"], List(ATTRIBUTE);
        /// Spans that may wait to be sent; others are dropped and counted.
        queue_max: usize = 2048, Integer(1..=1_000_000);
        /// Spans in one request to the collector.
        batch_max: usize = 512, Integer(1..=100_000);
        /// How long a span may wait for others before it is sent.
        delay_milliseconds: u64 = 5000, Integer(1..=600_000);
        /// How long the collector may take to accept spans, all attempts together.
        timeout_milliseconds: u64 = 10_000, Integer(1..=600_000);
    }
}
