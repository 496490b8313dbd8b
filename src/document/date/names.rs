//! The names of months and weekdays: those of English, and those of other languages that mean one month only.
//!
//! A name is read in any case. A name that is one month in one language and another month in another, such as *listopad* or
//! *lip*, is not in the table.

/// English months: the first three letters decide.
const MONTHS: [&[u8]; 12] = [
    b"january",
    b"february",
    b"march",
    b"april",
    b"may",
    b"june",
    b"july",
    b"august",
    b"september",
    b"october",
    b"november",
    b"december",
];

const WEEKDAYS: [&[u8]; 7] = [b"monday", b"tuesday", b"wednesday", b"thursday", b"friday", b"saturday", b"sunday"];

/// The names of each month in other languages, in lower case: German, French, Spanish, Italian, Portuguese, Dutch, Danish,
/// Norwegian, Swedish, Polish, Turkish and Russian.
#[rustfmt::skip]
const FOREIGN_MONTHS: [&[&str]; 12] = [
    &["januar", "jänner", "jän", "janvier", "janv", "enero", "ene", "gennaio", "gen", "janeiro", "januari", "stycznia",
      "styczeń", "sty", "ocak", "oca", "января", "янв"],
    &["februar", "feber", "février", "févr", "fév", "febrero", "febbraio", "fevereiro", "fev", "februari", "lutego", "luty",
      "lut", "şubat", "şub", "февраля", "фев"],
    &["märz", "mär", "mrz", "mars", "marzo", "março", "maart", "mrt", "marts", "marca", "marzec", "mart", "марта", "мар"],
    &["avril", "avr", "abril", "abr", "aprile", "kwietnia", "kwiecień", "kwi", "nisan", "nis", "апреля", "апр"],
    &["mai", "mayo", "maggio", "mag", "maio", "mei", "maj", "maja", "mayıs", "мая", "май"],
    &["juni", "juin", "junio", "giugno", "giu", "junho", "czerwca", "czerwiec", "cze", "haziran", "haz", "июня", "июн"],
    &["juli", "juillet", "juil", "julio", "luglio", "lug", "julho", "lipca", "lipiec", "temmuz", "tem", "июля", "июл"],
    &["août", "aoû", "agosto", "ago", "augustus", "augusti", "sierpnia", "sierpień", "sie", "ağustos", "ağu", "августа", "авг"],
    &["septembre", "septiembre", "setiembre", "settembre", "sett", "set", "setembro", "września", "wrzesień", "wrz", "eylül",
      "eyl", "сентября", "сен"],
    &["oktober", "okt", "octobre", "octubre", "ottobre", "ott", "outubro", "out", "października", "październik", "paź",
      "ekim", "eki", "октября", "окт"],
    &["novembre", "noviembre", "novembro", "kasım", "kas", "ноября", "ноя"],
    &["dezember", "dez", "décembre", "déc", "diciembre", "dic", "dicembre", "dezembro", "desember", "des", "grudnia",
      "grudzień", "gru", "aralık", "ara", "декабря", "дек"],
];

/// Weekdays in other languages, in lower case.
#[rustfmt::skip]
const FOREIGN_WEEKDAYS: &[&str] = &[
    "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag", "mo", "di", "mi", "do", "fr",
    "sa", "so", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lun", "mar", "mer", "jeu", "ven",
    "sam", "dim", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo", "mié", "jue", "vie", "sáb", "dom",
    "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica", "gio", "sab", "maandag", "dinsdag",
    "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag", "ma", "wo", "vr", "za", "zo",
];

/// Reads the English name of a month at the beginning of `text`, short or whole. Returns its number and the text after it.
#[inline]
pub(super) fn english_month(text: &[u8]) -> Option<(u32, &[u8])> {
    let (short, after) = text.split_first_chunk::<3>()?;
    let index = match &short.map(|byte| byte | 0x20) {
        b"jan" => 0,
        b"feb" => 1,
        b"mar" => 2,
        b"apr" => 3,
        b"may" => 4,
        b"jun" => 5,
        b"jul" => 6,
        b"aug" => 7,
        b"sep" => 8,
        b"oct" => 9,
        b"nov" => 10,
        b"dec" => 11,
        _ => return None,
    };
    Some((index as u32 + 1, without_rest_of(MONTHS[index], after)))
}

