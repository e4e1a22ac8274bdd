//! TLS to a PostgreSQL server, as its address asks for it: `sslmode=require` encrypts, whoever answers; `sslmode=verify-full` also asks that
//! the certificate is the host's and leads to one in the file `sslrootcert`.

use std::path::PathBuf;

use super::DatabaseError;

/// What an address asks for. The driver knows less of it, so these parameters are taken out before it reads the address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Asked {
    /// A connection over a socket, a private network, or a proxy that encrypts.
    #[default]
    Nothing,
    Encrypted,
    Verified {
        root: PathBuf,
    },
}

/// The operator's: an address that asks for what there is not.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the address of the database: sslmode is {0:?}, not disable, require or verify-full")]
    Mode(String),
    #[error("the address of the database: sslmode=verify-full needs sslrootcert=FILE, the certificates to trust")]
    NoRoot,
    #[cfg(not(feature = "tls"))]
    #[error("the address of the database asks for TLS: this program was built without the feature `tls`")]
    NotBuilt,
    #[cfg(feature = "tls")]
    #[error("{path}: {message}")]
    Root { path: PathBuf, message: String },
}

impl From<Unusable> for DatabaseError {
    fn from(error: Unusable) -> Self {
        Self::new(error, false)
    }
}

/// The address without what it says of TLS, and that.
pub(super) fn split(address: &str) -> Result<(String, Asked), Unusable> {
    let Some((before, query)) = address.split_once('?') else { return Ok((address.to_owned(), Asked::Nothing)) };
    let (mut mode, mut root, mut others) = (None, None, Vec::new());
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => root = Some(PathBuf::from(decoded(value))),
            _ => others.push(parameter),
        }
    }
    let asked = match mode {
        None | Some("disable" | "prefer") => Asked::Nothing,
        Some("require") => Asked::Encrypted,
        Some("verify-full") => Asked::Verified { root: root.ok_or(Unusable::NoRoot)? },
        Some(other) => return Err(Unusable::Mode(other.to_owned())),
    };
    let rest = if others.is_empty() { before.to_owned() } else { format!("{before}?{}", others.join("&")) };
    Ok((rest, asked))
}

/// `%2F` for `/`, as addresses write paths.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(feature = "tls")]
pub(super) use with::{Tls, connector};
#[cfg(not(feature = "tls"))]
pub(super) use without::{Tls, connector};

#[cfg(not(feature = "tls"))]
mod without {
    use super::{Asked, Unusable};

    pub(in crate::database) type Tls = postgres::NoTls;

    pub(in crate::database) const fn connector(asked: &Asked) -> Result<Tls, Unusable> {
        match asked {
            Asked::Nothing => Ok(postgres::NoTls),
            Asked::Encrypted | Asked::Verified { .. } => Err(Unusable::NotBuilt),
        }
    }
}

#[cfg(feature = "tls")]
mod with {
    use std::path::Path;
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
    use tokio_postgres_rustls::MakeRustlsConnect;

    use super::{Asked, Unusable};

    pub(in crate::database) type Tls = MakeRustlsConnect;

    /// Also where nothing was asked for: it is not used then.
    pub(in crate::database) fn connector(asked: &Asked) -> Result<Tls, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Unusable::Root { path: "TLS".into(), message: error.to_string() })?;
        let config = match asked {
            Asked::Nothing | Asked::Encrypted => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
            Asked::Verified { root } => builder.with_root_certificates(trusted(root)?),
        };
        Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
    }

    fn trusted(path: &Path) -> Result<RootCertStore, Unusable> {
        let wrong = |message: String| Unusable::Root { path: path.to_owned(), message };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() { Err(wrong("holds no certificate".to_owned())) } else { Ok(roots) }
    }

    /// Takes whoever answers, as `sslmode=require` says: it keeps out who only listens.
    #[derive(Debug)]
    struct Anybody(Arc<CryptoProvider>);

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
