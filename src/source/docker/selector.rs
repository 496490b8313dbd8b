//! Names of inputs, `docker:…`, and the containers that they mean. Pure.

use super::container::{Container, SCHEME};
use crate::core::error::{Error, Result};

/// The number of digits of a short container ID. Fewer digits could be the beginning of another container's ID.
const SHORT_ID: usize = 12;

/// The containers that one name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `docker:*`: every container.
    All,
    /// `docker:LABEL=VALUE`: the containers that have this label with this value.
    Label(String, String),
    /// `docker:NAME` or `docker:ID`: one container.
    Name(String),
}

impl Selector {
    /// Parses the name of an input.
    ///
    /// # Errors
    /// A usage error that says how such a name is written.
    pub fn parse(text: &str) -> Result<Selector> {
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        let wrong = |what: &str| {
            Error::usage(format!("{text}: {what}; write docker:NAME, docker:ID, docker:LABEL=VALUE or docker:*"))
        };
        match rest.split_once('=') {
            _ if rest.is_empty() => Err(wrong("the name of a container is missing")),
            _ if rest == "*" => Ok(Selector::All),
            Some(("", _)) => Err(wrong("the name of the label is missing")),
            Some((label, value)) => Ok(Selector::Label(label.to_owned(), value.to_owned())),
            None if rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte)) => {
                Ok(Selector::Name(rest.trim_start_matches('/').to_owned()))
            }
            None => Err(wrong("no container has such a name")),
        }
    }

    /// Whether the name means `container`.
    pub fn matches(&self, container: &Container) -> bool {
        match self {
            Selector::All => true,
            Selector::Label(label, value) => container.labels.get(label) == Some(value),
            Selector::Name(name) => {
                let is_id = name.len() >= SHORT_ID && name.bytes().all(|byte| byte.is_ascii_hexdigit());
                container.name == *name || (is_id && container.id.starts_with(&name.to_ascii_lowercase()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_a_container_by_name_id_or_label_and_wrong_names_say_how_they_are_written() {
        let web = Container {
            id: "0123456789abcdef".repeat(4),
            name: "web".to_owned(),
            labels: [("app.tier".to_owned(), "front=1".to_owned())].into(),
            ..Container::default()
        };
        for (name, means) in [
            ("docker:*", true),
            ("docker:web", true),
            ("docker:/web", true),
            ("docker:we", false),
            ("docker:0123456789AB", true),
            ("docker:0123456789a", false),
            ("docker:app.tier=front=1", true),
            ("docker:app.tier=front", false),
            ("docker:tier=", false),
        ] {
            assert_eq!(Selector::parse(name).unwrap().matches(&web), means, "{name}");
        }
        for wrong in ["docker:", "docker:=x", "docker:a b", "docker:web*", "docker:ä"] {
            let error = Selector::parse(wrong).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains("write docker:NAME"), "{error}");
        }
    }
}
