//! Reads schemas from their JSON form, and writes their parsing canonical form.
//!
//! A schema of a writer is believed as far as it can be read: names are not checked, and what does not matter for reading a
//! value (documentation, aliases, defaults, orders) is passed over. As the specification says, a logical type that is not
//! known or does not fit its type is passed over too.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::schema::{BytesKind, Decimal, FixedKind, Fraction, IntKind, LongKind, Member, Node, Schema};
use crate::core::printable;
use crate::document::escape::escape;

/// The most types in one schema with its references.
const MOST_NODES: usize = 200_000;

/// The deepest nesting of types in a text.
const MOST_DEPTH: usize = 100;

impl Schema {
    /// Reads a schema in the JSON form of Avro.
    ///
    /// # Errors
    /// The end of a sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Schema, String> {
        Schema::parse_with::<&str>(&[], text)
    }

    /// Reads a schema that refers to types in `references`, which are schemas themselves. A schema may refer to those before
    /// it.
    ///
    /// # Errors
    /// The end of a sentence that says what is wrong.
    pub fn parse_with<S: AsRef<str>>(references: &[S], text: &str) -> Result<Schema, String> {
        read(references.iter().map(AsRef::as_ref), text)
    }
}

/// Reads `references` one after the other, then `text`.
fn read<'t>(references: impl Iterator<Item = &'t str>, text: &str) -> Result<Schema, String> {
    let mut reader = SchemaReader { nodes: Vec::new(), named: HashMap::new(), canonical: String::new(), depth: 0 };
    for reference in references {
        reader.whole(reference).map_err(|words| format!("a schema that it refers to is wrong: {words}"))?;
    }
    reader.canonical.clear();
    let root = reader.whole(text)?;
    Ok(Schema { nodes: reader.nodes, root, canonical: reader.canonical })
}

struct SchemaReader {
    nodes: Vec<Node>,
    /// The types that have a name, by their full name.
    named: HashMap<String, usize>,
    canonical: String,
    depth: usize,
}

/// Returns an object's member that must be a text.
fn text_of<'v>(object: &'v Map<String, Value>, key: &str, what: &str) -> Result<&'v str, String> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("{what} has a {key} that is not a text")),
        None => Err(format!("{what} has no {key}")),
    }
}

/// Returns a name for messages.
fn shown(name: &str) -> String {
    let name = printable::line(name);
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.into_owned(),
    }
}

fn json_text(text: &str) -> Vec<u8> {
    let mut json = vec![b'"'];
    escape(text.as_bytes(), &mut json);
    json.push(b'"');
    json
}

