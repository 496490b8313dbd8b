//! TLS between OpenSSL and rustls.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Receiver, documents, messages, receive};
use crate::kit::workspace::{Workspace, account};

/// Makes an authority, a certificate of 127.0.0.1 and one of a sender that it signed, and a stranger's certificate.
pub(super) fn certificates(directory: &Path) {
    crate::kit::certificates::make(directory, "sender");
}

fn receive_tls(place: &Workspace, more: &[&str]) -> Receiver {
    certificates(&place.path("."));
    let files = ["--tls-cert", "server.pem", "--tls-key", "server.key"];
    receive(place, &["syslog+tls://127.0.0.1:0"], &[&files, more].concat())
}

/// Sends `bytes` with `openssl s_client`. Returns its messages.
fn s_client(place: &Workspace, port: u16, more: &[&str], bytes: &[u8]) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-CAfile", "ca.pem", "-verify_return_error"]);
    client.args(more).current_dir(place.path("."));
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(bytes);
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn messages_come_over_tls_of_either_version_and_from_either_library() {
    let place = Workspace::new();
    let receiver = receive_tls(&place, &[]);
    let port = receiver.ports[0];
    s_client(&place, port, &["-tls1_2"], b"12 <13>openssl2");
    s_client(&place, port, &["-tls1_3"], b"<13>openssl3\n<13>and more\n");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(place.path("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap());
    let all: String = (0..2000).map(|index| format!("17 <13>rustls{index:07}")).collect();
    stream.write_all(all.as_bytes()).unwrap();
    stream.flush().unwrap();
    // The connection is closed without the closing message of TLS.
    drop(stream.sock);
    let found = documents(&place, 2003);
    let mut expected: Vec<String> = ["openssl2", "openssl3", "and more"].map(String::from).into();
    expected.extend((0..2000).map(|index| format!("rustls{index:07}")));
    expected.sort();
    assert_eq!(messages(&found), expected);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [2003, 2003, 0, 0, 0, 0]);
    assert_eq!((receipt.sources[0].get("connections"), receipt.sources[0].get("refused")), (3, 0));
}

#[test]
fn senders_without_the_right_certificate_are_not_let_in() {
    let place = Workspace::new();
    let receiver = receive_tls(&place, &["--tls-client-ca", "ca.pem"]);
    let port = receiver.ports[0];
    s_client(&place, port, &[], b"<13>nobody\n");
    s_client(&place, port, &["-cert", "stranger.pem", "-key", "stranger.key"], b"<13>stranger\n");
    s_client(&place, port, &["-cert", "sender.pem", "-key", "sender.key"], b"<13>sender\n");
    // A connection that does not speak TLS at all is closed.
    let mut plain = receiver.send(b"<13>plain\n");
    let _ = plain.read_to_end(&mut Vec::new());
    assert_eq!(messages(&documents(&place, 1)), ["sender"]);
    let (ran, receipt) = receiver.stop(&place);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(account(&receipt), [1, 1, 0, 0, 0, 0]);
    assert_eq!(receipt.sources[0].get("refused"), 3);
    assert!(ran.stderr.contains("was closed: TLS failed: peer sent no certificates"), "{}", ran.stderr);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let place = Workspace::new();
    certificates(&place.path("."));
    for (certificate, key, words) in [
        ("none.pem", "server.key", "--tls-cert none.pem: no certificates in PEM"),
        ("server.key", "server.key", "--tls-cert server.key: there is no certificate in it"),
        ("server.pem", "ca.pem", "--tls-key ca.pem: no key in PEM"),
        ("server.pem", "sender.key", "--tls-cert server.pem and --tls-key sender.key do not match"),
    ] {
        let arguments = ["run", "syslog+tls://127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        let ran = place.run("logator", &arguments, b"");
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let ran = place.run("logator", &["run", "syslog+tls://127.0.0.1:0", "--tls-cert", "server.pem"], b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}
