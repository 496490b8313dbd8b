use super::address::HIDDEN;
use super::learning::learn_address;
use super::*;
use crate::core::percent;

/// Declares schemes as sinks have them. Other tests of this process may declare them too.
pub(super) fn declare_for_tests() {
    let server = |name| Scheme { name, secrecy: Secrecy::Login, public_options: &["w", "authsource"] };
    let file = |name| Scheme { name, secrecy: Secrecy::File, public_options: &[] };
    let open = |name| Scheme { name, secrecy: Secrecy::Open, public_options: &[] };
    declare([server("mongodb"), file("ndjson"), open("tcp")]);
}

/// Learns `values`, each with its flag, and hides their secrets in `text`. Tests run at the same time, so each has
/// secrets of its own.
fn said(values: &[(&str, &str)], text: &str) -> String {
    declare_for_tests();
    values.iter().for_each(|(name, value)| learn_value(name, value));
    hide(text).into_owned()
}

#[test]
fn a_secret_is_found_in_every_form_and_in_parts() {
    declare_for_tests();
    learn_address("mongodb://joe:Zw0lf+e@Boxk%C3%A4m Pferde/jagen?Vikt0r=#quer@h/d.c");
    for text in [
        "invalid host Boxk%C3%A4m Pferde",
        "at Boxkäm",
        "at boxkäm.",
        "Zw0lf%2Be%40Boxk%C3%A4m%20Pferde%2Fjagen%3FVikt0r%3D%23quer",
        "xZw0lf%2be%40Boxk%c3%a4m%20Pferde%2fjagen%3fVikt0r%3d%23querx",
        "\"Zw0lf+e@Boxkäm Pferde/jagen?Vikt0r=#quer\"",
        "invalid port 'Boxkäm Pferde/jagen'",
        "no database Pferde/jagen?",
        "it is %40Boxk%C3%A4m%20Pferde%2Fja",
        "unknown option Vikt0r",
        "jagen",
        "mongodb://h:1/jagen.logs: no such host",
        "the collection Pferde.logs",
    ] {
        let hidden = hide(text).to_lowercase();
        let parts = ["zw0lf", "boxk", "pferde", "jagen", "vikt0r"];
        assert!(hidden.contains("***") && !parts.iter().any(|part| hidden.contains(part)), "{hidden}");
    }
    assert_eq!(hide("joe at h/d.c"), "joe at h/d.c");
}

#[test]
fn a_long_secret_is_never_shown_not_even_inside_another_word() {
    for secret in ["correcthorse", "Tr0ub4dor&3x", "pa55%2Fword1", "8chars-x"] {
        let address = format!("mongodb://joe:{secret}@h/d.c");
        let decoded = percent::decode(secret);
        for form in [secret, &decoded, &secret.to_uppercase(), &percent::encode(&decoded)] {
            for text in [form.to_owned(), format!("/srv/x{form}x/y"), format!("joe:{form}@"), format!("a-{form}.")] {
                let shown = said(&[("to", &address)], &text);
                assert!(shown.contains(HIDDEN) && !shown.to_lowercase().contains(&form.to_lowercase()), "{shown}");
            }
        }
    }
}

#[test]
fn a_short_secret_leaves_other_words_and_paths_alone() {
    let address = ("to", "mongodb://joe:wurz@h/d.c");
    for text in ["/wurz/x", "/srv/wurz", "wurz.log", "wurz-2.gz", "a_wurz", "wurzel", "7wurz", "a.wurz", "--wurz"] {
        assert_eq!(said(&[address], text), text);
    }
    for (text, shown) in [
        ("the password wurz is wrong", "the password *** is wrong"),
        ("wurz.", "***."),
        ("'wurz'", "'***'"),
        ("WURZ", "***"),
        ("x:wurz@h", "x:***@h"),
        ("mongodb://wurz@h", "mongodb://***@h"),
    ] {
        assert_eq!(said(&[address], text), shown);
    }
}

#[test]
fn usual_addresses_of_developers_give_sentences_that_can_be_read() {
    for (address, input) in [
        ("mongodb://apollo:apollo@localhost/apollo.logs", "apollo.log"),
        ("mongodb://analytics:analytics@localhost:27017/analytics.events", "/srv/analytics/access.log"),
        ("mongodb://admin:toor@localhost/test.logs?authSource=admin", "/toor/access.log"),
    ] {
        let given = [("to", address), ("state", input)];
        let shown = masked(address);
        for text in [
            format!("sink {shown}: the server does not answer"),
            format!("{input}: 12 lines of {input} were read"),
            format!("{input}.gz cannot be read"),
        ] {
            assert_eq!(said(&given, &text), text);
        }
        // The driver may repeat the address.
        assert!(said(&given, &format!("cannot connect to {address}")).contains(":***@"));
    }
    for word in ["toor", "analytics", "apollo"] {
        assert_eq!(hide(&format!("joe:{word}@h")), "joe:***@h");
    }
}

#[test]
fn the_name_of_a_secret_is_none() {
    let address = "mongodb://joe:${file:riesig}@${HOST_OF_IT}/d.c?x=${file:/run/geheim/db}y7Zq3";
    for text in ["${file:riesig} in a sink: it is riesig, and not read", "HOST_OF_IT", "/run/geheim/db", "geheim"] {
        assert_eq!(said(&[("to", address)], text), text);
    }
    assert_eq!(said(&[("to", address)], "option y7Zq3"), "option ***");
    learn_secret("${q9W!e8R}");
    assert_eq!(hide("it is ${q9W!e8R}"), "it is ***");
}

#[test]
fn a_text_that_is_no_address_teaches_nothing() {
    declare_for_tests();
    for text in ["%{IP:client77}@%{WORD:host77}", "a.log", "(?<url77>http://user77:x77@h)", "-", "ndjson:a77@b77"] {
        learn_value("pattern", text);
        assert_eq!(hide(text), text);
    }
}
