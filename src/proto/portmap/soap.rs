//! SOAP (UPnP Device Architecture 1.0, section 3): calls of a router's service, as XML over HTTP POST.
//!
//! The calls are those of WANIPConnection (versions 1 and 2) and WANPPPConnection.

use super::Transport;
use super::xml::{text_of, unescaped};
use core::net::IpAddr;
use core::str::FromStr;
use std::fmt::Write;

/// Bytes of the longest answer that is read. Real ones have less than one KiB.
pub const MOST_BYTES: u64 = 16 * 1024;
/// How our mappings are called in the router's list.
pub const DESCRIPTION: &str = "swarmlet";
/// The router does not know what is to be changed.
pub const NO_SUCH_ENTRY: u16 = 714;
/// Characters of the router's own words that are kept.
const MOST_WORDS: usize = 80;
/// The end of a list.
const INVALID_INDEX: u16 = 713;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The name of the action.
    pub action: &'static str,
    /// The arguments, in the order that the service defines.
    pub arguments: Vec<(&'static str, String)>,
}

/// A mapping that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// Our address.
    pub ours: IpAddr,
    /// What is mapped.
    pub transport: Transport,
    /// Our port.
    pub inner: u16,
    /// The router's port.
    pub outer: u16,
    /// How long it is to last, in seconds; 0: until it is removed.
    pub lease: u32,
}

impl Map {
    /// Makes or renews the mapping.
    pub fn add(&self) -> Call {
        self.call("AddPortMapping")
    }

    /// The same, and the router chooses another outer port if this one is taken (WANIPConnection:2 only).
    pub fn add_any(&self) -> Call {
        self.call("AddAnyPortMapping")
    }

    fn call(&self, action: &'static str) -> Call {
        let arguments = vec![
            ("NewRemoteHost", String::new()),
            ("NewExternalPort", self.outer.to_string()),
            ("NewProtocol", self.transport.name().into()),
            ("NewInternalPort", self.inner.to_string()),
            ("NewInternalClient", self.ours.to_string()),
            ("NewEnabled", "1".into()),
            ("NewPortMappingDescription", DESCRIPTION.into()),
            ("NewLeaseDuration", self.lease.to_string()),
        ];
        Call { action, arguments }
    }
}

/// Removes a mapping.
pub fn delete(transport: Transport, outer: u16) -> Call {
    let arguments = vec![
        ("NewRemoteHost", String::new()),
        ("NewExternalPort", outer.to_string()),
        ("NewProtocol", transport.name().into()),
    ];
    Call { action: "DeletePortMapping", arguments }
}

/// Asks for the outer address.
pub fn address() -> Call {
    Call { action: "GetExternalIPAddress", arguments: Vec::new() }
}

/// Asks for a mapping of the router's list, by its number from 0.
pub fn entry(number: usize) -> Call {
    Call { action: "GetGenericPortMappingEntry", arguments: vec![("NewPortMappingIndex", number.to_string())] }
}

impl Call {
    /// The body of the request to a service of this kind. (No argument has a character that XML would escape.)
    pub fn body(&self, kind: &str) -> String {
        let mut body = format!(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{} xmlns:u=\"{kind}\">",
            self.action
        );
        for (name, value) in &self.arguments {
            // Writing to a String can't fail.
            let _ = write!(body, "<{name}>{value}</{name}>");
        }
        body + &format!("</u:{}></s:Body></s:Envelope>\r\n", self.action)
    }

    /// The header `SOAPAction`, without which routers do not answer.
    pub fn header(&self, kind: &str) -> String {
        format!("\"{kind}#{}\"", self.action)
    }
}

/// Why a router refuses: its number and its words. `None`: it does not refuse.
pub fn refusal(answer: &[u8]) -> Option<(u16, String)> {
    let code = text_of(answer, "errorCode")?.parse().ok()?;
    let words = text_of(answer, "errorDescription").unwrap_or_default();
    Some((code, unescaped(words).chars().take(MOST_WORDS).collect()))
}

/// A value of an answer; `None` if it is not there, or not what it should be.
pub fn value<T: FromStr>(answer: &[u8], name: &str) -> Option<T> {
    text_of(answer, name)?.parse().ok()
}

/// A mapping in the router's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is mapped.
    pub transport: Transport,
    /// The router's port.
    pub outer: u16,
    /// The address and port to which it leads.
    pub client: (IpAddr, u16),
    /// How it is called. It is not safe for a terminal.
    pub description: String,
    /// Seconds until it ends; 0: it does not end.
    pub lease: u32,
}

