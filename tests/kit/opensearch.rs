//! A real OpenSearch for the tests, and a client to look into it. Elasticsearch itself can be used too: see
//! `LOGATOR_TEST_ELASTICSEARCH`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::needs::given;
use super::process::Process;
use super::{free_port, temp_dir, wait_for};

/// The variable with the folder of an OpenSearch, as `tests/setup/opensearch.sh` makes it.
pub const FOLDER: &str = "LOGATOR_TEST_OPENSEARCH";
/// The variable with the address of a server of the user.
const SERVER: &str = "LOGATOR_TEST_ELASTICSEARCH";

/// The longest time that a node may take to start. It is long, because Java starts slowly on a busy machine.
const START: Duration = Duration::from_secs(180);

/// A client that can look and break things.
#[derive(Clone)]
pub struct Api {
    agent: ureq::Agent,
    /// `http://HOST:PORT`, with a login if the server wants one.
    base: String,
}

impl Api {
    fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(120))).build().into();
        Api { agent, base: base.trim_end_matches('/').to_owned() }
    }

    /// Sends a request that may fail. Returns the status and the answer; `None` if there is no answer.
    pub fn attempt(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        let answer = match body {
            Some(body) => {
                self.agent.run(request.header("content-type", "application/json").body(body.to_string()).ok()?)
            }
            None => self.agent.run(request.body(()).ok()?),
        };
        let mut answer = answer.ok()?;
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Sends a request that must succeed.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) =
            self.attempt(method, path, body).unwrap_or_else(|| panic!("no answer to {method} {path}"));
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Gets what is at `path`.
    pub fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None)
    }

    /// Puts `body` to `path`.
    pub fn put(&self, path: &str, body: &Value) -> Value {
        self.ask("PUT", path, Some(body))
    }

    /// Posts `body` to `path`.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, Some(body))
    }

    /// Returns the number of documents that a search would find in an index; 0 if it is not there.
    pub fn count(&self, index: &str) -> u64 {
        match self.attempt("POST", &format!("/{index}/_refresh"), None) {
            Some((200, _)) => self.get(&format!("/{index}/_count"))["count"].as_u64().expect("a number"),
            Some((404, _)) => 0,
            other => panic!("{index} cannot be refreshed: {other:?}"),
        }
    }

    /// Returns every document of an index or a pattern of indexes, by index and id.
    pub fn documents(&self, index: &str) -> BTreeMap<(String, String), Map<String, Value>> {
        self.post(&format!("/{index}/_refresh"), &json!({}));
        let mut page = self.post(&format!("/{index}/_search?scroll=1m"), &json!({ "size": 10_000, "sort": ["_doc"] }));
        let mut documents = BTreeMap::new();
        loop {
            let hits = page["hits"]["hits"].as_array().map(Vec::as_slice).unwrap_or_default();
            if hits.is_empty() {
                return documents;
            }
            for hit in hits {
                let text = |name: &str| hit[name].as_str().expect("text").to_owned();
                let source = hit["_source"].as_object().expect("an object").clone();
                let twice = documents.insert((text("_index"), text("_id")), source);
                assert!(twice.is_none(), "{hit} was found twice");
            }
            page = self.post("/_search/scroll", &json!({ "scroll": "1m", "scroll_id": page["_scroll_id"] }));
        }
    }

    /// Sets dynamic settings of the cluster until it ends.
    pub fn set_cluster(&self, settings: &Value) {
        self.put("/_cluster/settings", &json!({ "transient": settings }));
    }
}

/// A node of one test, which ends with the test.
pub struct OpenSearch {
    process: Process,
    directory: tempfile::TempDir,
    port: u16,
    settings: Vec<String>,
    api: Api,
}

impl OpenSearch {
    /// Starts a node with these settings (`thread_pool.write.queue_size=1`), and waits until it can be written to.
    pub fn start(settings: &[&str]) -> Self {
        let (directory, port) = (temp_dir(), free_port());
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let log = directory.path().join("log");
        let process = Process::start_logged(&command(directory.path(), port, &settings), &log);
        let api = Api::new(&format!("http://127.0.0.1:{port}"));
        let mut node = OpenSearch { process, directory, port, settings, api };
        node.wait_until_ready();
        node
    }

