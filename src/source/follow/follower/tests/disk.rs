//! Files in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use crate::source::follow::file_table::{FileId, Found};
use crate::source::follow::tail::{OpenFile, Status};

#[derive(Default)]
pub(super) struct Disk {
    pub(super) files: Vec<(Vec<u8>, bool)>,
    pub(super) names: BTreeMap<String, usize>,
    /// The number of changes of each file, which serves as its time.
    pub(super) changes: Vec<i64>,
}

impl Disk {
    pub(super) fn make(&mut self, name: &str, content: Vec<u8>) -> usize {
        self.remove(name);
        self.files.push((content, false));
        self.changes.push(0);
        self.names.insert(name.to_owned(), self.files.len() - 1);
        self.files.len() - 1
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(file) = self.names.remove(name) {
            self.files[file].1 = true;
        }
    }

    pub(super) fn found(&self) -> Vec<Found> {
        let found = |(name, &file): (&String, &usize)| Found {
            path: name.into(),
            id: FileId { device: 1, inode: file as u64 },
            size: self.files[file].0.len() as u64,
            modified: self.changes[file],
        };
        self.names.iter().map(found).collect()
    }
}

pub(super) struct Handle(pub(super) Rc<RefCell<Disk>>, pub(super) usize);

impl OpenFile for Handle {
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        let disk = self.0.borrow();
        let rest = disk.files[self.1].0.get(at as usize..).unwrap_or_default();
        // The read returns few bytes, as a system may do.
        let length = rest.len().min(room.len()).min(7);
        room[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn status(&self) -> io::Result<Status> {
        let disk = self.0.borrow();
        let (bytes, deleted) = &disk.files[self.1];
        Ok(Status { size: bytes.len() as u64, modified_ms: 0, deleted: *deleted })
    }
}
