//! Certificates that `openssl` makes.

use std::path::Path;
use std::process::Command;

/// Makes an authority (`ca.pem`), certificates of 127.0.0.1 that it signed for `server` and for the peer with the name `peer`
/// (`NAME.pem`, `NAME.key`), and the certificate of a stranger, all in `directory`.
pub fn make(directory: &Path, peer: &str) {
    let script = r#"
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $ec -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
for name in server "$1"; do
    openssl req $ec -subj "/CN=$name" -keyout "$name.key" -out "$name.csr"
    printf 'subjectAltName=IP:127.0.0.1\n' > ext
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out "$name.pem"
done
openssl req -x509 $ec -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem
"#;
    let output = Command::new("sh").args(["-ec", script, "sh", peer]).current_dir(directory).output().expect("sh");
    assert!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
}
