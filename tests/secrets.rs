//! No output contains the password of an address, whatever the place of the address, and whether the address is valid
//! or not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::kit::logs::access;
use crate::kit::process::heeds;
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

/// Every part of the password contains this text.
const MARK: &str = "hush";

/// A password with every character that ends a part of an address.
const PASSWORD: &str = "hush0@hush1:hush2/hush3?hush4#hush5%hush6 hush7&hush8=hush9";

/// How long a program may run that finds no fault. It is killed then.
const MOMENT: Duration = Duration::from_secs(2);

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Returns addresses with the password: valid and malformed ones.
fn addresses() -> Vec<String> {
    let encoded = encoded(PASSWORD);
    let away = "127.0.0.1:9/d.c?serverSelectionTimeoutMS=50&connectTimeoutMS=50";
    vec![
        format!("mongodb://joe:{encoded}@{away}"),
        format!("mongodb://joe:{PASSWORD}@{away}"),
        format!("mongodb://joe:{encoded}"),
        format!("mongodb://joe:{PASSWORD}"),
        format!("mongodb://joe:{encoded}@"),
        format!("mongodb://joe:{PASSWORD}@/d.c"),
        format!("mongodb://joe:{encoded}@127.0.0.1:port/d.c"),
        format!("mongdb://joe:{PASSWORD}@127.0.0.1:9/d.c"),
        format!("mongodb:joe:{PASSWORD}@127.0.0.1:9/d.c"),
        format!("mongodb:/joe:{encoded}@127.0.0.1:9/d.c"),
        format!("elasticsearch+http://joe:{encoded}@127.0.0.1:9/l-%{{+yyyy.MM.dd}}?serverSelectionTimeoutMS=50"),
        format!("elasticsearch+http://joe:{PASSWORD}@127.0.0.1:9/l?serverSelectionTimeoutMS=50"),
        format!("elasticsearch+https://127.0.0.1:9/l?apiKey={encoded}&serverSelectionTimeoutMS=50"),
        format!("elasticsearch+https://127.0.0.1:9/l?bearerToken={PASSWORD}"),
        format!("kafka://joe:{PASSWORD}@127.0.0.1:9/t"),
        format!("mongodb://127.0.0.1:9/d.c?password={encoded}"),
        format!("mongodb://127.0.0.1:9/d.c?authMechanismProperties=TOKEN:{encoded}"),
        format!("mongodb://127.0.0.1:9/d.c#{encoded}"),
        format!("tcp://joe:{PASSWORD}@127.0.0.1:x"),
    ]
}

/// Returns everything that a program said and wrote, besides its input.
fn said(place: &Workspace, mut running: Running) -> String {
    running.close_input();
    let started = Instant::now();
    wait_for("an end", PATIENCE, || (running.has_ended() || started.elapsed() > MOMENT).then_some(()));
    running.kill();
    let mut all = running.stderr() + &running.stdout();
    for file in ["receipt", "letters", "dead-letters.ndjson", "dead-letters-replay.ndjson"] {
        if place.path(file).is_file() {
            all += &place.text(file);
        }
    }
    all
}

fn keeps_it(what: &str, place: &Workspace, running: Running) {
    let said = said(place, running);
    assert!(!said.contains(MARK), "{what}:\n{said}");
}

fn prepared() -> Workspace {
    let place = Workspace::new();
    place.write("a.log", access(0..3));
    place.write("key", "");
    place
}

/// The programs, with arguments that go before others.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("logator", &["run"]),
    ("logator", &["bench", "--runs", "1", "a.log"]),
    ("logator", &["replay"]),
    ("logator", &["grok", "%{WORD:w}"]),
    ("logator-queue", &[]),
    ("logator-worker", &[]),
    ("logator-push", &[]),
    ("logator-pull", &[]),
    #[cfg(feature = "probe")]
    ("logator-probe", &["--once"]),
];

/// The flags that an address may follow, correctly or by mistake. The empty text stands for an INPUT.
const FLAGS: [&str; 13] = [
    "",
    "--to",
    "--from",
    "--bind",
    "--connect",
    "--queue-key",
    "--curve-key",
    "--dead-letters",
    "--receipt",
    "--state",
    "--config",
    "--patterns-dir",
    "--jobs",
];

