//! Settings of transmission that have one value here: programs see it, and are told why they can't change it.
//!
//! Floor 4. Pure.

/// A setting that can't be changed.
pub struct Fixed {
    /// Its name in the RPC of 4.1.
    pub name: &'static str,
    /// Its name in the old RPC.
    pub old_name: &'static str,
    /// Its value.
    pub value: Value,
    /// Why it can't be changed.
    why: &'static str,
}

/// The value of such a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u32),
    /// A list with one text.
    One(&'static str),
}

/// Why uTP can't be switched on.
const ONLY_TCP: &str = "swarmlet speaks TCP with peers, and no uTP";

/// All of them.
pub const FIXED: [Fixed; 5] = [
    // Programs show the number, so there must be one.
    fixed("cache_size_mib", "cache-size-mb", Value::Number(4), "swarmlet has no such cache: the system caches files"),
    fixed("preferred_transports", "preferred-transports", Value::One("tcp"), ONLY_TCP),
    // What we ask for at most at once, and take: see `swarm::picking::window`.
    fixed("reqq", "reqq", Value::Number(2000), "swarmlet always takes as many requests"),
    fixed("tcp_enabled", "tcp-enabled", Value::Flag(true), ONLY_TCP),
    fixed("utp_enabled", "utp-enabled", Value::Flag(false), ONLY_TCP),
];

const fn fixed(name: &'static str, old_name: &'static str, value: Value, why: &'static str) -> Fixed {
    Fixed { name, old_name, value, why }
}

/// Whether the setting with this name, in snake_case, may be set to `is`. (It may if it has that value: programs send
/// back all that they were shown.) The error says which setting, and why not.
pub fn check(name: &str, is: impl Fn(Value) -> bool) -> Result<(), String> {
    // Transmission counted in MB first.
    let name = if name == "cache_size_mb" { "cache_size_mib" } else { name };
    match FIXED.iter().find(|fixed| fixed.name == name) {
        Some(fixed) if !is(fixed.value) => Err(format!("{} can't be changed: {}", fixed.old_name, fixed.why)),
        _ => Ok(()),
    }
}
