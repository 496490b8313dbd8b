//! A real schema registry for the tests, and a client to look into it.

use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::needs::given;
use super::process::Process;
use super::{free_port, temp_dir, wait_for};

/// The variable with the folder of a registry, as `tests/setup/registry.sh` makes it.
const FOLDER: &str = "LOGATOR_TEST_REGISTRY_HOME";
/// The variable with the address of a registry of the user.
const SERVER: &str = "LOGATOR_TEST_REGISTRY";

/// The longest time that a registry may take to start. It is long, because Java starts slowly on a busy machine.
const START: Duration = Duration::from_secs(180);

/// The type of the bodies of this API.
const JSON: &str = "application/vnd.schemaregistry.v1+json";

/// The registry that tests of one process share. It ends with the process, and its folder is then removed.
struct Shared {
    port: u16,
    _process: Process,
}

static SHARED: LazyLock<Mutex<Option<Shared>>> = LazyLock::new(Mutex::default);

fn shared_base() -> String {
    let base = |port: u16| format!("http://127.0.0.1:{port}/apis/ccompat/v7");
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_with(|| {
        let folder = std::path::PathBuf::from(given(FOLDER, "a schema registry"));
        let (directory, port) = (temp_dir().keep(), free_port());
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dquarkus.http.host=127.0.0.1"]);
        command.arg(format!("-Dquarkus.http.port={port}")).arg("-jar").arg(folder.join("registry.jar"));
        command.current_dir(&directory);
        let log = directory.join("log");
        let mut process = Process::start_logged_and_remove(&command, &log, &directory);
        let agent = agent();
        wait_for("the registry to answer", START, || {
            process.expect_to_run("the registry", &log);
            agent.get(format!("{}/subjects", base(port))).call().ok().filter(|answer| answer.status() == 200).map(drop)
        });
        Shared { port, _process: process }
    });
    base(shared.port)
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(60))).build().into()
}

/// A registry for a test: the one of `LOGATOR_TEST_REGISTRY`, or one that the tests of this process share. Each test has its
/// own subjects, which are named after its topics.
pub struct Registry {
    base: String,
    agent: ureq::Agent,
}

impl Registry {
    /// Finds or starts the registry.
    pub fn get() -> Self {
        let base = match std::env::var(SERVER) {
            Ok(base) if !base.is_empty() => base.trim_end_matches('/').to_owned(),
            _ => shared_base(),
        };
        Registry { base, agent: agent() }
    }

    /// Returns `http://HOST:PORT/PATH`, as the option `registry` takes it.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Returns `HOST:PORT`, for a proxy in front.
    pub fn host(&self) -> &str {
        let place = self.base.split_once("://").map_or(self.base.as_str(), |(_, place)| place);
        place.split_once('/').map_or(place, |(host, _)| host)
    }

    /// Sends a request, and returns the status and the answer.
    pub fn attempt(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("accept", JSON);
        let answer = match body {
            Some(body) => {
                self.agent.run(request.header("content-type", JSON).body(body.to_string()).expect("a request"))
            }
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = answer.body_mut().read_to_string().expect("text");
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.attempt(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Registers a schema for the values of a topic, and returns its id.
    pub fn register(&self, topic: &str, schema: &Value) -> u32 {
        let body = json!({ "schema": schema.to_string() });
        let answer = self.ask("POST", &format!("/subjects/{topic}-value/versions"), Some(&body));
        answer["id"].as_u64().expect("an id") as u32
    }

    /// Makes the registry refuse schemas for a topic that cannot read what the one before has written. The topic has a schema.
    pub fn demand_backward(&self, topic: &str) {
        self.ask("PUT", &format!("/config/{topic}-value"), Some(&json!({ "compatibility": "BACKWARD" })));
    }

    /// Returns the numbers of the versions of the schema of a topic; none if there is no such subject.
    pub fn versions(&self, topic: &str) -> Vec<u64> {
        match self.attempt("GET", &format!("/subjects/{topic}-value/versions"), None) {
            (200, answer) => answer.as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
            (404, _) => Vec::new(),
            other => panic!("{topic}: {other:?}"),
        }
    }

    /// Returns the schema with this id.
    pub fn schema(&self, id: u32) -> Value {
        let answer = self.ask("GET", &format!("/schemas/ids/{id}"), None);
        serde_json::from_str(answer["schema"].as_str().expect("a schema")).expect("JSON")
    }

    /// Removes the schemas of a topic. A failure is ignored: it is done at the end of a test.
    pub fn remove(&self, topic: &str) {
        self.attempt("DELETE", &format!("/subjects/{topic}-value"), None);
    }
}
