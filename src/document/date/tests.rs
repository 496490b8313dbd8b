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
    Some(formats.read(text.as_bytes(), now_ms).ok()?.date.to_text())
}

#[test]
fn every_item_reads_what_the_table_says() {
    let cases = [
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03.000Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 -0730", "2015-05-17T17:35:03.000Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "1/may/2015:00:05:03 +02:00", "2015-04-30T22:05:03.000Z"),
        ("%a %b %e %H:%M:%S.%f %Y", "Sun May  7 01:02:03.123456 2017", "2017-05-07T01:02:03.123456Z"),
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
        ("ISO8601", "2015-05-17T100503,1234+0200", "2015-05-17T08:05:03.1234Z"),
        ("ISO8601", "2015-05-17T10:05:03.9999999-05", "2015-05-17T15:05:03.9999999Z"),
        ("ISO8601", "2015-05-17 10:05:03 +01:30", "2015-05-17T08:35:03.000Z"),
        ("[ISO8601]", "[2015-05-17T10:05:03Z]", "2015-05-17T10:05:03.000Z"),
        ("%F %T.%f", "2015-05-17 10:05:03.123456789", "2015-05-17T10:05:03.123456789Z"),
        ("%d.%B %Y %H:%M", "3.März 2015 10:05", "2015-03-03T10:05:00.000Z"),
        ("%d %b %Y %H:%M:%S %Z", "01 Jul 2020 00:00:00 Europe/Berlin", "2020-06-30T22:00:00.000Z"),
        ("UNIX", "12.5", "1970-01-01T00:00:12.500Z"),
        ("UNIX_MS", "12", "1970-01-01T00:00:00.012Z"),
        ("TAI64N", "@4000000037c219bf2ef02e94", "1999-08-24T04:04:05.787492500Z"),
        ("yyyy-MM-dd HH:mm:ss,SSS", "2015-05-17 10:05:03,123", "2015-05-17T10:05:03.123Z"),
        ("dd/MMM/yyyy:HH:mm:ss Z", "17/May/2015:10:05:03 +0200", "2015-05-17T08:05:03.000Z"),
        ("EEE, d MMM yyyy h:mm a", "Sun, 7 May 2017 1:02 PM", "2017-05-07T13:02:00.000Z"),
        ("yyyy-MM-dd'T'HH:mm 'o''clock'", "2015-05-17T10:05 o'clock", "2015-05-17T10:05:00.000Z"),
        ("yyyyDDD", "2016366", "2016-12-31T00:00:00.000Z"),
        ("dd.MM.yy", "17.05.15", "2015-05-17T00:00:00.000Z"),
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
        ("%d/%b/%Y", "17/Foo/2015"),
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
    let mut read = |now| formats.read(b"Dec 31 23:59:59", now).unwrap().date.ms();
    assert_eq!(-read(1_704_067_200_000) + read(1_735_689_600_000), 366 * MS_PER_DAY);
    let mut formats = Formats::new(&["any"]).unwrap();
    let mut read = |now| formats.read(b"260513 10:00:00", now).unwrap().date.to_text();
    assert_eq!([read(0), read(NOW), read(0)].map(|text| text[..4].to_owned()), ["1926", "2026", "1926"]);
}

const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia"];

fn berlin(order: Option<Order>) -> Arc<Rules> {
    Arc::new(Rules { zone: Some(Zone::new("Europe/Berlin").unwrap()), order, base_year: None })
}

#[test]
fn a_date_says_what_had_to_be_added_to_it() {
    let plain: Arc<Rules> = Arc::default();
    let year = Arc::new(Rules { base_year: Some(2005), ..Rules::default() });
    let (none, guessed, zoneless, fold) = (Notes::default(), Notes::GUESSED_YEAR, Notes::ZONELESS, Notes::FOLD);
    let both = |one: Notes, other: Notes| one.with(other);
    for (rules, text, expected, notes) in [
        (&plain, "Feb  3 04:05:06", "2024-02-03T04:05:06.000Z", both(guessed, zoneless)),
        (&plain, "Feb  3 04:05:06 +0100", "2024-02-03T03:05:06.000Z", guessed),
        (&year, "Dec 31 04:05:06", "2005-12-31T04:05:06.000Z", both(guessed, zoneless)),
        (&year, "050203 04:05:06", "2005-02-03T04:05:06.000Z", both(zoneless, Notes::BY_CONTEXT)),
        (&plain, "2024-02-03 04:05:06", "2024-02-03T04:05:06.000Z", zoneless),
        (&plain, "1706933106", "2024-02-03T04:05:06.000Z", none),
        (&plain, "2024-02-03T04:05:06Z", "2024-02-03T04:05:06.000Z", none),
        (&berlin(None), "2024-02-03 04:05:06", "2024-02-03T03:05:06.000Z", zoneless),
        (&berlin(None), "2024-10-27 02:30:00", "2024-10-27T00:30:00.000Z", both(zoneless, fold)),
        (&berlin(None), "2024-10-27 02:30:00 CET", "2024-10-27T01:30:00.000Z", none),
        (&berlin(None), "2024-10-27 02:30:00 CEST", "2024-10-27T00:30:00.000Z", none),
        (&berlin(None), "2024-03-31 02:30:00", "2024-03-31T01:30:00.000Z", zoneless),
        (
            &berlin(Some(Order::Mdy)),
            "03/04/2024 00:00:00",
            "2024-03-03T23:00:00.000Z",
            both(zoneless, Notes::BY_CONTEXT),
        ),
    ] {
        let reading = Formats::any(rules).look(text.as_bytes(), NOW);
        let reading = reading.unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        assert_eq!((reading.date.to_text().as_str(), reading.notes), (expected, notes), "{text}");
    }
    for text in ["03/04/2024 00:00:00", "2024-02-03 04:05:06 IST", "Feb  3 04:05:06 BST"] {
        assert_eq!(Formats::any(&plain).look(text.as_bytes(), NOW), Err(Fault::Ambiguous), "{text}");
    }
    assert_eq!(Formats::any(&year).look(b"Feb 29 04:05:06", NOW), Err(Fault::Unread), "2005 has no 29 February");
}