/// Reads the English name of a weekday at the beginning of `text`. Returns the text after it.
pub(super) fn english_weekday(text: &[u8]) -> Option<&[u8]> {
    let (short, after) = text.split_first_chunk::<3>()?;
    let name = WEEKDAYS.iter().find(|name| name[..3].eq_ignore_ascii_case(short))?;
    Some(without_rest_of(name, after))
}

/// Returns the text after a name whose first three letters were read. If the rest of the name is there, it is skipped
/// too.
#[inline]
fn without_rest_of<'a>(name: &[u8], after: &'a [u8]) -> &'a [u8] {
    let more = &name[3..];
    match after.get(..more.len()) {
        Some(next) if next.eq_ignore_ascii_case(more) => &after[more.len()..],
        _ => after,
    }
}

/// Reads a word that is the name of a month in any of the languages, with or without a point after it. Returns its number and
/// the text after it.
pub(super) fn month(text: &[u8]) -> Option<(u32, &[u8])> {
    let (word, after) = split_word(text);
    let english = english_month(word).and_then(|(month, rest)| (rest.is_empty() || rest == b"t").then_some(month));
    let month = match english {
        Some(month) => month,
        None => foreign(word, |name| FOREIGN_MONTHS.iter().position(|names| names.contains(&name)))? as u32 + 1,
    };
    Some((month, after.strip_prefix(b".").unwrap_or(after)))
}

/// Reads a word that is the name of a weekday in any of the languages, with a point or comma and blanks after it. Returns the
/// text after them.
pub(super) fn weekday(text: &[u8]) -> Option<&[u8]> {
    let (word, after) = split_word(text);
    if english_weekday(word).is_none_or(|rest| !rest.is_empty()) {
        foreign(word, |name| FOREIGN_WEEKDAYS.iter().position(|day| *day == name))?;
    }
    let after = after.strip_prefix(b".").unwrap_or(after);
    let after = after.strip_prefix(b",").unwrap_or(after);
    Some(after.trim_ascii_start())
}

/// Splits the letters off the beginning of `text`. Every byte beyond ASCII counts as a letter.
fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count())
}

/// The longest foreign name, in bytes.
const MAX_NAME: usize = 24;

fn foreign(word: &[u8], find: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    let word = std::str::from_utf8(word).ok().filter(|word| !word.is_empty() && word.len() <= MAX_NAME)?;
    find(&word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_two_months_and_no_foreign_name_is_an_english_one() {
        for (month, names) in FOREIGN_MONTHS.iter().enumerate() {
            for name in *names {
                let months = FOREIGN_MONTHS.iter().filter(|names| names.contains(name)).count();
                assert_eq!(months, 1, "{name}");
                assert!(name.len() <= MAX_NAME, "{name}");
                if let Some((english, rest)) = english_month(name.as_bytes()) {
                    assert!(!rest.is_empty() || english as usize == month + 1, "{name}");
                }
                assert_eq!(super::month(name.as_bytes()), Some((month as u32 + 1, &b""[..])), "{name}");
            }
        }
    }

    #[test]
    fn names_are_read_in_any_case_with_a_point_after_them() {
        for (text, month) in [("FÉVR. 3", 2), ("Sept. 3", 9), ("MÄRZ 3", 3), ("december 3", 12), ("окт 3", 10)] {
            let (found, rest) = super::month(text.as_bytes()).unwrap();
            assert_eq!((found, rest), (month, &b" 3"[..]), "{text}");
        }
        for text in ["listopad", "lip", "srpna", "Junk", "Decem", "", "3"] {
            assert_eq!(super::month(text.as_bytes()), None, "{text}");
        }
        for (text, rest) in [("Sun, 3", "3"), ("Mo. 3", "3"), ("mercredi 3", "3"), ("Sunday 3", "3")] {
            assert_eq!(weekday(text.as_bytes()), Some(rest.as_bytes()), "{text}");
        }
        assert_eq!(weekday(b"Sundry 3"), None);
    }
}
