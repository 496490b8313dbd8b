//! The table of effects: the task of each module, and the effects that its own code has.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// An effect, the beginnings of the paths that show it, and the names of methods that show it.
const EFFECTS: [(&str, &[&str], &[&str]); 10] = [
    (
        "files",
        &[
            "std::fs",
            "std::os::unix::fs",
            "nix::fcntl",
            "nix::sys::stat",
            "nix::sys::inotify",
            "nix::libc::open",
            "glob",
        ],
        &["metadata", "symlink_metadata", "canonicalize", "read_link", "read_dir", "exists", "sync_data", "sync_all"],
    ),
    (
        "sockets",
        &[
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
            "nix::sys::socket",
            "curl",
            "zmq",
        ],
        &[],
    ),
    ("stores", &["mongodb", "rusqlite"], &[]),
    ("threads", &["std::thread", "rayon", "tokio"], &[]),
    ("locks", &["std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar", "std::sync::mpsc"], &[]),
    ("clock", &["std::time::Instant::now", "std::time::SystemTime::now"], &["elapsed"]),
    ("waiting", &["nix::poll", "nix::sys::epoll"], &[]),
    ("processes", &["std::process", "nix::sys::signal", "nix::sys::resource", "signal_hook"], &[]),
    ("environment", &["std::env"], &[]),
    ("standard streams", &["std::io::stdin", "std::io::stdout", "std::io::stderr", "nix::libc::STD"], &[]),
];

/// The rows of the table, in the order of the modules. Modules deeper than two levels belong to the row above them.
pub fn rows(sources: &[Source]) -> Vec<String> {
    let mut found: BTreeMap<String, (String, BTreeSet<usize>)> = BTreeMap::new();
    for source in sources {
        let top = source.module.first().map_or("", String::as_str);
        if matches!(top, "" | "bin" | "grok") {
            continue;
        }
        let name = source.module.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("/");
        let (owns, effects) = found.entry(name).or_default();
        if source.module.len() <= 2 {
            *owns = first_sentence(&source.documentation);
        }
        effects.extend(effects_of(source));
    }
    // If the files of a folder have rows, the folder's own row shows no effects.
    let folders: Vec<String> = found.keys().filter(|name| !name.contains('/')).cloned().collect();
    let has_rows = |folder: &str| found.keys().any(|name| name.starts_with(&format!("{folder}/")));
    let facades: BTreeSet<&String> = folders.iter().filter(|folder| has_rows(folder)).collect();
    let row = |(name, (owns, effects)): (&String, &(String, BTreeSet<usize>))| {
        let effects: Vec<&str> = effects.iter().map(|index| EFFECTS[*index].0).collect();
        let effects = if effects.is_empty() { "none".to_owned() } else { effects.join(", ") };
        match facades.contains(name) {
            true => format!("| **`{name}`** | **{owns}** | |"),
            false => format!("| `{name}` | {owns} | {effects} |"),
        }
    };
    found.iter().map(row).collect()
}

fn effects_of(source: &Source) -> BTreeSet<usize> {
    let uses: Vec<String> = source.uses().iter().map(|path| path.join("::")).collect();
    let shows = |(_, paths, methods): &(&str, &[&str], &[&str])| {
        let by_path = |begin: &&str| uses.iter().any(|path| path.starts_with(*begin) && is_whole(path, begin));
        paths.iter().any(by_path) || methods.iter().any(|method| source.methods.contains(*method))
    };
    (0..EFFECTS.len()).filter(|index| shows(&EFFECTS[*index])).collect()
}

/// Whether `begin`, a prefix of `path`, ends where a name ends. A prefix in capital letters may also end inside a name.
fn is_whole(path: &str, begin: &str) -> bool {
    begin.ends_with(|c: char| c.is_uppercase()) || matches!(path.as_bytes().get(begin.len()), None | Some(b':'))
}

/// The first sentence of a module's documentation, in one line and without links.
fn first_sentence(documentation: &[String]) -> String {
    let paragraph: Vec<&str> = documentation.iter().map(String::as_str).take_while(|line| !line.is_empty()).collect();
    let text = paragraph.join(" ");
    let end = text.find(". ").unwrap_or(text.trim_end_matches('.').len());
    let mut sentence = text[..end].replace("[`", "`").replace('|', "\\|");
    // The target of a link follows its text: "`]" and, for some, "(crate::target)".
    while let Some(at) = sentence.find("`]") {
        let rest = &sentence[at + 2..];
        let target = rest.strip_prefix('(').and_then(|rest| rest.find(')')).map_or(0, |length| length + 2);
        sentence.replace_range(at + 1..at + 2 + target, "");
    }
    sentence
}