#[test]
fn formats_are_tried_in_order_and_the_last_date_is_remembered_with_its_text() {
    let mut formats = Formats::new(&["%d/%m/%Y", "%m/%d/%Y"]).unwrap();
    let first = formats.read(b"03/04/2020", NOW);
    assert_eq!(first, Formats::new(&["%d/%m/%Y"]).unwrap().read(b"03/04/2020", NOW));
    assert_eq!(formats.read(b"03/14/2020", NOW), Formats::new(&["%m/%d/%Y"]).unwrap().read(b"03/14/2020", NOW));
    assert_eq!(formats.read(b"03/04/2020", NOW), first);
    assert_eq!(formats.read(b"garbage", NOW), Err(Fault::Unread));
    assert_eq!(formats.read(b"03/04/2020", NOW), first);
}

#[test]
fn a_wrong_format_is_a_usage_error_that_says_what_there_is() {
    for (format, words) in [
        ("%Q", "%Q is not known; the items are %Y"),
        ("%Y-%m-%", "% at its end"),
        ("%é", "%é is not known"),
        ("MMM/yyyy", "names no day"),
        ("dd/MMM/yyyy q", "the letter q is not known"),
        ("yyyy-MM-dd'T", "is not closed"),
        ("yyyy-MM-dd hh", "hh and a"),
        ("%H:%M", "names no day"),
        ("%Y-%m-%d %I", "(%I and %p"),
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
        for format in ["ISO8601", "any"] {
            let read = Formats::new(&[format]).unwrap().read(&text, NOW).map(|reading| reading.date);
            prop_assert_eq!(read, Ok(Date::of_ms(ms)));
        }
    }

    #[test]
    fn an_offset_moves_the_date_by_its_minutes(ms in 0_i64..253_402_214_400_000, hours in -23_i64..=23, minutes in 0_i64..60) {
        let text = String::from_utf8(write_iso(ms)[..23].to_vec()).unwrap();
        let sign = if hours < 0 { '-' } else { '+' };
        let text = format!("{text}{sign}{:02}:{minutes:02}", hours.abs());
        let offset = hours.abs() * 60 + minutes;
        let offset = if hours < 0 { -offset } else { offset };
        for format in ["ISO8601", "any"] {
            let read = Formats::new(&[format]).unwrap().read(text.as_bytes(), NOW).map(|reading| reading.date.ms());
            prop_assert_eq!(read, Ok(ms - offset * 60_000));
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..40), now in any::<i64>()) {
        for format in ["%Y %y %m %d %e %b %B %a %A %H %M %S %z %Z %I %p %j %f %s", "ISO8601", "%b%e%H", "%s"] {
            if let Ok(mut formats) = Formats::new(&[format]) {
                let _ = formats.read(&text, now);
            }
        }
        let _ = Formats::any(&berlin(Some(Order::Ymd))).look(&text, now);
    }

    #[test]
    fn no_text_of_the_parts_of_dates_makes_the_reader_panic(
        text in r"([0-9]{1,4}|[-/.: ,T+@\[\]]|Feb|févr\.|Mon|AM|Z|IST|GMT|[0-9]{6,19}|e9|m=|\(|\)){0,12}",
        now in any::<i64>(),
    ) {
        for rules in [Arc::default(), berlin(None)] {
            if let Ok(reading) = Formats::any(&rules).look(text.as_bytes(), now) {
                let ms = reading.date.ms();
                prop_assert!((-62_167_219_200_000..253_402_300_800_000).contains(&ms), "{} is {}", text, ms);
            }
        }
    }

    #[test]
    fn a_local_time_is_what_the_tables_say(seconds in 0_i64..4_102_444_800, zone in 0..ZONES.len()) {
        let name = ZONES[zone];
        let rules = Arc::new(Rules { zone: Some(Zone::new(name).unwrap()), ..Rules::default() });
        let zone = jiff::tz::TimeZone::get(name).unwrap();
        let local = zone.to_datetime(jiff::Timestamp::from_second(seconds).unwrap());
        let text = local.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let reading = Formats::any(&rules).look(text.as_bytes(), NOW).unwrap();
        let expected = zone.to_ambiguous_timestamp(local);
        prop_assert_eq!(reading.notes.has(Notes::FOLD), expected.is_ambiguous(), "{}", text);
        prop_assert_eq!(reading.date.ms(), expected.compatible().unwrap().as_millisecond(), "{}", text);
    }
}
