//! Tells which container this process runs in, if any, so that logator does not read its own messages again.
//!
//! The name of the host can be set, so it is no proof. The mounts of a container are: the Engine mounts the files for name
//! resolution from a directory that is named after the container, and the root from a layer that belongs to it alone.

use super::container::Container;

/// The container of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Itself {
    /// The containers whose files are mounted here. With `--network container:NAME` these are files of the other container.
    ids: Vec<String>,
    /// The writable layer of the root.
    upper: Option<String>,
}

impl Itself {
    /// Reads the mounts of this process.
    pub fn here() -> Itself {
        Itself::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
    }

    /// Reads a mountinfo file, as proc(5) describes it.
    fn parse(mountinfo: &str) -> Itself {
        let mut itself = Itself::default();
        for line in mountinfo.lines() {
            let mut words = line.split(' ');
            let (Some(root), Some(point)) = (words.nth(3), words.next()) else { continue };
            if point == "/" {
                let options = line.split([' ', ',']).rev();
                itself.upper = options.filter_map(|option| option.strip_prefix("upperdir=")).next().map(str::to_owned);
            }
            if matches!(point, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf") {
                let is_id = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
                itself.ids.extend(root.split('/').filter(is_id).map(str::to_owned));
            }
        }
        itself
    }

    /// Whether this process runs in `container`.
    pub fn is(&self, container: &Container) -> bool {
        match (&self.upper, &container.upper) {
            (Some(here), Some(there)) => here == there,
            _ => self.ids.contains(&container.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: char, upper: Option<&str>) -> Container {
        Container { id: id.to_string().repeat(64), upper: upper.map(str::to_owned), ..Container::default() }
    }

    #[test]
    fn the_mounts_tell_the_container_whatever_the_host_is_called() {
        let hosts = |id: char| {
            format!(
                "9 8 8:1 /var/lib/docker/containers/{0}/hosts /etc/hosts rw - ext4 /dev/sda1 rw",
                id.to_string().repeat(64)
            )
        };
        let root = "8 1 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/o/l/A:/o/l/B,upperdir=/o/one/diff,workdir=/o/one/work";
        let vfs = Itself::parse(&hosts('a'));
        assert!(vfs.is(&container('a', None)) && !vfs.is(&container('b', None)));
        // The network of another container brings that container's files.
        let shared = Itself::parse(&format!("{}\n{root}", hosts('b')));
        assert!(shared.is(&container('a', Some("/o/one/diff"))) && !shared.is(&container('b', Some("/o/two/diff"))));
        let outside = Itself::parse("8 1 8:1 / / rw - ext4 /dev/sda1 rw\ngarbage\n\n9 8");
        assert_eq!(outside, Itself::default());
        assert!(!outside.is(&container('a', None)));
    }
}
