//! Certificates in files (PEM, RFC 7468).
//!
//! Floor 3, for builds with the feature `tls`.

use crate::base::path::for_terminal;
use crate::sys::{in_words, read_whole};
use std::path::Path;
use ureq::tls::{Certificate, PemItem, parse_pem};

/// Most bytes of a file. Debian's file of all issuers has 0.2 MiB.
const MOST_BYTES: u64 = 4 << 20;
/// The first byte of a certificate: a sequence (X.690, section 8.9).
const SEQUENCE: u8 = 0x30;

/// The certificates in a file, at least one. An error names the file, and says what was expected.
pub fn read(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let why = |what: &str| format!("{}: {what}", for_terminal(&path.to_string_lossy()));
    let bytes = read_whole(path, MOST_BYTES).map_err(|error| why(&in_words(&error)))?;
    parse(&bytes).map_err(|what| why(&what))
}

fn parse(bytes: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut certificates = Vec::new();
    for item in parse_pem(bytes) {
        let damaged = || format!("certificate {} is damaged", certificates.len() + 1);
        match item.map_err(|_| damaged())? {
            PemItem::Certificate(certificate) if is_whole(certificate.der()) => certificates.push(certificate),
            PemItem::Certificate(_) => return Err(damaged()),
            // It may contain a key, too.
            _ => {}
        }
    }
    if certificates.is_empty() {
        return Err("no certificate in it; expected a PEM file, with -----BEGIN CERTIFICATE-----".into());
    }
    Ok(certificates)
}

/// Whether this looks like a certificate: a sequence as long as it says (X.690, section 8.1.3).
fn is_whole(der: &[u8]) -> bool {
    let [SEQUENCE, length, ..] = *der else { return false };
    let digits = usize::from(length & 0x7f);
    let Some(number) = der.get(2..2 + digits).filter(|number| length > 0x80 && number.len() <= 4) else { return false };
    let bytes = number.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    der.len() == 2 + digits + bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence of 200 zeros.
    fn pem(lines: usize) -> String {
        let der = [&[SEQUENCE, 0x81, 200][..], &[0; 200]].concat();
        let text = crate::base::hex::to_base64(&der);
        let cut = if lines == 0 { &text[..40] } else { &text };
        format!("-----BEGIN CERTIFICATE-----\n{cut}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn a_file_may_contain_several_certificates_and_other_text() {
        let two = format!("# our servers\n{}\n# the second\n{}", pem(1), pem(1));
        assert_eq!(parse(two.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn other_files_are_refused_in_words() {
        let wrong = |text: &str| parse(text.as_bytes()).err().unwrap();
        for text in ["", "no certificates"] {
            assert!(wrong(text).starts_with("no certificate in it; expected a PEM file"), "{text}: {}", wrong(text));
        }
        assert_eq!(wrong(&(pem(1) + &pem(0))), "certificate 2 is damaged");
        assert_eq!(wrong("-----BEGIN CERTIFICATE-----"), "certificate 1 is damaged");
        assert_eq!(wrong("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"), "certificate 1 is damaged");
        assert_eq!(read(Path::new("/no/such")).err().unwrap(), "/no/such: No such file or directory");
        assert_eq!(read(Path::new("/dev/zero")).err().unwrap(), "/dev/zero: it is larger than 4.00 MiB");
    }
}