/// Runs `test` on every item, some of them in parallel.
fn each<T: Sync>(items: &[T], test: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(item);
                }
            });
        }
    });
    assert!(next.into_inner() > items.len());
}

#[test]
fn no_flag_repeats_a_password() {
    let addresses = addresses();
    let mut cases = Vec::new();
    for (index, (program, first)) in PROGRAMS.iter().enumerate() {
        for (number, flag) in FLAGS.iter().enumerate() {
            for (form, address) in addresses.iter().enumerate() {
                // A place where an address belongs gets all forms. Any other place gets some of them.
                if matches!(*flag, "" | "--to") || (form + index + number) % 4 == 0 {
                    cases.push((*program, *first, *flag, address.as_str(), form));
                }
            }
        }
    }
    each(&cases, |(program, first, flag, address, form)| {
        let place = prepared();
        let joined = format!("{flag}={address}");
        let given: &[&str] = match *flag {
            "" => &[address],
            _ if form % 2 == 0 => &[flag, address],
            _ => &[&joined],
        };
        let mut arguments: Vec<&str> = first.iter().chain(given).copied().collect();
        if form % 3 == 0 {
            arguments.extend(["--log-level", "debug"]);
        }
        // Some commands also have a wrong value in another flag.
        if form % 5 == 1 {
            arguments.extend(["--jobs", "some"]);
        }
        keeps_it(&format!("{program} {arguments:?}"), &place, place.start(program, &arguments));
    });
}

#[test]
fn no_variable_of_the_environment_is_repeated() {
    let addresses = addresses();
    let mut cases = Vec::new();
    for (index, (program, first)) in PROGRAMS.iter().enumerate() {
        for (number, flag) in FLAGS.iter().filter(|flag| !flag.is_empty()).enumerate() {
            for (form, address) in addresses.iter().enumerate().filter(|(form, _)| (form + index + number) % 5 == 0) {
                cases.push((*program, *first, *flag, address.as_str(), form));
            }
        }
    }
    each(&cases, |(program, first, flag, address, form)| {
        let place = prepared();
        let mut command = place.command(program, first);
        command.env(format!("LOGATOR_{}", flag.trim_start_matches('-').replace('-', "_").to_uppercase()), address);
        if form % 2 == 0 {
            command.env("LOGATOR_LOG_LEVEL", "debug");
        }
        keeps_it(&format!("{flag} of {program} {first:?}: {address}"), &place, Running::start(command));
    });
}

/// Returns configurations with `address`: valid and malformed ones.
fn configurations(table: &str, address: &str) -> Vec<String> {
    let quoted = format!("'{address}'");
    vec![
        format!("to = {quoted}\n"),
        format!("[{table}]\nto = [{quoted}, 1, [2]]\n"),
        format!("to = {address}\n"),
        format!("to = {quoted}\nlog-level = \n"),
        format!("log-level = \nto = {quoted}\n"),
        format!("to = '{address}\nlog-level = 'info'\n"),
        format!("to = \"{address}\\q\"\n"),
        format!("to = {quoted} x\n"),
        format!("to = {quoted}\nto = {quoted}\n"),
        format!("to = {{ address = {quoted} }}\n"),
        format!("too = {quoted}\n"),
        format!("{quoted} = 1\n"),
        format!("[{quoted}]\nx = 1\n"),
        format!("log-level = {quoted}\n"),
        format!("jobs = {quoted}\nto = {quoted}\n"),
        format!("to = {quoted}\nmax-line = 'huge'\nbatch-lines = {quoted}\n"),
        format!("dead-letters = {quoted}\nreceipt = {quoted}\nstate = {quoted}\nfrom = {quoted}\nbind = {quoted}\n"),
    ]
}

#[test]
fn no_configuration_file_is_repeated() {
    let addresses = addresses();
    let tables = ["run", "bench", "replay", "grok", "queue", "worker", "push", "pull"];
    let mut cases = Vec::new();
    for (index, (table, (program, first))) in tables.iter().zip(PROGRAMS).enumerate() {
        for (form, address) in addresses.iter().enumerate() {
            for (number, text) in configurations(table, address).into_iter().enumerate() {
                if (form + index + number) % 7 == 0 || (*table == "run" && form < 2) {
                    cases.push((program, first, text));
                }
            }
        }
    }
    each(&cases, |(program, first, text)| {
        let place = prepared();
        place.write("c.toml", text);
        let mut arguments = [first, &["--config", "c.toml"][..]].concat();
        if text.len() % 5 == 0 {
            arguments.push("--help");
        }
        keeps_it(&format!("{program} {first:?} with\n{text}"), &place, place.start(program, &arguments));
    });
}

