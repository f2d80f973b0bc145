//! Which certificates of https servers are trusted.
//!
//! Floor 3. Mozilla's roots are built in. A person may add others (`--ca-certificate`, and `SSL_CERT_FILE` as OpenSSL
//! has it). ureq takes either the built-in ones or others. So a server whose issuer is unknown to the first ones is
//! connected to again with the second ones, and what worked is remembered.

use super::certificates;
use super::tcp::with_config;
use crate::base::date::date;
use crate::sys::{in_words, lock};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use ureq::config::Config;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::{ConnectionDetails, Connector, Either, RustlsConnector, Transport};
use ureq::{Agent, Error};

/// Hosts that are remembered: many times the trackers of the torrents on one machine.
const MOST_HOSTS: usize = 1000;
/// The beginning of rustls's words about a certificate, ... (rustls is a dependency of ureq and not ours. So its errors
/// are known by their words; the stories of https notice if these change.)
const ABOUT: &str = "invalid peer certificate: ";
/// ... and about one whose issuer is not among the roots.
const UNKNOWN_ISSUER: &str = "UnknownIssuer";

/// The certificates of `--ca-certificate`.
static ADDED: OnceLock<Vec<Certificate<'static>>> = OnceLock::new();
/// Hosts whose issuers are not built in.
static OTHERS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Adds the certificates in a file to those that this process trusts, before the first request. Later calls change
/// nothing. An error names the file.
pub fn add(path: &Path) -> Result<(), String> {
    let _ = ADDED.set(certificates::read(path)?);
    Ok(())
}

/// The words of an error of TLS, for people; `None`: it is another error.
pub fn in_plain_words(error: &Error) -> Option<String> {
    let words = of_rustls(error)?;
    if words.starts_with("received corrupt message") {
        return Some("what the server sends is not TLS".into());
    }
    if let Some(alert) = words.strip_prefix("received fatal alert: ") {
        return Some(format!("TLS: the server refuses the connection: {alert}"));
    }
    let Some(about) = words.strip_prefix(ABOUT) else {
        return matches!(error, Error::Rustls(_)).then(|| format!("TLS: {words}"));
    };
    let now = || date(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64));
    let is = |starts: [&str; 2]| starts.iter().any(|start| about.starts_with(start));
    Some(if about.starts_with(UNKNOWN_ISSUER) {
        "its certificate is from an unknown issuer (--ca-certificate or SSL_CERT_FILE adds one)".into()
    } else if about.contains("CaUsedAsEndEntity") {
        "its certificate is one of an issuer (CA:TRUE); a server needs one with CA:FALSE".into()
    } else if is(["NotValidForName", "certificate not valid for name"]) {
        "its certificate is for another name".into()
    } else if is(["Expired", "certificate expired"]) {
        format!("its certificate has expired, or the clock of this machine is wrong: it says {}", now())
    } else if is(["NotValidYet", "certificate not valid yet"]) {
        format!("its certificate is not valid yet, or the clock of this machine is wrong: it says {}", now())
    } else {
        format!("its certificate can't be used: {about}")
    })
}

/// rustls's words in an error.
fn of_rustls(error: &Error) -> Option<String> {
    match error {
        Error::Rustls(error) => Some(error.to_string()),
        Error::Io(error) => Some(in_words(error)),
        _ => None,
    }
}

/// The certificates that were added, and those of `SSL_CERT_FILE`, or why that file can't be used.
fn added() -> (RootCerts, Option<String>) {
    let mut all = ADDED.get().cloned().unwrap_or_default();
    let named = std::env::var_os("SSL_CERT_FILE").filter(|name| !name.is_empty());
    let problem = named.and_then(|name| match certificates::read(name.as_ref()) {
        Ok(more) => {
            all.extend(more);
            None
        }
        Err(why) => Some(format!("SSL_CERT_FILE: {why}")),
    });
    (RootCerts::from(all), problem)
}

/// Makes connections secret.
#[derive(Debug, Default)]
pub struct Trust {
    built_in: RustlsConnector,
    added: OnceLock<Added>,
}

/// The same with the certificates that were added.
#[derive(Debug)]
struct Added {
    connector: RustlsConnector,
    config: Config,
    /// Why those of `SSL_CERT_FILE` are missing.
    problem: Option<String>,
}

impl Trust {
    /// Makes `line` secret, if the request wants that. `again` opens another one.
    pub fn secure(
        &self,
        details: &ConnectionDetails,
        line: Box<dyn Transport>,
        again: &dyn Fn() -> Result<Box<dyn Transport>, Error>,
    ) -> Result<Box<dyn Transport>, Error> {
        let host = details.uri.host().unwrap_or_default();
        let is_other = lock(&OTHERS).contains(host);
        let first = self.secure_with(is_other, details, line);
        let Err(error) = first else { return first };
        if !of_rustls(&error).is_some_and(|words| words.starts_with(&[ABOUT, UNKNOWN_ISSUER].concat())) {
            return Err(error);
        }
        let added = self.added(details);
        if matches!(added.config.tls_config().root_certs(), RootCerts::Specific(roots) if roots.is_empty()) {
            let unreadable =
                |why: &String| io::Error::other(format!("its certificate is from an unknown issuer; {why}"));
            return Err(added.problem.as_ref().map_or(error, |why| unreadable(why).into()));
        }
        let second = self.secure_with(!is_other, details, again()?)?;
        let mut others = lock(&OTHERS);
        if is_other || others.len() >= MOST_HOSTS {
            others.remove(host);
        } else {
            others.insert(host.to_string());
        }
        Ok(second)
    }

    fn secure_with(
        &self,
        with_added: bool,
        details: &ConnectionDetails,
        line: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, Error> {
        let secured = if with_added {
            let added = self.added(details);
            added.connector.connect(&with_config(details, &added.config), Some(line))?
        } else {
            self.built_in.connect(details, Some(line))?
        };
        Ok(match secured {
            Some(Either::A(plain)) => plain,
            Some(Either::B(secret)) => Box::new(secret),
            None => return Err(Error::ConnectionFailed),
        })
    }

    fn added(&self, details: &ConnectionDetails) -> &Added {
        self.added.get_or_init(|| {
            let (roots, problem) = added();
            let config = Agent::config_builder()
                .input_buffer_size(details.config.input_buffer_size())
                .output_buffer_size(details.config.output_buffer_size())
                .tls_config(TlsConfig::builder().root_certs(roots).build())
                .build();
            Added { connector: RustlsConnector::default(), config, problem }
        })
    }
}
