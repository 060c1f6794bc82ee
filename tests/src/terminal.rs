//! A terminal in which a program runs, as somebody sees it: tmux.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::process::Launch;
use crate::wait::until;

/// A terminal of 120 by 40 characters. Whatever runs in it ends when it is dropped.
#[derive(Debug)]
pub struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// A terminal with the program in it. Once that has ended, the terminal says `ended with CODE`, and then whether the
    /// program has left the terminal's settings `as before` or `otherwise`.
    ///
    /// # Panics
    /// If tmux cannot be run.
    pub fn with(program: &Launch) -> Self {
        let terminal = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let command = program.command();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let variables = command
            .get_envs()
            .filter_map(|(name, value)| Some(format!("'{}={}'", name.to_string_lossy(), value?.to_string_lossy())));
        let variables: Vec<String> = variables.collect();
        let script = format!(
            "before=$(stty -g); env -i TERM=\"$TERM\" {} {}; echo ended with $?; \
             test \"$before\" = \"$(stty -g)\" && echo as before || echo otherwise; exec tail -f /dev/null",
            variables.join(" "),
            words.join(" ")
        );
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", &script]);
        terminal
    }

    /// What it shows at this moment.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until it shows this.
    pub async fn shows(&self, text: &str) {
        let what = format!("the terminal shows {text}");
        until(&what, async || self.screen().contains(text).then_some(())).await;
    }

    /// Presses a key, by tmux's name of it.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Does a program use the whole screen, to give back what was there before when it ends?
    pub fn is_taken(&self) -> bool {
        let told = self.tmux(&["display-message", "-p", "#{alternate_on}"]);
        String::from_utf8_lossy(&told.stdout).trim() == "1"
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let tmux = Command::new("tmux").arg("-S").arg(self.socket()).args(arguments).output();
        let output = tmux.expect("tmux, of Debian's package of that name, can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        Command::new("tmux").arg("-S").arg(self.socket()).arg("kill-server").output().ok();
    }
}
