//! The files of a round, the faults of these files, and their content at the end.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;

use logator::source::origin::OriginRule;
use rusqlite::Connection;
use serde_json::{Map, Value};

use super::oracle::{Content, Cuts, Found, Store};
use super::pipe::Pipe;
use super::plan::{Fault, Mode, PATTERN, Plan, Shape, SinkKind, UNWELCOME, Unmatched};
use crate::kit::disk::Disk;
use crate::kit::logs::{gzip, zstd};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, program};

/// A folder with the programs to try instead of the built ones, such as an older release.
const PROGRAMS: &str = "LOGATOR_ACCOUNTS_BIN";

/// A document of the test itself, with which other documents collide.
const OURS: &str = "ours";

pub struct World {
    pub plan: Plan,
    pub pipe: Option<Pipe>,
    disk: Option<Disk>,
    /// This field comes after `pipe` and `disk`, so it is dropped after them: their files are in this folder.
    pub place: Workspace,
    /// The command lines so far, which are shown for a round that failed.
    pub commands: RefCell<Vec<String>>,
}

impl World {
    /// Makes the files of a plan.
    pub fn new(plan: Plan) -> World {
        let place = Workspace::new();
        fs::create_dir(place.path("in")).unwrap();
        let room = match plan.fault() {
            Some(Fault::DiskFull) => Some(fastrand::Rng::with_seed(plan.seed).u64(64..500)),
            Some(Fault::StateFull) => Some(512),
            _ => None,
        };
        fs::create_dir(place.path("disk")).unwrap();
        let disk = room.and_then(|room| Disk::new(&place.path("disk"), room));
        let pipe = plan.sinks.contains(&SinkKind::Pipe).then(|| Pipe::new(&place.path("out0.pipe")));
        let world = World { plan, place, disk, pipe, commands: RefCell::default() };
        for file in &world.plan.files {
            world.write(&file.name, &file.bytes, &file.shape);
        }
        if world.plan.refuses() {
            world.make_it_refuse();
        }
        world
    }

    fn write(&self, name: &str, bytes: &[u8], shape: &Shape) {
        match shape {
            Shape::Plain | Shape::Growing { .. } => self.place.write(&format!("in/{name}"), bytes),
            Shape::Gzip { members } => {
                let size = (bytes.len() / members).max(1);
                let members: Vec<u8> = bytes.chunks(size).flat_map(gzip).collect();
                self.place.write(&format!("in/{name}.gz"), if bytes.is_empty() { gzip(bytes) } else { members })
            }
            Shape::Zstd => self.place.write(&format!("in/{name}.zst"), zstd(bytes)),
            Shape::Link => {
                let target = self.place.write(&format!("elsewhere/{name}"), bytes);
                let link = self.place.path(&format!("in/{name}"));
                fs::create_dir_all(link.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(target, &link).unwrap();
                link
            }
        };
    }

    /// Returns the contents of the files with an end; for growing files, their present content.
    pub fn contents(&self, whole: bool) -> Vec<Content> {
        let content = |file: &super::plan::File| {
            let mut bytes = file.bytes.clone();
            let required = bytes.len();
            let mut cuts = Cuts::default();
            if let Shape::Growing { later } = &file.shape {
                bytes.extend_from_slice(later);
                cuts = Cuts::Beyond(required);
            }
            let rule = if self.plan.by_path { OriginRule::Path } else { OriginRule::Fingerprint };
            let ending = match file.shape {
                Shape::Gzip { .. } => ".gz",
                Shape::Zstd => ".zst",
                _ => "",
            };
            let folder = fs::canonicalize(self.place.path("in")).unwrap();
            let path = folder.join(format!("{}{ending}", file.name));
            let origin = rule.id(Some(&path), &bytes);
            Content { origin, required: if whole { bytes.len() } else { required }, bytes, cuts, times: 1 }
        };
        self.plan.files.iter().map(content).collect()
    }

    /// Appends to the growing files.
    pub fn grow(&self) {
        for file in &self.plan.files {
            if let Shape::Growing { later } = &file.shape {
                let mut open =
                    fs::File::options().append(true).open(self.place.path(&format!("in/{}", file.name))).unwrap();
                open.write_all(later).unwrap();
            }
        }
    }

    // ---- Commands ---------------------------------------------------------------------------------------------------

    /// Returns the arguments that say how to parse and where to store.
    pub fn work_arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["-p", PATTERN].map(String::from).to_vec();
        if self.plan.mode != Mode::Spawn {
            arguments.extend(["-j".to_owned(), self.plan.jobs.to_string()]);
        }
        let unmatched = match self.plan.unmatched {
            Unmatched::Keep => "keep",
            Unmatched::DeadLetter => "dead-letter",
            Unmatched::Drop => "drop",
        };
        arguments.extend(["--unmatched", unmatched].map(String::from));
        for index in 0..self.plan.sinks.len() {
            let scheme = if self.plan.sinks[index] == SinkKind::Sqlite { "sqlite:" } else { "ndjson:" };
            arguments.extend(["--to".to_owned(), format!("{scheme}{}", self.sink_name(index))]);
        }
        arguments.extend(self.letters_arguments());
        if self.plan.trouble.is_some_and(|trouble| trouble.to_the_end) {
            arguments.extend(["--sink-deadline", "5"].map(String::from));
        }
        arguments
    }

