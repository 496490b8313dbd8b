//! Measures the engine of `logator-probe` on a local nginx, and compares its times with those of `curl -w`.
//!
//! | command | what it does |
//! |---|---|
//! | `cargo bench --bench probe --features probe` | all of the following |
//! | `… -- rate` | requests with fresh connections, as fast as they go and 5,000 a second, with and without TLS |
//! | `… -- bundle` | the processor time of a TLS request with the system's certificates |
//! | `… -- curl` | the phases of 500 requests beside those of `curl -w`, in turn |
//!
//! `LOGATOR_TEST_SHIPPERS` is the folder with nginx, as for the tests. `LOGATOR_BENCH_SECONDS` is the time of each
//! measurement of a rate (default 10).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use logator::probe::engine::{Engine, EngineOptions};
use logator::probe::outcome::{Finished, Hop};
use logator::probe::phases::{Course, Cumulative, Phases, split};
use logator::probe::request::Request;
use nix::sys::resource::{UsageWho, getrusage};

fn main() {
    // `cargo bench` passes --bench. `cargo test` runs the benchmark without it, as a check that it compiles.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |word: &str| words.is_empty() || words.iter().any(|given| given == word);
    let nginx = Nginx::start();
    if wants("rate") {
        rates(&nginx);
    }
    if wants("bundle") {
        bundle(&nginx);
    }
    if wants("curl") {
        compare(&nginx);
    }
}

/// An nginx of this benchmark. It ends with it.
struct Nginx {
    place: tempfile::TempDir,
    plain: u16,
    tls: u16,
    /// Other ports of the same server, with and without TLS.
    others: [u16; 2],
    process: Child,
}

