//! kcat, a client of Kafka that is independent of this project: it writes what sources read, and reads what sinks write.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// A record of a topic, as kcat shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number of its partition.
    pub partition: i32,
    /// Its number in the partition.
    pub offset: i64,
    /// Its time in milliseconds since 1970.
    pub timestamp: i64,
    /// Its key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Its value; a tombstone has none.
    pub value: Option<Vec<u8>>,
    /// The names and values of its headers, in their order.
    pub headers: Vec<(String, String)>,
}

impl Record {
    /// Returns the value as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().expect("a value")).expect("UTF-8")
    }

    /// Returns the value as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("{}: {error}", self.text()))
    }

    /// Returns the value of the header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The command for one broker.
#[derive(Debug, Clone)]
pub struct Kcat {
    host: String,
}

impl Kcat {
    /// Returns the command for the broker at `HOST:PORT`.
    pub fn new(host: &str) -> Self {
        Kcat { host: host.to_owned() }
    }

    /// Whether the broker answers what it has, within two seconds.
    pub fn answers(&self) -> bool {
        // Without a topic, an answer comes as soon as the broker can give one.
        let ran = self.command(&["-L", "-m", "2"]).stdin(Stdio::null()).output();
        let ran = ran.unwrap_or_else(|error| panic!("this test needs kcat: run ./test ({error})"));
        let said = String::from_utf8_lossy(&ran.stdout);
        ran.status.success() && !said.contains(" 0 brokers")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kcat");
        command.args(["-b", &self.host]).args(arguments);
        command
    }

    /// Runs kcat to its end with this input, and returns its output. It must succeed.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("this test needs kcat: run ./test ({error})"));
        let mut stdin = child.stdin.take().expect("its input is ours");
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input).ok());
            child.wait_with_output().expect("its output")
        });
        assert!(output.status.success(), "kcat {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Writes each line of `lines` as a record of `topic`. `more` are options: `-p 1` is a partition, `-H a=b` a header,
    /// `-K :` separates keys, `-Z` makes records without a value of empty lines.
    pub fn produce(&self, topic: &str, more: &[&str], lines: &[u8]) {
        self.run(&[&["-P", "-t", topic], more].concat(), lines);
    }

    /// Writes one record with any bytes as its value.
    pub fn produce_bytes(&self, topic: &str, more: &[&str], value: &[u8]) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(value).expect("it is written");
        let path = file.path().to_str().expect("a path of UTF-8");
        // A file that is named becomes one record.
        self.run(&[&["-P", "-t", topic], more, &[path]].concat(), b"");
    }

    /// Returns all committed records of a topic, ordered by partition and offset.
    pub fn consume(&self, topic: &str) -> Vec<Record> {
        self.consume_with(topic, &[])
    }

    /// Like [`Kcat::consume`] with more options (`-X isolation.level=read_uncommitted`).
    pub fn consume_with(&self, topic: &str, more: &[&str]) -> Vec<Record> {
        let format = "%p %o %T %K %S %h\n%k%s\n";
        let all = ["-C", "-t", topic, "-e", "-q", "-o", "beginning", "-X", "fetch.wait.max.ms=50", "-f", format];
        let output = self.run(&[&all, more].concat(), b"");
        let mut records = records(&output);
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }
}

/// Reads the records from what kcat prints. Each begins with a line of numbers and headers, so that keys and values may
/// contain anything.
fn records(mut output: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while !output.is_empty() {
        let end = output.iter().position(|&byte| byte == b'\n').expect("a line of numbers");
        let head = std::str::from_utf8(&output[..end]).expect("UTF-8 in the headers");
        let parts: Vec<&str> = head.splitn(6, ' ').collect();
        let number = |at: usize| parts[at].parse::<i64>().unwrap_or_else(|error| panic!("{head}: {error}"));
        output = &output[end + 1..];
        let mut take = |length: i64| {
            let (taken, rest) = output.split_at(length.max(0) as usize);
            output = rest;
            (length >= 0).then(|| taken.to_vec())
        };
        let (key, value) = (take(number(3)), take(number(4)));
        assert_eq!(take(1).as_deref(), Some(&b"\n"[..]), "kcat's output ends early");
        let headers = parts[5].split(',').filter_map(|pair| pair.split_once('='));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (partition, offset, timestamp) = (number(0) as i32, number(1), number(2));
        records.push(Record { partition, offset, timestamp, key, value, headers });
    }
    records
}

#[test]
fn records_are_read_whatever_they_contain() {
    let output = b"0 7 12 -1 5 logator-id=ab,x=y z\na\nb\0c\n1 0 13 2 -1 \nkk\n";
    let record = |partition, offset, timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Record { partition, offset, timestamp, key: key.map(<[u8]>::to_vec), value: value.map(<[u8]>::to_vec), headers }
    };
    let first = record(0, 7, 12, None, Some(b"a\nb\0c"), &[("logator-id", "ab"), ("x", "y z")]);
    let second = record(1, 0, 13, Some(b"kk"), None, &[]);
    assert_eq!(records(output), [first, second]);
}
