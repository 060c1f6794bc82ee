//! What Django's tables are called.

/// Where a mirror keeps how far it is. Its presence says that rows of Natter's own may stand in the other tables.
pub const MIRROR_TABLE: &str = "natter_mirror";

/// The names of the tables. In Postgres they are looked for along the connection's `search_path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Who there is.
    pub accounts: String,
    /// What accounts are on the platform around the chat. Need not be there unless participants are profiles.
    pub profiles: String,
    /// Where people talk.
    pub conversations: String,
    /// Who takes part where.
    pub participants: String,
    /// What was said.
    pub messages: String,
    /// Refresh tokens that were handed out. Need not be there.
    pub outstanding_tokens: String,
    /// Those of them that were taken back. Need not be there.
    pub blacklisted_tokens: String,
}

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Part {
    Accounts,
    Profiles,
    Conversations,
    Participants,
    Messages,
    OutstandingTokens,
    BlacklistedTokens,
}

/// The labels of the Django apps, with which Django begins the names of their tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apps {
    /// Of the model `Account`.
    pub accounts: String,
    /// Of the model `Profile`.
    pub profiles: String,
    /// Of the models `Conversation` and `Message`.
    pub chat: String,
}

impl Default for Apps {
    fn default() -> Self {
        Self { accounts: "accounts".to_owned(), profiles: "profiles".to_owned(), chat: "chat".to_owned() }
    }
}

impl Tables {
    /// As Django itself names the tables of these apps.
    pub fn of(apps: &Apps) -> Self {
        let Apps { accounts, profiles, chat } = apps;
        Self {
            accounts: format!("{accounts}_account"),
            profiles: format!("{profiles}_profile"),
            conversations: format!("{chat}_conversation"),
            participants: format!("{chat}_conversation_participants"),
            messages: format!("{chat}_message"),
            outstanding_tokens: "token_blacklist_outstandingtoken".to_owned(),
            blacklisted_tokens: "token_blacklist_blacklistedtoken".to_owned(),
        }
    }

    /// The name of the table that holds this.
    pub fn name(&self, part: Part) -> &str {
        match part {
            Part::Accounts => &self.accounts,
            Part::Profiles => &self.profiles,
            Part::Conversations => &self.conversations,
            Part::Participants => &self.participants,
            Part::Messages => &self.messages,
            Part::OutstandingTokens => &self.outstanding_tokens,
            Part::BlacklistedTokens => &self.blacklisted_tokens,
        }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self::of(&Apps::default())
    }
}

/// A table's or column's name as SQL has it, whatever stands in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_app_labels() {
        let apps = Apps { chat: "talk".to_owned(), ..Apps::default() };
        let tables = Tables::of(&apps);
        assert_eq!(tables.participants, "talk_conversation_participants");
        assert_eq!((tables.accounts.as_str(), tables.profiles.as_str()), ("accounts_account", "profiles_profile"));
    }

    #[test]
    fn a_name_cannot_end_the_quotes() {
        assert_eq!(quoted("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}
