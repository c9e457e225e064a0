//! How this process reaches the internet, handed to whatever fetches so that a test can stage it: who says
//! which addresses a name has, and whose certificates are trusted.

use std::{fmt, io, net::IpAddr, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::task;

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
    /// All addresses of `name`, from one lookup.
    pub(crate) async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            }
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
