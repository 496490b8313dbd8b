//! Files that can be checked without an installation: the configuration, man pages, completions, units.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::assets;
use crate::kit::needs::requires_program;
use crate::kit::workspace::Workspace;

/// Returns the path of a file of this package.
fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The programs that have a table in the configuration file.
const TABLES: &[(&str, &str)] = &[
    ("logator-queue", "queue"),
    ("logator-worker", "worker"),
    ("logator-push", "push"),
    #[cfg(feature = "probe")]
    ("logator-probe", "probe"),
];

fn configuration() -> String {
    std::fs::read_to_string(here("packaging/logator.toml")).unwrap()
}

/// Returns the configuration with every commented setting made.
fn all_settings() -> String {
    let shown =
        |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    configuration()
        .lines()
        .map(|line| if shown(line) { &line[1..] } else { line })
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Returns the command line of a program with a file's values, as the program itself builds it.
fn configured(program: &str, table: &str, path: &Path) -> clap::Command {
    let mut others = logator::cli::programs();
    let at = others.iter().position(|command| command.get_name() == program).unwrap();
    let own = others.remove(at);
    logator::cli::config::with_file(own, path, table, &others).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_configuration_is_right_as_it_is_and_with_every_setting_made() {
    let place = Workspace::new();
    for (name, text) in [("shipped.toml", configuration()), ("all.toml", all_settings())] {
        let path = place.write(name, &text);
        for &(program, table) in TABLES {
            let command = configured(program, table, &path);
            let read = command.try_get_matches_from([program]);
            read.unwrap_or_else(|error| panic!("{name}, {program}: {error}"));
        }
    }
}

#[test]
fn the_configuration_shows_every_flag_of_its_programs() {
    let table: toml::Table = all_settings().parse().unwrap();
    for &(program, name) in TABLES {
        let settings = table[name].as_table().unwrap();
        let command = logator::cli::programs().into_iter().find(|command| command.get_name() == program).unwrap();
        let flags = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let flags = flags.filter_map(|arg| arg.get_long().or(arg.is_positional().then(|| arg.get_id().as_str())));
        for flag in flags.filter(|flag| !["help", "version", "config"].contains(flag)) {
            assert!(settings.contains_key(flag), "[{name}] of packaging/logator.toml lacks {flag}");
        }
    }
}

#[test]
fn what_the_configuration_shows_as_a_default_is_one() {
    let mut table = "";
    let mut checked = 0;
    let text = configuration();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']');
        }
        let Some((key, value)) = line.strip_prefix('#').and_then(|line| line.split_once(" = ")) else { continue };
        // Without the feature `probe`, its table has no program.
        let Some((program, _)) = TABLES.iter().find(|(_, name)| *name == table) else { continue };
        let command = logator::cli::programs().into_iter().find(|command| command.get_name() == *program).unwrap();
        let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(key)) else { continue };
        // The other values are examples.
        if let [default] = arg.get_default_values()
            && !value.starts_with('[')
        {
            assert_eq!(default.to_string_lossy(), value.trim_matches('"'), "[{table}] {key}");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

#[test]
fn a_queue_reads_its_inputs_from_the_file() {
    // In an earlier version, these values were added after `--`, and a queue read the workers' arguments as its inputs.
    let place = Workspace::new();
    place.write("a.log", crate::kit::logs::access(0..10));
    let endpoint = place.endpoint();
    place.write(
        "c.toml",
        format!("[queue]\ninput = [\"a.log\"]\nspawn = 1\nbind = \"{endpoint}\"\n[worker]\nto = \"null:\"\n"),
    );
    let ran = place.run("logator-queue", &["--config", "c.toml", "--", "--unmatched", "drop"], b"");
    // In that version, workers did not read their table either, and connected to a MongoDB.
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("stored                     10"), "{}", ran.stderr);
}

#[test]
fn there_is_a_man_page_for_each_program_and_command() {
    let place = Workspace::new();
    let pages = man_pages(&place);
    for page in &pages {
        assert!(page.exists(), "{} is missing", page.display());
    }
    let found = std::fs::read_dir(place.path("assets/man")).unwrap().count();
    assert_eq!(found, pages.len(), "there are pages of nothing");
}

#[test]
#[ignore = "needs man: run ./test"]
fn man_reads_each_page_without_a_warning() {
    requires_program("man");
    let place = Workspace::new();
    for page in man_pages(&place) {
        let mut command = Command::new("man");
        command.args(["--warnings", "-l"]).arg(&page).env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8");
        let ran = command.output().unwrap();
        let (text, faults) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && faults.is_empty(), "{}: {faults}", page.display());
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(text.contains(section), "{} lacks {section}:\n{text}", page.display());
        }
    }
}

/// Writes the assets and returns the paths that the man pages of all programs and commands must have.
fn man_pages(place: &Workspace) -> Vec<PathBuf> {
    assets::write(&place.path("assets")).unwrap();
    let mut names = Vec::new();
    for program in logator::cli::programs() {
        let name = program.get_name().to_owned();
        names.extend(program.get_subcommands().map(|command| format!("{name}-{}", command.get_name())));
        names.push(name);
    }
    names.iter().map(|name| place.path(&format!("assets/man/{name}.1.gz"))).collect()
}

