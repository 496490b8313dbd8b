//! An index of a strict server.

use std::any::Any;
use std::rc::Rc;

use logator::core::record::RecordId;

use super::Place;
use crate::kit::bulk_server::{BulkServer, Fault, ItemFault, Rule};

/// An index of a server of its own.
pub struct Index(Rc<BulkServer>);

impl Index {
    pub fn new() -> Index {
        Index(Rc::new(BulkServer::new()))
    }
}

/// Lets the server take documents again.
struct Held(Rc<BulkServer>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set_rules(Vec::new());
    }
}

impl Place for Index {
    fn address(&self) -> String {
        self.0.sink("logs")
    }

    fn stored(&self) -> Option<Vec<(String, String)>> {
        let documents = self.0.documents("logs");
        Some(documents.into_iter().map(|(id, body)| (id, body["message"].as_str().unwrap().to_owned())).collect())
    }

    fn refuse(&self, id: RecordId) -> bool {
        self.0.set_rules(vec![Rule::always(Fault::Document(id.to_string(), ItemFault::mapping()))]);
        true
    }

    fn hold(&self) -> Option<Box<dyn Any>> {
        self.0.set_rules(vec![Rule::always(Fault::all(ItemFault::busy()))]);
        Some(Box::new(Held(Rc::clone(&self.0))))
    }
}
