//! Reads the events of the Engine: JSON objects, one after the other, with or without newlines between them. Pure.

use serde::Deserialize;

/// The longest event that is believed, in bytes. An event holds all labels of its container.
const LONGEST: usize = 4 << 20;

/// What happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The ID of the container.
    pub id: String,
    /// What happened.
    pub what: What,
}

/// What can happen to a container, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It was created, started or got another name.
    Began,
    /// It was removed.
    Removed,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "status", default)]
    status: String,
    #[serde(rename = "Actor", default)]
    actor: Actor,
    #[serde(rename = "id", default)]
    id: String,
}

#[derive(Deserialize, Default)]
struct Actor {
    #[serde(rename = "ID", default)]
    id: String,
}

impl Message {
    fn event(self) -> Option<Event> {
        let action = if self.action.is_empty() { self.status } else { self.action };
        let what = match action.as_str() {
            "create" | "start" | "rename" | "restart" | "unpause" => What::Began,
            // Podman says `remove`.
            "destroy" | "remove" => What::Removed,
            _ => return None,
        };
        let id = if self.actor.id.is_empty() { self.id } else { self.actor.id };
        let is_container = self.kind.is_empty() || self.kind == "container";
        (is_container && !id.is_empty()).then_some(Event { id, what })
    }
}

/// Takes the bytes of a stream of events as they come.
#[derive(Debug, Default)]
pub struct Events {
    partial: Vec<u8>,
}

impl Events {
    /// Takes the next bytes, and returns the events that are whole.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        self.partial.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut messages = serde_json::Deserializer::from_slice(&self.partial).into_iter::<Message>();
        let mut done = 0;
        loop {
            match messages.next() {
                Some(Ok(message)) => {
                    done = messages.byte_offset();
                    events.extend(message.event());
                }
                Some(Err(error)) if error.is_eof() => break,
                Some(Err(error)) => return Err(error.to_string()),
                None => {
                    done = self.partial.len();
                    break;
                }
            }
        }
        self.partial.drain(..done);
        if self.partial.len() > LONGEST {
            return Err("an event has no end".to_owned());
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_arrive_and_others_are_left_out() {
        let text = concat!(
            r#"{"status":"create","id":"a","from":"x","Type":"container","Action":"create","Actor":{"ID":"a"}}"#,
            "\n",
            r#"{"Type":"network","Action":"create","Actor":{"ID":"n"}}"#,
            r#"{"Type":"container","Action":"exec_start: sh","Actor":{"ID":"a"}}{"Type":"container","Action":"start","Actor":{"ID":"a"}}"#,
            "\n",
            r#"{"status":"destroy","id":"a"}"#,
            "\n",
        );
        let event = |what| Event { id: "a".to_owned(), what };
        let expected = vec![event(What::Began), event(What::Began), event(What::Removed)];
        for size in [1, 7, 100, text.len()] {
            let mut events = Events::default();
            let got: Vec<Event> = text.as_bytes().chunks(size).flat_map(|chunk| events.feed(chunk).unwrap()).collect();
            assert_eq!(got, expected, "{size}");
        }
    }

    #[test]
    fn what_is_no_event_ends_the_reading() {
        for wrong in ["<html>", "{\"Type\":1}", "{]"] {
            assert!(Events::default().feed(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let mut endless = Events::default();
        assert_eq!(endless.feed(b"{\"Type\":\"").map(|events| events.len()), Ok(0));
        assert!(endless.feed(&vec![b'x'; LONGEST]).is_err());
    }
}
