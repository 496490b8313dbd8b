//! [`SinkSpec`]: a sink as the user names it after `--to`.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::core::error::{Error, Result};
use crate::core::percent;
use crate::core::secrets::{interpolation, masked};

/// The default table of a SQLite sink.
pub const DEFAULT_TABLE: &str = "logs";

/// A sink as the command line names it. Nothing is opened yet.
///
/// `Display` and `Debug` show no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SinkSpec {
    /// `-` or `ndjson:-`: standard output.
    Stdout,
    /// `ndjson:PATH`.
    Ndjson(PathBuf),
    /// `sqlite:FILE` or `sqlite:FILE?table=NAME`.
    Sqlite {
        /// The database file.
        file: PathBuf,
        /// The table: letters, digits and underscores.
        table: String,
    },
    /// `mongodb://…` or `mongodb+srv://…`, with the whole URI.
    MongoDb(Address),
    /// `null:`.
    Null,
}

/// The address of a server. `Display` and `Debug` show no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The address as the user wrote it, with its references to secrets.
    given: String,
    /// The address with the references replaced by their values.
    uri: String,
}

impl Address {
    /// Returns the URI for the driver.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns the files that parts of the address are read from: secrets, and the certificates that its options name.
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = self.given.split("${file:").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()));
        let options = self.uri.split_once('?').map_or("", |(_, options)| options).split('&');
        let certificates = options.filter_map(|option| {
            let (name, value) = option.split_once('=')?;
            let is_file = ["tlscafile", "tlscertificatekeyfile"].contains(&name.to_ascii_lowercase().as_str());
            is_file.then(|| percent::decode(value))
        });
        secrets.chain(certificates).map(PathBuf::from).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of a secret may be shown, anywhere in the address.
        let shown = if interpolation::whole(&self.given).is_some() { &self.uri } else { &self.given };
        f.write_str(&masked(shown))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The schemes of all sinks.
const SCHEMES: [&str; 5] = ["ndjson:", "sqlite:", "mongodb://", "mongodb+srv://", "null:"];

impl SinkSpec {
    /// Parses `text`, in which `${NAME}` and `${file:PATH}` stand for secrets.
    ///
    /// # Errors
    /// A usage error that lists the kinds of sinks.
    pub fn parse(text: &str) -> Result<SinkSpec> {
        let Some(expanded) = interpolation::expand(text, &interpolation::follow)? else {
            return SinkSpec::read(text, text);
        };
        // The value of a secret is never repeated, even if it is not an address.
        SinkSpec::read(&expanded, text).map_err(|_| {
            Error::usage(format!(
                "sink {}: after its references are replaced, it is not a sink; {}",
                masked(text),
                known()
            ))
        })
    }

    fn read(text: &str, given: &str) -> Result<SinkSpec> {
        if text == "-" {
            return Ok(SinkSpec::Stdout);
        }
        if text.starts_with("mongodb://") || text.starts_with("mongodb+srv://") {
            return Ok(SinkSpec::MongoDb(Address { given: given.into(), uri: text.into() }));
        }
        let Some((scheme, rest)) = text.split_once(':') else { return Err(unknown(text)) };
        match (scheme, rest) {
            ("null", "") => Ok(SinkSpec::Null),
            ("null", _) => Err(Error::usage("sink null: nothing follows the colon")),
            ("ndjson", "-") => Ok(SinkSpec::Stdout),
            ("ndjson", "") => Err(Error::usage("sink ndjson: needs a path, as in ndjson:out.ndjson, or - for stdout")),
            ("ndjson", path) => Ok(SinkSpec::Ndjson(path.into())),
            ("sqlite", rest) => sqlite(rest),
            ("mongodb" | "mongodb+srv", _) => Err(Error::usage(format!(
                "sink {}: a MongoDB sink is written mongodb://HOST/DATABASE.COLLECTION",
                masked(text)
            ))),
            (scheme, _) if scheme == "kafka" || scheme.starts_with("elasticsearch") => {
                Err(Error::usage(format!("sink {}: {scheme} is not in this build yet; {}", masked(text), known())))
            }
            _ => Err(unknown(text)),
        }
    }

    /// Returns whether the sink recognises documents that an earlier run stored.
    pub fn knows_duplicates(&self) -> bool {
        matches!(self, SinkSpec::Sqlite { .. } | SinkSpec::MongoDb(_))
    }