    /// Returns the arguments that say how to read.
    pub fn source_arguments(&self) -> Vec<String> {
        let plan = &self.plan;
        let mut arguments: Vec<String> =
            ["--batch-lines", &plan.batch_lines.to_string(), "--max-line", &plan.max_line.to_string()]
                .map(String::from)
                .to_vec();
        if let Some(memory) = plan.max_memory {
            arguments.extend(["--max-memory", memory].map(String::from));
        }
        if plan.by_path {
            arguments.extend(["--origin", "path"].map(String::from));
        }
        if plan.state {
            let on_disk = plan.fault() == Some(Fault::StateFull);
            let state = if on_disk { "disk/state".to_owned() } else { self.own("state") };
            arguments.extend(["--state".to_owned(), state]);
        }
        if plan.mode == Mode::Spawn {
            arguments.extend(self.letters_arguments());
        }
        arguments
    }

    fn letters_arguments(&self) -> [String; 2] {
        ["--dead-letters".to_owned(), self.letters_name()]
    }

    /// Returns the file of dead letters, which both workers and their queue write.
    fn letters_name(&self) -> String {
        let beside = self.plan.mode == Mode::Queue;
        if beside { "dead-letters.ndjson".to_owned() } else { self.own("dead-letters.log.ndjson") }
    }

    /// Returns the path of a file of the job itself: among the inputs or besides them.
    pub fn own(&self, name: &str) -> String {
        if self.plan.own_inside { format!("in/{name}") } else { name.to_owned() }
    }

