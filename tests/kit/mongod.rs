//! A real `mongod` for one test, and a client to look into it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::{Client, Database};
use tokio::runtime::Runtime;

use super::needs::given;
use super::process::Process;
use super::{PATIENCE, free_port, temp_dir, wait_for};

/// The variable with the path of a mongod.
pub const BINARY: &str = "LOGATOR_TEST_MONGOD";
const SERVER: &str = "LOGATOR_TEST_MONGODB";

/// The kind of server to start.
#[derive(Default, Clone)]
pub struct Setup {
    /// The server is a replica set with this one member.
    pub replica_set: bool,
    /// The server asks for logins.
    pub auth: bool,
    /// More options.
    pub options: Vec<String>,
    /// The options of an address that the kit's own client needs (`tls=true&…`).
    pub client_options: String,
}

/// A server of one test, which ends with the test.
pub struct Mongod {
    process: Process,
    directory: tempfile::TempDir,
    port: u16,
    setup: Setup,
}

impl Mongod {
    /// Starts a single server.
    pub fn standalone() -> Self {
        Mongod::start(Setup::default())
    }

    /// Starts a replica set of one member, which is its own majority.
    pub fn replica_set() -> Self {
        Mongod::start(Setup { replica_set: true, ..Setup::default() })
    }

    /// Starts a server and waits until it answers; a replica set, until it can be written to.
    pub fn start(setup: Setup) -> Self {
        let directory = temp_dir();
        let port = free_port();
        let process = launch(directory.path(), port, &setup);
        let mut server = Mongod { process, directory, port, setup };
        server.wait_until_it_answers();
        if server.setup.replica_set {
            let members = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": server.host() }] };
            server.admin().run("admin", doc! { "replSetInitiate": members });
            server.wait_until_writable();
        }
        server
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the address where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.host().parse().expect("an address")
    }

    /// Returns the address of a collection. `rest` is `DB.COLLECTION`, with options if needed.
    pub fn uri(&self, rest: &str) -> String {
        format!("mongodb://{}/{rest}", self.host())
    }

    /// Returns a client that can look and break things.
    pub fn admin(&self) -> Admin {
        Admin::connect(&format!("{}?directConnection=true&{}", self.uri(""), self.setup.client_options))
    }

    /// Returns the process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills the server with `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the server again, on the same port and the same files.
    pub fn restart(&mut self) {
        self.process = launch(self.directory.path(), self.port, &self.setup);
        self.wait_until_it_answers();
        if self.setup.replica_set {
            self.wait_until_writable();
        }
    }

    /// Waits until a replica set has a primary.
    pub fn wait_until_writable(&self) {
        let admin = self.admin();
        wait_for("a primary", PATIENCE, || {
            let hello = admin.try_run("admin", doc! { "hello": 1 }).ok()?;
            hello.get_bool("isWritablePrimary").ok()?.then_some(())
        });
    }

    fn wait_until_it_answers(&mut self) {
        let admin = self.admin();
        let log = self.directory.path().join("log");
        wait_for("mongod to answer", PATIENCE, || {
            self.process.expect_to_run("mongod", &log);
            admin.try_run("admin", doc! { "ping": 1 }).ok()
        });
    }
}

fn launch(directory: &Path, port: u16, setup: &Setup) -> Process {
    let data = directory.join("data");
    std::fs::create_dir_all(&data).expect("a data directory");
    let mut command = Command::new(binary());
    command.arg("--dbpath").arg(data).arg("--logpath").arg(directory.join("log")).arg("--logappend");
    command.args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"]);
    command.arg("--port").arg(port.to_string());
    // This allows failCommand and similar commands.
    command.args(["--setParameter", "enableTestCommands=1"]);
    command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
    if setup.replica_set {
        command.args(["--replSet", "rs0"]);
    }
    if setup.auth {
        command.arg("--auth");
    }
    command.args(&setup.options);
    Process::start_quiet(&command)
}

fn binary() -> PathBuf {
    let path = PathBuf::from(given(BINARY, "a mongod of its own"));
    assert!(path.is_file(), "{BINARY}={} is no file", path.display());
    path
}

/// A server for a test that only stores and reads: the server of `LOGATOR_TEST_MONGODB`, or a server of its own. Each
/// test gets its own database.
pub struct AnyServer {
    base: String,
    options: String,
    database: String,
    _own: Option<Mongod>,
}

