//! A place for each kind of sink: an address, a look into the store, and ways to disturb it.

use std::io::Read;
use std::path::{Path, PathBuf};

use logator::core::record::RecordId;

use crate::kit::temp_dir;

/// How the contract is checked for one kind of sink.
pub struct Harness {
    /// The name of the kind.
    pub kind: &'static str,
    /// Whether the places need a server.
    pub needs_server: bool,
    /// Addresses that are not opened. If a kind has passwords, one address has the password `hush`.
    pub addresses: &'static [&'static str],
    /// Makes empty stores. Each is another variant of the kind.
    pub places: &'static [fn() -> Box<dyn Place>],
}

/// An empty store.
pub trait Place {
    /// Returns the address of the sink.
    fn address(&self) -> String;

    /// Returns the name that the open sink shows, if it differs from the address.
    fn shown(&self) -> Option<String> {
        None
    }

    /// Returns the `_id` and the message of each document; `None` if the sink keeps none.
    fn stored(&self) -> Option<Vec<(String, String)>> {
        None
    }

    /// Makes the store refuse the document `id` for good. Returns `false` if such a store takes every document.
    fn refuse(&self, _id: RecordId) -> bool {
        false
    }

    /// Makes the store take nothing until the value is dropped; `None` if such a store is never away.
    fn hold(&self) -> Option<Box<dyn std::any::Any>> {
        None
    }

    /// Returns the files that the sink has written.
    fn files(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The harness of each kind, in the order of the registry.
pub const HARNESSES: &[Harness] = &[
    Harness {
        kind: "ndjson",
        needs_server: false,
        addresses: &["-", "ndjson:out.ndjson", "ndjson:/a/b.gz"],
        places: &[
            || InFolder::place("ndjson:", "out.ndjson"),
            || InFolder::place("ndjson:", "out.gz"),
            || InFolder::place("ndjson:", "out.zst"),
        ],
    },
    Harness {
        kind: "sqlite",
        needs_server: false,
        addresses: &["sqlite:a.db?table=logs", "sqlite:/a/b.db?table=x"],
        places: SQLITE,
    },
    Harness {
        kind: "mongodb",
        needs_server: true,
        addresses: &["mongodb://joe:hush@h:1,i:2/d.c?w=1", "mongodb+srv://h/d.c"],
        places: MONGODB,
    },
    Harness {
        kind: "elasticsearch",
        needs_server: false,
        addresses: &[
            "elasticsearch+http://h/l-%{+yyyy.MM.dd}",
            "elasticsearch+https://joe:hush@h:1,i:2/es/l?gzip=false",
            "elasticsearch+https://h/l?apiKey=hush&tlsCAFile=/a/b",
        ],
        places: ELASTICSEARCH,
    },
    Harness {
        kind: "kafka",
        needs_server: false,
        addresses: &[
            "kafka://h/t",
            "kafka://joe:hush@h:1,i:2/t?sasl.mechanism=SCRAM-SHA-512&ssl.ca.location=/a/b&key=[client][ip]",
            "kafka://h/t?format=avro&registry=https://joe:hush%40r:8081&register=false",
        ],
        places: KAFKA,
    },
    #[cfg(feature = "contract-tests")]
    Harness {
        kind: "contract",
        needs_server: false,
        addresses: &["contract:/a/b"],
        places: &[|| InFolder::place("contract:", "out")],
    },
    #[cfg(feature = "contract-tests")]
    Harness {
        kind: "delay",
        needs_server: false,
        addresses: &["delay:50", "delay:0,refuse=1..2.5"],
        places: &[|| Box::new(Nowhere("delay:1"))],
    },
    Harness { kind: "null", needs_server: false, addresses: &["null:"], places: &[|| Box::new(Nowhere("null:"))] },
];

#[cfg(feature = "sqlite")]
const SQLITE: &[fn() -> Box<dyn Place>] = &[|| InFolder::place("sqlite:", "out.db")];
#[cfg(not(feature = "sqlite"))]
const SQLITE: &[fn() -> Box<dyn Place>] = &[];
#[cfg(feature = "elasticsearch")]
const ELASTICSEARCH: &[fn() -> Box<dyn Place>] = &[|| Box::new(bulk::Index::new())];
#[cfg(not(feature = "elasticsearch"))]
const ELASTICSEARCH: &[fn() -> Box<dyn Place>] = &[];
#[cfg(feature = "kafka")]
const KAFKA: &[fn() -> Box<dyn Place>] = &[|| Box::new(topic::Topic::new())];
#[cfg(not(feature = "kafka"))]
const KAFKA: &[fn() -> Box<dyn Place>] = &[];
#[cfg(feature = "mongodb")]
const MONGODB: &[fn() -> Box<dyn Place>] = &[|| Box::new(server::Collection::new())];
#[cfg(not(feature = "mongodb"))]
const MONGODB: &[fn() -> Box<dyn Place>] = &[];

struct Nowhere(&'static str);

impl Place for Nowhere {
    fn address(&self) -> String {
        self.0.to_owned()
    }
}

/// A file in a folder of its own.
struct InFolder {
    folder: tempfile::TempDir,
    scheme: &'static str,
    file: PathBuf,
}

impl InFolder {
    fn place(scheme: &'static str, name: &str) -> Box<dyn Place> {
        let folder = temp_dir();
        let file = folder.path().join(name);
        Box::new(InFolder { folder, scheme, file })
    }
}

fn id_and_message(json: &str) -> (String, String) {
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    match document.get("body") {
        Some(body) => (text(&document["id"]), text(&body["message"])),
        None => (text(&document["_id"]), text(&document["message"])),
    }
}

fn content(path: &Path) -> String {
    let file = std::fs::File::open(path).unwrap();
    let mut text = String::new();
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap(),
        Some("zst") => zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap(),
        _ => { file }.read_to_string(&mut text).unwrap(),
    };
    text
}

impl Place for InFolder {
    fn address(&self) -> String {
        format!("{}{}", self.scheme, self.file.display())
    }

    fn stored(&self) -> Option<Vec<(String, String)>> {
        Some(match self.scheme {
            "sqlite:" => rows(&self.file),
            _ => content(&self.file).lines().map(id_and_message).collect(),
        })
    }

    fn refuse(&self, id: RecordId) -> bool {
        self.scheme == "sqlite:" && refuse_row(&self.file, id)
    }

    fn hold(&self) -> Option<Box<dyn std::any::Any>> {
        (self.scheme == "sqlite:").then(|| locked(&self.file))
    }

    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| file.unwrap().path().to_str().unwrap().to_owned()).collect()
    }
}

