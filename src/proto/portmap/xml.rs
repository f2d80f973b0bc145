//! Reads XML as far as routers write it: tags and texts, one after another. No tree is built, nothing is looked up, and
//! each byte is looked at a bounded number of times, so neither depth nor entities can do harm.
//!
//! Prefixes of names (`u:`) are left out, because routers choose them as they like.

/// A part of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// A tag that begins an element, or is all of it. The name has no prefix and no attributes.
    Begin(&'a str),
    /// A tag that ends an element.
    End(&'a str),
    /// The text between two tags, without blanks around it. It is never empty.
    Text(&'a str),
}

/// The parts of a document, in order.
pub struct Parts<'a>(&'a str);

/// The parts of `document`. What is not UTF-8 ends it.
pub fn parts(document: &[u8]) -> Parts<'_> {
    let text = core::str::from_utf8(document).or_else(|error| core::str::from_utf8(&document[..error.valid_up_to()]));
    Parts(text.unwrap_or_default())
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        loop {
            let Some(tag) = self.0.strip_prefix('<') else {
                let end = self.0.find('<')?;
                let (text, rest) = self.0.split_at(end);
                self.0 = rest;
                match text.trim() {
                    "" => continue,
                    text => return Some(Part::Text(text)),
                }
            };
            let ends = [("!--", "-->"), ("![CDATA[", "]]>"), ("", ">")];
            let (begin, end) = ends.into_iter().find(|(begin, _)| tag.starts_with(begin))?;
            let Some((inside, rest)) = tag[begin.len()..].split_once(end) else {
                self.0 = "";
                return None;
            };
            self.0 = rest;
            match (begin, inside.as_bytes().first()) {
                ("![CDATA[", _) if !inside.trim().is_empty() => return Some(Part::Text(inside.trim())),
                ("", Some(b'/')) => return Some(Part::End(name(&inside[1..]))),
                // A declaration, such as <?xml ...> or <!DOCTYPE ...>.
                ("", Some(b'?' | b'!') | None) => {}
                ("", Some(_)) => return Some(Part::Begin(name(inside))),
                _ => {}
            }
        }
    }
}

/// The name of a tag, without its prefix and attributes.
fn name(tag: &str) -> &str {
    let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// The text of the first element with this name, in any case of letters; empty if it has none.
pub fn text_of<'a>(document: &'a [u8], wanted: &str) -> Option<&'a str> {
    let mut parts = parts(document);
    parts.find(|part| matches!(part, Part::Begin(name) if name.eq_ignore_ascii_case(wanted)))?;
    Some(match parts.next() {
        Some(Part::Text(text)) => text,
        _ => "",
    })
}

/// A text as it was before it was escaped: the five characters that XML names.
pub fn unescaped(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    named.iter().fold(text.to_string(), |text, (name, character)| text.replace(name, character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn tags_and_texts_come_one_after_another() {
        let all: Vec<Part> = parts(
            b"<?xml version=\"1.0\"?><!DOCTYPE x><s:Body xmlns:s='a'>\n <u:Port/><!-- <b> --><Ip>1.2.3.4 </Ip>\
              <![CDATA[<raw>]]></s:Body >",
        )
        .collect();
        let expected = [
            Part::Begin("Body"),
            Part::Begin("Port"),
            Part::Begin("Ip"),
            Part::Text("1.2.3.4"),
            Part::End("Ip"),
            Part::Text("<raw>"),
            Part::End("Body"),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_text_is_found_whatever_prefix_and_case_its_name_has() {
        let document = b"<a><M:NewExternalIPAddress>5.6.7.8</M:NewExternalIPAddress><empty></empty></a>";
        assert_eq!(text_of(document, "newexternalipaddress"), Some("5.6.7.8"));
        assert_eq!((text_of(document, "empty"), text_of(document, "none")), (Some(""), None));
        assert_eq!(unescaped("a&amp;lt;b &lt;&quot;&apos;&gt;"), "a&lt;b <\"'>");
    }

    #[test]
    fn damaged_documents_end() {
        for document in
            [&b"<"[..], b"<!--", b"<![CDATA[", b"<a", b"a", b"</", b"<a>\xff<b>", b"<>", b"< >", b"</>", b"<!-->"]
        {
            assert!(parts(document).count() <= 1, "{}", String::from_utf8_lossy(document));
        }
        let mut rng = Rng::new(7);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.below(40)).map(|_| b"<>/!-[]?a: \xff&"[rng.below(13)]).collect();
            assert!(parts(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn entities_of_a_document_stay_as_they_are() {
        let document = b"<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]><a>&c;&c;&c;</a>";
        assert_eq!(text_of(document, "a").map(unescaped).as_deref(), Some("&c;&c;&c;"));
    }

    /// A quarter of a mebibyte of what would be deep for a tree.
    #[test]
    fn depth_costs_nothing() {
        assert_eq!(parts(&b"<a>".repeat(87_000)).count(), 87_000);
        assert_eq!(parts(&b"<".repeat(256 << 10)).count(), 0);
        assert_eq!(parts(&b"<!--".repeat(64 << 10)).count(), 0);
    }
}
