//! The page of `--report`: one HTML file that holds everything it needs. It has no scripts and loads nothing.

mod axis;

use std::fmt::Write as _;

use self::axis::{Axis, WIDTH};
use super::summary::{Summary, UrlSummary, milliseconds};
use super::tally::Quantiles;
use crate::core::calendar::write_iso;
use crate::core::numbers::grouped;
use crate::core::printable;

/// The height of the drawing of a URL.
const HEIGHT: f64 = 34.0;

/// The style of the page. The drawings use the colours of the text, so that they can be read on a dark screen.
const STYLE: &str = "\
:root{color-scheme:light dark;--plain:#2563eb;--late:#c2410c;--faint:#8884}\
body{font:14px/1.4 system-ui,sans-serif;margin:2rem;max-width:110rem}\
table{border-collapse:collapse}\
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--faint);text-align:right;font-variant-numeric:tabular-nums;vertical-align:middle}\
th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere;max-width:34rem}\
td.bad{color:#b91c1c;font-weight:600}\
td.chart,th.chart{padding:0 .6rem;text-align:left}\
small{opacity:.75}\
@media (prefers-color-scheme:dark){:root{--plain:#93c5fd;--late:#fdba74}td.bad{color:#fca5a5}}";

/// Returns the page. `from` and `to` are the times of the run, in milliseconds since 1970.
pub fn page(summary: &Summary, from: i64, to: i64) -> String {
    let all = || summary.0.iter();
    let sum = |of: fn(&UrlSummary) -> u64| grouped(all().map(of).sum());
    let views = || all().flat_map(|row| [row.latency_us, row.with_lateness_us]).flatten();
    let axis = Axis::over(views().map(|times| times.p50).min(), views().map(|times| times.max).max());
    let time = |ms: i64| String::from_utf8_lossy(&write_iso(ms)).into_owned();
    let mut page = String::with_capacity(4096 + summary.0.len() * 1200);
    page += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n";
    page += "<meta name=\"viewport\" content=\"width=device-width\">\n<title>logator-probe</title>\n";
    let _ = writeln!(page, "<style>{STYLE}</style>\n</head>\n<body>\n<h1>Latencies</h1>");
    let _ = writeln!(
        page,
        "<p>{} to {}: {} URLs, {} requests, {} errors, {} missed.</p>",
        time(from),
        time(to),
        grouped(summary.0.len() as u64),
        sum(|row| row.requests),
        sum(|row| row.errors),
        sum(|row| row.missed),
    );
    page += "<p>Times are milliseconds. <b style=\"color:var(--plain)\">Above</b>: from the start of a request to its end. \
        <b style=\"color:var(--late)\">Below</b>: from the time at which it was due; missed requests count as if they had got \
        the answer of the request beside them. A bar reaches from the median to the 99th percentile, with a mark at the 90th; \
        its line ends at the maximum.</p>\n";
    page += "<table>\n<thead><tr><th>URL</th><th>requests</th><th>errors</th><th>missed</th>";
    page += "<th>p50</th><th>p90</th><th>p99</th><th>max</th><th>p50</th><th>p90</th><th>p99</th><th>max</th>";
    let _ = write!(page, "<th class=\"chart\">{}</th></tr></thead>\n<tbody>\n", scale(&axis));
    for row in all() {
        write_row(row, &axis, &mut page);
    }
    page += "</tbody>\n</table>\n</body>\n</html>\n";
    page
}

fn write_row(row: &UrlSummary, axis: &Axis, page: &mut String) {
    let classes: Vec<String> =
        row.error_classes.iter().map(|(class, count)| format!("{} {}", grouped(*count), escaped(class))).collect();
    let classes = if classes.is_empty() { String::new() } else { format!("<br><small>{}</small>", classes.join(", ")) };
    let _ = write!(page, "<tr><td>{}{classes}</td><td>{}</td>", escaped(&row.label()), grouped(row.requests));
    for count in [row.errors, row.missed] {
        let class = if count > 0 { " class=\"bad\"" } else { "" };
        let _ = write!(page, "<td{class}>{}</td>", grouped(count));
    }
    for times in [row.latency_us, row.with_lateness_us] {
        let cells = times.map(|Quantiles { p50, p90, p99, max }| [p50, p90, p99, max].map(milliseconds));
        cells.unwrap_or(["-"; 4].map(str::to_owned)).iter().for_each(|cell| *page += &format!("<td>{cell}</td>"));
    }
    let _ = writeln!(page, "<td class=\"chart\">{}</td></tr>", drawing(row, axis));
}