#[test]
fn bash_completes_flags_values_and_commands() {
    let place = Workspace::new();
    assets::write(&place.path("assets")).unwrap();
    let complete = |program: &str, words: &[&str]| {
        let script = place.path(&format!("assets/completions/bash/{program}"));
        // This is how bash calls the function: the words so far, and the index of the word that is being written.
        let code = format!(
            ". {script}\nCOMP_WORDS=({program} {words})\nCOMP_CWORD={count}\n\
             $(complete -p {program} | sed 's/.*-F \\([^ ]*\\).*/\\1/') {program} '{last}' '{before}'\necho \"${{COMPREPLY[@]}}\"",
            script = script.display(),
            words = words.join(" "),
            count = words.len(),
            last = words.last().unwrap(),
            before = words.len().checked_sub(2).map_or(program, |at| words[at]),
        );
        let ran = Command::new("bash").args(["--norc", "-c", &code]).output().unwrap();
        assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete("logator-queue", &["--auth"]), "--authorized-keys");
    assert_eq!(complete("logator-push", &["--on-full", "d"]), "drop");
    for name in logator::cli::other_names().into_iter().map(|(name, _)| name) {
        assert_eq!(complete(&name, &["--redir"]), "--redirects");
    }
    assert_eq!(complete("logator", &["rep"]), "replay");
    assert_eq!(complete("logator", &["run", "--unmatched", "k"]), "keep");
}

/// Returns the paths of the completions of `shell`, one for each program.
fn completions(place: &Workspace, shell: &str) -> Vec<PathBuf> {
    assets::write(&place.path("assets")).unwrap();
    let files = std::fs::read_dir(place.path(&format!("assets/completions/{shell}"))).unwrap();
    let files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), logator::cli::programs().len() + logator::cli::other_names().len());
    files
}

#[test]
fn there_are_completions_of_zsh_and_fish_for_each_program() {
    let place = Workspace::new();
    for shell in ["zsh", "fish"] {
        assert!(completions(&place, shell).iter().all(|file| file.metadata().unwrap().len() > 0), "{shell}");
    }
}

/// Lets `shell` read its completions without running them.
fn takes_its_completions(shell: &str) {
    requires_program(shell);
    for file in completions(&Workspace::new(), shell) {
        let ran = Command::new(shell).arg("-n").arg(file).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
#[ignore = "needs zsh: run ./test"]
fn zsh_takes_its_completions() {
    takes_its_completions("zsh");
}

#[test]
#[ignore = "needs fish: run ./test"]
fn fish_takes_its_completions() {
    takes_its_completions("fish");
}

/// The services, and the exposure that `systemd-analyze security` finds.
const SERVICES: [(&str, &str); 4] = [
    ("logator-queue.service", "1.4"),
    ("logator-worker@.service", "1.4"),
    ("logator-push.service", "1.4"),
    ("logator-probe.service", "1.3"),
];

/// The version of systemd that gives this exposure. Other versions judge a little differently.
const JUDGE: &str = "systemd 252 ";

#[test]
#[ignore = "needs systemd-analyze: run ./test"]
fn services_stay_as_closed_as_the_documentation_says() {
    requires_program("systemd-analyze");
    let documentation = std::fs::read_to_string(here("doc/packages.md")).unwrap();
    let version = Command::new("systemd-analyze").arg("--version").output().unwrap();
    let judge = String::from_utf8_lossy(&version.stdout).starts_with(JUDGE);
    for (service, exposure) in SERVICES {
        let row = format!("| `{service}` | {exposure} |");
        assert!(documentation.contains(&row), "doc/packages.md does not say {row}");
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", "--threshold=20"]);
        let ran = command.arg(here("packaging/systemd").join(service)).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
        assert!(!judge || said.contains(&format!(".service: {exposure} ")), "{exposure}\n{said}");
    }
}

#[test]
#[ignore = "needs systemd-analyze: run ./test"]
fn systemd_finds_no_fault_in_the_units_and_drop_ins() {
    requires_program("systemd-analyze");
    let place = Workspace::new();
    let units = place.path("units");
    std::fs::create_dir(&units).unwrap();
    let programs = crate::kit::program("logator").parent().unwrap().display().to_string();
    for folder in ["packaging/systemd", "contrib/systemd"] {
        for file in std::fs::read_dir(here(folder)).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            // systemd wants the programs to be at the path that the unit names.
            let text = text.replace("/usr/bin/logator", &format!("{programs}/logator"));
            match (name.strip_suffix(".conf"), text.contains("LOGATOR_QUEUE_KEY")) {
                (Some("sysusers"), _) => {}
                (Some(_), true) => drop(place.write(&format!("units/logator-worker@.service.d/{name}"), text)),
                (Some(_), false) => drop(place.write(&format!("units/logator-queue.service.d/{name}"), text)),
                (None, _) => drop(place.write(&format!("units/{name}"), text)),
            }
        }
    }
    let names = [
        "logator-queue.service",
        "logator-worker@1.service",
        "logator-push.service",
        "logator-push.socket",
        "logator-probe.service",
    ];
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]);
    command.args(names.map(|name| units.join(name))).arg(units.join("logator-journal.service"));
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    let ours = said.lines().filter(|line| line.contains("logator"));
    assert!(ran.status.success() && ours.count() == 0, "{said}");
}
