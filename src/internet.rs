//! How this process reaches the internet: the resolver of names, and the certificates that it trusts. A test can stage
//! both.
//!
//! The resolver of the machine blocks, for as long as its servers keep silent, and nothing can interrupt it. Each
//! lookup therefore has a thread of its own, and occupies a place of its caller until that thread ends, even when
//! nobody waits for it any longer. So lookups are as bounded as the places are, and they never take the threads of the
//! runtime, which files and others need.

use std::{any::Any, fmt, io, net::IpAddr, net::ToSocketAddrs as _, sync::Arc, thread};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::{sync::oneshot, task};

/// What a fetch, and a lookup that outlives it, hold of their caller's budget.
pub(crate) type Place = Arc<dyn Any + Send + Sync>;

/// The addresses of a name, as a test wants them.
type Names = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// Where addresses and trust come from.
#[derive(Clone)]
pub enum Internet {
    /// The resolver of the machine, and whom the machine trusts, or those in the file that `SSL_CERT_FILE`
    /// names.
    System,
    /// For tests alone: no setting leads here.
    Staged {
        /// The addresses of a name; none when there is no such name.
        names: Arc<Names>,
        /// Whose certificates are trusted.
        roots: Arc<RootCertStore>,
    },
}

impl Internet {
    /// All addresses of `name`, from one lookup, which holds `place` until it has ended.
    pub(crate) async fn addresses(&self, name: &str, place: Place) -> io::Result<Vec<IpAddr>> {
        let (internet, name) = (self.clone(), name.to_owned());
        let (sender, found) = oneshot::channel();
        let lookup = move || {
            let found = internet.look_up(&name);
            drop(place);
            // The caller may have given up.
            drop(sender.send(found));
        };
        thread::Builder::new().name("lookup".to_owned()).spawn(lookup)?;
        found.await.map_err(io::Error::other)?
    }

    fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()),
            Self::Staged { names, .. } => Ok(names(name)),
        }
    }

    /// TLS for connections that lead out.
    pub(crate) async fn tls_config(&self) -> io::Result<ClientConfig> {
        let roots = match self {
            // Hundreds of files may have to be read.
            Self::System => Arc::new(task::spawn_blocking(roots_of_machine).await?),
            Self::Staged { roots, .. } => Arc::clone(roots),
        };
        Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth())
    }
}

/// Whom the machine trusts.
fn roots_of_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // What cannot be read is trusted by nobody, which the handshake will tell.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl fmt::Debug for Internet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Staged { .. } => "Staged",
        })
    }
}
