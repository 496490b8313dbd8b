//! `_bulk`: reads a body strictly, stores its documents, and writes the answer.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::atomic::Ordering;

use flate2::Decompress;
use serde_json::{Map, Value, json};

use super::body::{Line, document, lines, unpack};
use super::http::{Reply, Request, decoded};
use super::rules::{Fault, ItemFault};
use super::{Answer, Keep, Sent, Shared, State};

/// The largest body if the settings say nothing.
const MAX_CONTENT: usize = 100 << 20;

/// Memory that the requests of a connection use again.
pub struct Memory {
    inflate: Decompress,
    body: Vec<u8>,
    reply: Reply,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { inflate: Decompress::new_gzip(15), body: Vec::new(), reply: Reply::default() }
    }
}

/// The answer for one document.
enum Item<'a> {
    Created,
    Exists,
    Fault(&'a ItemFault),
}

impl Shared {
    /// Answers a `_bulk` request.
    pub(super) fn bulk<'a>(&self, request: &Request, at_once: usize, memory: &'a mut Memory) -> Answer<'a> {
        let Memory { inflate, body, reply } = memory;
        let refused = |why: String| {
            self.violation(format!("{} {}: {why}", request.method, request.path));
            self.see(request, 0, request.body.len(), 400);
            Answer::Whole(Cow::Owned(Reply::error(400, "illegal_argument_exception", &why)))
        };
        let plain: &[u8] = match request.is_gzip {
            false => &request.body,
            true => match unpack(&request.body, inflate, body) {
                Ok(()) => body,
                Err(why) => return refused(why),
            },
        };
        let most = self.setup.max_content_length.unwrap_or(MAX_CONTENT);
        if plain.len() > most {
            self.see(request, 0, plain.len(), 413);
            return Answer::Whole(Cow::Owned(Reply { status: 413, ..Reply::default() }));
        }
        let index = match self.check(request) {
            Ok(index) => index,
            Err(why) => return refused(why),
        };
        let lines = match lines(plain) {
            Ok(lines) => lines,
            Err(why) => return refused(why),
        };
        let documents = match self.setup.keep {
            Keep::Counts | Keep::Requests => Vec::new(),
            Keep::Documents => match lines.iter().map(|line| document(line.1)).collect::<Result<Vec<_>, _>>() {
                Ok(documents) => documents,
                Err(why) => return refused(why),
            },
        };

        let mut state = self.state();
        let fault = state.take_fault(&request.path, lines.len(), plain.len(), at_once, true);
        match fault {
            Some(Fault::Answer(reply)) => {
                drop(state);
                self.see(request, lines.len(), plain.len(), reply.status);
                return Answer::Whole(Cow::Owned(reply));
            }
            Some(Fault::CutBefore) => {
                drop(state);
                self.see(request, lines.len(), plain.len(), 0);
                return Answer::None;
            }
            _ => {}
        }
        if self.setup.keep == Keep::Requests {
            let (path, body) = (request.path.clone(), request.body.clone());
            state.sent.push(Sent { path, is_gzip: request.is_gzip, body, documents: lines.len() });
        }
        let filter = Filter::of(request);
        let is_stream = self.is_data_stream(&state, &index);
        let demanded = request.parameters.iter().any(|(name, value)| name == "require_data_stream" && value == "true");
        let no_stream = (demanded && !is_stream).then(|| {
            let reason = format!(
                "no such index [{index}] and [require_data_stream] request flag is [true] and [{index}] is not a data stream"
            );
            ItemFault::new(404, "index_not_found_exception", &reason)
        });
        let undated = ItemFault::new(
            400,
            self.setup.product.parsing_error(),
            "data stream timestamp field [@timestamp] is missing",
        );
        let (mut created, mut existing, mut refused) = (0, 0, 0);
        let mut items = Items::new(&mut reply.body, &filter, self.setup.product.errors_first(), &index, is_stream);
        let mut documents = documents.into_iter();
        for (number, (id, _)) in lines.iter().enumerate() {
            let document = documents.next();
            let item = match &fault {
                Some(Fault::Items(every, item)) if number % every == 0 => Item::Fault(item),
                Some(Fault::Document(refused, item)) if *id == refused.as_bytes() => Item::Fault(item),
                _ => match &no_stream {
                    Some(no_stream) => Item::Fault(no_stream),
                    None if is_stream
                        && document.as_ref().is_some_and(|document| !document.contains_key("@timestamp")) =>
                    {
                        Item::Fault(&undated)
                    }
                    None => state.store(&index, id, document),
                },
            };
            match &item {
                Item::Created => created += 1,
                Item::Exists => existing += 1,
                Item::Fault(_) => refused += 1,
            }
            items.add(id, &item);
        }
        let (order, count) = match &fault {
            Some(Fault::ItemMissing) => (Order::Plain, lines.len().saturating_sub(1)),
            Some(Fault::ItemTwice) => (Order::Plain, lines.len() + 1),
            Some(Fault::ItemsReversed) => (Order::Reversed, lines.len()),
            _ => (Order::Plain, lines.len()),
        };
        if let Some(Fault::Items(every, item)) = &fault
            && item.failure_store.as_deref() == Some("used")
        {
            state.keep_failures(&index, lines.iter().step_by(*every));
        }
        items.finish(existing + refused > 0, &order, count);
        drop(state);
        for (number, more) in [
            (&self.requests, 1),
            (&self.created, created),
            (&self.existing, existing),
            (&self.refused, refused),
            (&self.body, plain.len() as u64),
            (&self.sent, request.body.len() as u64),
        ] {
            number.fetch_add(more, Ordering::SeqCst);
        }
        let (count, size) = (lines.len(), plain.len());
        reply.status = 200;
        self.setup.product.head(reply);
        match fault {
            Some(Fault::AnswerAfter(reply)) => {
                self.see(request, count, size, reply.status);
                Answer::Whole(Cow::Owned(reply))
            }
            Some(Fault::CutAfter) => {
                self.see(request, count, size, 0);
                Answer::None
            }
            Some(Fault::CutInside) => {
                self.see(request, count, size, 0);
                Answer::Half(Cow::Borrowed(reply))
            }
            _ => {
                self.see(request, count, size, 200);
                Answer::Whole(Cow::Borrowed(reply))
            }
        }
    }

    /// Checks the head of a request. Returns the index.
    fn check(&self, request: &Request) -> Result<String, String> {
        if request.method != "POST" {
            return Err("a bulk request is a POST".into());
        }
        if request.content_type != "application/x-ndjson" {
            return Err(format!("Content-Type: {}", request.content_type));
        }
        let index = request.path.strip_prefix('/').and_then(|path| path.strip_suffix("/_bulk")).unwrap_or_default();
        if index.is_empty() || index.contains('/') {
            return Err("there is no index in the path".into());
        }
        for (name, value) in &request.parameters {
            let is_known = match name.as_str() {
                "filter_path" | "refresh" | "timeout" | "pipeline" => true,
                "require_data_stream" => self.setup.product.knows_require_data_stream(),
                _ => false,
            };
            if !is_known {
                return Err(format!("request [{}] contains unrecognized parameter: [{name}]={value}", request.path));
            }
        }
        let index = decoded(index);
        let is_name = |c: char| !c.is_uppercase() && !"\\/*?\"<>| ,#:".contains(c);
        match !index.starts_with(['-', '_', '+']) && index.len() <= 255 && index.chars().all(is_name) {
            true => Ok(index),
            false => Err(format!("Invalid index name [{index}]")),
        }
    }

    /// Returns whether an index is a data stream: by the settings, or by a template that was installed.
    pub(super) fn is_data_stream(&self, state: &State, index: &str) -> bool {
        let made = state.templates.values().any(|template| {
            let patterns = template["index_patterns"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut patterns = patterns.map(|pattern| pattern.trim_end_matches('*'));
            template.get("data_stream").is_some() && patterns.any(|start| index.starts_with(start))
        });
        made || self.setup.data_streams.iter().any(|name| name == index)
    }
}

