//! [`Zone`]: the time zone of dates that name none, and the names of zones in texts.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::core::calendar::civil_from_days;
use crate::core::error::{Error, Result};

const SECONDS_PER_DAY: i64 = 86_400;

/// A time zone with its rules of daylight saving time. The rules are those of the tables in the program, and not those of the
/// machine, so that every machine makes the same documents.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    table: TimeZone,
}

/// The offset of a local time, in seconds east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    pub seconds: i64,
    /// Whether the clock showed this time twice, because it was put back. The offset is that of the first time.
    pub is_fold: bool,
}

/// A zone that means one offset all over the world, or is read as in the USA, with its offset in hours.
const FIXED: [(&str, i64); 29] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("Z", 0),
    ("EDT", -4),
    ("EST", -5),
    ("CDT", -5),
    ("CST", -6),
    ("MDT", -6),
    ("MST", -7),
    ("PDT", -7),
    ("PST", -8),
    ("AKDT", -8),
    ("AKST", -9),
    ("HST", -10),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("MEZ", 1),
    ("CEST", 2),
    ("MESZ", 2),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
    ("JST", 9),
    ("AEST", 10),
    ("AEDT", 11),
    ("NZST", 12),
    ("NZDT", 13),
];

/// Names of zones that mean several offsets. They are read only if the zone of the job uses them.
const SEVERAL: [&str; 20] = [
    "IST", "BST", "AST", "ADT", "AMT", "AMST", "ART", "BRT", "CLT", "ECT", "GST", "HKT", "KST", "NST", "PHT", "PKT",
    "SGT", "SST", "WAT", "WST",
];

/// What the name of a zone in a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// This offset in seconds.
    Offset(i64),
    /// A zone that means several offsets.
    Several,
    /// No zone that is known.
    Unknown,
}

impl Zone {
    /// Returns the zone called `name`: a name of the IANA tables such as `Europe/Berlin`, or `local` for that of this machine.
    ///
    /// # Errors
    /// A usage error when there is no such zone, or when the machine does not tell its own.
    pub fn new(name: &str) -> Result<Zone> {
        if name == "local" {
            let table = TimeZone::try_system().map_err(|error| {
                Error::usage("the time zone of this machine cannot be found; name one, such as Europe/Berlin")
                    .because(error)
            })?;
            let name = table.iana_name().unwrap_or("local").to_owned();
            return Ok(Zone { name, table });
        }
        let table = TimeZone::get(name).map_err(|_| {
            Error::usage(format!(
                "{name:?} is not a time zone; names are those of the IANA tables, such as Europe/Berlin or UTC, and local"
            ))
        })?;
        let name = table.iana_name().unwrap_or(name).to_owned();
        Ok(Zone { name, table })
    }

    /// Returns the name of the zone in the IANA tables; `local` if this machine has a zone without such a name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the offset at a local time, in seconds since 1970 by the local clock. A time that the clock skipped is counted
    /// on from before the gap. `None` beyond the years of the tables.
    pub(super) fn offset(&self, local: i64) -> Option<Offset> {
        let found = self.table.to_ambiguous_timestamp(civil(local)?).offset();
        let seconds = |offset: jiff::tz::Offset| i64::from(offset.seconds());
        Some(match found {
            AmbiguousOffset::Unambiguous { offset } => Offset { seconds: seconds(offset), is_fold: false },
            AmbiguousOffset::Gap { before, .. } => Offset { seconds: seconds(before), is_fold: false },
            AmbiguousOffset::Fold { before, .. } => Offset { seconds: seconds(before), is_fold: true },
        })
    }

    /// Returns the offset that the zone calls `name` near a local time; `None` if it does not use this name then.
    fn offset_called(&self, name: &str, local: i64) -> Option<i64> {
        // Daylight saving time may have ended a moment ago, or last for months.
        const HALF_YEAR: i64 = 182 * SECONDS_PER_DAY;
        let instants = [0, SECONDS_PER_DAY, -SECONDS_PER_DAY, HALF_YEAR, -HALF_YEAR];
        instants.into_iter().find_map(|away| {
            let instant = Timestamp::from_second(local.saturating_add(away)).ok()?;
            let info = self.table.to_offset_info(instant);
            (info.abbreviation() == name).then(|| i64::from(info.offset().seconds()))
        })
    }
}

