//! A container as the Engine describes it. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::core::context::Origin;
use crate::core::quantity;
use crate::core::record::IdRule;

/// What all names of inputs of this kind begin with.
pub(super) const SCHEME: &str = "docker:";

/// What `GET /containers/ID/json` says about a container, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// The full ID: 64 hexadecimal digits.
    pub id: String,
    /// The name, without the slash before it.
    pub name: String,
    /// The name of the image, as the user gave it.
    pub image: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Whether the container writes to a terminal, so that its output has no frames.
    pub tty: bool,
    /// Whether it runs now.
    pub running: bool,
    /// Whether it was ever started.
    pub has_run: bool,
    /// The name of its log driver.
    pub driver: String,
    /// The file that the driver writes; `None` if the Engine names none.
    pub log_path: Option<PathBuf>,
    /// The number of bytes that the files of its log can hold before the oldest is removed; `None` if there is no limit.
    pub capacity: Option<u64>,
    /// The writable layer of its file system, if the Engine names it.
    pub upper: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Inspected {
    id: String,
    name: String,
    log_path: Option<String>,
    state: State,
    config: Config,
    host_config: HostConfig,
    graph_driver: Option<GraphDriver>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    running: bool,
    status: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    tty: bool,
    image: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    log_config: Option<LogConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct LogConfig {
    r#type: Option<String>,
    config: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GraphDriver {
    data: Option<BTreeMap<String, Value>>,
}

impl Container {
    /// Reads the answer of the Engine.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the answer.
    pub fn parse(json: &[u8]) -> Result<Container, String> {
        let it: Inspected = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if it.id.len() != 64 || !it.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("the container has no ID of 64 hexadecimal digits".to_owned());
        }
        let log = it.host_config.log_config.unwrap_or_default();
        let driver = log.r#type.unwrap_or_default();
        let upper = it.graph_driver.and_then(|driver| driver.data?.get("UpperDir")?.as_str().map(str::to_owned));
        Ok(Container {
            id: it.id,
            name: it.name.trim_start_matches('/').to_owned(),
            image: it.config.image.unwrap_or_default(),
            labels: it.config.labels.unwrap_or_default(),
            tty: it.config.tty,
            running: it.state.running,
            has_run: it.state.status != "created",
            log_path: it.log_path.filter(|path| !path.is_empty()).map(PathBuf::from),
            capacity: capacity(&driver, &log.config.unwrap_or_default()),
            driver,
            upper,
        })
    }

    /// The name in messages, as a user would write it.
    pub fn shown(&self) -> String {
        let name = if self.name.is_empty() { self.id.get(..12).unwrap_or(&self.id) } else { &self.name };
        format!("{SCHEME}{name}")
    }

    /// The origin of all its records, whichever file or connection they come from. `envelope` is not set yet.
    pub fn origin(&self, host: Option<String>) -> Origin {
        let id = xxh3_64(format!("{SCHEME}{}", self.id).as_bytes());
        Origin { host, ..Origin::new(id, self.shown()) }.ruled(IdRule::Time).with_fields(&self.fields())
    }

    /// The fields of its documents, with the names of the Elastic Common Schema. Stores take `app` and `app.name` for a text
    /// and an object of the same name, so dots in the keys of labels become underscores.
    fn fields(&self) -> Map<String, Value> {
        let mut labels = Map::new();
        for (key, value) in &self.labels {
            labels.entry(key.replace('.', "_")).or_insert_with(|| value.as_str().into());
        }
        let mut container = Map::new();
        container.insert("id".to_owned(), self.id.as_str().into());
        container.insert("name".to_owned(), self.name.as_str().into());
        if !self.image.is_empty() {
            container.insert("image".to_owned(), json!({ "name": self.image }));
        }
        if !labels.is_empty() {
            container.insert("labels".to_owned(), labels.into());
        }
        Map::from_iter([("container".to_owned(), container.into())])
    }
}

/// The number of bytes that the log files of a driver can hold. Other drivers than `json-file` are read from a cache in the
/// form of `local`.
fn capacity(driver: &str, options: &BTreeMap<String, String>) -> Option<u64> {
    let (prefix, size, files) = match driver {
        "json-file" => ("", None, 1),
        "local" => ("", Some(20_u64 << 20), 5),
        _ => ("cache-", Some(20 << 20), 5),
    };
    let option = |name: &str| options.get(&format!("{prefix}{name}"));
    let size = option("max-size").map_or(size, |text| quantity::bytes(text).ok().map(|bytes| bytes as u64))?;
    let files = option("max-file").and_then(|text| text.parse().ok()).unwrap_or(files);
    Some(size.saturating_mul(files))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

    #[test]
    fn an_inspected_container_becomes_an_origin_with_its_fields() {
        let text = format!(
            r#"{{"Id":"{ID}","Name":"/web","LogPath":"/x/{ID}-json.log","State":{{"Running":true}},
               "Config":{{"Tty":true,"Image":"shop:1","Labels":{{"app":"a","app.kubernetes.io/name":"b"}}}},
               "HostConfig":{{"LogConfig":{{"Type":"json-file","Config":{{"max-size":"1m","max-file":"3"}}}}}},
               "GraphDriver":{{"Name":"overlay2","Data":{{"UpperDir":"/o/diff"}}}}}}"#
        );
        let web = Container::parse(text.as_bytes()).unwrap();
        assert!(web.tty && web.running);
        assert_eq!(
            (web.shown().as_str(), web.capacity, web.upper.as_deref()),
            ("docker:web", Some(3 << 20), Some("/o/diff"))
        );
        let origin = web.origin(None);
        assert_eq!((origin.id, origin.rule), (xxh3_64(format!("docker:{ID}").as_bytes()), IdRule::Time));
        let fields = format!(
            r#"{{"container":{{"id":"{ID}","image":{{"name":"shop:1"}},"labels":{{"app":"a","app_kubernetes_io/name":"b"}},"name":"web"}}}}"#
        );
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(&origin.fields.unwrap()), parsed(&fields));
    }

    #[test]
    fn the_least_that_an_engine_says_is_enough_and_nonsense_is_told() {
        let least = Container::parse(format!(r#"{{"Id":"{ID}","Config":{{"Labels":null}},"LogPath":""}}"#).as_bytes());
        assert_eq!(
            least.as_ref().map(|it| (it.log_path.clone(), it.shown())),
            Ok((None, "docker:0f1e2d3c4b5a".to_owned()))
        );
        for wrong in ["", "{}", "[]", r#"{"Id":"../../etc"}"#, r#"{"Id":7}"#, "\u{0}"] {
            assert!(Container::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_files_hold_depends_on_the_driver_and_its_options() {
        let options = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        for (driver, pairs, bytes) in [
            ("json-file", &[][..], None),
            ("json-file", &[("max-size", "10k")], Some(10 << 10)),
            ("json-file", &[("max-size", "1m"), ("max-file", "3")], Some(3 << 20)),
            ("local", &[], Some(100 << 20)),
            ("journald", &[("cache-max-size", "1m")], Some(5 << 20)),
            ("json-file", &[("max-size", "nonsense")], None),
        ] {
            assert_eq!(capacity(driver, &options(pairs)), bytes, "{driver} {pairs:?}");
        }
    }
}