#[cfg(feature = "sqlite")]
use self::database::{locked, refuse_row, rows};

#[cfg(feature = "sqlite")]
mod database {
    use std::any::Any;
    use std::path::Path;

    use logator::core::record::RecordId;
    use rusqlite::Connection;

    use super::id_and_message;

    pub fn rows(file: &Path) -> Vec<(String, String)> {
        let database = Connection::open(file).unwrap();
        let mut query = database.prepare("SELECT doc FROM logs WHERE doc->>'_id' = _id").unwrap();
        let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|row| id_and_message(&row.unwrap())).collect()
    }

    pub fn refuse_row(file: &Path, id: RecordId) -> bool {
        let trigger = format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON logs WHEN new._id = '{id}' BEGIN SELECT RAISE(ABORT, 'too odd'); END"
        );
        Connection::open(file).unwrap().execute_batch(&trigger).is_ok()
    }

    /// Another connection holds the lock as long as the value lives.
    pub fn locked(file: &Path) -> Box<dyn Any> {
        let database = Connection::open(file).unwrap();
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        Box::new(database)
    }
}

#[cfg(not(feature = "sqlite"))]
use self::without_database::{locked, refuse_row, rows};

#[cfg(not(feature = "sqlite"))]
mod without_database {
    use std::any::Any;
    use std::path::Path;

    use logator::core::record::RecordId;

    pub fn rows(_file: &Path) -> Vec<(String, String)> {
        Vec::new()
    }

    pub fn refuse_row(_file: &Path, _id: RecordId) -> bool {
        false
    }

    pub fn locked(_file: &Path) -> Box<dyn Any> {
        Box::new(())
    }
}

#[cfg(feature = "elasticsearch")]
mod bulk;

#[cfg(feature = "mongodb")]
mod server {
    use std::any::Any;
    use std::rc::Rc;

    use logator::core::record::RecordId;
    use mongodb_driver::bson::doc;

    use super::Place;
    use crate::kit::mongod::{Admin, Mongod};
    use ::mongodb as mongodb_driver;

    /// A collection of a server of its own.
    pub struct Collection {
        server: Mongod,
        admin: Rc<Admin>,
    }

    impl Collection {
        pub fn new() -> Collection {
            let server = Mongod::standalone();
            let admin = Rc::new(server.admin());
            Collection { server, admin }
        }
    }

    /// Lets the server take inserts again.
    struct Held(Rc<Admin>);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.run("admin", doc! { "configureFailPoint": "failCommand", "mode": "off" });
        }
    }

    impl Place for Collection {
        fn address(&self) -> String {
            self.server.uri("logs.access")
        }

        fn stored(&self) -> Option<Vec<(String, String)>> {
            let ids = self.admin.contents("logs", "access").into_keys();
            let message = |id: &str| {
                let document = self.admin.find_one("logs", "access", doc! { "_id": id }).unwrap();
                document.get_str("message").unwrap().to_owned()
            };
            Some(ids.map(|id| (id.clone(), message(&id))).collect())
        }

        fn refuse(&self, id: RecordId) -> bool {
            let validator = doc! { "_id": { "$ne": id.to_string() } };
            self.admin.run("logs", doc! { "create": "access", "validator": validator });
            true
        }

        fn hold(&self) -> Option<Box<dyn Any>> {
            self.admin.fail_inserts(i32::MAX, doc! { "errorCode": 91 });
            Some(Box::new(Held(Rc::clone(&self.admin))))
        }
    }
}

#[cfg(feature = "kafka")]
mod topic;