    /// Returns `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address of a sink. `rest` is INDEX, with options if needed.
    pub fn sink(&self, rest: &str) -> String {
        format!("elasticsearch+http://{}/{rest}", self.host())
    }

    /// Returns a client.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills the node with `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the node again, on the same port and the same files, without waiting until it is ready.
    pub fn start_again(&mut self) {
        let log = self.directory.path().join("log");
        self.process = Process::start_logged(&command(self.directory.path(), self.port, &self.settings), &log);
    }

    /// Waits until the node can be written to.
    pub fn wait_until_ready(&mut self) {
        let log = self.directory.path().join("log");
        let api = self.api.clone();
        wait_until_ready(&mut self.process, &log, &api);
    }
}

fn command(directory: &Path, port: u16, settings: &[String]) -> Command {
    let folder = PathBuf::from(given(FOLDER, "an OpenSearch of its own"));
    let mut command = Command::new("java");
    command.args(["-Xms512m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
    command.arg(format!("{0}/node:{0}/jars/*", folder.display())).arg("OpenSearchNode");
    command.arg(directory.join("node")).arg(port.to_string()).args(settings);
    command
}

fn wait_until_ready(process: &mut Process, log: &Path, api: &Api) {
    wait_for("OpenSearch to answer", START, || {
        process.expect_to_run("OpenSearch", log);
        let (status, health) = api.attempt("GET", "/_cluster/health", None)?;
        (status == 200 && health["status"] != "red").then_some(())
    });
}

/// The node that tests of one process share. It ends with the process, and its folder is then removed.
struct Shared {
    port: u16,
    _process: Process,
}

static SHARED: LazyLock<Mutex<Option<Shared>>> = LazyLock::new(Mutex::default);

fn shared_port() -> u16 {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_with(|| {
        let (directory, port) = (temp_dir().keep(), free_port());
        let log = directory.join("log");
        let mut process = Process::start_logged_and_remove(&command(&directory, port, &[]), &log, &directory);
        wait_until_ready(&mut process, &log, &Api::new(&format!("http://127.0.0.1:{port}")));
        Shared { port, _process: process }
    });
    shared.port
}

/// A server for a test that only stores and reads: the server of `LOGATOR_TEST_ELASTICSEARCH`, or a node that the tests of
/// this process share. Each test has its own names.
pub struct AnyCluster {
    base: String,
    unique: String,
    api: Api,
}

impl AnyCluster {
    /// Finds or starts the server.
    pub fn get() -> Self {
        let base = match std::env::var(SERVER) {
            Ok(base) if !base.is_empty() => base.trim_end_matches('/').to_owned(),
            _ => format!("http://127.0.0.1:{}", shared_port()),
        };
        let unique = format!("logator-test-{}-{:08x}", std::process::id(), fastrand::u32(..));
        AnyCluster { api: Api::new(&base), base, unique }
    }

    /// Returns `NAME` after a part that no other test has, for an index, an alias or a template.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.unique)
    }

    /// Returns the address of a sink. `rest` is INDEX, with options if needed.
    pub fn sink(&self, rest: &str) -> String {
        format!("elasticsearch+{}/{rest}", self.base)
    }

    /// Returns `HOST:PORT`, for a proxy in front.
    pub fn host(&self) -> &str {
        let place = self.base.split_once("://").map_or(self.base.as_str(), |(_, place)| place);
        place.rsplit_once('@').map_or(place, |(_, host)| host)
    }

    /// Returns a client.
    pub fn api(&self) -> &Api {
        &self.api
    }
}

impl Drop for AnyCluster {
    fn drop(&mut self) {
        // A failure is ignored: the test has its result already. A server may forbid to delete by pattern.
        let indexes = self.api.attempt("GET", &format!("/{}*", self.unique), None);
        let names = indexes.and_then(|(_, indexes)| Some(indexes.as_object()?.keys().cloned().collect::<Vec<_>>()));
        self.api.attempt("DELETE", &format!("/_data_stream/{}*", self.unique), None);
        for name in names.unwrap_or_default() {
            self.api.attempt("DELETE", &format!("/{name}"), None);
        }
        self.api.attempt("DELETE", &format!("/_index_template/{}*", self.unique), None);
    }
}
