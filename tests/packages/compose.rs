//! The examples for Docker Compose, as far as they can be checked without their images.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::needs::requires_program;
use crate::kit::workspace::Workspace;

/// The folders of the examples.
const EXAMPLES: [&str; 2] = ["compose", "kafka"];

fn here(example: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(example).join(name)
}

fn text(example: &str, name: &str) -> String {
    std::fs::read_to_string(here(example, name)).unwrap()
}

/// Returns the items of the list `key` of a service.
fn list(example: &str, service: &str, key: &str) -> Vec<String> {
    let text = text(example, "compose.yaml");
    let service = text.split(&format!("\n  {service}:\n")).nth(1).unwrap();
    let lines = service.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines = lines.skip_while(|line| line.trim() != format!("{key}:")).skip(1);
    let lines = lines.take_while(|line| line.starts_with("      "));
    lines.filter_map(|line| line.trim().strip_prefix("- ")).map(|item| item.replace("$$", "$")).collect()
}

#[test]
fn every_variable_of_a_compose_file_has_a_value_in_the_file_of_variables() {
    for example in EXAMPLES {
        let (composed, variables) = (text(example, "compose.yaml"), text(example, ".env"));
        let named = |(at, _): (usize, &str)| {
            let is_escaped = composed[..at].ends_with('$');
            let name = composed[at + 2..].split([':', '}']).next().unwrap().to_owned();
            (!is_escaped).then_some(name)
        };
        let wanted: BTreeSet<String> = composed.match_indices("${").filter_map(named).collect();
        let given = variables.lines().filter_map(|line| line.split_once('=')).filter(|(_, value)| !value.is_empty());
        let given: BTreeSet<String> = given.map(|(name, _)| name.to_owned()).collect();
        assert!(wanted.contains("PYTHON_VERSION"), "{wanted:?}");
        assert_eq!(wanted, given, "{example}");
    }
}

#[test]
fn the_options_of_the_services_are_options_of_their_programs() {
    for (example, service, program) in [
        ("compose", "logator", "logator"),
        ("kafka", "push", "logator-push"),
        ("kafka", "worker", "logator-worker"),
        #[cfg(feature = "probe")]
        ("kafka", "probe", "logator-probe"),
    ] {
        let arguments = list(example, service, "command");
        assert!(arguments.len() > 1, "{arguments:?}");
        let command = logator::cli::programs().into_iter().find(|command| command.get_name() == program).unwrap();
        // A reference to a secret needs the variable, which the service has.
        let arguments: Vec<String> =
            arguments.iter().map(|item| item.replace("${ELASTIC_PASSWORD}", "secret")).collect();
        let read = command.try_get_matches_from(std::iter::once(program.to_owned()).chain(arguments));
        read.unwrap_or_else(|error| panic!("{service}: {error}"));
    }
}

#[test]
fn every_file_that_a_service_mounts_is_there() {
    for (example, service) in
        [("compose", "certificates"), ("compose", "producer"), ("kafka", "producer"), ("kafka", "probe")]
    {
        let files: Vec<String> =
            list(example, service, "volumes").into_iter().filter(|item| item.starts_with('.')).collect();
        assert_eq!(files.len(), 1, "{service}");
        let file = here(example, files[0].split(':').next().unwrap());
        assert!(file.is_file(), "{file:?}");
    }
}

#[test]
fn the_producer_prints_lines_of_the_format_that_the_service_reads() {
    requires_program("python3");
    let produced = Command::new("python3").arg(here("compose", "producer.py")).arg("20").output().unwrap();
    assert!(produced.status.success(), "{}", String::from_utf8_lossy(&produced.stderr));
    let place = Workspace::new();
    let (ran, _) = place.logator(&["-f", "access-article", "--to", "-"], &produced.stdout);
    let documents: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 20);
    for document in documents {
        let has = |name: &&str| document.get(name).is_some();
        assert!(["ip", "timestamp", "request", "status", "agent"].iter().all(has), "{document}");
    }
}
