//! Requests of `logator::probe` to a real nginx, with TLS and HTTP/2.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logator::probe::engine::{Engine, EngineOptions};
use logator::probe::outcome::Hop;
use logator::probe::request::Request;

use crate::kit::process::Process;
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, certificates, free_port, shippers, wait_for};

/// An nginx with several sites.
struct Sites {
    place: Workspace,
    plain: u16,
    tls: u16,
    expired: u16,
    old: u16,
    _nginx: Process,
}

impl Sites {
    fn start() -> Sites {
        let place = Workspace::new();
        certificates::make(&place.path("."), "peer");
        let script = "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days -1 -extfile ext -out expired.pem";
        let made = Command::new("sh").args(["-ec", script]).current_dir(place.path(".")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(place.path("large"), vec![b'x'; 2_000_000]).unwrap();
        let [plain, tls, expired, old] = [(); 4].map(|()| free_port());
        let server = format!(
            "listen 127.0.0.1:{plain};\nlisten 127.0.0.1:{tls} ssl http2;\n\
             access_log off;\nssl_protocols TLSv1.2 TLSv1.3;\nssl_certificate server.pem;\nssl_certificate_key server.key;\nabsolute_redirect off;\n\
             location = /1 {{ return 302 /2; }}\nlocation = /2 {{ return 307 http://127.0.0.1:{plain}/3; }}\n\
             location = /nothing {{ return 444; }}\nlocation = /slow {{ limit_rate 1k; alias large; }}\n\
             location = /large {{ alias large; }}\nlocation / {{ return 200 \"hello\\n\"; }}\n}}\n\
             server {{\naccess_log off;\nlisten 127.0.0.1:{expired} ssl;\nssl_certificate expired.pem;\nssl_certificate_key server.key;\n}}\n\
             server {{\naccess_log off;\nlisten 127.0.0.1:{old} ssl;\nssl_protocols TLSv1.2;\nssl_certificate server.pem;\n\
             ssl_certificate_key server.key;\nlocation / {{ return 200 \"hello\\n\"; }}"
        );
        let server = server.replace("alias large", &format!("alias {}", place.path("large").display()));
        let conf = shippers::nginx_server_conf(&place, &server);
        let nginx = Process::start(&shippers::nginx(&place, &conf));
        shippers::visit(plain, 1);
        Sites { place, plain, tls, expired, old, _nginx: nginx }
    }

    fn options(&self) -> EngineOptions {
        EngineOptions { ca_file: Some(self.place.path("ca.pem")), timeout: PATIENCE, ..EngineOptions::default() }
    }
}

fn hops(url: &str, options: &EngineOptions) -> Vec<Hop> {
    let mut engine = Engine::new(options).unwrap();
    engine.start(Arc::new(Request::get(url).unwrap()), 0).unwrap();
    let mut finished = Vec::new();
    while finished.is_empty() {
        engine.wait(None, &mut finished).unwrap();
    }
    finished.remove(0).hops
}

fn hop(url: &str, options: &EngineOptions) -> Hop {
    hops(url, options).remove(0)
}

fn class(hop: &Hop) -> &'static str {
    hop.error.as_ref().map_or("", |fault| fault.class.keyword())
}

