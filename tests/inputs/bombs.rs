//! Small files that unpack to very much. The limit of a line bounds the memory, not the content of the file.

use crate::kit::logs::{access, bzip2, gzip, xz, zstd};
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// A gigabyte without a newline, made of parts that are unpacked one after the other.
const PIECE: usize = 16 << 20;
const PIECES: usize = 64;

/// Returns the most memory of `run` in kB. The memory is measured until the run ends.
fn watch(mut running: Running, receipt: &std::path::Path) -> (crate::kit::Ran, u64) {
    running.close_input();
    let mut most = 0;
    wait_for("the end of the run", 5 * PATIENCE, || {
        most = most.max(running.most_memory().unwrap_or(0));
        receipt.exists().then_some(())
    });
    (running.end(), most)
}

#[test]
fn a_gigabyte_without_a_newline_is_one_dead_letter_in_flat_memory() {
    for (name, pack) in [("gz", gzip as fn(&[u8]) -> Vec<u8>), ("zst", zstd), ("bz2", bzip2), ("xz", xz)] {
        let place = Workspace::new();
        // A NUL would be left out, because it stands between records.
        let piece = pack(&vec![b'x'; PIECE]);
        let packed = [piece.repeat(PIECES), pack(b"\n"), pack(&access(0..10))].concat();
        assert!(packed.len() < 8 << 20, "{name}: {} bytes", packed.len());
        let file = format!("long.{name}");
        place.write(&file, packed);
        let run = place.start("logator", &["run", &file, "-f", "combined", "-j", "1", "--receipt", "receipt"]);
        let (ran, most) = watch(run, &place.path("receipt"));
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
        assert_eq!(account(&place.receipt("receipt")), [11, 10, 0, 0, 1, 0], "{name}");
        let letters = place.objects("dead-letters.ndjson");
        assert_eq!(letters.len(), 1, "{name}");
        assert_eq!(letters[0]["length"], PIECE * PIECES, "{name}");
        assert!(most < 80 << 10, "{name}: {most} kB");
    }
}

/// Returns the header of an xz stream with another dictionary size. The few bytes of the content stay the same.
fn xz_with_dictionary(bits: u8) -> Vec<u8> {
    let mut stream = xz(&access(0..10));
    let header = 12;
    let length = (usize::from(stream[header]) + 1) * 4;
    let filter = stream[header..].windows(2).position(|bytes| bytes == [0x21, 1]).expect("LZMA2") + header;
    stream[filter + 2] = bits;
    let end = header + length - 4;
    let mut sum = flate2::Crc::new();
    sum.update(&stream[header..end]);
    stream[end..end + 4].copy_from_slice(&sum.sum().to_le_bytes());
    stream
}

/// Returns a zstd frame of one raw block, for a window of 2^`log` bytes.
fn zstd_with_window(log: u8) -> Vec<u8> {
    let content = access(0..10);
    let block = (content.len() as u32) << 3 | 1;
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3][..], &block.to_le_bytes()[..3], &content].concat()
}

#[test]
fn a_dictionary_or_window_that_is_too_large_is_refused_and_others_are_read() {
    for (name, packed, fits) in [
        ("plain.xz", xz(&access(0..10)), true),
        // 64 MiB (what xz -9 has), 1.5 GiB, 4 GiB.
        ("nine.xz", xz_with_dictionary(28), true),
        ("large.xz", xz_with_dictionary(37), false),
        ("huge.xz", xz_with_dictionary(40), false),
        ("usual.zst", zstd_with_window(27), true),
        ("large.zst", zstd_with_window(28), false),
        ("huge.zst", zstd_with_window(41), false),
    ] {
        let place = Workspace::new();
        place.write(name, packed);
        place.write("other.log", access(20..30));
        let run = place.start(
            "logator",
            &["run", name, "other.log", "-f", "combined", "-j", "1", "--origin", "path", "--receipt", "receipt"],
        );
        let (ran, most) = watch(run, &place.path("receipt"));
        let receipt = place.receipt("receipt");
        assert!(most < 64 << 10, "{name}: {most} kB");
        if fits {
            assert_eq!((ran.code, account(&receipt)), (Some(0), [20, 20, 0, 0, 0, 0]), "{name}: {}", ran.stderr);
        } else {
            assert_eq!((ran.code, account(&receipt)), (Some(3), [10, 10, 0, 0, 0, 0]), "{name}: {}", ran.stderr);
            assert!(
                ran.stderr.contains("data needs more than 128 MiB of memory; decompress it with another program"),
                "{receipt:?}"
            );
        }
    }
}
