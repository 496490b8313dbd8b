//! The differences of the products and their versions, and their answers to anything but `_bulk`.

use serde_json::{Value, json};

use super::Shared;
use super::http::{Reply, Request, decoded};

/// What the server passes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Product {
    Elasticsearch7,
    Elasticsearch8,
    #[default]
    Elasticsearch9,
    OpenSearch2,
}

impl Product {
    fn version(self) -> &'static str {
        match self {
            Product::Elasticsearch7 => "7.17.28",
            Product::Elasticsearch8 => "8.19.4",
            Product::Elasticsearch9 => "9.1.4",
            Product::OpenSearch2 => "2.19.1",
        }
    }

    /// Whether a request may demand that its index is a data stream.
    pub(super) fn knows_require_data_stream(self) -> bool {
        matches!(self, Product::Elasticsearch8 | Product::Elasticsearch9)
    }

    /// Whether `errors` is the first field of an answer to `_bulk`.
    pub(super) fn errors_first(self) -> bool {
        self.knows_require_data_stream()
    }

    /// The type of the error for a document that does not fit.
    pub(super) fn parsing_error(self) -> &'static str {
        match self {
            Product::Elasticsearch7 | Product::OpenSearch2 => "mapper_parsing_exception",
            Product::Elasticsearch8 | Product::Elasticsearch9 => "document_parsing_exception",
        }
    }

    /// Sets the headers of an answer.
    pub(super) fn head(self, reply: &mut Reply) {
        reply.headers.clear();
        if self != Product::OpenSearch2 {
            reply.headers.push_str("X-elastic-product: Elasticsearch\r\n");
        }
        reply.content.clear();
        reply.content.push_str(match self {
            Product::OpenSearch2 => "application/json; charset=UTF-8",
            _ => "application/json",
        });
    }

    fn root(self) -> Value {
        let (tagline, product) = match self {
            Product::OpenSearch2 => ("The OpenSearch Project: https://opensearch.org/", "distribution"),
            _ => ("You Know, for Search", "build_flavor"),
        };
        let kind = if self == Product::OpenSearch2 { "opensearch" } else { "default" };
        json!({
            "name": "node-1", "cluster_name": "logator-test", "cluster_uuid": "w5HbZ4tLQ1ibz3W0Xo9c0g",
            "version": {
                product: kind, "number": self.version(), "build_type": "tar", "build_snapshot": false,
                "lucene_version": "9.12.1", "minimum_wire_compatibility_version": "7.10.0",
                "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": tagline,
        })
    }
}

/// The answer to a request with another login.
pub(super) fn refused_login() -> Reply {
    let reason = "unable to authenticate user [logator] for REST request";
    let mut reply = Reply::error(401, "security_exception", reason);
    reply.headers.push_str("WWW-Authenticate: Basic realm=\"security\" charset=\"UTF-8\"\r\n");
    reply
}

fn no_index(name: &str) -> Reply {
    Reply::error(404, "index_not_found_exception", &format!("no such index [{name}]"))
}

impl Shared {
    /// Answers a request that is not `_bulk`.
    pub(super) fn other(&self, request: &Request) -> Reply {
        let path = decoded(&request.path);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let mut reply = match (request.method.as_str(), &parts[..]) {
            ("GET" | "HEAD", [""]) => Reply::json(200, &self.setup.product.root()),
            ("GET", ["_cluster", "settings"]) => Reply::json(200, &self.cluster_settings(request)),
            ("GET", ["_cluster", "health"]) => {
                Reply::json(200, &json!({ "cluster_name": "logator-test", "status": "green", "number_of_nodes": 1 }))
            }
            ("GET", ["_data_stream", name]) => match self.is_data_stream(&self.state(), name) {
                true => Reply::json(200, &json!({ "data_streams": [{ "name": name, "status": "GREEN" }] })),
                false => no_index(name),
            },
            ("GET", ["_index_template"]) => {
                let state = self.state();
                let templates = state.templates.iter();
                let all: Vec<Value> =
                    templates.map(|(name, content)| json!({ "name": name, "index_template": content })).collect();
                let is_filtered = request.parameters.iter().any(|(name, _)| name == "filter_path");
                match all.is_empty() && is_filtered {
                    true => Reply::json(200, &json!({})),
                    false => Reply::json(200, &json!({ "index_templates": all })),
                }
            }
            ("PUT", ["_index_template", name]) => self.put_template(request, name),
            ("GET", [name, "_settings", ..]) if !name.starts_with('_') => self.index_settings(name),
            _ => {
                let why = format!("no handler found for uri [{}] and method [{}]", request.path, request.method);
                self.violation(why.clone());
                Reply::json(400, &json!({ "error": why }))
            }
        };
        let added = std::mem::take(&mut reply.headers);
        self.setup.product.head(&mut reply);
        reply.headers.push_str(&added);
        if request.method == "HEAD" {
            reply.body.clear();
        }
        reply
    }

    fn cluster_settings(&self, request: &Request) -> Value {
        let has = |wanted: &str| request.parameters.iter().any(|(name, value)| name == wanted && value != "false");
        let bytes = self.setup.max_content_length.unwrap_or(100 << 20);
        let defaults = match (has("include_defaults"), has("flat_settings")) {
            (false, _) => return json!({ "persistent": {}, "transient": {} }),
            (true, true) => json!({ "http.max_content_length": format!("{bytes}b") }),
            (true, false) => json!({ "http": { "max_content_length": format!("{bytes}b") } }),
        };
        json!({ "persistent": {}, "transient": {}, "defaults": defaults })
    }

    fn put_template(&self, request: &Request, name: &str) -> Reply {
        let content: Result<Value, _> = serde_json::from_slice(&request.body);
        match content {
            Ok(content) if request.content_type == "application/json" && content["index_patterns"].is_array() => {
                self.state().templates.insert(name.to_owned(), content);
                Reply::json(200, &json!({ "acknowledged": true }))
            }
            _ => {
                self.violation(format!("an index template that is none: {request:?}"));
                Reply::error(400, "x_content_parse_exception", "[index_template] unknown field")
            }
        }
    }

    fn index_settings(&self, name: &str) -> Reply {
        let state = self.state();
        let is_there = state.indexes.contains_key(name) || self.setup.data_streams.iter().any(|stream| stream == name);
        match is_there {
            true => Reply::json(200, &json!({ name: { "settings": {} } })),
            false => no_index(name),
        }
    }
}