/// Returns the names of the axis.
fn scale(axis: &Axis) -> String {
    let mut svg = format!("<svg width=\"{WIDTH}\" height=\"18\" role=\"img\"><title>milliseconds</title>");
    for (at, us) in axis.marks() {
        let anchor = if at > WIDTH - 30.0 { "end" } else { "middle" };
        let words = axis::words(us);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"13\" font-size=\"10\" fill=\"currentColor\" text-anchor=\"{anchor}\">{words}</text>"
        );
    }
    svg + "</svg>"
}

/// Returns the drawing of a URL: a bar for each view.
fn drawing(row: &UrlSummary, axis: &Axis) -> String {
    let mut svg =
        format!("<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\"><title>{}</title>", escaped(&row.label()));
    for (at, _) in axis.marks() {
        let _ = write!(svg, "<path d=\"M{at:.1} 0V{HEIGHT}\" stroke=\"var(--faint)\"/>");
    }
    for (times, y, colour) in [(row.latency_us, 5.0, "plain"), (row.with_lateness_us, 20.0, "late")] {
        let Some(Quantiles { p50, p90, p99, max }) = times else { continue };
        let [p50, p90, p99, max] = [p50, p90, p99, max].map(|us| axis.place(us));
        let (width, middle, bottom) = ((p99 - p50).max(1.5), y + 4.5, y + 9.0);
        let _ = write!(
            svg,
            "<g stroke=\"var(--{colour})\" fill=\"var(--{colour})\"><path d=\"M{p50:.1} {middle}H{max:.1}M{max:.1} {y}V{bottom}\"/>\
             <rect x=\"{p50:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"9\" fill-opacity=\".35\"/>\
             <path d=\"M{p90:.1} {y}V{bottom}\" stroke-width=\"2\"/></g>"
        );
    }
    svg + "</svg>"
}

/// Returns a text as HTML shows it. Characters that act on a terminal, or change the direction of writing, are escapes.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in printable::line(text).chars() {
        match c {
            '&' => shown += "&amp;",
            '<' => shown += "&lt;",
            '>' => shown += "&gt;",
            '"' => shown += "&quot;",
            '\'' => shown += "&#39;",
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let times = Quantiles { p50: 1_200, p90: 9_000, p99: 80_000, max: 2_000_000 };
        let late = Quantiles { max: 9_000_000, ..times };
        Summary(vec![
            UrlSummary {
                url: "http://a/?x=<script>alert('1')</script>&\"".into(),
                method: "GET".into(),
                name: Some("\u{202e}\u{1b}</td>".into()),
                requests: 1_000,
                errors: 3,
                missed: 2,
                error_classes: [("refused", 3)].into(),
                latency_us: Some(times),
                with_lateness_us: Some(late),
                ..UrlSummary::default()
            },
            UrlSummary { url: "http://b/".into(), method: "GET".into(), ..UrlSummary::default() },
        ])
    }

    #[test]
    fn everything_is_escaped_and_nothing_is_loaded() {
        let page = page(&summary(), 1_431_857_103_000, 1_431_857_163_000);
        assert!(page.contains("http://a/?x=&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;"), "{page}");
        assert!(page.contains(r"\u{202e}\x1b&lt;/td&gt;"), "{page}");
        for foreign in ["<script", "src=", "href=", "url(", "@import", "onload", "\u{202e}"] {
            assert!(!page.contains(foreign), "{foreign}: {page}");
        }
        assert!(
            page.contains("2015-05-17T10:05:03.000Z")
                && page.contains("3 refused")
                && page.contains("2 URLs, 1,000 requests")
        );
    }

    #[test]
    fn each_tag_is_closed_in_its_order() {
        let page = page(&summary(), 0, 1);
        let mut open = Vec::new();
        let mut rest = page.split_once("<html").unwrap().1;
        open.push("html".to_owned());
        while let Some((_, tag)) = rest.split_once('<') {
            let (tag, after) = tag.split_once('>').unwrap();
            rest = after;
            let name: String = tag.trim_start_matches('/').chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            match tag.strip_prefix('/') {
                Some(_) => assert_eq!(open.pop().as_deref(), Some(&*name), "{tag}"),
                None if tag.ends_with('/') || ["meta", "br"].contains(&&*name) => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
        assert_eq!(page.matches("<tr>").count(), 3);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }

    #[test]
    fn a_page_without_times_is_a_page() {
        let page = page(&Summary::default(), 0, 0);
        assert!(page.contains("0 URLs, 0 requests") && !page.contains("NaN"));
    }
}
