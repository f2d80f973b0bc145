//! Which addresses and names may use RPC.
//!
//! Floor 4. Pure.

use super::login::Login;
use crate::base::words::glob::Glob;
use crate::daemon::settings::Settings;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the settings say about access.
pub struct Access {
    /// Where RPC and the web page begin; it begins and ends with `/`.
    pub url: String,
    /// The user and the password; `None`: none is needed.
    pub login: Option<Login>,
    /// Wrong passwords after which an address is refused.
    pub most_failures: Option<u64>,
    addresses: Option<Vec<Glob>>,
    names: Option<Vec<Glob>>,
}

impl Access {
    /// Reads the settings.
    pub fn new(settings: &Settings) -> Result<Access, String> {
        let patterns = |name: &str, list: &str| {
            let items = list.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty());
            let wrong = |item: &str, why: &str| format!("{name}: \"{item}\" is no pattern: {why}");
            items.map(|item| Glob::new(&item.to_ascii_lowercase()).map_err(|why| wrong(item, why))).collect()
        };
        let addresses: Result<Vec<Glob>, String> = patterns("rpc-whitelist", &settings.rpc_whitelist);
        let names: Result<Vec<Glob>, String> = patterns("rpc-host-whitelist", &settings.rpc_host_whitelist);
        if settings.rpc_authentication_required && settings.rpc_password.is_empty() {
            return Err("rpc-authentication-required needs rpc-username and rpc-password".into());
        }
        let url = settings.rpc_url.trim_matches('/');
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("rpc-url: {:?} can't be a path", settings.rpc_url));
        }
        Ok(Access {
            url: if url.is_empty() { "/".into() } else { format!("/{url}/") },
            login: settings
                .rpc_authentication_required
                .then(|| Login::new(&settings.rpc_username, &settings.rpc_password)),
            most_failures: settings.anti_brute_force_enabled.then_some(settings.anti_brute_force_threshold),
            addresses: settings.rpc_whitelist_enabled.then_some(addresses?),
            names: settings.rpc_host_whitelist_enabled.then_some(names?),
        })
    }

    /// Whether this address may ask.
    pub fn allows_address(&self, from: IpAddr) -> bool {
        let address = from.to_canonical().to_string();
        self.addresses.as_ref().is_none_or(|list| list.iter().any(|pattern| pattern.matches(&address)))
    }

    /// Whether we may be called so. `host` is a name or an address, and maybe a port.
    pub fn allows_host(&self, host: &str) -> bool {
        let Some(names) = self.names.as_ref().filter(|_| self.login.is_none()) else { return true };
        let (name, port) = match host.strip_prefix('[') {
            Some(address) => address.split_once(']').unwrap_or(("", "")),
            None => host.split_at(host.find(':').unwrap_or(host.len())),
        };
        if !port.is_empty()
            && !port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return false;
        }
        let name = name.to_ascii_lowercase();
        let is_address = name.parse::<IpAddr>().is_ok();
        is_address
            || ["localhost", "localhost."].contains(&&*name)
            || names.iter().any(|pattern| pattern.matches(&name))
    }
}

/// Whether the first group of a pattern for addresses is written out: `10.*` and `fd00:*`, but not `*.1` or `1*`.
fn is_narrow(pattern: &str) -> bool {
    // `::1` begins with two empty groups.
    let group = pattern.strip_prefix("::").unwrap_or(pattern).split(['.', ':']).next().unwrap_or_default();
    !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether settings that let other machines in are closed enough: RPC listens on this machine alone, needs a password,
/// or has a whitelist. A pattern whose first group is not written out, such as `*.*.*.*`, keeps nobody out.
pub fn is_guarded(settings: &Settings) -> bool {
    let is_here = settings.rpc_bind_address.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    let mut items = settings.rpc_whitelist.split([',', ' ']).filter(|item| !item.is_empty());
    let is_listed = settings.rpc_whitelist_enabled && items.all(is_narrow);
    is_here || settings.rpc_authentication_required || is_listed
}

/// Lines that say where the daemon is, which listens at `ip` and `port`, and which machines may use it.
pub fn where_it_is(settings: &Settings, ip: IpAddr, port: u16) -> Vec<String> {
    let own = match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let at = SocketAddr::new(own, port);
    let url = Access::new(settings).map_or("/".into(), |access| access.url);
    let mut lines = vec![format!("the web page is at http://{at}; programs use http://{at}{url}rpc")];
    if own != ip || !ip.to_canonical().is_loopback() {
        let others = if !settings.rpc_whitelist_enabled {
            "other machines reach it at port"
        } else if settings.rpc_whitelist.split([',', ' ']).all(is_this_machine) {
            "rpc-whitelist lets only this machine use port"
        } else {
            "machines in rpc-whitelist reach it at port"
        };
        lines.push(format!("{others} {port}"));
    }
    lines
}

/// Whether a pattern for addresses means only this machine. An empty one means none.
fn is_this_machine(pattern: &str) -> bool {
    pattern.is_empty() || pattern == "::1" || pattern.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_told_can_be_opened() {
        let of = |ip: &str, list: &str| {
            let settings = Settings { rpc_whitelist: list.into(), rpc_url: "/x/".into(), ..Settings::default() };
            where_it_is(&settings, ip.parse().unwrap(), 80).join("; ")
        };
        let at = |at: &str| format!("the web page is at http://{at}:80; programs use http://{at}:80/x/rpc");
        assert_eq!(of("127.0.0.1", "127.*"), at("127.0.0.1"));
        let alone = at("127.0.0.1") + "; rpc-whitelist lets only this machine use port 80";
        assert_eq!(of("0.0.0.0", "127.*.*.*,::1"), alone);
        assert_eq!(of("::", "127.*, 10.*"), at("[::1]") + "; machines in rpc-whitelist reach it at port 80");
    }

    #[test]
    fn a_whitelist_guards_if_each_pattern_begins_with_a_whole_group() {
        let guards = |list: &str| {
            let (rpc_bind_address, rpc_whitelist) = ("0.0.0.0".into(), list.into());
            is_guarded(&Settings { rpc_bind_address, rpc_whitelist, ..Settings::default() })
        };
        for list in ["127.*.*.*,::1", "10.*", "fd00:*", "192.168.1.7"] {
            assert!(guards(list), "{list}");
        }
        for list in ["*.*.*.*", "*a*,*[0-9]*", "1*", "*.1", "[0-9]*.*", "::*", "10.*,*"] {
            assert!(!guards(list), "{list}");
        }
    }
}