impl State {
    /// Creates a document. Without its content, it is only counted.
    fn store(&mut self, index: &str, id: &[u8], document: Option<Map<String, Value>>) -> Item<'static> {
        let Some(document) = document else { return Item::Created };
        if !self.indexes.contains_key(index) {
            self.indexes.insert(index.to_owned(), Default::default());
        }
        let documents = self.indexes.get_mut(index).expect("it was inserted");
        let id = String::from_utf8_lossy(id).into_owned();
        match documents.entry(id) {
            std::collections::btree_map::Entry::Occupied(_) => Item::Exists,
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(document);
                Item::Created
            }
        }
    }

    /// Keeps documents as the failure store does: with another id, and the given one inside.
    fn keep_failures<'a>(&mut self, index: &str, lines: impl Iterator<Item = &'a Line<'a>>) {
        let failures = self.indexes.entry(format!("{index}::failures")).or_default();
        for (id, document) in lines {
            let source: Value = serde_json::from_slice(document).unwrap_or_default();
            let failed = json!({ "document": { "id": String::from_utf8_lossy(id), "index": index, "source": source } });
            let Value::Object(failed) = failed else { continue };
            failures.insert(format!("{:020}", failures.len()), failed);
        }
    }
}

/// The parts of an answer that the client wants.
struct Filter {
    patterns: Option<Vec<Vec<String>>>,
}

impl Filter {
    fn of(request: &Request) -> Self {
        let wanted = request.parameters.iter().find(|(name, _)| name == "filter_path");
        let split = |pattern: &str| pattern.split('.').map(str::to_owned).collect();
        Filter { patterns: wanted.map(|(_, wanted)| wanted.split(',').map(split).collect()) }
    }

    /// Whether the client wants the part at `path`, of which everything below is a part.
    fn has(&self, path: &[&str]) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        patterns.iter().any(|pattern| {
            pattern.len() <= path.len()
                && pattern.iter().zip(path).all(|(wanted, part)| wanted == "*" || wanted == part)
        })
    }
}

