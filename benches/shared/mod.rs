//! What the benchmarks of Kafka have in common.

/// Returns line number `number` of an access log.
pub fn line(number: usize) -> String {
    format!(
        "198.51.{}.{} - - [05/May/2026:10:{:02}:{:02} +0000] \"GET /articles/{}/pictures/chart-{number}.png HTTP/1.1\" 200 {} \
         \"http://www.example.com/articles/{}\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"",
        number / 250 % 250,
        number % 250,
        number / 60 % 60,
        number % 60,
        number % 977,
        number * 7919 % 200_000,
        number % 977,
    )
}
