use proptest::prelude::*;

use super::*;
use crate::core::calendar::{civil_from_days, days_from_civil, days_in_month};

/// 2024-03-10T00:00:00Z.
const NOW: i64 = 1_710_028_800_000;

fn read(format: &str, text: &str) -> Option<String> {
    read_at(format, text, NOW)
}

fn read_at(format: &str, text: &str, now_ms: i64) -> Option<String> {
    let mut formats = Formats::new(&[format]).unwrap();
    let date = formats.read(text.as_bytes(), now_ms)?;
    Some(String::from_utf8(write_iso(date).to_vec()).unwrap())
}

#[test]
fn every_item_reads_what_the_table_says() {
    let cases = [
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03.000Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 -0730", "2015-05-17T17:35:03.000Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "1/may/2015:00:05:03 +02:00", "2015-04-30T22:05:03.000Z"),
        ("%a %b %e %H:%M:%S.%f %Y", "Sun May  7 01:02:03.123456 2017", "2017-05-07T01:02:03.123Z"),
        ("%A, %d %B %y %I:%M:%S %p", "Wednesday, 01 September 99 12:00:01 AM", "1999-09-01T00:00:01.000Z"),
        ("%A, %d %B %y %I:%M:%S %p", "Wed, 01 Sep 68 12:00:01 pm", "2068-09-01T12:00:01.000Z"),
        ("%Y-%j %H:%M", "2016-366 23:59", "2016-12-31T23:59:00.000Z"),
        ("%Y%m%d%H%M%S", "20160229235960", "2016-03-01T00:00:00.000Z"),
        ("%Y-%m-%d %H:%M:%S,%f", "2016-02-29 01:02:03,5", "2016-02-29T01:02:03.500Z"),
        ("%d %b %Y %H:%M:%S %Z", "01 Jan 2020 00:00:00 PST", "2020-01-01T08:00:00.000Z"),
        ("%d %b %Y %H:%M:%S %Z", "01 Jan 2020 00:00:00 GMT", "2020-01-01T00:00:00.000Z"),
        ("%s", "1431857103", "2015-05-17T10:05:03.000Z"),
        ("%s", "1431857103.25", "2015-05-17T10:05:03.250Z"),
        ("%s", "-1.5", "1969-12-31T23:59:58.500Z"),
        ("100%% %Y-%m-%d", "100% 2015-05-17", "2015-05-17T00:00:00.000Z"),
        ("ISO8601", "2015-05-17T10:05:03Z", "2015-05-17T10:05:03.000Z"),
        ("ISO8601", "2015-05-17 10:05:03", "2015-05-17T10:05:03.000Z"),
        ("ISO8601", "2015-05-17T10:05", "2015-05-17T10:05:00.000Z"),
        ("ISO8601", "2015-05-17T100503,1234+0200", "2015-05-17T08:05:03.123Z"),
        ("ISO8601", "2015-05-17T10:05:03.9999999-05", "2015-05-17T15:05:03.999Z"),
        ("ISO8601", "2015-05-17 10:05:03 +01:30", "2015-05-17T08:35:03.000Z"),
        ("[ISO8601]", "[2015-05-17T10:05:03Z]", "2015-05-17T10:05:03.000Z"),
    ];
    for (format, text, expected) in cases {
        assert_eq!(read(format, text).as_deref(), Some(expected), "{format} on {text}");
    }
}

#[test]
fn what_no_calendar_or_clock_has_is_not_a_date() {
    let cases = [
        ("ISO8601", "2015-02-29T00:00:00Z"),
        ("ISO8601", "2015-00-01T00:00:00Z"),
        ("ISO8601", "2015-13-01T00:00:00Z"),
        ("ISO8601", "2015-04-31T00:00:00Z"),
        ("ISO8601", "2015-04-00T00:00:00Z"),
        ("ISO8601", "2015-04-01T24:00:00Z"),
        ("ISO8601", "2015-04-01T23:60:00Z"),
        ("ISO8601", "2015-04-01T23:59:61Z"),
        ("ISO8601", "2015-04-01T23:59:59+24:00"),
        ("ISO8601", "2015-04-01T23:59:59Zx"),
        ("ISO8601", "2015-04-01"),
        ("ISO8601", ""),
        ("%Y-%j", "2015-366"),
        ("%Y-%j", "2015-000"),
        ("%Y-%m-%d %I %p", "2015-01-01 13 AM"),
        ("%Y-%m-%d %I %p", "2015-01-01 00 AM"),
        ("%d/%b/%Y", "17/Mai/2015"),
        ("%d/%b/%Y", "17/May/2015 "),
        ("%d/%b/%Y", "17/May/215"),
        ("%s", "99999999999999"),
        ("%s", "9999999999999999999999"),
        ("%s", "-"),
    ];
    for (format, text) in cases {
        assert_eq!(read(format, text), None, "{format} on {text}");
    }
}

