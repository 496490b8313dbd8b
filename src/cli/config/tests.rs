//! Tests of the configuration file together with a command line. The command under test has one flag of each kind.

use std::io::Write;

use super::*;

/// Returns a command with a flag of each kind. No environment variable sets a flag unless the command goes through
/// `from_environment`.
fn command() -> Command {
    Command::new("test")
        .arg(Arg::new("input").action(ArgAction::Append).required(true))
        .arg(Arg::new("sinks").long("to").action(ArgAction::Append).default_value("-"))
        .arg(Arg::new("bind").long("bind").action(ArgAction::Append).default_value("ipc:///default"))
        .arg(Arg::new("jobs").long("jobs").default_value("auto"))
        .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue))
        .arg(Arg::new("batch_lines").long("batch-lines").default_value("2000"))
        .arg(Arg::new("config").long("config"))
}

fn other() -> Command {
    Command::new("other").arg(Arg::new("lease").long("lease")).arg(Arg::new("total").long("total"))
}

struct Given(Vec<(&'static str, Vec<String>)>);

fn configured(text: &str) -> Result<Command> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    with_file(command(), file.path(), "run", &[other()])
}

fn given(text: &str, arguments: &[&str]) -> Given {
    let command = configured(text).unwrap_or_else(|error| panic!("{error}"));
    let arguments = std::iter::once("test").chain(arguments.iter().copied());
    let matches = command.try_get_matches_from(arguments).unwrap();
    let all = |id: &str| {
        let values = matches.try_get_many::<String>(id).ok().flatten();
        values.map(|values| values.cloned().collect::<Vec<_>>()).unwrap_or_default()
    };
    let mut given: Vec<_> = ["input", "sinks", "bind", "jobs", "batch_lines"].map(|id| (id, all(id))).into();
    given.push(("quiet", vec![matches.get_flag("quiet").to_string()]));
    Given(given)
}

impl Given {
    fn is(&self, id: &str, expected: &[&str]) {
        let (_, values) = self.0.iter().find(|(name, _)| *name == id).unwrap();
        assert_eq!(values, expected, "{id}");
    }
}

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let error = configured(text).expect_err(text);
    assert_eq!(error.exit_code(), 2);
    let error = error.to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn a_value_of_the_file_takes_the_place_of_the_default_and_is_not_added_to_it() {
    let given = given("to = ['sqlite:a', 'null:']\nbind = 'ipc:///b'\ninput = ['x', 'y']\njobs = 3\n", &[]);
    given.is("sinks", &["sqlite:a", "null:"]);
    given.is("bind", &["ipc:///b"]);
    given.is("input", &["x", "y"]);
    given.is("jobs", &["3"]);
    given.is("batch_lines", &["2000"]);
}

#[test]
fn a_flag_takes_the_place_of_the_file_s_values() {
    let file = "to = ['sqlite:a', 'null:']\ninput = 'x'\njobs = 3\nbatch-lines = 7\n";
    let given = given(file, &["--to", "-", "z", "--jobs=1"]);
    given.is("sinks", &["-"]);
    given.is("input", &["z"]);
    given.is("jobs", &["1"]);
    given.is("batch_lines", &["7"]);
}

#[test]
fn the_environment_is_stronger_than_the_file_and_weaker_than_a_flag() {
    // A variable that every process has: setting one would race with other tests.
    let path = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let command = configured("input = 'x'\njobs = 3\n").unwrap();
    let command = command.mut_arg("jobs", |arg| arg.env("CARGO_MANIFEST_DIR"));
    let jobs = |arguments: &[&str]| {
        let matches = command.clone().try_get_matches_from(arguments).unwrap();
        matches.get_one::<String>("jobs").unwrap().clone()
    };
    assert_eq!(jobs(&["test"]), path);
    assert_eq!(jobs(&["test", "--jobs=1"]), "1");
}

#[test]
fn every_long_flag_and_the_input_have_a_variable() {
    let command = with_environment(command());
    let variable = |id: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id).unwrap();
        arg.get_env().map(|name| name.to_string_lossy().into_owned())
    };
    assert_eq!(variable("batch_lines").as_deref(), Some("LOGATOR_BATCH_LINES"));
    assert_eq!(variable("sinks").as_deref(), Some("LOGATOR_TO"));
    assert_eq!(variable("input").as_deref(), Some("LOGATOR_INPUT"));
}

#[test]
fn a_program_s_own_table_is_stronger_than_the_top_and_others_tables_are_not_its_business() {
    let given = given("input = 'x'\njobs = 3\n[run]\njobs = 4\n[worker]\njobs = 5\nanything = 1\n", &[]);
    given.is("jobs", &["4"]);
}

#[test]
fn a_flag_without_a_value_takes_true_or_false() {
    given("input = 'x'\nquiet = true\n", &[]).is("quiet", &["true"]);
    given("input = 'x'\nquiet = false\n", &[]).is("quiet", &["false"]);
    given("input = 'x'\nquiet = false\n", &["--quiet"]).is("quiet", &["true"]);
}

#[test]
fn a_key_of_another_program_may_stand_at_the_top_but_not_in_this_program_s_table() {
    given("input = 'x'\nlease = 30\n", &[]).is("jobs", &["auto"]);
    refused("[run]\nlease = 30\n", &[":2: unknown key lease"]);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_name() {
    refused("jobs = 1\njosb = 3\n", &[":2: unknown key josb; did you mean jobs?"]);
    refused("bach-lines = 3\n", &[":1: ", "did you mean batch-lines?"]);
    refused("wholly-different = 3\n", &["unknown key wholly-different; the keys are the long names"]);
    refused("config = 'other.toml'\n", &["unknown key config"]);
    refused("[runs]\njobs = 3\n", &[":1: unknown key runs"]);
}

#[test]
fn a_wrong_key_s_line_is_not_that_of_a_longer_name() {
    refused("input = 'x'\ntotal = 1\n\"to\" = 1979-05-27\n", &[":3: to: a text"]);
}

#[test]
fn a_value_of_a_wrong_kind_is_refused_with_its_line() {
    refused("\njobs = [1, 2]\n", &[":2: jobs: one value is expected, not an array"]);
    refused("to = []\n", &[":1: to: an empty array"]);
    refused("to = [['a']]\n", &[":1: to: a text, number, boolean or array is expected"]);
    refused("to = \n", &["not TOML"]);
}

#[test]
fn the_file_is_looked_for_before_the_arguments_are_understood() {
    let of = |arguments: &[&str]| {
        let arguments: Vec<std::ffi::OsString> = arguments.iter().map(Into::into).collect();
        file_of(&arguments)
    };
    assert_eq!(of(&["logator", "run", "--config", "a.toml"]), Some("a.toml".into()));
    assert_eq!(of(&["logator", "run", "--config=a.toml", "x"]), Some("a.toml".into()));
    assert_eq!(of(&["logator", "run", "--", "--config=a.toml"]), None);
}