/// Reads an answer to [`entry`].
pub fn read_entry(answer: &[u8]) -> Option<Entry> {
    let transport = Transport::ALL.into_iter().find(|transport| {
        text_of(answer, "NewProtocol").is_some_and(|name| name.eq_ignore_ascii_case(transport.name()))
    })?;
    Some(Entry {
        transport,
        outer: value(answer, "NewExternalPort")?,
        client: (value(answer, "NewInternalClient")?, value(answer, "NewInternalPort")?),
        description: unescaped(text_of(answer, "NewPortMappingDescription").unwrap_or_default())
            .chars()
            .take(MOST_WORDS)
            .collect(),
        lease: value(answer, "NewLeaseDuration").unwrap_or(0),
    })
}

/// A refusal in words (WANIPConnection:1 and :2, section 2.4).
pub fn words(code: u16) -> &'static str {
    match code {
        401 => "it does not know the action",
        402 => "it takes the arguments for wrong",
        501 => "the action failed",
        606 => "it does not allow that",
        INVALID_INDEX => "there are no more mappings",
        NO_SUCH_ENTRY => "there is no such mapping",
        715 => "it maps only for one remote host",
        716 => "it does not choose the outer port",
        718 => "another machine has the outer port",
        724 => "outer and inner port must be the same",
        725 => "it has only permanent mappings",
        726 => "it maps only for all remote hosts",
        727 => "it must choose the outer port",
        728 => "it has no room for more mappings",
        729 => "the outer port is mapped by other means",
        _ => "it gives no known reason",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

    #[test]
    fn a_call_names_its_arguments_in_order() {
        let ours = [192, 168, 77, 20].into();
        let map = Map { ours, transport: Transport::Udp, inner: 6881, outer: 7000, lease: 3600 };
        let body = map.add().body(KIND);
        let arguments = "<NewRemoteHost></NewRemoteHost><NewExternalPort>7000</NewExternalPort>\
            <NewProtocol>UDP</NewProtocol><NewInternalPort>6881</NewInternalPort>\
            <NewInternalClient>192.168.77.20</NewInternalClient><NewEnabled>1</NewEnabled>\
            <NewPortMappingDescription>swarmlet</NewPortMappingDescription>\
            <NewLeaseDuration>3600</NewLeaseDuration></u:AddPortMapping>";
        assert!(body.contains(&format!("<u:AddPortMapping xmlns:u=\"{KIND}\">{arguments}")), "{body}");
        assert_eq!(map.add_any().header(KIND), format!("\"{KIND}#AddAnyPortMapping\""));
        assert!(delete(Transport::Tcp, 7).body(KIND).contains("<NewExternalPort>7</NewExternalPort>"));
        assert_eq!(
            (address().action, entry(3).arguments),
            ("GetExternalIPAddress", vec![("NewPortMappingIndex", "3".into())])
        );
    }

    #[test]
    fn values_and_refusals_are_read() {
        let answer = b"<s:Envelope><s:Body><u:R xmlns:u=\"x\"><NewExternalIPAddress>45.77.0.1</NewExternalIPAddress>\
            <NewReservedPort>70000</NewReservedPort></u:R></s:Body></s:Envelope>";
        assert_eq!(value::<IpAddr>(answer, "NewExternalIPAddress"), Some([45, 77, 0, 1].into()));
        assert_eq!((value::<u16>(answer, "NewReservedPort"), refusal(answer)), (None, None));
        let fault = b"<s:Fault><faultcode>s:Client</faultcode><detail><UPnPError><errorCode>718</errorCode>\
            <errorDescription>ConflictInMappingEntry</errorDescription></UPnPError></detail></s:Fault>";
        assert_eq!(refusal(fault), Some((718, "ConflictInMappingEntry".into())));
        let long = [b"<errorCode>1</errorCode><errorDescription>", &b"x".repeat(9999)[..], b"</"].concat();
        assert_eq!(refusal(&long).map(|(_, words)| words.len()), Some(MOST_WORDS));
        for code in [401, 402, 501, 606, 714, 715, 716, 718, 724, 725, 726, 727, 728, 729, 999] {
            assert!(!words(code).is_empty());
        }
    }

    #[test]
    fn an_entry_of_the_list_is_read() {
        let answer =
            b"<NewRemoteHost></NewRemoteHost><NewExternalPort>7000</NewExternalPort><NewProtocol>tcp</NewProtocol>\
            <NewInternalPort>6881</NewInternalPort><NewInternalClient>192.168.77.20</NewInternalClient>\
            <NewEnabled>1</NewEnabled><NewPortMappingDescription>a &lt;b&gt;</NewPortMappingDescription>\
            <NewLeaseDuration>60</NewLeaseDuration>";
        let client = ([192, 168, 77, 20].into(), 6881);
        let (transport, description) = (Transport::Tcp, "a <b>".to_string());
        assert_eq!(read_entry(answer), Some(Entry { transport, outer: 7000, client, description, lease: 60 }));
        assert_eq!(read_entry(b"<NewProtocol>SCTP</NewProtocol>"), None);
    }
}
