//! Looks up the names of hosts, unless the way out is away.
//!
//! Floor 3, part of [`http`](super). A question about a name would leave by another way than the one that `--bind`
//! names.

use crate::sys::outlet;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The system's resolver.
#[derive(Debug)]
pub struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        outlet::get().is_there().map_err(Error::Io)?;
        DefaultResolver::default().resolve(uri, config, timeout)
    }
}