    /// Returns the text that [`parse`](SinkSpec::parse) reads as this sink, for the command line of another process. It
    /// holds a secret only if the user wrote the secret out.
    pub fn to_argument(&self) -> OsString {
        let with = |scheme: &str, path: &Path, rest: &str| {
            let mut text = OsString::from(scheme);
            text.push(path);
            text.push(rest);
            text
        };
        match self {
            SinkSpec::Stdout => "-".into(),
            SinkSpec::Ndjson(path) => with("ndjson:", path, ""),
            SinkSpec::Sqlite { file, table } => with("sqlite:", file, &format!("?table={table}")),
            SinkSpec::MongoDb(address) => address.given.clone().into(),
            SinkSpec::Null => "null:".into(),
        }
    }
}

fn sqlite(rest: &str) -> Result<SinkSpec> {
    let (file, options) = rest.rsplit_once('?').unwrap_or((rest, ""));
    if file.is_empty() {
        return Err(Error::usage("sink sqlite: needs a file, as in sqlite:logs.db"));
    }
    if file.starts_with(":memory:") {
        return Err(Error::usage("sink sqlite: a database in memory keeps nothing; name a file, or use null:"));
    }
    let mut table = DEFAULT_TABLE;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("table", name)) => table = name,
            _ => return Err(Error::usage("sink sqlite: an option is not known; the only one is table=NAME")),
        }
    }
    let plain = table.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let starts = table.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if !plain || !starts || table.len() > 64 || table.to_ascii_lowercase().starts_with("sqlite_") {
        return Err(Error::usage(
            "sink sqlite: a table's name is letters, digits and underscores, and does not begin with a digit or sqlite_",
        ));
    }
    Ok(SinkSpec::Sqlite { file: file.into(), table: table.into() })
}

fn known() -> String {
    format!("there are ndjson:PATH, - (stdout), sqlite:FILE, {} and null:", "mongodb://HOST/DATABASE.COLLECTION")
}

fn unknown(text: &str) -> Error {
    let scheme = text.split_inclusive(':').next().unwrap_or(text);
    let near = |known: &&str| strsim::damerau_levenshtein(scheme, known.split_inclusive(':').next().unwrap_or(known));
    let nearest = SCHEMES.iter().min_by_key(|known| near(known)).filter(|known| near(known) <= 2);
    let hint = match nearest {
        Some(nearest) => format!("did you mean {nearest}…? "),
        None if !text.contains(':') && !text.is_empty() => format!("did you mean ndjson:{}? ", masked(text)),
        None => String::new(),
    };
    Error::usage(format!("sink {:?} is not known; {hint}{}", masked(text), known()))
}

impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SinkSpec::Stdout => f.write_str("-"),
            SinkSpec::Ndjson(path) => write!(f, "ndjson:{}", path.display()),
            SinkSpec::Sqlite { file, table } if table == DEFAULT_TABLE => write!(f, "sqlite:{}", file.display()),
            SinkSpec::Sqlite { file, table } => write!(f, "sqlite:{}?table={table}", file.display()),
            SinkSpec::MongoDb(address) => address.fmt(f),
            SinkSpec::Null => f.write_str("null:"),
        }
    }
}

impl fmt::Debug for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkSpec({self})")
    }
}

impl std::str::FromStr for SinkSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<SinkSpec> {
        SinkSpec::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::Kind;

    #[test]
    fn every_sink_of_the_manual_is_read_and_shown_again() {
        for (text, shown) in [
            ("-", "-"),
            ("ndjson:-", "-"),
            ("ndjson:out.gz", "ndjson:out.gz"),
            ("ndjson:/a:b?c", "ndjson:/a:b?c"),
            ("sqlite:a.db", "sqlite:a.db"),
            ("sqlite:a.db?table=logs", "sqlite:a.db"),
            ("sqlite:a.db?table=access_1", "sqlite:a.db?table=access_1"),
            ("null:", "null:"),
            ("mongodb://h/d.c?w=1", "mongodb://h/d.c?w=1"),
            ("mongodb+srv://h/d.c", "mongodb+srv://h/d.c"),
        ] {
            let spec = SinkSpec::parse(text).unwrap();
            assert_eq!(spec.to_string(), shown);
            assert_eq!(SinkSpec::parse(shown).unwrap(), spec);
        }
    }

