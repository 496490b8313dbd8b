use super::*;
use crate::core::error::Kind;

#[test]
fn every_sink_of_the_manual_is_read_and_shown_again() {
    for (text, shown) in [
        ("-", "-"),
        ("ndjson:-", "-"),
        ("ndjson:out.gz", "ndjson:out.gz"),
        ("ndjson:/a:b?c", "ndjson:/a:b?c"),
        ("sqlite:a.db", "sqlite:a.db"),
        ("sqlite:a.db?table=logs", "sqlite:a.db"),
        ("sqlite:a.db?table=access_1", "sqlite:a.db?table=access_1"),
        ("null:", "null:"),
        ("mongodb://h/d.c?w=1", "mongodb://h/d.c?w=1"),
        ("mongodb+srv://h/d.c", "mongodb+srv://h/d.c"),
    ] {
        let spec = SinkSpec::parse(text).unwrap();
        assert_eq!(spec.to_string(), shown);
        assert_eq!(SinkSpec::parse(shown).unwrap(), spec);
    }
}

#[test]
fn a_text_that_is_not_a_sink_is_a_usage_error_that_helps() {
    for (text, words) in [
        ("", "the sinks are ndjson:FILE"),
        ("out.json", "did you mean ndjson:out.json?"),
        ("njson:x", "did you mean ndjson:…?"),
        ("sqllite:x", "did you mean sqlite:…?"),
        ("mongdb://h/d.c", "did you mean mongodb://…?"),
        ("mongodb:h", "mongodb://HOST/DATABASE.COLLECTION"),
        ("kafka:b/t", "kafka://BROKER[,BROKER…]/TOPIC"),
        ("kafka://b", "kafka://BROKER[,BROKER…]/TOPIC"),
        ("kafak://b/t", "did you mean kafka://…?"),
        ("kafka://b/t?acks=1", "acks=all"),
        ("kafka://u:hush@b/t?format=xml", "format is json or avro"),
        ("elasticsearch://h/i", "elasticsearch+http://HOST/INDEX"),
        ("elasticserch+http://h/i", "did you mean elasticsearch+http://…?"),
        ("elasticsearch+http://h/I", "capital"),
        ("elasticsearch+http://u:hush@h/i?apiKey=hush", "more than one login"),
        ("ndjson:", "needs a path"),
        ("null:x", "nothing follows the colon"),
        ("sqlite:", "needs a file"),
        ("sqlite::memory:", "keeps nothing"),
        ("sqlite:a?tabel=x", "the only one is table=NAME"),
        ("sqlite:a?table=x;drop", "letters, digits"),
        ("sqlite:a?table=1x", "letters, digits"),
        ("sqlite:a?table=", "letters, digits"),
        ("sqlite:a?table=sqlite_master", "letters, digits"),
    ] {
        let error = SinkSpec::parse(text).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    for (text, shown) in [
        ("mongodb://joe:hush@h:1,i:2/d.c", "mongodb://joe:***@h:1,i:2/d.c"),
        ("mongodb://joe@h/d.c", "mongodb://joe@h/d.c"),
        ("mongodb://joe:hu@sh/x?y@h/d.c", "mongodb://joe:***@h/d.c"),
        (
            "mongodb+srv://joe:hush@h/?tlsCertificateKeyFilePassword=hush&w=1",
            "mongodb+srv://joe:***@h/?tlsCertificateKeyFilePassword=***&w=1",
        ),
        ("mongodb://h/d?authMechanismProperties=AWS_SESSION_TOKEN:hush", "mongodb://h/d?authMechanismProperties=***"),
    ] {
        let spec = SinkSpec::parse(text).unwrap();
        assert_eq!(spec.to_string(), shown);
        assert!(!format!("{spec:?}").contains("hush"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "hu/sh\n").unwrap();
    let text = format!("mongodb://joe:${{file:{}}}@h/d.c?appName=${{file:{0}}}", file.display());
    let spec = SinkSpec::parse(&text).unwrap();
    let shown = format!("{spec} {spec:?}");
    assert!(!shown.contains("hu/sh") && !shown.contains("hu%2Fsh"), "{shown}");
    assert_eq!(SinkSpec::parse(spec.to_argument().to_str().unwrap()).unwrap(), spec);
    assert!(!spec.to_argument().to_string_lossy().contains("sh@"));
    // The file may hold the whole address. A file that holds something else is not shown.
    let text = format!("${{file:{}}}", file.display());
    let error = SinkSpec::parse(&text).unwrap_err().to_string();
    assert!(error.contains("it is not a sink") && !error.contains("hu"), "{error}");
    std::fs::write(&file, "mongodb://joe:hush@h/d.c\n").unwrap();
    assert_eq!(SinkSpec::parse(&text).unwrap().to_string(), "mongodb://joe:***@h/d.c");
    for text in ["mongodb://joe:${file:/nowhere}@h/d.c", "mongodb://joe:${LOGATOR_NO_SUCH}@h/d.c", "${LOGATOR_NO_SUCH}"]
    {
        assert!(SinkSpec::parse(text).unwrap_err().to_string().contains("} in a sink: "), "{text}");
    }
    for text in ["kafka://joe:hush@b", "mongo://joe:hush@h/d", "mongodb:joe:hush@h", "x?password=hush"] {
        assert!(!SinkSpec::parse(text).unwrap_err().to_string().contains("hush"), "{text}");
    }
}
