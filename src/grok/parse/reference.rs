//! Parses references to definitions: `%{NAME}`, `%{NAME:field:type}`, `%{NAME=regex}`.

use std::sync::Arc;

use crate::core::error::Result;
use crate::grok::ast::Node;
use crate::grok::fault::{Written, did_you_mean};
use crate::grok::parse::{Frame, MAX_DEPTH, Parser, Part, Reader};
use crate::grok::pattern_file::{Definition, is_name_char};

impl Parser<'_> {
    /// Parses the reference that starts here. It becomes a group of its own.
    pub(super) fn reference(&mut self, r: &mut Reader<'_>) -> Result<Part> {
        let (frame, at) = (r.frame, r.at);
        let start = at + 2;
        let length = r.text[start..].find(|c| !is_name_char(c)).unwrap_or(r.text.len() - start);
        let name = &r.text[start..start + length];
        if name.is_empty() && r.text[start..].contains('}') {
            let message = "a pattern name is expected after %{ (write \\%{ for the characters)";
            return Err(self.fault(frame, start, message));
        }
        r.at += 2 + length;
        let field = if r.eat(":") { Some((r.at, field(r))) } else { None };
        let own = r.at;
        let made = r.eat("=");
        let close = if made { closing_brace(r.rest()) } else { r.rest().find('}') };
        let Some(close) = close.map(|length| r.at + length) else {
            return Err(self.fault(frame, at, "this %{ is not closed"));
        };
        let rest = &r.text[r.at..close];
        if made {
            self.define(r, own + 1, name, rest);
        } else if field.is_none() && !rest.is_empty() && !rest.starts_with(' ') {
            // Logstash ignores everything after a blank, `%{NAME - a remark}`, and everything after a field.
            return Err(self.fault(frame, r.at, "a name is followed by }, by :field or by =definition"));
        }
        let definition = self.definition(frame, start, name)?;
        let slot = match field {
            Some((field_at, field)) => Some(self.field_slot(frame, field_at, field, name)?),
            None => None,
        };
        self.enter(r, at)?;
        let depth = self.frames[frame].depth + 1;
        self.frames.push(Frame {
            written: definition.written.clone(),
            name: Some(Arc::clone(&definition.name)),
            parent: Some(frame),
            depth,
        });
        let Part { node, levels } = self.text(self.frames.len() - 1, &definition.written.text, r.options)?;
        self.open -= 1;
        r.at = close + 1;
        let node = match slot {
            Some(slot) => Node::Capture { slot, node: Box::new(node) },
            None => node,
        };
        Ok(Part { node, levels: levels + 1 })
    }

    /// Adds the capture of `%{name:field}` or `%{name:field:type}`.
    fn field_slot(&mut self, frame: usize, at: usize, field: &str, name: &str) -> Result<usize> {
        let (path, kind) = match field.split_once(':') {
            Some((path, kind)) => (path, Some((at + path.len() + 1, kind))),
            None => (field, None),
        };
        let slot = self.slot(frame, at, path, kind)?;
        // In Logstash, the group has the text of the reference as its name.
        let name = format!("{name}:{field}");
        self.slots[slot].name.clone_from(&name);
        self.named.push((name, slot));
        Ok(slot)
    }

    /// Adds the definition `text`, which is written at `at`. The rest of the pattern can use it.
    fn define(&mut self, r: &Reader<'_>, at: usize, name: &str, text: &str) {
        let place = &self.frames[r.frame].written.place;
        let place = format!("{place}, definition of {name} at character {}", r.text[..at].chars().count() + 1);
        let definition =
            Definition { name: name.into(), written: Written::new(place, text), file: "the pattern".into(), line: 1 };
        self.own.insert(Arc::clone(&definition.name), definition);
    }

    /// Returns the definition of `name`, which is used at `at`.
    fn definition(&self, frame: usize, at: usize, name: &str) -> Result<Definition> {
        let Some(definition) = self.own.get(name).or_else(|| self.definitions.get(name)) else {
            let hint = did_you_mean(name, self.definitions.keys().map(|name| &**name));
            return Err(self.fault(frame, at, &format!("there is no pattern %{{{name}}}{hint}")));
        };
        let names = self.chain(Some(frame));
        if let Some(first) = names.iter().position(|known| **known == *name) {
            let round: Vec<&str> = names[first..].iter().map(|name| &**name).chain([name]).collect();
            return Err(self.fault(frame, at, &format!("the pattern uses itself: {}", round.join(" > "))));
        }
        if self.frames[frame].depth == MAX_DEPTH {
            return Err(self.fault(frame, at, &format!("patterns use each other more than {MAX_DEPTH} deep")));
        }
        Ok(definition.clone())
    }
}

/// Reads the field and the type. They end at the first character that Logstash does not allow in them. Logstash ignores
/// that character and the rest: `%{INT:[error][code]?}`.
fn field<'t>(r: &mut Reader<'t>) -> &'t str {
    let known =
        |c: char| c.is_alphanumeric() || matches!(c, '@' | '[' | ']' | '_' | ':' | '.' | '-' | '\\' | '^' | '`');
    let rest = r.rest();
    let field = &rest[..rest.find(|c| !known(c)).unwrap_or(rest.len())];
    r.at += field.len();
    field
}

/// Returns the position of the brace that ends a definition. Braces inside it are in pairs.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0;
    let mut escaped = false;
    for (index, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => open += 1,
            b'}' if open == 0 => return Some(index),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}
