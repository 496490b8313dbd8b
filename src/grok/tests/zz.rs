#[test]
fn dump() {
    let library = crate::grok::Library::stock();
    let text = std::env::var("P").unwrap();
    let pattern = match text.strip_prefix("format=") {
        Some(f) => match library.format(f).unwrap().rule { crate::grok::Rule::Pattern(p) => p, _ => panic!() },
        None => library.compile(&text).unwrap(),
    };
    pattern.dump();
}
