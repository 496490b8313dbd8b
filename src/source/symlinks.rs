//! Follows symbolic links that were found in a directory or by a glob. The result says where a link leads, over which
//! other links, and who owns them.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The maximum number of links that are followed. A longer chain counts as a circle. The kernel has the same limit.
const MAX_LINKS: usize = 40;

/// The links between a name and its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChain {
    /// The path at the end, which is not a link. The path may not exist.
    pub target: PathBuf,
    /// Each link, with the user number of its owner.
    pub links: Vec<(PathBuf, u32)>,
}

impl LinkChain {
    /// Follows `path`. Links in the directory part of `path` are not examined. Links to directories behind the first
    /// link are included.
    ///
    /// # Errors
    /// The errors of the file system, and an error if there are too many links.
    pub fn of(path: &Path) -> io::Result<LinkChain> {
        let mut links = Vec::new();
        let mut at = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut rest: VecDeque<PathBuf> = path.file_name().map(PathBuf::from).into_iter().collect();
        while let Some(part) = rest.pop_front() {
            let next = at.join(&part);
            let data = match next.symlink_metadata() {
                Ok(data) => data,
                // The path does not exist, so there is no further link.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    at = rest.iter().fold(next, |path, part| path.join(part));
                    break;
                }
                Err(error) => return Err(error),
            };
            if !data.is_symlink() {
                at = next;
                continue;
            }
            if links.len() >= MAX_LINKS {
                return Err(io::Error::other("too many links"));
            }
            links.push((next.clone(), data.uid()));
            let target = next.read_link()?;
            for part in target.components().rev() {
                match part {
                    Component::CurDir => {}
                    part => rest.push_front(PathBuf::from(part.as_os_str())),
                }
            }
        }
        Ok(LinkChain { target: at, links })
    }

    /// The first link whose owner is neither root, nor `us`, nor the `owner` of the target. Anyone who may write to a
    /// directory of logs could put such a link there. The link could lead to a file that its owner may not read.
    pub fn planted_link(&self, us: u32, owner: u32) -> Option<&(PathBuf, u32)> {
        self.links.iter().find(|(_, user)| *user != 0 && *user != us && *user != owner)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("real/deep")).unwrap();
        std::fs::write(at("real/deep/log"), "").unwrap();
        symlink("deep", at("real/short")).unwrap();
        symlink("real/short/../short/log", at("first")).unwrap();
        symlink(at("first"), at("second")).unwrap();
        symlink("nowhere/at/all", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        let names = |path: &str| {
            let chain = LinkChain::of(&at(path)).unwrap();
            let links: Vec<String> = chain
                .links
                .iter()
                .map(|(path, _)| path.strip_prefix(folder.path()).unwrap().display().to_string())
                .collect();
            (links.join(" "), chain.target)
        };
        let (links, target) = names("second");
        assert_eq!(links, "second first real/short real/deep/../short");
        assert_eq!(target.canonicalize().unwrap(), at("real/deep/log").canonicalize().unwrap());
        assert_eq!(names("dangling"), ("dangling".into(), at("nowhere/at/all")));
        assert_eq!(names("real/deep/log").0, "");
        assert!(LinkChain::of(&at("circle")).is_err());
    }

    #[test]
    fn a_link_of_a_stranger_is_planted() {
        let chain = |users: &[u32]| LinkChain {
            target: "x".into(),
            links: users.iter().map(|&user| (PathBuf::from(format!("l{user}")), user)).collect(),
        };
        for (users, us, owner, planted_link) in [
            (&[][..], 5, 6, None),
            (&[0, 5, 6][..], 5, 6, None),
            (&[7][..], 5, 6, Some(7)),
            (&[7][..], 0, 6, Some(7)),
            (&[7][..], 0, 0, Some(7)),
            (&[0, 6, 7, 5][..], 5, 6, Some(7)),
            (&[7][..], 5, 7, None),
        ] {
            assert_eq!(
                chain(users).planted_link(us, owner).map(|(_, user)| *user),
                planted_link,
                "{users:?} {us} {owner}"
            );
        }
    }
}