impl AnyServer {
    /// Finds or starts the server.
    pub fn get() -> Self {
        let unique = format!("logator_test_{}_{}", std::process::id(), fastrand::u32(..));
        match std::env::var(SERVER) {
            Ok(uri) => {
                let (base, options) = uri.split_once('?').unwrap_or((&uri, ""));
                let base = base.trim_end_matches('/').to_owned();
                AnyServer { base, options: options.to_owned(), database: unique, _own: None }
            }
            Err(_) => {
                let own = Mongod::standalone();
                let base = format!("mongodb://{}", own.host());
                AnyServer { base, options: String::new(), database: unique, _own: Some(own) }
            }
        }
    }

    /// Returns this test's database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the address of a collection in this test's database.
    pub fn uri(&self, collection: &str) -> String {
        format!("{}/{}.{collection}?{}", self.base, self.database, self.options)
    }

    /// Returns a client that can look.
    pub fn admin(&self) -> Admin {
        Admin::connect(&format!("{}/?{}", self.base, self.options))
    }
}

impl Drop for AnyServer {
    fn drop(&mut self) {
        if self._own.is_none() {
            // A failure is ignored: the test has its result already.
            let _ = self.admin().try_run(&self.database.clone(), doc! { "dropDatabase": 1 });
        }
    }
}

/// A blocking client.
pub struct Admin {
    client: Client,
    runtime: Runtime,
}

impl Admin {
    /// Makes a client for `uri`, which connects when it is first used.
    pub fn connect(uri: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // The kit joins options without a check whether there are any.
        let uri = uri.trim_end_matches(['?', '&']);
        let client = runtime.block_on(async { Client::with_uri_str(uri).await });
        let client = client.unwrap_or_else(|error| panic!("{uri}: {error}"));
        Admin { client, runtime }
    }

    /// Runs a command that must succeed.
    pub fn run(&self, database: &str, command: Document) -> Document {
        self.try_run(database, command).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command that may fail.
    pub fn try_run(&self, database: &str, command: Document) -> mongodb::error::Result<Document> {
        let database: Database = self.client.database(database);
        self.runtime.block_on(database.run_command(command).into_future())
    }

    /// Returns the number of documents in a collection.
    pub fn count(&self, database: &str, collection: &str) -> u64 {
        let collection = self.client.database(database).collection::<Document>(collection);
        self.runtime.block_on(collection.count_documents(doc! {}).into_future()).unwrap()
    }

    /// Returns the number of documents in a collection as the server notes it: at once, and not exactly after a crash. `None` when the
    /// server does not answer.
    pub fn rough_count(&self, database: &str, collection: &str) -> Option<u64> {
        let reply = self.try_run(database, doc! { "count": collection }).ok()?;
        reply.get("n").and_then(|n| n.as_i32().map(i64::from).or(n.as_i64())).map(|n| n as u64)
    }

    /// Returns every document of a collection: its `_id` and a hash of all of its bytes.
    pub fn contents(&self, database: &str, collection: &str) -> BTreeMap<String, u64> {
        let collection = self.client.database(database).collection::<RawDocumentBuf>(collection);
        self.runtime.block_on(async {
            let mut cursor = collection.find(doc! {}).batch_size(10_000).await.unwrap();
            let mut contents = BTreeMap::new();
            while cursor.advance().await.unwrap() {
                let document = cursor.current();
                let id = document.get_str("_id").expect("ids are text").to_owned();
                contents.insert(id, xxhash_rust::xxh3::xxh3_64(document.as_bytes()));
            }
            contents
        })
    }

    /// Returns one document.
    pub fn find_one(&self, database: &str, collection: &str, filter: Document) -> Option<Document> {
        let collection = self.client.database(database).collection::<Document>(collection);
        self.runtime.block_on(collection.find_one(filter).into_future()).unwrap()
    }

    /// Makes the next `times` inserts fail in the way `data` says (`errorCode`, `closeConnection`, `writeConcernError`).
    pub fn fail_inserts(&self, times: i32, mut data: Document) {
        data.insert("failCommands", ["insert"].map(String::from).to_vec());
        self.run("admin", doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data });
    }
}
