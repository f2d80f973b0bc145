//! Stories of https with certificates of one's own: nginx in front of a tracker, as at home.

use crate::common::content::Content;
use crate::common::json;
use crate::common::ports::free_port;
use crate::common::process::Process;
use crate::common::ran::{Ran, run};
use crate::common::swarmlet::{Get, program};
use crate::common::tools::{Tool, here};
use crate::common::torrent::{Torrent, make_with_tiers, make_with_web_seeds};
use crate::common::track::Track;
use crate::common::wait::{PATIENCE, wait_until};
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Makes an issuer, and certificates for `localhost`: one that is valid, one that has expired, one of the future. Then
/// two without an issuer, of which the second one may itself issue others.
const CERTIFICATES: &str = "
    key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    openssl req -x509 $key -keyout ca.key -out ca.pem -subj '/CN=The issuer' -days 30
    openssl req -x509 $key -keyout other.key -out other.pem -subj '/CN=Another issuer' -days 30
    printf '[ca]\\ndefault_ca=here\\n[here]\\nnew_certs_dir=.\\ndatabase=index.txt\\nserial=serial\\ndefault_md=sha256\\n' > ca.conf
    printf 'policy=any\\nunique_subject=no\\nx509_extensions=leaf\\n[any]\\ncommonName=supplied\\n' >> ca.conf
    printf '[leaf]\\nbasicConstraints=CA:FALSE\\nsubjectAltName=DNS:localhost\\n' >> ca.conf
    touch index.txt
    echo 01 > serial
    leaf() {
        openssl req $key -keyout $1.key -out $1.csr -subj /CN=localhost
        openssl ca -batch -config ca.conf -cert ca.pem -keyfile ca.key -in $1.csr -out $1.pem -notext -startdate $2 -enddate $3
    }
    leaf good 20200101000000Z 20990101000000Z
    leaf expired 20200101000000Z 20200201000000Z
    leaf early 20980101000000Z 20990101000000Z
    alone='-subj /CN=localhost -days 30 -addext subjectAltName=DNS:localhost'
    openssl req -x509 $key -keyout alone.key -out alone.pem $alone -addext basicConstraints=critical,CA:FALSE
    openssl req -x509 $key -keyout issuer.key -out issuer.pem $alone
    cat other.pem ca.pem > both.pem
    head -c 300 ca.pem > damaged.pem
    echo '-----END CERTIFICATE-----' >> damaged.pem";

/// nginx with a port for each certificate. It serves the folder, and passes announces on to a tracker.
struct Stage {
    scratch: TempDir,
    ports: [u16; 5],
    track: Track,
    _nginx: Process,
}

impl Stage {
    fn new() -> Option<Stage> {
        if !cfg!(feature = "tls") || !here(&[Tool::Nginx, Tool::Openssl]) {
            return None;
        }
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let made = Command::new("sh").args(["-ec", CERTIFICATES]).current_dir(dir).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let track = Track::on_free_port(dir).start();
        let ports = [(); 5].map(|()| free_port());
        let servers: String = ["good", "expired", "early", "alone", "issuer"]
            .iter()
            .zip(ports)
            .map(|(name, port)| server(name, port))
            .collect();
        let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};\n", dir.join(name).display()))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log \
             off; root {0};\n{temp}upstream track {{ server {1}; \
             }}\n{servers}}}\n",
            dir.display(),
            track.address()
        );
        fs::write(dir.join("nginx.conf"), config).unwrap();
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(dir).arg("-c").arg(dir.join("nginx.conf"));
        let mut nginx = Process::start("nginx", &mut nginx, dir);
        wait_until("nginx listens", PATIENCE, || {
            nginx.must_run();
            ports.iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
        });
        Some(Stage { scratch, ports, track, _nginx: nginx })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// A URL of the server whose certificate is good (0), has expired (1), is not valid yet (2), has no issuer (3), or
    /// is one of an issuer (4).
    fn url(&self, server: usize, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.ports[server])
    }

    /// A torrent whose tracker has a good certificate. It is served, too.
    fn torrent(&self, content: &Content) -> Torrent {
        content.write_to(&self.path("source"));
        make_with_tiers(content, &self.path("a.torrent"), 32 * 1024, &[vec![self.url(0, "announce")]])
    }
}

fn server(name: &str, port: u16) -> String {
    format!(
        "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {name}.pem; ssl_certificate_key {name}.key; location \
         /announce {{ proxy_pass http://track; }} }}\n"
    )
}

/// `swarmlet get --list URL` with these options and this `SSL_CERT_FILE`.
fn list(url: &str, options: &[&str], variable: Option<&Path>) -> Ran {
    let mut command = Command::new(program());
    command.args(["get", "--list", url]).args(options).env_remove("SSL_CERT_FILE");
    run(command.envs(variable.map(|file| ("SSL_CERT_FILE", file))), b"")
}