enum Order {
    Plain,
    Reversed,
}

/// Writes the items of an answer.
struct Items<'a> {
    out: &'a mut Vec<u8>,
    /// The start of each item.
    starts: Vec<usize>,
    errors_first: bool,
    took: bool,
    errors: bool,
    /// `"_index":"…",`
    index: String,
    id: bool,
    version: bool,
    status: bool,
    error: bool,
    failure_store: bool,
    number: usize,
}

impl<'a> Items<'a> {
    fn new(out: &'a mut Vec<u8>, filter: &Filter, errors_first: bool, index: &str, is_stream: bool) -> Self {
        out.clear();
        let item = |name: &str| filter.has(&["items", "create", name]);
        let shown = if is_stream { format!(".ds-{index}-2026.11.30-000001") } else { index.to_owned() };
        Items {
            out,
            starts: Vec::new(),
            errors_first,
            took: filter.has(&["took"]),
            errors: filter.has(&["errors"]),
            index: if item("_index") { format!("\"_index\":{},", json!(shown)) } else { String::new() },
            id: item("_id"),
            version: item("_version"),
            status: item("status"),
            error: item("error"),
            failure_store: item("failure_store"),
            number: 0,
        }
    }

    fn add(&mut self, id: &[u8], item: &Item<'_>) {
        let start = self.out.len();
        self.number += 1;
        self.out.extend_from_slice(self.index.as_bytes());
        let kept = matches!(item, Item::Fault(fault) if fault.failure_store.as_deref() == Some("used"));
        if self.id {
            self.out.extend_from_slice(b"\"_id\":\"");
            match kept {
                // The document in the failure store is another one.
                true => write!(self.out, "lEu8jZYB_{:011}", self.number).expect("memory takes everything"),
                false => self.out.extend_from_slice(id),
            }
            self.out.extend_from_slice(b"\",");
        }
        if self.version && (kept || matches!(item, Item::Created)) {
            let text = "\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0},\
                        \"_seq_no\":0,\"_primary_term\":1,";
            self.out.extend_from_slice(text.as_bytes());
        }
        let (status, error, failure_store) = match item {
            Item::Created => (201, None, None),
            Item::Exists => {
                let id = String::from_utf8_lossy(id);
                let reason = format!("[{id}]: version conflict, document already exists (current version [1])");
                (409, Some(json!({ "type": "version_conflict_engine_exception", "reason": reason })), None)
            }
            Item::Fault(fault) => {
                let mut error = json!({ "type": fault.kind, "reason": fault.reason });
                if let Some((kind, reason)) = &fault.cause {
                    error["caused_by"] = json!({ "type": kind, "reason": reason });
                }
                (fault.status, (fault.status > 299).then_some(error), fault.failure_store.as_deref())
            }
        };
        if let Some(value) = failure_store.filter(|_| self.failure_store) {
            write!(self.out, "\"failure_store\":{},", json!(value)).expect("memory takes everything");
        }
        if self.status {
            write!(self.out, "\"status\":{status},").expect("memory takes everything");
        }
        if let Some(error) = error.filter(|_| self.error) {
            write!(self.out, "\"error\":{error},").expect("memory takes everything");
        }
        // An item of which nothing is wanted is not in the answer at all.
        if self.out.len() > start {
            self.starts.push(start);
        }
    }

    /// Puts the items into an answer, of which `count` stand in it.
    fn finish(self, has_errors: bool, order: &Order, count: usize) {
        let ends = self.starts.iter().skip(1).copied().chain([self.out.len()]);
        let mut items: Vec<(usize, usize)> = self.starts.iter().copied().zip(ends).collect();
        if matches!(order, Order::Reversed) {
            items.reverse();
        }
        let last = items.last().copied();
        items.truncate(count);
        items.extend(last.filter(|_| count > self.starts.len() && count > self.number));
        let mut whole = Vec::with_capacity(self.out.len() + 20 * items.len() + 64);
        whole.push(b'{');
        let took = if self.took { "\"took\":1," } else { "" };
        let errors = match (self.errors, has_errors) {
            (false, _) => "",
            (true, true) => "\"errors\":true,",
            (true, false) => "\"errors\":false,",
        };
        let (first, second) = if self.errors_first { (errors, took) } else { (took, errors) };
        whole.extend_from_slice(first.as_bytes());
        whole.extend_from_slice(second.as_bytes());
        if !items.is_empty() {
            whole.extend_from_slice(b"\"items\":[");
            for (start, end) in items {
                whole.extend_from_slice(b"{\"create\":{");
                // Without the comma.
                whole.extend_from_slice(&self.out[start..end - 1]);
                whole.extend_from_slice(b"}},");
            }
            whole.pop();
            whole.extend_from_slice(b"],");
        }
        if whole.len() > 1 {
            whole.pop();
        }
        whole.push(b'}');
        *self.out = whole;
    }
}
