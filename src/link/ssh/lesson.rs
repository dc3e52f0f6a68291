//! How a host key that nobody vouches for is looked at and made known: commands that do what they say when they are followed
//! word for word (the tests in `host_key` follow them).

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::known_hosts::lookup_name;
use crate::shell::word;
use crate::{bounded, guarded};

/// How the operator teaches this machine a host key, so that it is found where it is looked for.
pub(super) struct Lesson<'a> {
    /// The name that is looked up.
    pub(super) name: &'a str,
    pub(super) address: &'a str,
    pub(super) port: u16,
    /// The known_hosts files that are read.
    pub(super) files: &'a [PathBuf],
    /// The arguments of `ssh` for the jump host before it.
    pub(super) through: Option<&'a str>,
}

impl Lesson<'_> {
    /// What an unknown key needs.
    pub(super) fn look_and_learn(&self) -> String {
        let file = self.files.iter().find(|file| *file != Path::new("/dev/null"));
        format!(
            "{} # compare with the host's console, then: {}",
            self.fingerprints(),
            self.learn_in(file.map(PathBuf::as_path))
        )
    }

    /// Shows the host's keys as people compare them.
    pub(super) fn fingerprints(&self) -> String {
        format!("{} | ssh-keygen -lf -", self.scan(""))
    }

    /// Asks the host for its keys: from here, or from the jump host that reaches it.
    pub(super) fn scan(&self, option: &str) -> String {
        let scan = format!("ssh-keyscan {option}-p {} {}", self.port, word(self.address));
        match self.through {
            None => scan,
            Some(login) => format!("ssh {login} {}", word(&scan)),
        }
    }

    /// Writes the host's keys into a file, under the name by which they are looked up.
    pub(super) fn learn_in(&self, file: Option<&Path>) -> String {
        // The scan writes what it dialled.
        let renamed = if lookup_name(self.address, self.port) == self.name {
            String::new()
        } else {
            let name: String =
                self.name.chars().flat_map(|c| "/\\&".contains(c).then_some('\\').into_iter().chain([c])).collect();
            format!(" | sed {}", word(&format!("/^#/!s/^[^ ]*/{name}/")))
        };
        let lines = format!("{}{renamed}", self.scan(""));
        let Some(file) = file else {
            return format!("put what `{lines}` prints under hostKeys of this host in the kit");
        };
        let shown = word(&file.display().to_string());
        // What others can write is not believed, whatever is put into it.
        if let Some(open) = guarded::fault(file) {
            let last = if ends_within_a_line(file) { "echo; " } else { "" };
            return format!("{} && ({last}{lines}) >> {shown}", open.close_as(&shown));
        }
        match file.parent().filter(|folder| !folder.exists()) {
            Some(folder) => {
                let folder = word(&folder.display().to_string());
                format!("mkdir -p -m 700 {folder} && {lines} >> {shown}")
            }
            // What is appended to a line without an end becomes part of it.
            None if ends_within_a_line(file) => format!("(echo; {lines}) >> {shown}"),
            None => format!("{lines} >> {shown}"),
        }
    }

    /// Takes the line away that another key stands on.
    pub(super) fn forget(&self, file: &Path, at: Option<&str>) -> String {
        let number = at.and_then(|at| at.rsplit_once(':')).map_or("", |(_, number)| number);
        // ssh-keygen -R finds a line only by the name that it has, and this one may have another.
        format!("sed -i.old {number}d {}", word(&file.display().to_string()))
    }
}

fn ends_within_a_line(file: &Path) -> bool {
    let last = || {
        let (mut file, mut last) = (bounded::open(file)?, [0]);
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last).map(|()| last)
    };
    last().is_ok_and(|last: [u8; 1]| last != *b"\n")
}