#[test]
fn a_date_without_a_year_is_the_latest_that_is_not_after_tomorrow() {
    let new_year = 1_704_067_200_000; // 2024-01-01T00:00:00Z
    let at = |text, now| read_at("%b %e %H:%M:%S", text, now).unwrap();
    assert_eq!(at("Dec 31 23:59:59", new_year), "2023-12-31T23:59:59.000Z");
    assert_eq!(at("Jan  1 00:00:00", new_year), "2024-01-01T00:00:00.000Z");
    assert_eq!(at("Jan  2 00:00:00", new_year), "2024-01-02T00:00:00.000Z", "a clock that runs ahead");
    assert_eq!(at("Jan  2 00:00:01", new_year), "2023-01-02T00:00:01.000Z");
    assert_eq!(at("Jan  1 00:00:00", new_year - 1000), "2024-01-01T00:00:00.000Z", "read just before midnight");
    assert_eq!(at("Feb 29 12:00:00", new_year), "2020-02-29T12:00:00.000Z");
}

#[test]
fn a_remembered_date_without_a_year_does_not_outlive_its_year() {
    let mut formats = Formats::new(&["%b %e %H:%M:%S"]).unwrap();
    let before = formats.read(b"Dec 31 23:59:59", 1_704_067_200_000).unwrap();
    let after = formats.read(b"Dec 31 23:59:59", 1_735_689_600_000).unwrap();
    assert_eq!(after - before, 366 * MS_PER_DAY);
}

#[test]
fn formats_are_tried_in_order_and_the_last_date_is_remembered_with_its_text() {
    let mut formats = Formats::new(&["%d/%m/%Y", "%m/%d/%Y"]).unwrap();
    let first = formats.read(b"03/04/2020", NOW);
    assert_eq!(first, Formats::new(&["%d/%m/%Y"]).unwrap().read(b"03/04/2020", NOW));
    assert_eq!(formats.read(b"03/14/2020", NOW), Formats::new(&["%m/%d/%Y"]).unwrap().read(b"03/14/2020", NOW));
    assert_eq!(formats.read(b"03/04/2020", NOW), first);
    assert_eq!(formats.read(b"garbage", NOW), None);
    assert_eq!(formats.read(b"03/04/2020", NOW), first);
}

#[test]
fn a_wrong_format_is_a_usage_error_that_says_what_there_is() {
    for (format, words) in [
        ("%Q", "%Q is not known; the items are %Y"),
        ("%Y-%m-%", "% at its end"),
        ("%é", "%é is not known"),
        ("dd/MMM/yyyy", "names no day"),
        ("%H:%M", "names no day"),
        ("%Y-%m-%d %I", "%I and %p go together"),
    ] {
        let error = Formats::new(&[format]).unwrap_err();
        assert_eq!(error.kind(), crate::core::error::Kind::Usage);
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(Formats::new::<&str>(&[]).is_err());
}

#[test]
fn every_day_of_ten_thousand_years_follows_the_day_before_it() {
    // The expected dates are counted day by day, without the formulas under test.
    let (mut year, mut month, mut day) = (0_i64, 1_u32, 1_u32);
    for days in -719_528..2_932_897 {
        assert_eq!(civil_from_days(days), (year, month, day));
        assert_eq!(days_from_civil(year, month, day), days);
        day += 1;
        if day > days_in_month(year, month) {
            (day, month) = (1, month + 1);
        }
        if month > 12 {
            (month, year) = (1, year + 1);
        }
    }
    assert_eq!((year, month, day), (10_000, 1, 1));
    assert_eq!(days_from_civil(1970, 1, 1), 0);
    assert_eq!([1900, 2000, 2023, 2024].map(|year| days_in_month(year, 2)), [28, 29, 28, 29]);
}

proptest! {
    #[test]
    fn an_iso_text_read_back_is_the_same_date(ms in -62_167_219_200_000_i64..253_402_300_800_000) {
        let text = write_iso(ms);
        prop_assert_eq!(Formats::new(&["ISO8601"]).unwrap().read(&text, NOW), Some(ms));
    }

    #[test]
    fn an_offset_moves_the_date_by_its_minutes(ms in 0_i64..253_402_214_400_000, hours in -23_i64..=23, minutes in 0_i64..60) {
        let text = String::from_utf8(write_iso(ms)[..23].to_vec()).unwrap();
        let sign = if hours < 0 { '-' } else { '+' };
        let text = format!("{text}{sign}{:02}:{minutes:02}", hours.abs());
        let offset = hours.abs() * 60 + minutes;
        let offset = if hours < 0 { -offset } else { offset };
        prop_assert_eq!(Formats::new(&["ISO8601"]).unwrap().read(text.as_bytes(), NOW), Some(ms - offset * 60_000));
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..40), now in any::<i64>()) {
        for format in ["%Y %y %m %d %e %b %B %a %A %H %M %S %z %Z %I %p %j %f %s", "ISO8601", "%b%e%H", "%s"] {
            if let Ok(mut formats) = Formats::new(&[format]) {
                formats.read(&text, now);
            }
        }
        Formats::new(&COMMON).unwrap().read(&text, now);
    }
}
