//! The fields that the path of a log of Kubernetes tells.
//!
//! ```text
//! /var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log         N is the number of restarts; rotated: N.log.TIME, N.log.TIME.gz
//! /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log      a link to such a file
//! ```

use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

/// Returns the fields for the file at `path`; none if the path is not one of Kubernetes. `target` reads a link.
pub(super) fn fields(path: &Path, target: impl Fn(&Path) -> Option<PathBuf>) -> Map<String, Value> {
    let fields = match parts(path)[..] {
        [.., "pods", pod, container, file] => of_pod(pod, container, file),
        [.., "containers", file] => of_link(file).map(|(link, mut fields)| {
            // The path that the link leads to tells more. The link alone has the number of the container.
            if let Some(Value::Object(mut more)) = target(path).and_then(|to| match parts(&to)[..] {
                [.., "pods", pod, container, file] => of_pod(pod, container, file),
                _ => None,
            }) {
                more.insert("container".into(), json!({ "id": link }));
                fields = Value::Object(more);
            }
            fields
        }),
        _ => None,
    };
    match fields {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The names of the directories and of the file. A part that is no name or no UTF-8 is empty.
fn parts(path: &Path) -> Vec<&str> {
    let name = |part| match part {
        Component::Normal(name) => name.to_str().unwrap_or_default(),
        _ => "",
    };
    path.components().map(name).collect()
}

/// Splits a text at its underscores into three parts. Names of Kubernetes have no underscore.
fn three(text: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = text.split('_').filter(|part| !part.is_empty()).collect();
    <[&str; 3]>::try_from(parts).ok()
}

fn of_pod(pod: &str, container: &str, file: &str) -> Option<Value> {
    let [namespace, name, uid] = three(pod)?;
    let (restarts, rest) = file.split_once(".log")?;
    if !(rest.is_empty() || rest.starts_with('.')) || !restarts.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let restarts: u32 = restarts.parse().ok()?;
    Some(json!({ "kubernetes": {
        "namespace": namespace,
        "pod": { "name": name, "uid": uid },
        "container": { "name": container, "restart_count": restarts },
    }}))
}

/// Returns the number of the container, and the fields.
fn of_link(file: &str) -> Option<(String, Value)> {
    let [pod, namespace, container] = three(file.strip_suffix(".log")?)?;
    let (container, id) = container.rsplit_once('-')?;
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let fields = json!({
        "container": { "id": id },
        "kubernetes": { "namespace": namespace, "pod": { "name": pod }, "container": { "name": container } },
    });
    Some((id.to_owned(), fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_names_and_the_number_of_restarts() {
        let id = "0123456789abcdef".repeat(4);
        let pod = json!({ "kubernetes": {
            "namespace": "shop", "pod": { "name": "web-7d4b9-x2x", "uid": "6f1c2a" },
            "container": { "name": "nginx", "restart_count": 2 },
        }});
        let base = "/var/log/pods/shop_web-7d4b9-x2x_6f1c2a/nginx";
        for file in ["2.log", "2.log.20260101-000000", "2.log.20260101-000000.gz"] {
            assert_eq!(Value::Object(fields(&Path::new(base).join(file), |_| None)), pod, "{file}");
        }
        let link = PathBuf::from(format!("/var/log/containers/web-7d4b9-x2x_shop_nginx-{id}.log"));
        let alone = json!({
            "container": { "id": id },
            "kubernetes": {
                "namespace": "shop", "pod": { "name": "web-7d4b9-x2x" }, "container": { "name": "nginx" },
            },
        });
        assert_eq!(Value::Object(fields(&link, |_| None)), alone);
        let mut both = pod;
        both["container"] = json!({ "id": id });
        assert_eq!(Value::Object(fields(&link, |_| Some(Path::new(base).join("2.log")))), both);
    }

    #[test]
    fn another_path_tells_nothing() {
        for path in [
            "/var/log/app.log",
            "/var/log/pods/shop_web/nginx/0.log",
            "/var/log/pods/shop_web_1_2/nginx/0.log",
            "/var/log/pods/shop_web_uid/nginx/a.log",
            "/var/log/pods/shop_web_uid/nginx/0.logs",
            "/var/log/pods/shop_web_uid/nginx/99999999999.log",
            "/var/log/pods/shop_web_uid/0.log",
            "/var/log/containers/web_shop_nginx-0123.log",
            "/var/log/containers/web_shop_nginx.log",
            "pods",
        ] {
            assert_eq!(fields(Path::new(path), |_| None), Map::new(), "{path}");
        }
    }
}
