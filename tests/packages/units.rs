//! The units of the package under a real systemd, with all of their restrictions.

use crate::kit::systemd::Systemd;
use crate::kit::workspace::Workspace;

/// Boots a system with the package in it, and makes its user.
fn system(place: &Workspace) -> Systemd {
    let package = place.path("package");
    super::debian::unpack(&package);
    let system = Systemd::boot(&package);
    system.sh("systemd-sysusers");
    system
}

/// Writes a log that group adm may read, as Debian's logs are.
const LOG: &str = r#"
    mkdir -p /var/log/app
    seq -f '2025-10-10T10:00:00Z host app[1]: word word %.0f' 1000 >/var/log/app/a.log
    chown root:adm /var/log/app/a.log
    chmod 640 /var/log/app/a.log
    sed -i 's|^#input = .*|input = ["/var/log/app/a.log"]|' /etc/logator/logator.toml
"#;

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn a_queue_and_a_worker_do_their_work_with_all_the_hardening() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(LOG);
    // PCRE2 matches a back-reference and may compile to machine code, which the unit forbids. SQLite is C with mmap.
    system.sh(r#"cat >/etc/logator/worker-1.env <<'END'
LOGATOR_TO=ndjson:out.ndjson
LOGATOR_PATTERN='host %{WORD:program}.*: (?<word>[a-z]+) \k<word> %{INT:number:int}'
END
        cat >/etc/logator/worker-2.env <<'END'
LOGATOR_TO=sqlite:out.db
END"#);
    for worker in ["1", "2"] {
        system.sh("systemctl start logator-queue");
        system.sh("systemctl show -p StatusText logator-queue | grep -q 'handed out at ipc:///run/logator/queue'");
        system.sh("test \"$(stat -c '%a %U' /run/logator/queue)\" = '600 logator'");
        system.sh(&format!("systemctl start logator-worker@{worker}"));
        for unit in ["logator-queue.service".to_owned(), format!("logator-worker@{worker}.service")] {
            system.wait_for(&unit, "ActiveState", "inactive");
            system.wait_for(&unit, "Result", "success");
        }
        // The next worker gets the same lines.
        system.sh("rm -r /var/lib/logator/queue/state");
    }
    let documents = system.sh("cat /var/lib/logator/worker-1/out.ndjson");
    let mut numbers: Vec<i64> = crate::kit::workspace::objects(&documents)
        .iter()
        .map(|document| {
            assert_eq!((&document["program"], &document["word"]), (&"app".into(), &"word".into()), "{document}");
            document["number"].as_i64().expect("a number")
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    system.sh("test -s /var/lib/logator/worker-2/out.db");
    // No other user can read the files.
    system.sh("test \"$(stat -c '%a %U' /var/lib/logator/worker-1)\" = '750 logator'");
    system.sh("test \"$(stat -c '%a' /var/lib/logator/worker-1/out.ndjson)\" = 600");
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn stopping_a_queue_is_no_failure_and_it_goes_on_where_it_was() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(LOG);
    system.sh("sed -i 's|^#drain = .*|drain = 0.5|; s|^to = .*|to = \"ndjson:out.ndjson\"|' /etc/logator/logator.toml");
    // No worker runs, so the queue cannot finish and ends with 3.
    system.sh("systemctl start logator-queue");
    system.sh("systemctl stop logator-queue");
    system.wait_for("logator-queue", "ActiveState", "inactive");
    system.wait_for("logator-queue", "Result", "success");
    let said = || system.sh("journalctl -u logator-queue --no-pager");
    assert!(said().contains("not finished: 1,000 lines were read ahead and not stored"), "{}", said());
    // A killed queue is started again, and the worker finds it.
    system.sh("systemctl start logator-queue && systemctl kill -s KILL logator-queue");
    system.sh("systemctl start logator-worker@1");
    system.wait_for("logator-queue", "ActiveState", "inactive");
    assert_eq!(system.sh("cat /var/lib/logator/worker-1/out.ndjson | wc -l").trim(), "1000");
    // A worker thread that the queue did not wait for still waits for a queue.
    system.sh("systemctl stop logator-worker@1");
    system.wait_for("logator-worker@1", "Result", "success");
    assert_eq!(said().matches("lines are handed out at").count(), 3, "{}", said());
    // Another try does not correct a wrong configuration, so systemd must not restart the service.
    system.sh("sed -i 's|^drain = .*|dran = 1|' /etc/logator/logator.toml");
    assert!(!system.try_sh("systemctl start logator-queue").1);
    system.wait_for("logator-queue", "ActiveState", "failed");
    assert!(said().contains("unknown key dran; did you mean drain?"), "{}", said());
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn keys_are_credentials_that_root_keeps() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(LOG);
    system.sh(r#"
        cd /etc/logator
        logator keygen queue.key && logator keygen worker.key && cp worker.key.pub authorized-keys
        test "$(stat -c '%a %U' queue.key)" = '600 root'
        sed -i 's|^bind = .*|bind = "tcp://127.0.0.1:7700"|; s|^from = .*|from = "tcp://127.0.0.1:7700"|' logator.toml
        sed -i 's|^to = .*|to = "ndjson:out.ndjson"|' logator.toml
        recipes=/usr/share/doc/logator/contrib/systemd
        for unit in queue:logator-queue.service worker:logator-worker@.service; do
            mkdir -p "/etc/systemd/system/${unit#*:}.d"
            cp "$recipes/${unit%%:*}-keys.conf" "/etc/systemd/system/${unit#*:}.d/keys.conf"
        done
        systemctl daemon-reload
        systemctl start logator-queue
        systemctl reload logator-queue
        systemctl start logator-worker@1
    "#);
    system.wait_for("logator-worker@1", "ActiveState", "inactive");
    assert_eq!(system.sh("cat /var/lib/logator/worker-1/out.ndjson | wc -l").trim(), "1000");
    assert!(system.sh("journalctl -u logator-queue --no-pager").contains("has 1 keys, which count from now on"));
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn lines_written_to_the_pipe_are_pushed() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(r#"
        systemctl start logator-push.socket
        test "$(stat -c '%a %U %F' /run/logator-push)" = '620 logator fifo'
        systemctl start logator-push.service
        test "$(stat -c '%a %U' /run/logator-pipe/push)" = '600 logator'
        systemd-run --unit=puller --uid=logator --property=StandardOutput=file:/run/pulled \
            logator-pull --connect ipc:///run/logator-pipe/push
        seq 1 1000 >/run/logator-push
        "#);
    let pulled = || system.sh("cat /run/pulled");
    let whole = |text: &str| text.lines().count() >= 1000;
    crate::kit::wait_for("all lines", crate::kit::PATIENCE, || whole(&pulled()).then_some(()));
    assert_eq!(pulled(), (1..=1000).map(|number| format!("{number}\n")).collect::<String>());
    system.sh("systemctl reload logator-push.service");
    let said = || system.sh("journalctl -u logator-push --no-pager");
    let reloaded = || said().contains("SIGHUP: /etc/logator/logator.toml is read again").then_some(());
    crate::kit::wait_for("it to read its configuration again", crate::kit::PATIENCE, reloaded);
    system.sh("systemctl stop logator-push.service");
    system.wait_for("logator-push", "Result", "success");
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn the_journal_is_stored_and_goes_on_where_it_was() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(r#"
        cp /usr/share/doc/logator/contrib/systemd/logator-journal.service /etc/systemd/system/
        mkdir -p /etc/systemd/system/logator-journal.service.d
        printf '[Service]\nEnvironment=LOGATOR_TO=ndjson:out.ndjson\n' \
            >/etc/systemd/system/logator-journal.service.d/to.conf
        systemctl daemon-reload
    "#);
    // Documents are compared by `_id`: those that were stored before the kill may be stored again under the same `_id`.
    let stored = || {
        let text = system.try_sh("cat /var/lib/logator/journal/out.ndjson 2>/dev/null").0;
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let documents = crate::kit::workspace::objects(whole).into_iter();
        let ours = documents.filter(|document| document["SYSLOG_IDENTIFIER"] == "app");
        ours.map(|document| (document["_id"].to_string(), document["MESSAGE"].as_str().unwrap().to_owned()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    for (round, signal) in ["KILL", "TERM", "KILL"].into_iter().enumerate() {
        let (first, last) = (round * 1000 + 1, (round + 1) * 1000);
        system.sh(&format!("seq -f 'entry %.0f' {first} {last} | systemd-cat -t app"));
        system.sh("systemctl start logator-journal");
        crate::kit::wait_for("the entries", crate::kit::PATIENCE, || (stored().len() >= last).then_some(()));
        system.sh(&format!("systemctl kill -s {signal} logator-journal; systemctl stop logator-journal"));
    }
    let mut entries: Vec<String> = stored().into_values().collect();
    let mut expected: Vec<String> = (1..=3000).map(|number| format!("entry {number}")).collect();
    entries.sort_unstable();
    expected.sort_unstable();
    assert_eq!(entries, expected);
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn an_export_of_the_journal_gives_the_documents_that_its_json_gives() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(r#"
        printf 'MESSAGE=two\nMESSAGE=lines\nSYSLOG_IDENTIFIER=app\nWORD=a\nWORD=b\n' | logger --journald
        printf 'bytes \377 and \001\n' | systemd-cat -t app
        printf 'grüße "quoted" \\ and a\ttab\n' | systemd-cat -t app
    "#);
    let read = |how: &str| {
        let command =
            format!("journalctl --sync; journalctl --no-pager {how} | logator run --quiet --format ndjson --to -");
        let mut documents = crate::kit::workspace::objects(&system.sh(&command));
        for document in &mut documents {
            // The two outputs are different contents, so the ids differ.
            document.as_object_mut().unwrap().remove("_id");
        }
        documents
    };
    let (export, json) = (read("-t app -o export"), read("-t app -o json --all"));
    assert_eq!(export.len(), 3);
    assert_eq!(export[0]["MESSAGE"], "two\nlines");
    let names = |documents: &[serde_json::Value]| -> Vec<Vec<String>> {
        documents.iter().map(|document| document.as_object().unwrap().keys().cloned().collect()).collect()
    };
    assert_eq!(names(&export), names(&json));
    assert_eq!(export, json);
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn a_queue_that_follows_stores_what_is_written_and_stops_well() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(LOG);
    system.sh(r#"
        sed -i 's|^#follow = .*|follow = true|; s|^to = .*|to = "ndjson:out.ndjson"|' /etc/logator/logator.toml
        systemctl start logator-queue logator-worker@1
    "#);
    let stored = || {
        let text = system.try_sh("cat /var/lib/logator/worker-1/out.ndjson 2>/dev/null").0;
        text.lines().count()
    };
    crate::kit::wait_for("what was there", crate::kit::PATIENCE, || (stored() == 1000).then_some(()));
    system.sh(r#"
        mv /var/log/app/a.log /var/log/app/a.log.1
        (umask 027; echo '2025-10-10T10:00:01Z host app[1]: one more' >/var/log/app/a.log; chown root:adm /var/log/app/a.log)
        echo '2025-10-10T10:00:01Z host app[1]: and one more there' >>/var/log/app/a.log.1
    "#);
    crate::kit::wait_for("what was written", crate::kit::PATIENCE, || (stored() == 1002).then_some(()));
    system.sh("systemctl stop logator-queue");
    system.wait_for("logator-queue", "Result", "success");
    assert_eq!(stored(), 1002);
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn a_queue_receives_syslog_at_its_port() {
    let place = Workspace::new();
    let system = system(&place);
    system.sh(r#"
        cd /etc/logator
        sed -i 's|^#input = .*|input = ["syslog+udp://*", "syslog+tcp://*"]|; s|^to = .*|to = "ndjson:out.ndjson"|' logator.toml
    "#);
    assert!(!system.try_sh("systemctl start logator-queue").1, "the port is one of those that not everybody may have");
    let said = system.sh("systemctl stop logator-queue; journalctl -u logator-queue --no-pager");
    assert!(said.contains("AmbientCapabilities=CAP_NET_BIND_SERVICE"), "{said}");
    system.sh(r#"
        mkdir -p /etc/systemd/system/logator-queue.service.d
        cp /usr/share/doc/logator/contrib/systemd/low-ports.conf /etc/systemd/system/logator-queue.service.d/
        systemctl daemon-reload
        systemctl start logator-queue logator-worker@1
        for way in --udp --tcp; do logger -n 127.0.0.1 -P 514 $way -t shop "by $way"; done
    "#);
    let documents = || system.sh("cat /var/lib/logator/worker-1/out.ndjson 2>/dev/null || true");
    crate::kit::wait_for("both messages", crate::kit::PATIENCE, || (documents().lines().count() == 2).then_some(()));
    assert!(crate::kit::workspace::objects(&documents()).iter().all(|document| document["program"] == "shop"));
    system.sh("systemctl stop logator-queue");
    system.wait_for("logator-queue", "Result", "success");
    let said = system.sh("journalctl -u logator-queue --no-pager");
    assert!(said.contains("1 messages received, 0 dropped by the kernel"), "{said}");
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn an_upgrade_starts_again_what_runs_and_removing_stops_it() {
    let place = Workspace::new();
    let system = system(&place);
    let script = |name: &str, arguments: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/debian").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        system.sh(&format!("sh -s {arguments} <<'END'\n{text}\nEND"))
    };
    let shown = |unit: &str, property: &str| {
        system.sh(&format!("systemctl show --property={property} --value {unit}")).trim().to_owned()
    };
    system.sh("echo LOGATOR_TO=null: >/etc/logator/worker-1.env; systemctl start logator-worker@1");
    let before = shown("logator-worker@1", "MainPID");
    script("postinst", "configure 0.0.1-1");
    assert_ne!(shown("logator-worker@1", "MainPID"), before);
    assert_eq!(shown("logator-worker@1", "ActiveState"), "active");
    for unit in ["logator-queue", "logator-worker@2", "logator-push", "logator-push.socket"] {
        assert_eq!(shown(unit, "ActiveState"), "inactive", "{unit}");
    }
    system.sh("systemctl start logator-push.socket");
    script("prerm", "remove");
    for unit in ["logator-worker@1", "logator-push.socket"] {
        assert_eq!(shown(unit, "ActiveState"), "inactive", "{unit}");
    }
    script("postrm", "remove");
}

#[test]
#[ignore = "needs cargo-deb, root and a systemd of its own: run ./test"]
fn the_probe_waits_for_its_list_and_reads_it_again() {
    let place = Workspace::new();
    let system = system(&place);
    // Without the list the unit is skipped, which is no failure.
    system.sh("systemctl start logator-probe && test \"$(systemctl is-active logator-probe)\" = inactive");
    system.sh("echo '0.1,http://127.0.0.1:1/' >/etc/logator/probe.csv && systemctl start logator-probe");
    let stored = || system.sh("cat /var/lib/logator/probe/latencies.ndjson || true").lines().count();
    crate::kit::wait_for("documents", crate::kit::PATIENCE, || (stored() >= 5).then_some(()));
    system.sh("echo '0.1,http://127.0.0.1:2/' >>/etc/logator/probe.csv && systemctl reload logator-probe");
    let said = || system.sh("journalctl -u logator-probe --no-pager");
    let reloaded = || said().contains("2 URLs; 1 are new").then_some(());
    crate::kit::wait_for("it to read the list again", crate::kit::PATIENCE, reloaded);
    system.sh("systemctl stop logator-probe");
    system.wait_for("logator-probe", "Result", "success");
    assert!(said().contains("ms from when it was due") && said().contains("http://127.0.0.1:2/"), "{}", said());
    system.sh("test \"$(stat -c '%a %U' /var/lib/logator/probe/latencies.ndjson)\" = '600 logator'");
    // A wrong list is no reason to try again.
    system.sh("echo wrong >/etc/logator/probe.csv");
    assert!(!system.try_sh("systemctl start logator-probe").1);
    system.wait_for("logator-probe", "ActiveState", "failed");
}