impl SchemaReader {
    fn whole(&mut self, text: &str) -> Result<usize, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        self.node(&value, "")
    }

    fn push(&mut self, node: Node) -> Result<usize, String> {
        if self.nodes.len() >= MOST_NODES {
            return Err(format!("it has more than {MOST_NODES} types"));
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn set(&mut self, index: usize, node: Node) -> usize {
        if let Some(place) = self.nodes.get_mut(index) {
            *place = node;
        }
        index
    }

    fn write(&mut self, text: &str) {
        self.canonical.push_str(text);
    }

    fn write_name(&mut self, name: &str) {
        let json = json_text(name);
        self.canonical.push_str(&String::from_utf8_lossy(&json));
    }

    /// Reads a type. `namespace` is that of the names without one.
    fn node(&mut self, value: &Value, namespace: &str) -> Result<usize, String> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(format!("it is nested more than {MOST_DEPTH} levels deep"));
        }
        let index = match value {
            Value::String(name) => self.reference(name, namespace, None),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, namespace),
            _ => Err("a type is a text, an array or an object".to_owned()),
        }?;
        self.depth -= 1;
        Ok(index)
    }

    /// Reads a type that is given by its name. `object` has its attributes.
    fn reference(&mut self, name: &str, namespace: &str, object: Option<&Map<String, Value>>) -> Result<usize, String> {
        if let Some(node) = primitive(name, object) {
            self.write_name(name);
            return self.push(node);
        }
        let full = full_name(name, namespace);
        // A name without a namespace may also be that of a type outside of all namespaces.
        let found = self.named.get(&full).map(|index| (full.as_str(), *index));
        let found = found.or_else(|| self.named.get(name).map(|index| (name, *index)));
        let Some((full, index)) = found else { return Err(format!("the type {} is not defined", shown(name))) };
        let full = full.to_owned();
        self.write_name(&full);
        Ok(index)
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Result<usize, String> {
        let index = self.push(Node::Pending)?;
        self.write("[");
        let mut nodes = Vec::new();
        for branch in branches {
            if branch.is_array() {
                return Err("a union is directly in a union".to_owned());
            }
            if !nodes.is_empty() {
                self.write(",");
            }
            nodes.push(self.node(branch, namespace)?);
        }
        self.write("]");
        Ok(self.set(index, Node::Union(nodes)))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<usize, String> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner) => return self.node(inner, namespace),
            None => return Err("a type that is an object has no type".to_owned()),
        };
        match kind {
            "record" | "error" => self.record(kind, object, namespace),
            "enum" => self.symbols(object, namespace),
            "fixed" => self.fixed(object, namespace),
            "array" => self.container("items", object, namespace, Node::Array),
            "map" => self.container("values", object, namespace, Node::Map),
            name => self.reference(name, namespace, Some(object)),
        }
    }

    fn container(
        &mut self,
        key: &str,
        object: &Map<String, Value>,
        namespace: &str,
        make: fn(usize) -> Node,
    ) -> Result<usize, String> {
        let kind = if key == "items" { "array" } else { "map" };
        let index = self.push(Node::Pending)?;
        self.write(&format!("{{\"type\":\"{kind}\",\"{key}\":"));
        let inner = object.get(key).ok_or_else(|| format!("an {kind} has no {key}").replace("an map", "a map"))?;
        let inner = self.node(inner, namespace)?;
        self.write("}");
        Ok(self.set(index, make(inner)))
    }

    /// Defines a type with a name. Returns its index, and the namespace of the names in it.
    fn define(&mut self, kind: &str, object: &Map<String, Value>, namespace: &str) -> Result<(usize, String), String> {
        let name = text_of(object, "name", &format!("a type {kind}"))?;
        let namespace = match object.get("namespace") {
            Some(Value::String(own)) => own.as_str(),
            _ => namespace,
        };
        let full = full_name(name, namespace);
        let inner = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let index = self.push(Node::Pending)?;
        self.write("{\"name\":");
        self.write_name(&full);
        self.write(&format!(",\"type\":\"{kind}\""));
        if self.named.insert(full, index).is_some() {
            return Err(format!("the type {} is defined twice", shown(name)));
        }
        Ok((index, inner))
    }

    fn record(&mut self, kind: &str, object: &Map<String, Value>, namespace: &str) -> Result<usize, String> {
        let (index, inner) = self.define(kind, object, namespace)?;
        let name = || shown(object.get("name").and_then(Value::as_str).unwrap_or_default());
        let Some(Value::Array(fields)) = object.get("fields") else {
            return Err(format!("the record {} has no list of fields", name()));
        };
        self.write(",\"fields\":[");
        let mut members = Vec::new();
        for field in fields {
            let Value::Object(field) = field else {
                return Err(format!("a field of the record {} is no object", name()));
            };
            if !members.is_empty() {
                self.write(",");
            }
            let field_name = text_of(field, "name", &format!("a field of the record {}", name()))?;
            let what = || format!("the field {} of the record {}", shown(field_name), name());
            let value = field.get("type").ok_or_else(|| format!("{} has no type", what()))?;
            self.write("{\"name\":");
            self.write_name(field_name);
            self.write(",\"type\":");
            let node = self.node(value, &inner).map_err(|words| in_place(&what(), words))?;
            self.write("}");
            let mut key = json_text(field_name);
            key.push(b':');
            members.push(Member { name: field_name.into(), key: key.into(), node });
        }
        self.write("]}");
        Ok(self.set(index, Node::Record(members)))
    }

    fn symbols(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<usize, String> {
        let (index, _) = self.define("enum", object, namespace)?;
        let Some(Value::Array(symbols)) = object.get("symbols") else {
            return Err("an enum has no list of symbols".to_owned());
        };
        self.write(",\"symbols\":[");
        let mut texts = Vec::new();
        for symbol in symbols {
            let Value::String(symbol) = symbol else { return Err("a symbol of an enum is not a text".to_owned()) };
            if !texts.is_empty() {
                self.write(",");
            }
            self.write_name(symbol);
            texts.push(json_text(symbol).into_boxed_slice());
        }
        self.write("]}");
        Ok(self.set(index, Node::Enum(texts)))
    }

    fn fixed(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<usize, String> {
        let (index, _) = self.define("fixed", object, namespace)?;
        let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or("a fixed has no size")?;
        self.write(&format!(",\"size\":{size}}}"));
        let kind = match logical_type(object) {
            "duration" if size == 12 => FixedKind::Duration,
            "uuid" if size == 16 => FixedKind::Uuid,
            "decimal" => decimal(object, Some(size)).map_or(FixedKind::Plain, FixedKind::Decimal),
            _ => FixedKind::Plain,
        };
        Ok(self.set(index, Node::Fixed { size, kind }))
    }
}

/// Says where a fault is, unless the words say it already.
fn in_place(place: &str, words: String) -> String {
    if words.contains(" of the record ") { words } else { format!("{place}: {words}") }
}

/// Returns the full name of `name`: with `namespace`, if it has none.
fn full_name(name: &str, namespace: &str) -> String {
    match namespace {
        "" => name.trim_start_matches('.').to_owned(),
        _ if name.contains('.') => name.to_owned(),
        _ => format!("{namespace}.{name}"),
    }
}

fn logical_type(object: &Map<String, Value>) -> &str {
    object.get("logicalType").and_then(Value::as_str).unwrap_or_default()
}

/// Returns the type without a name that is called `name`.
fn primitive(name: &str, object: Option<&Map<String, Value>>) -> Option<Node> {
    let timestamp = |fraction, is_local| LongKind::Timestamp { fraction, is_local };
    let logical = object.map_or("", logical_type);
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int(match logical {
            "date" => IntKind::Date,
            "time-millis" => IntKind::TimeMillis,
            _ => IntKind::Plain,
        }),
        "long" => Node::Long(match logical {
            "time-micros" => LongKind::TimeMicros,
            "timestamp-millis" => timestamp(Fraction::Millis, false),
            "timestamp-micros" => timestamp(Fraction::Micros, false),
            "timestamp-nanos" => timestamp(Fraction::Nanos, false),
            "local-timestamp-millis" => timestamp(Fraction::Millis, true),
            "local-timestamp-micros" => timestamp(Fraction::Micros, true),
            "local-timestamp-nanos" => timestamp(Fraction::Nanos, true),
            _ => LongKind::Plain,
        }),
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => {
            Node::Bytes(match object.filter(|_| logical == "decimal").and_then(|object| decimal(object, None)) {
                Some(decimal) => BytesKind::Decimal(decimal),
                None => BytesKind::Plain,
            })
        }
        "string" => Node::String,
        _ => return None,
    })
}

/// Returns the decimal of a type, if its attributes are valid. `size` is that of a fixed.
fn decimal(object: &Map<String, Value>, size: Option<usize>) -> Option<Decimal> {
    let number = |key: &str| object.get(key).map(|value| value.as_u64().and_then(|n| usize::try_from(n).ok()));
    let precision = number("precision")??;
    let scale = match number("scale") {
        Some(scale) => scale?,
        None => 0,
    };
    // Digits that fit into the bytes of the fixed: log10(2) × bits, without the sign.
    let fits = size.is_none_or(|size| (precision as u128) <= (size as u128 * 8).saturating_sub(1) * 30_103 / 100_000);
    (precision > 0 && scale <= precision && fits).then_some(Decimal { precision, scale })
}