#[test]
fn a_swarm_meets_at_an_https_tracker_with_a_certificate_of_ones_own() {
    let Some(stage) = Stage::new() else { return };
    let content = Content::one_file("a.bin", 200_000);
    let torrent = stage.torrent(&content);
    let (dir, issuer) = (stage.scratch.path(), stage.path("ca.pem"));
    let trusting = |get: Get| get.arg("--ca-certificate").arg(&issuer);
    let mut seed = trusting(Get::seed("seed", dir, &stage.path("source")).torrent(&torrent)).start();
    stage.track.wait_for_a_seed(&torrent.info_hash, || seed.must_run());
    let get = trusting(Get::new("get", dir)).arg(stage.url(0, "a.torrent"));
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);

    // One that does not know the issuer says so, and goes on.
    let mut other = Get::new("other", dir).torrent(&torrent).arg("--json").start();
    wait_until("the tracker is not believed", PATIENCE, || {
        other.must_run();
        let told = json::last(&other.stdout(), "tracker").unwrap_or_default();
        told["problem"] == "its certificate is from an unknown issuer (--ca-certificate or SSL_CERT_FILE adds one)"
    });
    other.terminate();
}

#[test]
fn each_reason_not_to_trust_a_server_has_its_own_words() {
    let Some(stage) = Stage::new() else { return };
    stage.torrent(&Content::one_file("a.bin", 1000));
    let (issuer, other) = (stage.path("ca.pem"), stage.path("other.pem"));
    let trusting = ["--ca-certificate", issuer.to_str().unwrap()];
    let good = stage.url(0, "a.torrent");
    list(&good, &trusting, None).code(0);
    list(&good, &[], Some(&issuer)).code(0);
    list(&good, &["--ca-certificate", stage.path("both.pem").to_str().unwrap()], None).code(0);
    list(&good, &trusting, Some(&other)).code(0);

    let unknown = "its certificate is from an unknown issuer (--ca-certificate or SSL_CERT_FILE adds one)";
    list(&good, &[], None).refused(69, unknown);
    list(&good, &["--ca-certificate", other.to_str().unwrap()], None).refused(69, unknown);
    let unreadable = "its certificate is from an unknown issuer; SSL_CERT_FILE: /no/such: No such file or directory";
    list(&good, &[], Some(Path::new("/no/such"))).refused(69, unreadable);
    list(&good.replace("localhost", "127.0.0.1"), &trusting, None).refused(69, "its certificate is for another name");
    let expired = "its certificate has expired, or the clock of this machine is wrong: it says 20";
    list(&stage.url(1, "a.torrent"), &trusting, None).refused(69, expired);
    let early = "its certificate is not valid yet, or the clock of this machine is wrong: it says 20";
    list(&stage.url(2, "a.torrent"), &trusting, None).refused(69, early);
    let alone = |name: &str, server| {
        let file = stage.path(name).to_string_lossy().into_owned();
        list(&stage.url(server, "a.torrent"), &["--ca-certificate", &file], None)
    };
    alone("alone.pem", 3).code(0);
    alone("issuer.pem", 4)
        .refused(69, "its certificate is one of an issuer (CA:TRUE); a server needs one with CA:FALSE");
    // A port that speaks something else.
    let plain = format!("https://localhost:{}/a.torrent", stage.track.port);
    list(&plain, &trusting, None).refused(69, "what the server sends is not TLS");
}

/// A download of `content` from a web seed alone.
fn from_web(stage: &Stage, content: &Content, name: &str, url: String) -> Get {
    let file = stage.path(&format!("{name}.torrent"));
    let torrent = make_with_web_seeds(content, &file, 32 * 1024, &[url]);
    Get::new(name, stage.scratch.path()).torrent(&torrent).arg("-v")
}

#[test]
fn a_web_seed_over_https_is_trusted_by_the_same_certificates() {
    if !cfg!(feature = "webseeds") {
        return;
    }
    let Some(stage) = Stage::new() else { return };
    let content = Content::one_file("a.bin", 5_000_000);
    content.write_to(&stage.path("source"));
    let issuer = stage.path("ca.pem");
    let get = from_web(&stage, &content, "good", stage.url(0, "source/")).arg("--ca-certificate").arg(&issuer);
    get.run().assert_code(0);
    content.assert_same_in(&get.dir);

    let expired = "its certificate has expired, or the clock of this machine is wrong: it says 20";
    let early = "its certificate is not valid yet, or the clock of this machine is wrong: it says 20";
    let unknown = "its certificate is from an unknown issuer (--ca-certificate or SSL_CERT_FILE adds one)";
    let refused = [
        ("expired", stage.url(1, "source/"), expired),
        ("early", stage.url(2, "source/"), early),
        ("unknown", stage.url(3, "source/"), unknown),
        ("name", stage.url(0, "source/").replace("localhost", "127.0.0.1"), "its certificate is for another name"),
    ];
    let running = refused.map(|(name, url, why)| {
        let get = from_web(&stage, &content, name, url).arg("--ca-certificate").arg(&issuer);
        (get.args(&["--stop-timeout", "2"]).start(), why)
    });
    for (running, why) in running {
        let outcome = running.wait();
        assert_ne!(outcome.code, Some(0));
        let is_told = |line: &str| line.contains("no peers; web seed ") && line.contains(why);
        assert!(outcome.stderr.lines().any(is_told), "{why}: {}", outcome.stderr);
    }
}

#[test]
fn a_file_without_usable_certificates_is_refused_at_the_start() {
    let Some(stage) = Stage::new() else { return };
    let url = stage.url(0, "a.torrent");
    for (name, why) in [
        ("no-such.pem", "no-such.pem: No such file or directory"),
        ("ca.key", "ca.key: no certificate in it; expected a PEM file, with -----BEGIN CERTIFICATE-----"),
        ("damaged.pem", "damaged.pem: certificate 1 is damaged"),
    ] {
        list(&url, &["--ca-certificate", stage.path(name).to_str().unwrap()], None).refused(66, why);
    }
}
