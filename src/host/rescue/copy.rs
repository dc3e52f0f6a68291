//! Another text of a manifest that lies on its host, and what stands where it would be put.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::host::genuine::GENUINE;
use crate::host::order::{Order as _, Query, order};
use crate::script::{Answer, quote};

/// More than any manifest has, in bytes.
const MOST: usize = 262_144;

/// A text, and the bytes of the file that it would replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The text; `None` where none was asked for.
    pub text: Option<String>,
    /// What stands where it would be put; `None`: nothing.
    pub old: Option<Vec<u8>>,
}

order! {
    /// Reads a text of a manifest, and what stands in the place of the manifest.
    ManifestCopy = "manifest.copy" { from: String, file: String } -> Result<Copy, String>, |_, stdout| copy(stdout)
}

/// The script that reads both, or only what stands there; it writes nothing.
pub fn read(from: Option<&str>, file: &str) -> Query<ManifestCopy> {
    let body = format!(
        r#"{GENUINE}N={from}; F={file}
bytes() {{ base64 <"$1" | tr -d '\n'; }}
if [ -n "$N" ] && [ ! -f "$N" ]; then say no "there is no file $N"
elif [ -n "$N" ] && [ "$(wc -c <"$N")" -gt {MOST} ]; then say no "$N is too long for a manifest"
elif [ -L "$F" ]; then say no "$F is a symbolic link, and only a file itself can be replaced"
elif [ -e "$F" ] && [ ! -f "$F" ]; then say no "$F is no file"
elif [ -e "$F" ] && [ "$(wc -c <"$F")" -gt {MOST} ]; then say no "$F is too long for a manifest"
else
  if [ -n "$N" ]; then say text "$(bytes "$N")"; fi
  if [ -e "$F" ]; then say there yes; say old "$(bytes "$F")"; fi
fi
say end yes
"#,
        from = quote(from.unwrap_or_default()),
        file = quote(file),
    );
    ManifestCopy { from: from.unwrap_or_default().to_owned(), file: file.to_owned() }.query(body)
}

fn copy(stdout: &str) -> Option<Result<Copy, String>> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    if let Some(why) = answer.get("no") {
        return Some(Err(why.to_owned()));
    }
    let decoded = |key: &str| answer.get(key).and_then(|text| STANDARD.decode(text).ok());
    let old = answer.yes("there").then(|| decoded("old").unwrap_or_default());
    Some(match decoded("text").map(String::from_utf8).transpose() {
        Ok(text) => Ok(Copy { text, old }),
        Err(_) => Err("it is no text".into()),
    })
}
