//! Recognises contents that hold no lines of text, by their first bytes, and names the program that reads them.

use super::decompress::Compression;

/// The number of first bytes that are examined.
pub const EXAMINED: usize = 8192;

/// What [`Binary::by_magic`] tells of this number of first bytes stays right when more of them are there.
pub const MAGIC_BYTES: usize = 18;

/// A run of at least this number of NULs stands between records, also within a line: the space that a file system had reserved
/// when the power failed. A shorter run within a line is a part of the line.
pub const GAP: usize = 512;

/// What a binary content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binary {
    /// What it is, with its article.
    what: &'static str,
    /// The command that shows its content; `{}` stands for its name. Empty if there is none.
    help: &'static str,
}

/// First bytes, the content that they tell, and the command that helps.
const MAGICS: &[(&[u8], &str, &str)] = &[
    (b"SQLite format 3\0", "an SQLite database", "sqlite3 {} .dump"),
    (b"PK\x03\x04", "a zip archive", "unzip -p {} | logator run -"),
    (b"PK\x05\x06", "an empty zip archive", ""),
    (b"LPKSHHRH", "a journal of systemd", "journalctl -o export --file {} | logator run -"),
    (b"ElfFile\0", "an event log of Windows", "evtx_dump -o jsonl {} | logator run -"),
    (b"\x30\0\0\0LfLe", "an old event log of Windows", "evtexport {}"),
    (b"\xd4\xc3\xb2\xa1", PACKETS, TCPDUMP),
    (b"\xa1\xb2\xc3\xd4", PACKETS, TCPDUMP),
    (b"\x4d\x3c\xb2\xa1", PACKETS, TCPDUMP),
    (b"\xa1\xb2\x3c\x4d", PACKETS, TCPDUMP),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x -so {} | logator run -"),
    (b"Rar!\x1a\x07", "a rar archive", "unrar p -inul {} | logator run -"),
    (b"\x04\x22\x4d\x18", "lz4 data", "lz4 -dc {} | logator run -"),
    (b"\x1f\x9d", "data of compress", "zcat {} | logator run -"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop data", "lzop -dc {} | logator run -"),
    (b"LZIP\x01", "lzip data", "lzip -dc {} | logator run -"),
    (b"\xff\x06\0\0sNaPpY", "snappy data", "snzip -dc {} | logator run -"),
    (b"!<arch>\n", "an archive of ar", "ar p {} | logator run -"),
    (b"\xed\xab\xee\xdb", "an rpm package", ""),
    (b"\x89PNG\r\n\x1a\n", "an image", ""),
    (b"\xff\xd8\xff", "an image", ""),
    (b"GIF87a", "an image", ""),
    (b"GIF89a", "an image", ""),
    (b"%PDF-", "a PDF document", "pdftotext {} - | logator run -"),
    (b"\xca\xfe\xba\xbe", "a class of Java", "javap -c {}"),
    (b"\0asm", "a WebAssembly program", ""),
    (b"\xfebin", "a binary log of MySQL", "mysqlbinlog {}"),
    (b"Obj\x01", "an Avro file", "avrocat {} | logator run -"),
    (b"\x96\xd5", "a data file of sysstat", "sadf -j {} -- -A"),
    (b"\xef\xbe\xed\xfe", "a raw log of atop", "atop -r {}"),
    (b"RRD\0", "a round-robin database", "rrdtool dump {}"),
    (b"Salted__", "encrypted by openssl", ""),
    (b"\xff\xfe\0\0", UTF_32, "iconv -f UTF-32 -t UTF-8 {} | logator run -"),
    (b"\0\0\xfe\xff", UTF_32, "iconv -f UTF-32 -t UTF-8 {} | logator run -"),
];

const PACKETS: &str = "a capture of network packets";
const TCPDUMP: &str = "tcpdump -nr {} | logator run -";
const UTF_32: &str = "text in UTF-32";

/// The bytes of a record of `lastlog` on Linux: a time, a line and a host.
const LAST_LOGIN: usize = 292;

/// The bytes of a record of `wtmp`, `utmp` and `btmp` on Linux.
const LOGIN: usize = 384;

impl Binary {
    /// Recognises a binary content by its magic bytes. `beginning` are its first bytes. `is_unpacked` says that it was
    /// decompressed.
    pub fn by_magic(beginning: &[u8], is_unpacked: bool) -> Option<Binary> {
        let of = |what, help| Some(Binary { what, help });
        if beginning.starts_with(b"\x7fELF") {
            return match beginning.get(16..18) {
                Some([4, _] | [_, 4]) => of("a core dump", "coredumpctl, or gdb PROGRAM {}"),
                _ => of("a program or library", ""),
            };
        }
        if beginning.get(257..262) == Some(b"ustar") {
            return of("a tar archive", "tar -xOf {} | logator run -");
        }
        if is_unpacked && Compression::of(beginning) != Compression::None {
            return of("data that is compressed twice", "gzip -dc {} | logator run -");
        }
        let is_order = |order: &[u8]| matches!(order, b"\x4d\x3c\x2b\x1a" | b"\x1a\x2b\x3c\x4d");
        if beginning.starts_with(b"\n\r\r\n") && beginning.get(8..12).is_some_and(is_order) {
            return of(PACKETS, TCPDUMP);
        }
        if is_login_record(beginning) {
            return of("a record of logins (wtmp, utmp or btmp)", "last -f {} | logator run -");
        }
        MAGICS.iter().find(|(magic, ..)| beginning.starts_with(magic)).and_then(|(_, what, help)| of(what, help))
    }

    /// Recognises a content that begins with NULs: `beginning` are the bytes after them, at this `offset` of the content.
    pub fn after_nuls(beginning: &[u8], offset: u64) -> Option<Binary> {
        let is_last_login = offset > 0
            && offset.is_multiple_of(LAST_LOGIN as u64)
            && beginning.get(..LAST_LOGIN).is_some_and(|record| {
                let (line, host) = record[4..].split_at(32);
                line[0] != 0 && [line, host].into_iter().all(|field| is_padded(field) && field.ends_with(&[0]))
            });
        is_last_login.then_some(Binary { what: "a record of last logins (lastlog)", help: "lastlog" })
    }

    /// Recognises a content that is no text by its bytes. `beginning` are its first bytes, at most [`EXAMINED`].
    ///
    /// It holds a NUL inside of a line and another control character that text does not have, and at least a tenth of its bytes
    /// are such characters; or at least a fiftieth, if it is not UTF-8. A run of NULs counts as one.
    pub fn by_bytes(beginning: &[u8]) -> Option<Binary> {
        let (mut nuls, mut controls, mut bytes, mut at) = (0, 0, 0, 0);
        while at < beginning.len() {
            let byte = beginning[at];
            if byte == 0 {
                let run = beginning[at..].iter().take_while(|byte| **byte == 0).count();
                let is_between = run >= GAP || at == 0 || beginning[at - 1] == b'\n';
                at += run;
                if !is_between {
                    nuls += 1;
                    bytes += 1;
                }
                continue;
            }
            controls += usize::from(matches!(byte, 1..=6 | 14..=26 | 28..=31 | 127));
            bytes += 1;
            at += 1;
        }
        // A character at the end may be cut.
        let is_utf8 = std::str::from_utf8(beginning).map_or_else(|error| error.error_len().is_none(), |_| true);
        let share = if is_utf8 { 10 } else { 50 };
        (nuls > 0 && controls > 0 && (nuls + controls) * share >= bytes).then_some(Binary { what: "no text", help: "" })
    }

    /// Returns the sentence part that says what the content called `name` is, and what helps.
    pub fn words(self, name: &str) -> String {
        let Binary { what, help } = self;
        let base = name.rsplit('/').next().unwrap_or(name);
        let help = match help {
            help if base.starts_with("btmp") && help.starts_with("last ") => help.replacen("last", "lastb", 1),
            "" if base.starts_with("pacct") => "lastcomm -f {}".to_owned(),
            help => help.to_owned(),
        };
        let shown = if name == "-" { "FILE" } else { name };
        match help.as_str() {
            "" => format!("it is binary ({what})"),
            help => format!("it is binary ({what}); use: {}", help.replace("{}", shown)),
        }
    }
}

/// Returns whether a content begins with a record of logins: a type, a process, a line, and a user and a host that are padded
/// with NULs, and twenty unused bytes.
fn is_login_record(beginning: &[u8]) -> bool {
    let Some(record) = beginning.get(..LOGIN) else { return false };
    matches!(record[..4], [1..=9, 0, 0, 0])
        && is_padded(&record[8..40])
        && is_padded(&record[44..76])
        && record[364..].iter().all(|byte| *byte == 0)
        && record[340..344] != [0; 4]
}

/// Whether a field holds a name that is padded with NULs.
fn is_padded(field: &[u8]) -> bool {
    let length = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    field[..length].iter().all(u8::is_ascii_graphic) && field[length..].iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Option<String> {
        Binary::by_magic(bytes, false).or_else(|| Binary::by_bytes(bytes)).map(|binary| binary.words("dir/f"))
    }

    #[test]
    fn binary_contents_are_told_and_the_command_that_helps_is_named() {
        let tar = |name: &str| {
            let mut block = vec![0; 512];
            block[..name.len()].copy_from_slice(name.as_bytes());
            block[257..262].copy_from_slice(b"ustar");
            block
        };
        let mut core = b"\x7fELF\x02\x01\x01".to_vec();
        core.resize(16, 0);
        core.extend([4, 0]);
        let mut login = vec![0; LOGIN];
        login[0] = 2;
        login[8] = b'~';
        login[44..50].copy_from_slice(b"reboot");
        login[340] = 1;
        let random: Vec<u8> = (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (bytes, words) in [
            (&b"SQLite format 3\0\x10\0"[..], "an SQLite database); use: sqlite3 dir/f .dump"),
            (b"PK\x03\x04\x14\0", "use: unzip -p dir/f | logator run -"),
            (&tar("logs/a.log"), "a tar archive); use: tar -xOf dir/f"),
            (&core, "a core dump); use: coredumpctl"),
            (&login, "last -f dir/f"),
            (b"LPKSHHRH\0\0\0\0", "journalctl -o export --file dir/f"),
            (b"ElfFile\0\0\0", "evtx_dump"),
            (b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a", "tcpdump -nr dir/f"),
            (b"\xd4\xc3\xb2\xa1\x02\0\x04\0", "tcpdump -nr dir/f"),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", "a class of Java"),
            (b"\x89PNG\r\n\x1a\n", "an image)"),
            (b"\xff\xfe\0\0a\0\0\0", "iconv -f UTF-32"),
            (&random, "it is binary (no text)"),
        ] {
            let told = told(bytes).unwrap_or_else(|| panic!("{bytes:x?} is text"));
            assert!(told.contains(words), "{told}");
        }
        assert!(Binary::by_magic(b"\x1f\x8b\x08\0", true).is_some_and(|it| it.words("f").contains("gzip -dc f")));
        assert!(Binary::by_magic(&login, false).is_some_and(|it| it.words("/var/log/btmp.1").contains("lastb -f")));
        let mut last = vec![0; LAST_LOGIN];
        last[..9].copy_from_slice(b"\x10\x20\x30\x65pts/0");
        assert!(Binary::after_nuls(&last, 292_000).is_some() && Binary::after_nuls(&last, 5).is_none());
        assert!(Binary::by_magic(b"PK\x03\x04", false).is_some_and(|it| it.words("-").contains("unzip -p FILE")));
    }

    #[test]
    fn text_is_not_binary_even_with_nuls_or_in_another_encoding() {
        let gap = [&b"torn line"[..], &[0; 4000], b"next line\n"].concat();
        for bytes in [
            &b""[..],
            b"plain\n",
            b"key\0value and more of the line\nnext line\n",
            b"\0\0\0\0after a truncation\n",
            b"a\0b\n",
            b"\0\0\0\0",
            b"line\n\0\0\0\0line after a crash\n",
            &gap,
            b"caf\xe9 in windows-1252\n",
            b"\x83\x8d\x83O in shift_jis\n",
            b"\x1b[31mcolours\x1b[0m\n",
            b"PK is no archive\n",
            b"\n\r\r\nempty lines\n",
            b"BM\n",
            b"ELF\n",
        ] {
            assert_eq!(told(bytes), None, "{bytes:x?}");
        }
    }
}