/// Returns when a certificate expires, as openssl says it, in seconds since 1970.
fn expiry(certificate: &Path) -> i64 {
    let script = r#"date -u -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s"#;
    let output = Command::new("sh").args(["-ec", script, "sh"]).arg(certificate).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn a_tls_connection_is_described_and_its_certificate_has_an_expiry() {
    let sites = Sites::start();
    let hop = hop(&format!("https://127.0.0.1:{}/", sites.tls), &sites.options());
    assert_eq!((class(&hop), hop.status, hop.http_version), ("", Some(200), Some("2")), "{hop:?}");
    let tls = hop.tls.unwrap();
    assert_eq!((tls.version.as_deref(), tls.alpn.as_deref()), (Some("TLSv1.3"), Some("h2")));
    assert_eq!(tls.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384"));
    assert_eq!(tls.certificate_expiry, Some(expiry(&sites.place.path("server.pem"))));
    assert!(hop.phases.tls > 0, "{:?}", hop.phases);

    let old = self::hop(&format!("https://127.0.0.1:{}/", sites.old), &sites.options());
    assert_eq!((class(&old), old.http_version), ("", Some("1.1")), "{old:?}");
    assert_eq!(old.tls.unwrap().version.as_deref(), Some("TLSv1.2"));
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn a_certificate_that_is_refused_still_tells_its_expiry() {
    let sites = Sites::start();
    let strangers = EngineOptions { ca_file: Some(sites.place.path("stranger.pem")), ..sites.options() };
    let server = expiry(&sites.place.path("server.pem"));
    let expired = expiry(&sites.place.path("expired.pem"));
    assert!(expired < SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64);
    for (what, url, options, expiry) in [
        ("expired", format!("https://127.0.0.1:{}/", sites.expired), sites.options(), expired),
        ("another name", format!("https://localhost:{}/", sites.tls), sites.options(), server),
        ("an unknown authority", format!("https://127.0.0.1:{}/", sites.tls), strangers, server),
        ("not the system's", format!("https://127.0.0.1:{}/", sites.tls), EngineOptions::default(), server),
    ] {
        let hop = hop(&url, &options);
        assert_eq!(class(&hop), "tls-verify", "{what}: {hop:?}");
        assert_eq!(hop.tls.as_ref().and_then(|tls| tls.certificate_expiry), Some(expiry), "{what}: {hop:?}");
        assert!(hop.phases.tls > 0 && hop.phases.wait == 0, "{what}: {hop:?}");
    }
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn each_hop_from_tls_to_plain_http_has_its_own_facts() {
    let sites = Sites::start();
    let options = EngineOptions { redirects: 5, ..sites.options() };
    let hops = hops(&format!("https://127.0.0.1:{}/1", sites.tls), &options);
    let summary: Vec<_> =
        hops.iter().map(|hop| (hop.status, hop.http_version, hop.tls.is_some(), class(hop))).collect();
    assert_eq!(
        summary,
        [(Some(302), Some("2"), true, ""), (Some(307), Some("2"), true, ""), (Some(200), Some("1.1"), false, ""),]
    );
    assert!(hops[1].phases.tls > 0 && hops[2].phases.tls == 0, "{hops:?}");
    assert_eq!(hops[2].url, format!("http://127.0.0.1:{}/3", sites.plain));
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn a_large_body_is_read_and_a_slow_one_is_cut_by_the_time() {
    let sites = Sites::start();
    for (scheme, port) in [("http", sites.plain), ("https", sites.tls)] {
        let hop = hop(&format!("{scheme}://127.0.0.1:{port}/large"), &sites.options());
        assert_eq!((class(&hop), hop.body_bytes), ("", 2_000_000), "{hop:?}");
        let short = EngineOptions { timeout: Duration::from_secs(3), ..sites.options() };
        let hop = self::hop(&format!("{scheme}://127.0.0.1:{port}/slow"), &short);
        assert_eq!(class(&hop), "timeout-transfer", "{hop:?}");
        assert!(hop.body_bytes < 2_000_000 && hop.phases.transfer > 300_000, "{hop:?}");
        let hop = self::hop(&format!("{scheme}://127.0.0.1:{port}/nothing"), &sites.options());
        assert!(["closed", "protocol", "reset"].contains(&class(&hop)), "{hop:?}");
    }
    let hop = hop(&format!("https://127.0.0.1:{}/", sites.plain), &sites.options());
    assert_eq!(class(&hop), "tls", "{hop:?}");
}

#[test]
#[ignore = "needs nginx: run ./test"]
fn connections_that_are_kept_keep_their_facts() {
    let sites = Sites::start();
    let options = EngineOptions { reuse: true, ..sites.options() };
    let mut engine = Engine::new(&options).unwrap();
    let request = Arc::new(Request::get(&format!("https://127.0.0.1:{}/", sites.tls)).unwrap());
    let mut finished = Vec::new();
    for round in 1..=3 {
        engine.start(Arc::clone(&request), round).unwrap();
        wait_for("the request", PATIENCE, || {
            engine.wait(None, &mut finished).unwrap();
            (finished.len() as u64 == round).then_some(())
        });
    }
    let hops: Vec<&Hop> = finished.iter().map(|finished| &finished.hops[0]).collect();
    assert_eq!(hops.iter().map(|hop| hop.reused).collect::<Vec<_>>(), [false, true, true]);
    assert!(hops.iter().all(|hop| hop.tls == hops[0].tls && hop.tls.is_some()), "{hops:?}");
    assert!(hops[1].phases.tls == 0 && hops[1].phases.connect == 0, "{hops:?}");
}
