//! TLS 1.2 and 1.3 from certificate files, which can be read again while the server runs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: cannot be read ({what})", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: is no {what} in PEM form", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// Where it goes wrong.
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in the certificate file.
    #[error("{}: holds no certificate", .0.display())]
    Empty(PathBuf),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("{} and {}: cannot be used together", certificate.display(), key.display())]
    Unusable {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong with them.
        #[source]
        source: rustls::Error,
    },
}

/// The certificate that is shown to callers at present.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsConfig,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the certificate for the first time.
    pub(crate) fn open(files: &TlsConfig) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(load(files, &provider)?);
        Ok(Arc::new(Self { files: files.clone(), provider, current }))
    }

    /// Reads the certificate again. When that fails the one before stays.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let fresh = load(&self.files, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The server's own certificate, without the chain behind it.
    pub(crate) fn own(&self) -> CertificateDer<'static> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.cert.first().expect("what was loaded is not empty").clone()
    }

    /// Shakes hands with this certificate; offers HTTP/2 and HTTP/1.1.
    pub(crate) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn load(files: &TlsConfig, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate_file, CERTIFICATE)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| malformed(&files.certificate_file, CERTIFICATE, source))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(files.certificate_file.clone()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key_file, KEY)?)
        .map_err(|source| malformed(&files.key_file, KEY, source))?;
    let certified =
        CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Unusable {
            certificate: files.certificate_file.clone(),
            key: files.key_file.clone(),
            source,
        })?;
    Ok(Arc::new(certified))
}

const CERTIFICATE: &str = "certificate chain";
const KEY: &str = "private key";

fn read(path: &Path, what: &'static str) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), what, source })
}

fn malformed(path: &Path, what: &'static str, source: pem::Error) -> TlsError {
    TlsError::Malformed { path: path.to_owned(), what, source }
}
