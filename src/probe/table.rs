//! The table at the end of the program: a row for each URL.

use super::summary::{Summary, UrlSummary, milliseconds};
use super::tally::Quantiles;
use crate::core::numbers::grouped;
use crate::core::printable;

/// The maximum number of rows. A list of more URLs is shown with those that have most to tell.
const MOST: usize = 200;

/// The number of columns before the URL.
const COLUMNS: usize = 11;

/// The least width of a column, so that the headings above have room.
const LEAST: usize = 5;

/// The names of the columns.
const HEAD: [&str; COLUMNS] = ["requests", "errors", "missed", "p50", "p90", "p99", "max", "p50", "p90", "p99", "max"];

/// Returns the table of all URLs as lines without a newline at the end. Times are in milliseconds: from the start of a request,
/// and from the time at which it was due.
pub fn table(summary: &Summary) -> String {
    let mut rows: Vec<&UrlSummary> = summary.0.iter().collect();
    let all = rows.len();
    if all > MOST {
        let p99 = |row: &UrlSummary| row.with_lateness_us.map_or(0, |times| times.p99);
        // The sort is stable, so rows that are equal keep the order of the file.
        rows.sort_by_key(|row| std::cmp::Reverse((row.errors, row.missed, p99(row))));
        rows.truncate(MOST);
    }
    let cells: Vec<[String; COLUMNS]> = rows.iter().map(|row| cells(row)).collect();
    let width =
        |column: usize| cells.iter().map(|row| row[column].len()).chain([HEAD[column].len(), LEAST]).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let line = |cells: &[String; COLUMNS], label: &str| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
        format!("{}  {label}", padded.collect::<Vec<_>>().join("  "))
    };
    let span = |columns: std::ops::Range<usize>| widths[columns].iter().sum::<usize>() + 6;
    let left = widths[..3].iter().sum::<usize>() + 6;
    let (plain, late) = (span(3..7), span(7..11));
    let mut text = format!(
        "{:left$}{:>plain$}  {:>late$}\n",
        "",
        centred("ms from its start", plain),
        centred("ms from when it was due", late),
    );
    text += line(&HEAD.map(str::to_owned), "URL").trim_end();
    for (row, cells) in rows.iter().zip(&cells) {
        text += "\n";
        text += &line(cells, &printable::line(&row.label()));
    }
    if all > MOST {
        text += &format!(
            "\n{} more URLs have fewer errors and fewer missed requests; --report and --receipt have all of them",
            grouped((all - MOST) as u64)
        );
    }
    text
}

/// Returns a heading over several columns.
fn centred(words: &str, width: usize) -> String {
    format!("{words:-^width$}")
}

fn cells(row: &UrlSummary) -> [String; COLUMNS] {
    let [requests, errors, missed] = [row.requests, row.errors, row.missed].map(grouped);
    let [p50, p90, p99, max] = times(row.latency_us);
    let [late50, late90, late99, latest] = times(row.with_lateness_us);
    [requests, errors, missed, p50, p90, p99, max, late50, late90, late99, latest]
}

fn times(quantiles: Option<Quantiles>) -> [String; 4] {
    match quantiles {
        Some(Quantiles { p50, p90, p99, max }) => [p50, p90, p99, max].map(milliseconds),
        None => ["-"; 4].map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(url: &str, requests: u64, errors: u64) -> UrlSummary {
        let times = Quantiles { p50: 1_230, p90: 12_300, p99: 123_000, max: 1_230_000 };
        let times = (requests > errors).then_some(times);
        UrlSummary {
            url: url.into(),
            method: "GET".into(),
            requests,
            errors,
            latency_us: times,
            with_lateness_us: times,
            ..UrlSummary::default()
        }
    }

    #[test]
    fn each_url_has_a_row_with_both_views() {
        let other = UrlSummary { name: Some("log\u{1b}[2Jin".into()), method: "HEAD".into(), ..row("http://b/", 2, 2) };
        let text = table(&Summary(vec![row("http://a/", 12_345, 0), other]));
        let lines: Vec<&str> = text.lines().collect();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(words(lines[1]), "requests errors missed p50 p90 p99 max p50 p90 p99 max URL");
        assert_eq!(words(lines[2]), "12,345 0 0 1.23 12.3 123 1230 1.23 12.3 123 1230 http://a/");
        assert_eq!(words(lines[3]), r"2 2 0 - - - - - - - - log\x1b[2Jin: HEAD http://b/");
        assert!(lines[0].contains("ms from its start") && lines[0].len() < lines[2].len());
        assert_eq!(lines[2].find("http"), lines[3].find("log"), "the columns stand below each other");
    }

    #[test]
    fn of_a_long_list_the_rows_that_tell_most_are_shown() {
        let mut rows: Vec<_> = (0..1000).map(|index| row(&format!("http://{index}/"), 5, 0)).collect();
        rows[777].errors = 1;
        rows[5].missed = 9;
        let text = table(&Summary(rows));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), MOST + 3);
        assert!(
            lines[2].ends_with("http://777/") && lines[3].ends_with("http://5/") && lines[4].ends_with("http://0/")
        );
        assert!(lines[MOST + 2].starts_with("800 more URLs"), "{}", lines[MOST + 2]);
    }
}
