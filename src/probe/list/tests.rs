//! Files as people write them, line by line.

use super::*;

/// Returns the entries and the wrong lines as texts.
fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let list = List::parse(text.as_bytes()).unwrap();
    let shown = |entry: &Entry| {
        let Request { target, method, name, expected_status } = &*entry.request;
        let name = name.as_deref().unwrap_or("-");
        let status = expected_status.map_or("-".to_owned(), |status| status.to_string());
        format!("{} {} {method} {target} {name} {status}", entry.line, entry.interval.as_secs_f64())
    };
    (list.entries.iter().map(shown).collect(), list.wrong.iter().map(ToString::to_string).collect())
}

#[test]
fn lines_are_delay_and_url_with_comments_blanks_quotes_and_fractions() {
    let text = "\u{feff}# a list\r\n\r\n5,http://a/\r\n 0.25 , https://b/x?y=1,2 \n\"1\",\"http://c/\"\"q\"\n\n  # end\n60,http://d/#f";
    let (targets, faults) = read(text);
    assert_eq!(faults, [""; 0]);
    assert_eq!(
        targets,
        [
            "3 5 GET http://a/ - -",
            "4 0.25 GET https://b/x?y=1,2 - -",
            "5 1 GET http://c/%22q - -",
            "8 60 GET http://d/ - -",
        ]
    );
}

#[test]
fn a_header_names_columns_in_any_order() {
    let text = "# urls\nname,URL,Delay_Seconds,Expected-Status,method\nhome,http://a/,5,301,\n,\"http://b/?x,y\",1\nlogin,http://a/,2,,head\n";
    let (targets, faults) = read(text);
    assert_eq!(faults, [""; 0]);
    assert_eq!(targets, ["3 5 GET http://a/ home 301", "4 1 GET http://b/?x,y - -", "5 2 HEAD http://a/ login -"]);
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_the_others_count() {
    let (targets, faults) = read(
        "5,http://a/\n0,http://b/\nx,http://c/\n-1,http://d/\n1e3,http://e/\n0.0001,http://f/\n999999999,http://g/\n\
         5 http://h/\n5,\"http://i/\n5,\"http://j/\",k\n5,ftp://l/\n5,\nNaN,http://m/\n5,http://a/\n6,http://z/",
    );
    assert_eq!(targets, ["1 5 GET http://a/ - -", "15 6 GET http://z/ - -"]);
    let expected = [
        "line 2: the delay is 0",
        "line 3: the delay is not a number",
        "line 4: the delay is not a number",
        "line 5: the delay is not a number",
        "line 6: the delay is less than",
        "line 7: the delay is more than",
        "line 8: a line is DELAY_SECONDS,URL",
        "line 9: a quote is not closed",
        "line 10: a line has two fields",
        "line 11: the URL",
        "line 12: the URL",
        "line 13: the delay is not a number",
        "line 14: line 1 has the same method, URL and name",
    ];
    assert_eq!(faults.len(), expected.len(), "{faults:#?}");
    for (fault, beginning) in faults.iter().zip(expected) {
        assert!(fault.starts_with(beginning), "{fault}");
    }
}

#[test]
fn with_a_header_faults_are_named_too_and_a_wrong_header_refuses_the_file() {
    let (targets, faults) = read(
        "url,delay,status,method,name\nhttp://a/,1,20,GET\nhttp://a/,1,200,G T\nhttp://a/,1,,,,x\nhttp://a/,1,,,a\nhttp://a/,1,,,b",
    );
    assert_eq!(targets.len(), 2, "a name makes a URL another one: {targets:?}");
    for (fault, part) in faults.iter().zip(["expected status is", "no method of HTTP", "6 fields"]) {
        assert!(fault.contains(part), "{fault}");
    }
    for (header, part) in
        [("url,delay,colour", "number 3"), ("url,delay,url", "number 3"), ("url,name", "delay_seconds")]
    {
        let fault = List::parse(format!("\n{header}\n1,http://a/").as_bytes()).unwrap_err();
        assert!(fault.line == 2 && fault.words.contains(part), "{fault}");
    }
}

#[test]
fn no_fault_repeats_a_password() {
    let text = b"5,ftp://u:hunter2@a/\nhttp://u:hunter2@a/,5\n5,\"http://u:hunter2@a/\n\xff,http://u:hunter2@a/\n1,http://u:hunter2@a:x/\n";
    let list = List::parse(text).unwrap();
    assert_eq!((list.entries.len(), list.wrong.len()), (0, 5));
    assert!(!format!("{:?}", list.wrong).contains("hunter2"), "{:?}", list.wrong);
    let header = List::parse(b"url,http://u:hunter2@a/").unwrap_err();
    assert!(!header.to_string().contains("hunter2"), "{header}");
}

#[test]
fn the_login_does_not_tell_two_targets_apart() {
    let list = List::parse(b"5,http://u:a@h/\n5,http://u:b@h/\n").unwrap();
    assert_eq!((list.entries.len(), list.wrong.len()), (1, 1));
    assert!(!format!("{list:?}").contains("u:a"), "{list:?}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_give_a_list_or_a_fault(bytes: Vec<u8>) {
        if let Ok(list) = List::parse(&bytes) {
            let lines = bytes.split(|&byte| byte == b'\n').count();
            assert!(list.entries.len() + list.wrong.len() <= lines);
        }
    }

    #[test]
    fn a_url_in_quotes_is_read_as_it_is(path in "[a-z,?=&]{0,20}", tenths in 1_u32..100_000) {
        let quoted = format!("http://h/{path}").replace('"', "\"\"");
        let delay = f64::from(tenths) / 10.0;
        let list = List::parse(format!("{delay},\"{quoted}\"").as_bytes()).unwrap();
        proptest::prop_assert_eq!(list.entries[0].request.target.to_string(), format!("http://h/{}", path));
        proptest::prop_assert_eq!(list.entries[0].interval, Duration::from_millis(u64::from(tenths) * 100));
    }
}