    #[test]
    fn a_text_that_is_not_a_sink_is_a_usage_error_that_helps() {
        for (text, words) in [
            ("", "there are ndjson:PATH"),
            ("out.json", "did you mean ndjson:out.json?"),
            ("njson:x", "did you mean ndjson:…?"),
            ("sqllite:x", "did you mean sqlite:…?"),
            ("mongdb://h/d.c", "did you mean mongodb://…?"),
            ("mongodb:h", "mongodb://HOST/DATABASE.COLLECTION"),
            ("kafka://b/t", "kafka is not in this build yet"),
            ("elasticsearch+http://h/i", "elasticsearch+http is not in this build yet"),
            ("ndjson:", "needs a path"),
            ("null:x", "nothing follows the colon"),
            ("sqlite:", "needs a file"),
            ("sqlite::memory:", "keeps nothing"),
            ("sqlite:a?tabel=x", "the only one is table=NAME"),
            ("sqlite:a?table=x;drop", "letters, digits"),
            ("sqlite:a?table=1x", "letters, digits"),
            ("sqlite:a?table=", "letters, digits"),
            ("sqlite:a?table=sqlite_master", "letters, digits"),
        ] {
            let error = SinkSpec::parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn no_secret_is_ever_shown() {
        for (text, shown) in [
            ("mongodb://joe:hush@h:1,i:2/d.c", "mongodb://joe:***@h:1,i:2/d.c"),
            ("mongodb://joe@h/d.c", "mongodb://joe@h/d.c"),
            ("mongodb://joe:hu@sh/x?y@h/d.c", "mongodb://joe:***@h/d.c"),
            (
                "mongodb+srv://joe:hush@h/?tlsCertificateKeyFilePassword=hush&w=1",
                "mongodb+srv://joe:***@h/?tlsCertificateKeyFilePassword=***&w=1",
            ),
            (
                "mongodb://h/d?authMechanismProperties=AWS_SESSION_TOKEN:hush",
                "mongodb://h/d?authMechanismProperties=***",
            ),
        ] {
            let spec = SinkSpec::parse(text).unwrap();
            assert_eq!(spec.to_string(), shown);
            assert!(!format!("{spec:?}").contains("hush"));
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hu/sh\n").unwrap();
        let text = format!("mongodb://joe:${{file:{}}}@h/d.c?appName=${{file:{0}}}", file.display());
        let spec = SinkSpec::parse(&text).unwrap();
        let SinkSpec::MongoDb(address) = &spec else { panic!("{spec}") };
        assert_eq!(address.uri(), "mongodb://joe:hu%2Fsh@h/d.c?appName=hu%2Fsh");
        let shown = format!("{spec} {spec:?} {address:?}");
        assert!(!shown.contains("hu/sh") && !shown.contains("hu%2Fsh"), "{shown}");
        assert_eq!(SinkSpec::parse(spec.to_argument().to_str().unwrap()).unwrap(), spec);
        assert!(!spec.to_argument().to_string_lossy().contains("sh@"));
        // The file may hold the whole address. A file that holds something else is not shown.
        let text = format!("${{file:{}}}", file.display());
        let error = SinkSpec::parse(&text).unwrap_err().to_string();
        assert!(error.contains("it is not a sink") && !error.contains("hu"), "{error}");
        std::fs::write(&file, "mongodb://joe:hush@h/d.c\n").unwrap();
        assert_eq!(SinkSpec::parse(&text).unwrap().to_string(), "mongodb://joe:***@h/d.c");
        for text in
            ["mongodb://joe:${file:/nowhere}@h/d.c", "mongodb://joe:${LOGATOR_NO_SUCH}@h/d.c", "${LOGATOR_NO_SUCH}"]
        {
            assert!(SinkSpec::parse(text).unwrap_err().to_string().contains("} in a sink: "), "{text}");
        }
        for text in ["kafka://joe:hush@b/t", "mongo://joe:hush@h/d", "mongodb:joe:hush@h", "x?password=hush"] {
            assert!(!SinkSpec::parse(text).unwrap_err().to_string().contains("hush"), "{text}");
        }
    }
}
