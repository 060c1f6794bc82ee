//! Names: which are allowed, which key a name becomes, and on which host it lives.

/// Names have fewer characters than this.
const TOO_LONG: usize = 100;

/// What the process id of each adapter begins with: the hex of `natter`. Python's are random in all places.
const MARK: &str = "6e6174746572";

/// Hex digits of a process id.
const PROCESS_DIGITS: usize = 32;

/// May a group be called this?
pub(crate) fn is_group_name(name: &str) -> bool {
    is_short(name) && is_name(name.strip_suffix('\n').unwrap_or(name))
}

/// May a channel be called this? It goes on after one `!`, with letters and digits of any script.
pub(crate) fn is_channel_name(name: &str) -> bool {
    let shown = name.strip_suffix('\n').unwrap_or(name);
    let (process, local) = shown.split_once('!').unwrap_or((shown, ""));
    let is_local = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    is_short(name) && is_name(process) && local.chars().all(is_local)
}

fn is_short(name: &str) -> bool {
    name.chars().count() < TOO_LONG
}

/// Python's `\d` takes the digits of every script.
fn is_name(name: &str) -> bool {
    let is_allowed =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || (!c.is_ascii() && c.is_numeric());
    !name.is_empty() && name.chars().all(is_allowed)
}

/// Which of `n_hosts` a name lives on.
pub(crate) fn host_of(name: &str, n_hosts: usize) -> usize {
    if n_hosts == 1 {
        return 0;
    }
    // As the library computes it, floating point and all.
    let place = f64::from(crc32fast::hash(name.as_bytes()) & 0xfff);
    (place / (4096.0 / n_hosts as f64)) as usize
}

/// The keys and channels of a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    n_hosts: usize,
}

impl Names {
    pub(crate) fn new(prefix: &str, n_hosts: usize) -> Self {
        Self { prefix: prefix.to_owned(), n_hosts }
    }

    /// Where it stands how far the log is written.
    pub(crate) fn position_key(&self) -> String {
        format!("{}:natter:position", self.prefix)
    }

    /// Where it stands which adapter has a right.
    pub(crate) fn lease_key(&self, right: &str) -> String {
        format!("{}:natter:lease:{right}", self.prefix)
    }

    /// Core: the members of a group.
    pub(crate) fn group_key(&self, group: &str) -> Place {
        Place { host: host_of(group, self.n_hosts), name: format!("{}:group:{group}", self.prefix) }
    }

    /// Core: the queue that a channel's process reads.
    pub(crate) fn queue_key(&self, channel: &str) -> Place {
        let process = channel.find('!').map_or(channel, |mark| &channel[..=mark]);
        Place { host: host_of(process, self.n_hosts), name: format!("{}{process}", self.prefix) }
    }

    /// Pub/sub: the channel of a group.
    pub(crate) fn group_channel(&self, group: &str) -> Place {
        let name = format!("{}__group__{group}", self.prefix);
        Place { host: host_of(&name, self.n_hosts), name }
    }

    /// Pub/sub: the channels of all chats.
    pub(crate) fn chats_pattern(&self) -> String {
        let mut pattern = String::new();
        for c in self.prefix.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern + "__group__chat_*"
    }

    /// Pub/sub: the group whose channel this is.
    pub(crate) fn group_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.prefix)?.strip_prefix("__group__")
    }
}

/// A key or channel, and the host it lives on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) host: usize,
    pub(crate) name: String,
}

/// Core: the id of a process that reads messages.
#[derive(Debug, Clone)]
pub(crate) struct ProcessId(String);

impl ProcessId {
    /// One that no other process has, and that other adapters know for an adapter's.
    pub(crate) fn random() -> Self {
        let random = format!("{:032x}", rand::random::<u128>());
        Self(format!("{MARK}{}", &random[MARK.len()..PROCESS_DIGITS]))
    }

    #[cfg(test)]
    pub(crate) fn fixed(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// Its digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel that this process hears a group on. A message names channels, but no group: so the channel does.
    /// `None`: the name is too long for that.
    pub(crate) fn channel(&self, group: &str) -> Option<String> {
        let channel = format!("specific.{}!{group}", self.0);
        (is_group_name(group) && is_channel_name(&channel)).then_some(channel)
    }

    /// The group that is heard on one of this process's channels.
    pub(crate) fn group_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix("specific.")?.strip_prefix(&self.0)?.strip_prefix('!')
    }

    /// The part of its channels that stands for all of them.
    pub(crate) fn all_channels(&self) -> String {
        format!("specific.{}!", self.0)
    }
}

/// Is this the channel of an adapter, be it this one or another?
pub(crate) fn is_adapters_channel(channel: &str) -> bool {
    channel.strip_prefix("specific.").is_some_and(|rest| rest.starts_with(MARK))
}