    /// Returns a command of `name` that runs in the folder of the files. `input` becomes its standard input.
    pub fn command(&self, name: &str, arguments: &[String], input: Option<&str>) -> Command {
        let path = match std::env::var_os(PROGRAMS) {
            Some(folder) => PathBuf::from(folder).join(name),
            None => program(name),
        };
        let mut words: Vec<String> = self.disk.as_ref().map_or(Vec::new(), |disk| disk.enter(&self.place.path(".")));
        if let Some(input) = input {
            words.extend(["sh", "-c", &format!("exec \"$0\" \"$@\" < {input}")].map(String::from));
        }
        words.push(path.display().to_string());
        words.extend_from_slice(arguments);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.place.path("."));
        let quoted: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
        let input = input.map_or(String::new(), |input| format!(" < {input}"));
        self.tell(format!("{name} {}{input}", quoted.join(" ")));
        command
    }

    /// Notes a step, for people who have to understand a failed round.
    pub fn tell(&self, what: String) {
        self.commands.borrow_mut().push(what);
    }

    // ---- Faults -----------------------------------------------------------------------------------------------------

    /// Breaks the plan's target. The fault ends when the returned value is dropped.
    pub fn breaks(&self) -> Option<Broken<'_>> {
        self.tell(format!("# {:?}", self.plan.trouble?));
        match self.plan.fault()? {
            Fault::Locked => {
                let database = Connection::open(self.sink_path(self.plan.database()?)).unwrap();
                database.busy_timeout(PATIENCE).unwrap();
                database.execute_batch("BEGIN IMMEDIATE").unwrap();
                Some(Broken::Locked(database))
            }
            Fault::LettersLocked => {
                let file = fs::File::options().create(true).append(true).open(self.letters_path()).unwrap();
                file.lock().unwrap();
                Some(Broken::Letters(file))
            }
            Fault::StateFull => self.disk.as_ref().map(|disk| {
                disk.fill();
                Broken::Full(disk)
            }),
            Fault::Slow => self.pipe.as_ref().map(|pipe| {
                pipe.stall();
                Broken::Slow(pipe)
            }),
            _ => None,
        }
    }

    /// Ends all disturbances.
    pub fn calm(&self) {
        if let Some(pipe) = &self.pipe {
            pipe.release();
        }
        if let (Some(disk), Some(Fault::DiskFull)) = (&self.disk, self.plan.fault()) {
            disk.resize(64 << 10);
        }
    }

    fn make_it_refuse(&self) {
        let Some(index) = self.plan.database() else { return };
        let database = Connection::open(self.sink_path(index)).unwrap();
        let refusing = match self.plan.fault() {
            Some(Fault::Refusing) => format!(
                "CREATE TRIGGER refuses BEFORE INSERT ON logs WHEN NEW.doc LIKE '%{UNWELCOME}%'
                 BEGIN SELECT RAISE(ABORT, 'not here'); END;"
            ),
            _ => format!(
                "CREATE UNIQUE INDEX one ON logs(CASE WHEN doc LIKE '%{UNWELCOME}%' THEN 1 END);
                 INSERT INTO logs VALUES('{OURS}', '{{\"line\":\"{UNWELCOME}\"}}');"
            ),
        };
        let table = "PRAGMA journal_mode=WAL; CREATE TABLE logs(_id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;";
        database.execute_batch(&format!("{table}{refusing}")).unwrap();
    }

    // ---- Results ----------------------------------------------------------------------------------------------------

    fn sink_name(&self, index: usize) -> String {
        let ending = match self.plan.sinks[index] {
            SinkKind::Ndjson => "ndjson",
            SinkKind::Gzip => "ndjson.gz",
            SinkKind::Sqlite => "db",
            SinkKind::Pipe => return format!("out{index}.pipe"),
        };
        let name = format!("out{index}.log.{ending}");
        if index == 0 && self.plan.fault() == Some(Fault::DiskFull) {
            return format!("disk/{name}");
        }
        // A queue cannot know the sinks of workers that others start.
        if self.plan.mode == Mode::Queue { name } else { self.own(&name) }
    }

    fn sink_path(&self, index: usize) -> PathBuf {
        let name = self.sink_name(index);
        match (&self.disk, name.strip_prefix("disk/")) {
            (Some(disk), Some(name)) => disk.path(name),
            _ => self.place.path(&name),
        }
    }

    /// Returns the number of documents in the first sink.
    pub fn documents(&self) -> u64 {
        let lines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
        match (self.plan.sinks[0], &self.pipe) {
            (SinkKind::Pipe, Some(pipe)) => pipe.lines(),
            (SinkKind::Sqlite, _) => self.count_rows(0).unwrap_or(0),
            _ => fs::read(self.sink_path(0)).map_or(0, |bytes| lines(&bytes)),
        }
    }

    fn count_rows(&self, index: usize) -> rusqlite::Result<u64> {
        let database = self.read_database(index)?;
        database
            .query_row("SELECT count(*) FROM logs WHERE _id <> ?1", [OURS], |row| row.get::<_, i64>(0))
            .map(|n| n as u64)
    }

    fn read_database(&self, index: usize) -> rusqlite::Result<Connection> {
        let mut path = self.sink_path(index);
        if path.starts_with("/proc") {
            // SQLite resolves the path, and then looks for it in the wrong namespace.
            let copy = self.place.path("copy.db");
            for ending in ["", "-wal"] {
                let copy = self.place.path(&format!("copy.db{ending}"));
                let _ = fs::remove_file(&copy);
                let _ = fs::copy(format!("{}{ending}", path.display()), copy);
            }
            path = copy;
        }
        Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Returns the content of each sink. Nobody may write meanwhile.
    pub fn stores(&self) -> Vec<Store> {
        let refusing = if self.plan.refuses() { self.plan.database() } else { None };
        let store = |index: usize| Store {
            name: self.sink_name(index),
            knows: self.plan.sinks[index] == SinkKind::Sqlite,
            refuses: refusing == Some(index),
            found: self.count(&self.sink_objects(index)),
        };
        (0..self.plan.sinks.len()).map(store).collect()
    }

    fn sink_objects(&self, index: usize) -> Vec<Value> {
        let read = || fs::read(self.sink_path(index)).unwrap_or_default();
        match self.plan.sinks[index] {
            SinkKind::Ndjson => objects(&read()),
            SinkKind::Gzip => {
                let mut bytes = Vec::new();
                // The last line of a killed program may lack its end.
                let _ = flate2::read::MultiGzDecoder::new(&read()[..]).read_to_end(&mut bytes);
                objects(&bytes)
            }
            SinkKind::Pipe => objects(&self.pipe.as_ref().map_or(Vec::new(), Pipe::all)),
            SinkKind::Sqlite => self.rows(index).unwrap_or_default(),
        }
    }

    fn rows(&self, index: usize) -> rusqlite::Result<Vec<Value>> {
        let database = self.read_database(index)?;
        let mut rows = database.prepare("SELECT _id, doc FROM logs WHERE _id <> ?1")?;
        let rows = rows.query_map([OURS], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let object = |(id, doc): (String, String)| {
            let mut object: Value = serde_json::from_str(&doc).unwrap_or_else(|_| Value::Object(Map::new()));
            object["_id"] = Value::String(id);
            object
        };
        Ok(rows.flatten().map(object).collect())
    }

    /// Returns the ids of all documents and letters that say that they are parts of lines.
    pub fn parts(&self) -> BTreeSet<String> {
        let stored = (0..self.plan.sinks.len()).flat_map(|index| self.sink_objects(index));
        let is_part = |object: &Value| {
            let tagged = object["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "_partial"));
            tagged || object["partial"] == true
        };
        let parts = stored.chain(self.letter_objects()).filter(is_part);
        parts.filter_map(|object| Some(object["_id"].as_str()?.to_owned())).collect()
    }

    /// Returns the dead letters.
    pub fn letters(&self) -> Found {
        self.count(&self.letter_objects())
    }

    fn letter_objects(&self) -> Vec<Value> {
        objects(&fs::read(self.letters_path()).unwrap_or_default())
    }

    fn letters_path(&self) -> PathBuf {
        self.place.path(&self.letters_name())
    }

    fn count(&self, objects: &[Value]) -> Found {
        let mut found = BTreeMap::new();
        objects.iter().filter_map(|object| self.key(object)).for_each(|key| *found.entry(key).or_default() += 1);
        found
    }

    /// Returns the key of a document or letter.
    fn key(&self, object: &Value) -> Option<String> {
        if !self.plan.by_text() {
            return Some(object["_id"].as_str()?.to_owned());
        }
        let text = ["line", "message", "raw"].iter().find_map(|field| object[field].as_str())?;
        Some(text_key(text))
    }
}

/// Returns the key of a line that came over the network: its first words, with its number and its sender.
pub fn text_key(text: &str) -> String {
    let start = ["row ", "odd "].iter().filter_map(|word| text.find(word)).min().unwrap_or(0);
    text[start..].split(' ').take(4).collect::<Vec<_>>().join(" ")
}

/// Returns the objects of NDJSON text. A killed program may have left half a line.
fn objects(text: &[u8]) -> Vec<Value> {
    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Something that is broken until this value is dropped.
pub enum Broken<'a> {
    /// The database stays locked until this connection is closed.
    Locked(#[allow(dead_code, reason = "held")] Connection),
    /// The file stays locked until it is closed.
    Letters(#[allow(dead_code, reason = "held")] fs::File),
    Full(&'a Disk),
    Slow(&'a Pipe),
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        match self {
            // Both locks end with their holders.
            Broken::Locked(_) | Broken::Letters(_) => {}
            Broken::Full(disk) => disk.empty(),
            Broken::Slow(pipe) => pipe.release(),
        }
    }
}