#[test]
fn no_secret_by_name_is_repeated() {
    let place = prepared();
    place.write("secret", PASSWORD);
    place.write("address", &addresses()[0]);
    place.write("wrong", &addresses()[3]);
    let away = "127.0.0.1:9/d.c?serverSelectionTimeoutMS=50";
    let addresses = [
        format!("mongodb://joe:${{file:secret}}@{away}"),
        format!("mongodb://joe:${{SECRET}}@{away}"),
        format!("mongodb://${{file:secret}}@{away}"),
        "mongodb://joe:${file:secret}".to_owned(),
        "mongodb://joe:x@${file:secret}/d.c".to_owned(),
        "mongodb://127.0.0.1:9/d.c?appName=${file:secret}&x=${SECRET}".to_owned(),
        "${file:address}".to_owned(),
        "${file:wrong}".to_owned(),
        "${file:secret}".to_owned(),
        "${SECRET}".to_owned(),
        "${WRONG}".to_owned(),
    ];
    for (program, first) in
        PROGRAMS.iter().filter(|(program, first)| *program != "logator-queue" && !first.contains(&"grok"))
    {
        for address in &addresses {
            let place_of_run = &place;
            let mut command = place_of_run.command(program, first);
            command.args(["--to", address, "--log-level", "debug"]).env("SECRET", PASSWORD).env("WRONG", &addresses[3]);
            keeps_it(&format!("{program} {first:?} --to {address}"), place_of_run, Running::start(command));
        }
    }
}

#[test]
fn what_is_wrong_in_a_configuration_is_said_with_its_place_also_at_hangup() {
    let place = prepared();
    let address = &addresses()[0];
    place.write("c.toml", "log-level = \"info\"\n");
    let mut run = place.start("logator", &["run", "--config", "c.toml", "-f", "combined"]);
    wait_for("SIGHUP to be caught", PATIENCE, || heeds(run.id(), Signal::SIGHUP).then_some(()));
    // A program that answers has read its configuration.
    run.signal(Signal::SIGHUP);
    run.says("SIGHUP: c.toml is read again");
    for (text, words) in [
        (format!("quiet = false\nto = '{address}' x\n"), "the log level stays info: c.toml:2:"),
        (format!("to = '{address}'\nlog-level = '{address}'\n"), "the log level stays info: invalid value"),
        (format!("to = '{address}'\nbind = \"\n"), "the log level stays info: c.toml:2:9: not TOML"),
        (format!("[run]\nto = {{ a = '{address}' }}\n"), "the log level stays info: c.toml:2: to: a text"),
    ] {
        place.write("c.toml", &text);
        run.signal(Signal::SIGHUP);
        run.says(words);
    }
    let ran = run.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains(MARK), "{}", ran.stderr);
}

#[test]
fn a_password_that_is_a_usual_word_makes_no_sentence_unreadable() {
    let place = prepared();
    for (user, password) in [("toor", "toor"), ("joe", "toor"), ("joe", "logator"), ("joe", "missing")] {
        let address = format!("mongodb://{user}:{password}@127.0.0.1:9/toor.logs");
        for arguments in
            [["run", "/toor/toor-missing.log", "--to", &address], ["run", "--to", &address, "/toor/toor-missing.log"]]
        {
            let ran = place.run("logator", &arguments, b"");
            assert!(ran.stderr.contains("logator: /toor/toor-missing.log: "), "{address}: {}", ran.stderr);
        }
        let ran = place.run("logator", &["run", "--to", &address, "--jobs", "some"], b"");
        assert!(ran.stderr.contains("'some'") && ran.stderr.contains("--help"), "{address}: {}", ran.stderr);
        let wrong = format!("mongodb:{user}:{password}@127.0.0.1/toor.logs");
        let ran = place.run("logator", &["run", "--to", &wrong], b"");
        assert!(!ran.stderr.contains(&format!(":{password}@")), "{}", ran.stderr);
    }
}