impl Nginx {
    fn start() -> Nginx {
        let root = std::env::var_os("LOGATOR_TEST_SHIPPERS").expect("LOGATOR_TEST_SHIPPERS: the folder with nginx");
        let root = PathBuf::from(root);
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name).display().to_string();
        let script = "ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n\
            openssl req -x509 $ec -days 9 -subj /CN=authority -keyout ca.key -out ca.pem\n\
            openssl req $ec -subj /CN=server -keyout server.key -out server.csr\n\
            printf 'subjectAltName=IP:127.0.0.1\n' > ext\n\
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile ext -out server.pem\n\
            cat /etc/ssl/certs/ca-certificates.crt ca.pem > bundle.pem";
        let made = Command::new("sh").args(["-ec", script]).current_dir(place.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (plain, tls, others) = (port(), port(), [port(), port()]);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {};\n", at(name)))
            .concat();
        let conf = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log {};\nevents {{ worker_connections 4096; }}\nhttp {{\n\
             {temporary}\naccess_log off;\nabsolute_redirect off;\nserver {{\nlisten 127.0.0.1:{plain} backlog=4096;\n\
             listen 127.0.0.1:{tls} ssl http2 backlog=4096;\nlisten 127.0.0.1:{};\nlisten 127.0.0.1:{} ssl http2;\nssl_protocols TLSv1.2 TLSv1.3;\nssl_certificate server.pem;\nssl_certificate_key server.key;\n\
             location = /1 {{ return 302 /2; }}\nlocation = /2 {{ return 302 /3; }}\n\
             location / {{ return 200 \"hello\\n\"; }}\n}}\n}}\n",
            at("pid"),
            at("error.log"),
            others[0],
            others[1],
        );
        std::fs::write(place.path().join("nginx.conf"), conf).unwrap();
        let libraries = ["usr/lib", "lib"].into_iter().flat_map(|folder| {
            let folders = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
            folders.map(|entry| entry.path()).filter(|path| path.is_dir())
        });
        let process = Command::new(root.join("usr/sbin/nginx"))
            .env("LD_LIBRARY_PATH", std::env::join_paths(libraries).unwrap())
            .args(["-p", &at("."), "-e", &at("error.log"), "-c", &at("nginx.conf")])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", plain)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Nginx { place, plain, tls, others, process }
    }

    fn url(&self, scheme: &str, path: &str) -> String {
        let port = if scheme == "https" { self.tls } else { self.plain };
        format!("{scheme}://127.0.0.1:{port}{path}")
    }

    /// Another address of the same server, for which a client has no connection yet.
    fn other(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/", self.others[usize::from(scheme == "https")])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn options(&self) -> EngineOptions {
        EngineOptions { ca_file: Some(self.path("ca.pem")), ..EngineOptions::default() }
    }

    /// The processor time of nginx so far, from `/proc/PID/stat`.
    fn processor_time(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        [11, 12].iter().map(|field| fields[*field].parse::<f64>().unwrap() / 100.0).sum()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn processor_time() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    [usage.user_time(), usage.system_time()].iter().map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6).sum()
}

fn seconds() -> f64 {
    std::env::var("LOGATOR_BENCH_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(10.0)
}

/// Makes requests for some seconds: `rate` a second, or as fast as they go. Prints a row.
fn rate(what: &str, nginx: &Nginx, url: &str, options: &EngineOptions, rate: Option<f64>, seconds: f64) {
    let request = Arc::new(Request::get(url).unwrap());
    let mut engine = Engine::new(options).unwrap();
    let mut finished: Vec<Finished> = Vec::new();
    let (mut started, mut ended, mut errors, mut missed) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut late: Vec<u64> = Vec::new();
    let (our_time, their_time) = (processor_time(), nginx.processor_time());
    let begin = Instant::now();
    loop {
        let now = begin.elapsed().as_secs_f64();
        let due = if now >= seconds { 0.0 } else { rate.map_or(f64::INFINITY, |rate| now * rate) };
        while ((started + missed) as f64) < due && (rate.is_some() || engine.room() > 0) {
            if engine.room() == 0 {
                missed += 1;
                continue;
            }
            if let Some(rate) = rate {
                let due = (started + missed) as f64 / rate;
                late.push(((begin.elapsed().as_secs_f64() - due).max(0.0) * 1e6) as u64);
            }
            engine.start(Arc::clone(&request), started).unwrap();
            started += 1;
        }
        if now >= seconds && engine.in_flight() == 0 {
            break;
        }
        let next = rate.map(|rate| begin + Duration::from_secs_f64((started + missed + 1) as f64 / rate));
        engine.wait(next.filter(|_| now < seconds), &mut finished).unwrap();
        for finished in finished.drain(..) {
            ended += 1;
            errors += u64::from(finished.hops[0].error.is_some());
        }
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let per_request = |time: f64| time * 1e6 / ended as f64;
    late.sort_unstable();
    let late = late.get(late.len() * 99 / 100).copied().unwrap_or_default();
    println!(
        "{what:<38} {:>8.0} {errors:>7} {missed:>7} {:>11.0} {:>11.0} {late:>10}",
        ended as f64 / elapsed,
        per_request(processor_time() - our_time),
        per_request(nginx.processor_time() - their_time),
    );
}

fn heading() {
    println!("what                                   requests  errors  missed  µs of ours µs of nginx  late (p99)");
}

fn rates(nginx: &Nginx) {
    heading();
    for (scheme, steady) in [("http", 5_000.0), ("https", 1_000.0)] {
        let url = nginx.url(scheme, "/");
        let options = EngineOptions { workers: 200, ..nginx.options() };
        rate(&format!("{scheme}, as fast as it goes"), nginx, &url, &options, None, seconds());
        rate(&format!("{scheme}, {steady} a second"), nginx, &url, &options, Some(steady), seconds());
        let reuse = EngineOptions { reuse: true, ..options };
        rate(&format!("{scheme}, kept connections"), nginx, &url, &reuse, None, seconds() / 2.0);
    }
    let named = format!("http://localhost:{}/", nginx.plain);
    let options = EngineOptions { workers: 200, ..nginx.options() };
    rate("http, by name", nginx, &named, &options, None, seconds() / 2.0);
}

fn bundle(nginx: &Nginx) {
    heading();
    let url = nginx.url("https", "/");
    for file in ["ca.pem", "bundle.pem"] {
        let options = EngineOptions { workers: 50, ca_file: Some(nginx.path(file)), ..nginx.options() };
        rate(&format!("https, {file}"), nginx, &url, &options, None, seconds() / 2.0);
    }
}

const ROUNDS: usize = 500;

fn compare(nginx: &Nginx) {
    println!("medians in µs           look-up  connect      tls     send     wait transfer    total");
    for (what, scheme, path) in
        [("http", "http", "/3"), ("https", "https", "/3"), ("hop 1", "http", "/1"), ("hop 2", "http", "/2")]
    {
        let url = nginx.url(scheme, path);
        let mut engine = Engine::new(&nginx.options()).unwrap();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(request(&mut engine, &url).remove(0).phases);
            theirs.push(curl(&url, nginx, scheme == "https"));
        }
        row(&format!("{what}: logator"), &ours);
        row(&format!("{what}: curl -w"), &theirs);
    }
    for scheme in ["http", "https"] {
        let url = nginx.url(scheme, "/1");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // curl keeps the connection from hop to hop, so logator does the same here.
            let options = EngineOptions { redirects: 5, reuse: true, ..nginx.options() };
            let mut engine = Engine::new(&options).unwrap();
            request(&mut engine, &nginx.other(scheme));
            ours.push(request(&mut engine, &url).iter().map(|hop| hop.phases.total()).sum());
            theirs.push(curl_times(&url, nginx, &["-L"]).total);
        }
        println!("{scheme}, three hops: logator {} µs, curl -L {} µs", median(&mut ours), median(&mut theirs));
    }
}

fn request(engine: &mut Engine, url: &str) -> Vec<Hop> {
    let mut finished = Vec::new();
    engine.start(Arc::new(Request::get(url).unwrap()), 0).unwrap();
    while finished.is_empty() {
        engine.wait(None, &mut finished).unwrap();
    }
    let hops = finished.remove(0).hops;
    assert!(hops.iter().all(|hop| hop.error.is_none()), "{hops:?}");
    hops
}

fn curl(url: &str, nginx: &Nginx, tls: bool) -> Phases {
    let times = curl_times(url, nginx, &[]);
    split(&times, Course { named: false, tls, reused: false, sent: true, answered: true, finished: true }).0
}

/// Runs curl. It asks another port first, and tells the times of the second request: the first one also loads its
/// libraries and reads the certificates.
fn curl_times(url: &str, nginx: &Nginx, options: &[&str]) -> Cumulative {
    let scheme = url.split(':').next().unwrap();
    const FORMAT: &str = "%{time_namelookup} %{time_connect} %{time_appconnect} %{time_pretransfer} \
        %{time_starttransfer} %{time_total}\n";
    let output = Command::new("curl")
        .args([
            "-s",
            "--noproxy",
            "*",
            "--no-sessionid",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            "-w",
            FORMAT,
            "--cacert",
        ])
        .arg(nginx.path("ca.pem"))
        .args(options)
        .args([&nginx.other(scheme), url])
        .output()
        .expect("curl");
    assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let times: Vec<u64> = text
        .lines()
        .last()
        .unwrap()
        .split(' ')
        .map(|time| (time.parse::<f64>().unwrap() * 1e6).round() as u64)
        .collect();
    let [name_lookup, connect, tls, ready, first_byte, total] = times[..] else { panic!("{text}") };
    Cumulative { name_lookup, connect, tls, ready, sent: ready, first_byte, total }
}

fn median(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

fn row(what: &str, all: &[Phases]) {
    let columns: [fn(&Phases) -> u64; 7] =
        [|p| p.name_lookup, |p| p.connect, |p| p.tls, |p| p.send, |p| p.wait, |p| p.transfer, Phases::total];
    let medians = columns.map(|column| median(&mut all.iter().map(column).collect::<Vec<u64>>()));
    println!("{what:<22} {}", medians.map(|median| format!("{median:>8}")).join(" "));
}
