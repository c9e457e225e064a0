//! One connection to Redis (or Valkey), which counts requests by a script and by its own clock. [`super::shared`]
//! decides when to reconnect, and what happens meanwhile.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use redis::{
    AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, ServerErrorKind,
    aio::MultiplexedConnection,
};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    Cost, Counted, Limits, MODEST_REQUESTS,
    shared::{Keys, Names},
};
use crate::{clock::Timestamp, config::RedisUrl, internet::Internet};

/// The script that counts one request; its comments say how.
const SCRIPT: &str = include_str!("count.lua");
/// How long opening a connection may take: the name lookup, the handshakes, the login, and the first request.
const OPEN_WITHIN: Duration = Duration::from_secs(2);
/// How many requests may wait to be written to the connection; later ones wait for a place.
const QUEUE_MAX: usize = 256;

/// Why Redis cannot count. `Display` and its sources hold no password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The address does not accept connections, or its name is unknown.
    #[error("it cannot be connected to")]
    Connect(#[source] io::Error),
    /// The server does not support TLS, or its certificate is not trusted.
    #[error("there is no TLS with it")]
    Tls(#[source] io::Error),
    /// Redis rejects the login or the script, or its response is malformed.
    #[error("it does not do as it is asked")]
    Refused(#[from] RedisError),
    /// Redis closed the connection.
    #[error("it has closed the connection")]
    Closed,
    /// Redis did not respond in time.
    #[error("it does not answer in time")]
    Late,
}

/// The task that moves requests and responses over a connection, until the connection ends.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An open connection. Clones share it.
#[derive(Clone)]
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// The hash by which the server caches the script.
    script: Arc<str>,
}

/// A new connection that has counted one request as a test.
pub(super) struct Opened {
    pub(super) link: Link,
    /// Polled for as long as the connection is in use; without it no response arrives.
    pub(super) driver: Driver,
    /// The time by the clock of Redis.
    pub(super) now: Timestamp,
}

impl Link {
    /// Connects, logs in, loads the script, and tries it, within two seconds.
    pub(super) async fn open(url: &RedisUrl, names: &Names) -> Result<Opened, LinkError> {
        timeout(OPEN_WITHIN, Self::open_at_leisure(url, names))
            .await
            .unwrap_or(Err(LinkError::Late))
    }

    async fn open_at_leisure(url: &RedisUrl, names: &Names) -> Result<Opened, LinkError> {
        let mut login = RedisConnectionInfo::default().set_db(url.database);
        if let Some(user) = &url.user {
            login = login.set_username(user);
        }
        if let Some(password) = &url.password {
            login = login.set_password(password);
        }
        // Each caller sets its own timeout for a response.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE_MAX);
        let stream = connect(url).await?;
        let (connection, driver) =
            MultiplexedConnection::new_with_config(&login, stream, config).await?;
        let mut driver: Driver = Box::pin(driver);
        let (link, now) = tokio::select! {
            () = &mut driver => return Err(LinkError::Closed),
            tried = Self::try_out(connection, names) => tried?,
        };
        Ok(Opened { link, driver, now })
    }

    async fn try_out(
        mut connection: MultiplexedConnection,
        names: &Names,
    ) -> Result<(Self, Timestamp), LinkError> {
        let script: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
        let link = Self { connection, script: script.into() };
        // A replica, or a server without memory, loads a script and then fails to run it.
        let limits = Limits { per_source: Some(1), ..Limits::none(names.limits().period_seconds) };
        let counted = link.charge(&names.of_probe(), Cost::REQUEST, limits).await?;
        Ok((link, counted.now))
    }

    /// Charges one request to the counters with these `keys`, in one round trip.
    pub(super) async fn charge(
        &self,
        keys: &Keys<'_>,
        cost: Cost,
        limits: Limits,
    ) -> Result<Counted, LinkError> {
        let mut connection = self.connection.clone();
        let ask = |command, script: &str| {
            let mut ask = redis::cmd(command);
            ask.arg(script).arg(4).arg(&keys.requests).arg(&keys.bytes);
            ask.arg(keys.requests_of_all).arg(keys.bytes_of_all);
            ask.arg(u64::from(limits.period_seconds) * 1_000).arg(cost.requests).arg(cost.bytes);
            let own = [limits.per_source, limits.bytes_per_source];
            for limit in own.into_iter().chain(limits.of_all(1)).chain(limits.of_all(u32::MAX)) {
                ask.arg(limit.unwrap_or(0));
            }
            ask.arg(MODEST_REQUESTS);
            ask
        };
        let answer = match ask("EVALSHA", &self.script).query_async(&mut connection).await {
            // The server's script cache was emptied: load the script again.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                ask("EVAL", SCRIPT).query_async(&mut connection).await
            }
            answer => answer,
        };
        let (own, own_bytes, all, all_bytes, now): (u64, u64, u64, u64, u64) = answer?;
        let counter = |count| Some(u32::try_from(count).unwrap_or(u32::MAX)).filter(|&it| it > 0);
        Ok(Counted {
            own: counter(own),
            own_bytes: counter(own_bytes),
            all: counter(all),
            all_bytes: counter(all_bytes),
            now: Timestamp::from_millis(now),
        })
    }
}

/// A byte stream to and from Redis, with TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(url: &RedisUrl) -> Result<Box<dyn Stream>, LinkError> {
    let address = (url.host.as_str(), url.port);
    let stream = TcpStream::connect(address).await.map_err(LinkError::Connect)?;
    stream.set_nodelay(true).map_err(LinkError::Connect)?;
    if !url.tls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(url.host.clone())
        .map_err(|error| LinkError::Tls(io::Error::other(error)))?;
    // Read for each connection: the certificates that the machine trusts change while a server runs.
    let config = Arc::new(Internet::System.tls_config().await.map_err(LinkError::Tls)?);
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(LinkError::Tls)?;
    Ok(Box::new(stream))
}
