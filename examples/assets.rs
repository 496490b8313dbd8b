//! Writes the man pages and completions into a folder: `cargo run --example assets -- FOLDER`. The default folder is beside
//! the programs of the same build, `target/release/assets`; `cargo deb` reads it.
//!
//! The pages are generated from the definitions of the command line, so they always agree with it. This is an example and not a
//! program, because only packagers need it: a build of logator does not compile its dependencies.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use clap_complete::Shell;
use flate2::Compression;
use flate2::write::GzEncoder;

#[allow(dead_code, reason = "a test uses `write` alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let examples = std::env::current_exe()?;
            let build = examples.ancestors().nth(2).ok_or("this program is in no build folder: name a folder")?;
            build.join("assets")
        }
    };
    write(&folder)?;
    println!("{}", folder.display());
    Ok(())
}

/// Writes `FOLDER/man/*.1.gz` (compressed, as Debian requires), and `FOLDER/completions/SHELL/*` under the names that each
/// shell looks for.
pub fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    // The pages of an earlier build are removed, because a program may no longer exist or may have another name.
    if folder.join("man").is_dir() {
        std::fs::remove_dir_all(folder)?;
    }
    let man = folder.join("man");
    std::fs::create_dir_all(&man)?;
    for program in logator::cli::programs() {
        clap_mangen::generate_to(program, &man)?;
    }
    for page in std::fs::read_dir(&man)? {
        let page = page?.path();
        let mut encoder = GzEncoder::new(std::fs::File::create(page.with_extension("1.gz"))?, Compression::best());
        encoder.write_all(&std::fs::read(&page)?)?;
        encoder.finish()?;
        std::fs::remove_file(page)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let name = shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let completions = folder.join("completions").join(name);
        std::fs::create_dir_all(&completions)?;
        let own = logator::cli::programs().into_iter().map(|program| (program.get_name().to_owned(), program));
        for (name, mut program) in own.chain(logator::cli::other_names()) {
            let path = clap_complete::generate_to(shell, &mut program, &name, &completions)?;
            if shell == Shell::Bash {
                // bash-completion looks for a file with the name of the program.
                std::fs::rename(path, completions.join(name))?;
            }
        }
    }
    Ok(())
}