fn civil(local: i64) -> Option<DateTime> {
    let (year, month, day) = civil_from_days(local.div_euclid(SECONDS_PER_DAY));
    let time = local.rem_euclid(SECONDS_PER_DAY);
    let [hour, minute, second] = [time / 3600, time / 60 % 60, time % 60].map(|part| part as i8);
    DateTime::new(i16::try_from(year).ok()?, month as i8, day as i8, hour, minute, second, 0).ok()
}

/// Returns what `name` means at a local time. The names that the zone of the job uses come first.
pub(super) fn named(name: &[u8], zone: Option<&Zone>, local: i64) -> Named {
    let Ok(name) = std::str::from_utf8(name) else { return Named::Unknown };
    if let Some(seconds) = zone.and_then(|zone| zone.offset_called(name, local)) {
        return Named::Offset(seconds);
    }
    if let Some((_, hours)) = FIXED.iter().find(|(known, _)| *known == name) {
        return Named::Offset(hours * 3600);
    }
    if SEVERAL.contains(&name) {
        return Named::Several;
    }
    // The name of a zone of the tables, such as Europe/Berlin.
    let zone = name.contains('/').then(|| TimeZone::get(name).ok()).flatten();
    let zone = zone.map(|table| Zone { name: String::new(), table });
    zone.and_then(|zone| zone.offset(local)).map_or(Named::Unknown, |offset| Named::Offset(offset.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMER: i64 = 1_719_835_200; // 2024-07-01T12:00:00
    const WINTER: i64 = 1_704_110_400; // 2024-01-01T12:00:00

    #[test]
    fn a_name_with_several_meanings_is_read_as_the_zone_of_the_job_uses_it() {
        let zones = ["Europe/London", "Asia/Kolkata", "Asia/Shanghai", "Europe/Dublin", "America/New_York"];
        let [london, kolkata, shanghai, dublin, new_york] = zones.map(|name| Zone::new(name).unwrap());
        for (name, zone, local, expected) in [
            ("BST", None, SUMMER, Named::Several),
            ("BST", Some(&london), SUMMER, Named::Offset(3600)),
            ("BST", Some(&kolkata), SUMMER, Named::Several),
            ("GMT", Some(&london), WINTER, Named::Offset(0)),
            ("IST", Some(&kolkata), WINTER, Named::Offset(19_800)),
            ("IST", Some(&dublin), SUMMER, Named::Offset(3600)),
            ("CST", None, WINTER, Named::Offset(-21_600)),
            ("CST", Some(&shanghai), WINTER, Named::Offset(28_800)),
            ("EST", Some(&new_york), SUMMER, Named::Offset(-18_000)),
            ("CEST", None, SUMMER, Named::Offset(7200)),
            ("Europe/Berlin", None, SUMMER, Named::Offset(7200)),
            ("XYZ", None, SUMMER, Named::Unknown),
            ("Europe/Nowhere", None, SUMMER, Named::Unknown),
        ] {
            assert_eq!(named(name.as_bytes(), zone, local), expected, "{name} in {zone:?}");
        }
    }

    #[test]
    fn a_time_that_the_clock_showed_twice_is_the_first_and_one_that_it_skipped_counts_on() {
        let berlin = Zone::new("Europe/Berlin").unwrap();
        let day = |days: i64, hour: i64, minute: i64| days * SECONDS_PER_DAY + hour * 3600 + minute * 60;
        let (back, forth) = (20_023, 19_813); // 2024-10-27 and 2024-03-31
        for (local, seconds, is_fold) in [
            (day(back, 1, 59), 7200, false),
            (day(back, 2, 30), 7200, true),
            (day(back, 3, 0), 3600, false),
            (day(forth, 1, 59), 3600, false),
            (day(forth, 2, 30), 3600, false),
            (day(forth, 3, 0), 7200, false),
        ] {
            assert_eq!(berlin.offset(local), Some(Offset { seconds, is_fold }), "{local}");
        }
    }

    #[test]
    fn a_wrong_name_is_a_usage_error_that_says_what_names_there_are() {
        let error = Zone::new("Europe/Nowhere").unwrap_err();
        assert!(error.to_string().contains("IANA"), "{error}");
        assert_eq!(Zone::new("utc").unwrap().offset(0), Some(Offset { seconds: 0, is_fold: false }));
    }
}
