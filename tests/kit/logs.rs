//! Logs that are made for the tests. Their addresses and names are reserved for documentation.

use std::io::Write as _;

/// Returns the line of an access log (combined) with the number `index`, without its newline.
pub fn access_line(index: usize) -> String {
    format!(
        "192.0.2.{} - - [10/Oct/2025:13:{:02}:{:02} +0200] \"GET /page/{index} HTTP/1.1\" 200 {} \
         \"https://www.example.com/start\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
        index % 250 + 1,
        index / 60 % 60,
        index % 60,
        index * 7 + 1
    )
}

/// Returns the lines of an access log whose numbers are in `range`.
pub fn access(range: std::ops::Range<usize>) -> Vec<u8> {
    range.flat_map(|index| format!("{}\n", access_line(index)).into_bytes()).collect()
}

/// Returns `content` as one gzip member.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Returns `content` as one zstd frame.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).expect("memory takes it")
}

/// Returns `content` as one bzip2 stream.
pub fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// Returns `content` as one xz stream.
pub fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
