//! A topic of the mock cluster of librdkafka.

use std::any::Any;
use std::rc::Rc;

use super::{Place, id_and_message};
use crate::kit::mock_kafka::MockKafka;

/// A topic of a cluster of its own.
pub struct Topic(Rc<MockKafka>);

impl Topic {
    pub fn new() -> Topic {
        let cluster = MockKafka::new();
        cluster.create_topic("logs", 3);
        Topic(Rc::new(cluster))
    }
}

/// Lets the brokers answer again.
struct Held(Rc<MockKafka>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.brokers_up();
    }
}

impl Place for Topic {
    fn address(&self) -> String {
        self.0.address("logs")
    }

    fn stored(&self) -> Option<Vec<(String, String)>> {
        let messages = self.0.messages("logs");
        let document = |value: &[u8]| id_and_message(std::str::from_utf8(value).unwrap());
        Some(
            messages
                .into_iter()
                .map(|message| {
                    let (id, text) = document(&message.value);
                    assert_eq!(message.header("logator-id"), id);
                    assert_eq!(message.header("logator-origin"), "0000000000000001");
                    (id, text)
                })
                .collect(),
        )
    }

    fn hold(&self) -> Option<Box<dyn Any>> {
        self.0.brokers_down();
        Some(Box::new(Held(Rc::clone(&self.0))))
    }
}
