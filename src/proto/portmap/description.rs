//! The description of a UPnP device: an XML document that says which services a router has, and where.
//!
//! A router is a device in a device in a device, but all that matters is which services it lists. Two of them map
//! ports: `WANIPConnection`, and `WANPPPConnection` for lines with a login.

use super::xml::{Part, parts, text_of, unescaped};
use crate::base::url;

/// Bytes of the longest description that is read. Real ones have 2 to 20 KiB.
pub const MOST_BYTES: u64 = 256 * 1024;
/// Most services that are looked at. A router with several lines has one for each.
const MOST_SERVICES: usize = 8;
/// Characters of a device's name that are kept.
const MOST_NAME: usize = 80;
/// The services that map ports, and which of them we prefer.
const KINDS: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// A service that maps ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// The URL to which it is spoken: whatever the description says.
    pub control: String,
}

impl Service {
    /// It is of the second version (IGD 2), which can choose a free port itself.
    pub fn is_second(&self) -> bool {
        self.kind == KINDS[0]
    }
}

/// The services of the `description` that lies at `location`, the best first.
pub fn services(description: &[u8], location: &str) -> Vec<Service> {
    let base = text_of(description, "URLBase").map(unescaped).filter(|base| !base.is_empty());
    let base = base.as_deref().unwrap_or(location);
    let (mut found, mut kind, mut control, mut element) = (Vec::new(), None, None, "");
    for part in parts(description) {
        match part {
            Part::Begin(name) if name.eq_ignore_ascii_case("service") => (kind, control) = (None, None),
            Part::Begin(name) => element = name,
            Part::Text(text) if element.eq_ignore_ascii_case("serviceType") => {
                kind = KINDS.into_iter().find(|kind| kind.eq_ignore_ascii_case(text));
            }
            Part::Text(text) if element.eq_ignore_ascii_case("controlURL") => control = Some(unescaped(text)),
            Part::Text(_) => {}
            Part::End(name) if name.eq_ignore_ascii_case("service") && found.len() < MOST_SERVICES => {
                if let (Some(kind), Some(control)) = (kind.take(), control.take()) {
                    found.push(Service { kind, control: url::join(base, &control) });
                }
            }
            Part::End(_) => element = "",
        }
    }
    found.sort_by_key(|service| KINDS.iter().position(|kind| *kind == service.kind));
    found
}

/// What the device is called, as far as the description says. It is not safe for a terminal.
pub fn name(description: &[u8]) -> String {
    let names = ["friendlyName", "modelName"].map(|name| text_of(description, name).unwrap_or_default());
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    unescaped(name).chars().take(MOST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCATION: &str = "http://192.168.77.1:45521/rootDesc.xml";

    fn service(kind: &str, control: &str) -> String {
        format!(
            "<service><serviceType>urn:schemas-upnp-org:service:{kind}</serviceType><SCPDURL>/x.xml</SCPDURL>\
             <controlURL>{control}</controlURL></service>"
        )
    }

    fn read(document: &str) -> Vec<(&'static str, String)> {
        let short = |service: Service| (service.kind.rsplit_once("service:").unwrap().1, service.control);
        services(document.as_bytes(), LOCATION).into_iter().map(short).collect()
    }

    #[test]
    fn the_best_service_comes_first_wherever_it_is() {
        let root = [
            "<root><device><friendlyName>A &amp; B</friendlyName><serviceList>",
            &service("WANPPPConnection:1", "/ppp"),
            "</serviceList><deviceList><device><serviceList>",
            &service("WANCommonInterfaceConfig:1", "/common"),
            &service("WANIPConnection:1", "ctl?a=1&amp;b=2"),
            &service("WANIPConnection:2", "http://192.168.77.1:80/two"),
            "</serviceList></device></deviceList></device></root>",
        ];
        let expected = [
            ("WANIPConnection:2", "http://192.168.77.1:80/two".to_string()),
            ("WANIPConnection:1", "http://192.168.77.1:45521/ctl?a=1&b=2".to_string()),
            ("WANPPPConnection:1", "http://192.168.77.1:45521/ppp".to_string()),
        ];
        assert_eq!(read(&root.concat()), expected);
        assert_eq!(name(root.concat().as_bytes()), "A & B");
    }

    #[test]
    fn the_base_of_urls_may_be_named() {
        let document =
            format!("<root><URLBase>http://10.0.0.1:5000/igd/</URLBase>{}", service("WANIPConnection:1", "c"));
        assert_eq!(read(&document), [("WANIPConnection:1", "http://10.0.0.1:5000/igd/c".to_string())]);
    }

    #[test]
    fn incomplete_services_are_left_out() {
        let kind = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>";
        for document in [
            String::new(),
            format!("<service>{kind}</service>"),
            format!("<service>{kind}<controlURL></controlURL></service>"),
            format!("<service>{kind}</service><service><controlURL>/a</controlURL></service>"),
            format!("<service>{kind}<controlURL>/a</controlURL>"),
        ] {
            assert_eq!(read(&document), [], "{document}");
        }
        assert_eq!(read(&service("WANIPConnection:1", "/a").repeat(100)).len(), MOST_SERVICES);
    }
}
