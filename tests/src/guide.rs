//! A document whose commands are run as they stand there.

use std::path::Path;

use crate::process::Launch;
use crate::programs::natter_program;

/// A document of `docs/`.
#[derive(Debug)]
pub struct Guide {
    name: String,
    text: String,
}

impl Guide {
    /// The document of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn of(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: name.to_owned(), text }
    }

    /// The shell commands (blocks of `sh`) of the section whose heading begins so, in a shell that stops at the first
    /// that fails and finds Natter's programs. What they need of the environment is for the caller to add.
    ///
    /// # Panics
    /// If there is no such section, or no command in it.
    pub fn commands(&self, section: &str) -> Launch {
        let script = commands(&self.text, section);
        assert!(!script.is_empty(), "{} has no commands under {section:?}", self.name);
        let programs = natter_program("natter");
        let programs = programs.parent().expect("a program lies in a folder").display();
        let name = format!("{}-{section}", self.name).replace([' ', '.'], "-");
        let shell = Launch::new(&name, Path::new("/bin/bash"));
        shell.arguments(["-euc", &format!("PATH={programs}:$PATH\n{script}")])
    }
}

fn commands(text: &str, section: &str) -> String {
    let (mut is_in_section, mut block, mut script) = (false, None, String::new());
    for line in text.lines() {
        match (block, line.strip_prefix("```")) {
            (None, Some(language)) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (Some("sh"), None) if is_in_section => script.extend([line, "\n"]),
            (Some(_), None) => {}
            (None, None) => {
                if let Some(heading) = line.strip_prefix('#') {
                    is_in_section = heading.trim_start_matches('#').trim().starts_with(section);
                }
            }
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# A\n```sh\none\n```\n## B 1\n```ini\ntwo\n```\ntext\n```sh\n# three\n```\n```sh\nfour\n```\n## C\n";

    #[test]
    fn the_commands_of_a_section_are_its_shell_blocks() {
        assert_eq!(commands(TEXT, "A"), "one\n");
        assert_eq!(commands(TEXT, "B"), "# three\nfour\n");
        assert_eq!(commands(TEXT, "C"), "");
    }
}
