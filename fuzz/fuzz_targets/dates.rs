//! Any bytes as a date, in any zone and order: the reader must not panic, and what it reads is in the years 0 to 9999.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use logator::document::date::{Formats, Order, Rules, Zone};

static RULES: LazyLock<[Arc<Rules>; 3]> = LazyLock::new(|| {
    let zone = |name: &str| Some(Zone::new(name).expect("the zone is in the tables"));
    let rules = |zone, order, base_year| Arc::new(Rules { zone, order, base_year });
    [
        rules(None, None, None),
        rules(zone("Europe/Berlin"), Some(Order::Dmy), None),
        rules(zone("Australia/Lord_Howe"), Some(Order::Ymd), Some(2005)),
    ]
});

fuzz_target!(|input: &[u8]| {
    let Some((base, text)) = input.split_first_chunk::<8>() else { return };
    let base = i64::from_be_bytes(*base);
    for rules in &*RULES {
        if let Ok(reading) = Formats::any(rules).look(text, base) {
            assert!((-62_167_219_200_000..253_402_300_800_000).contains(&reading.date.ms()));
        }
    }
});
