//! A sink that nobody reads for a while.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use crate::kit::{PATIENCE, wait_for};

/// A named pipe with a reader that can stand still.
pub struct Pipe {
    path: PathBuf,
    state: Arc<(Mutex<Taken>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    lines: u64,
    marks: u64,
    stalled: bool,
}

const MARK: &str = "#mark";
const END: &str = "#end";

impl Pipe {
    /// Makes a pipe and its reader.
    pub fn new(path: &Path) -> Pipe {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        // The pipe is open in both directions, so it has a reader before and after any writer.
        let mut pipe = fs::File::options().read(true).write(true).open(path).unwrap();
        let state = Arc::new((Mutex::new(Taken::default()), Condvar::new()));
        let shared = Arc::clone(&state);
        let read = move || {
            let (taken, changed) = &*shared;
            let mut buffer = [0; 2048];
            loop {
                let length = pipe.read(&mut buffer).unwrap();
                let mut taken = taken.lock().unwrap();
                taken.bytes.extend_from_slice(&buffer[..length]);
                taken.lines += memchr::memchr_iter(b'\n', &buffer[..length]).count() as u64;
                taken.marks = memchr::memmem::find_iter(&taken.bytes, MARK).count() as u64;
                changed.notify_all();
                if memchr::memmem::rfind(&taken.bytes, END.as_bytes()).is_some() {
                    return;
                }
                drop(changed.wait_while(taken, |taken| taken.stalled).unwrap());
            }
        };
        Pipe { path: path.to_owned(), state, reader: Some(std::thread::spawn(read)) }
    }

    /// Returns the number of lines that have come.
    pub fn lines(&self) -> u64 {
        let taken = self.state.0.lock().unwrap();
        taken.lines - taken.marks
    }

    /// Stops the reader.
    pub fn stall(&self) {
        self.state.0.lock().unwrap().stalled = true;
    }

    /// Lets the reader go on.
    pub fn release(&self) {
        self.state.0.lock().unwrap().stalled = false;
        self.state.1.notify_all();
    }

    fn write(&self, words: &str) {
        let mut pipe = fs::File::options().append(true).open(&self.path).unwrap();
        pipe.write_all(format!("{words}\n").as_bytes()).unwrap();
    }

    /// Returns all bytes that were written so far.
    pub fn all(&self) -> Vec<u8> {
        self.release();
        let before = self.state.0.lock().unwrap().marks;
        self.write(MARK);
        wait_for("the pipe to be empty", PATIENCE, || (self.state.0.lock().unwrap().marks > before).then_some(()));
        self.state.0.lock().unwrap().bytes.clone()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.release();
        self.write(END);
        self.reader.take().map(JoinHandle::join);
    }
}
