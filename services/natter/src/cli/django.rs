//! What a Django chat's tables are called.

use clap::Args;
use natter_host::exit::Misconfigured;
use natter_store_django::error::{DjangoError, LayoutError};
use natter_store_django::tables::{Apps, Part, Tables};

/// The names of Django's tables, which follow from the labels of its apps unless they are given.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Django's tables")]
pub(crate) struct TablesConfig {
    /// Label of the app with the model Account.
    #[arg(long, env = "DJANGO_ACCOUNTS_APP", default_value = "accounts")]
    pub(crate) accounts_app: String,
    /// Label of the app with the model Profile.
    #[arg(long, env = "DJANGO_PROFILES_APP", default_value = "profiles")]
    pub(crate) profiles_app: String,
    /// Label of the app with the models Conversation and Message.
    #[arg(long, env = "DJANGO_CHAT_APP", default_value = "chat")]
    pub(crate) chat_app: String,
    /// Table of accounts, such as `auth_user`, instead of <ACCOUNTS_APP>_account.
    #[arg(long, env = "DJANGO_ACCOUNTS_TABLE")]
    pub(crate) accounts_table: Option<String>,
    /// Table of profiles, instead of <PROFILES_APP>_profile. Need not be there unless participants are profiles.
    #[arg(long, env = "DJANGO_PROFILES_TABLE")]
    pub(crate) profiles_table: Option<String>,
    /// Table of conversations, instead of <CHAT_APP>_conversation.
    #[arg(long, env = "DJANGO_CONVERSATIONS_TABLE")]
    pub(crate) conversations_table: Option<String>,
    /// Table of participants, instead of <CHAT_APP>_conversation_participants.
    #[arg(long, env = "DJANGO_PARTICIPANTS_TABLE")]
    pub(crate) participants_table: Option<String>,
    /// Table of messages, instead of <CHAT_APP>_message.
    #[arg(long, env = "DJANGO_MESSAGES_TABLE")]
    pub(crate) messages_table: Option<String>,
    /// Table of refresh tokens, instead of token_blacklist_outstandingtoken. Need not be there.
    #[arg(long, env = "DJANGO_OUTSTANDING_TOKENS_TABLE")]
    pub(crate) outstanding_tokens_table: Option<String>,
    /// Table of refresh tokens that were taken back, instead of token_blacklist_blacklistedtoken. Need not be there.
    #[arg(long, env = "DJANGO_BLACKLISTED_TOKENS_TABLE")]
    pub(crate) blacklisted_tokens_table: Option<String>,
}

impl TablesConfig {
    /// The names that these settings lead to.
    pub(crate) fn tables(&self) -> Tables {
        let (accounts, profiles, chat) = (&self.accounts_app, &self.profiles_app, &self.chat_app);
        let apps = Apps { accounts: accounts.clone(), profiles: profiles.clone(), chat: chat.clone() };
        let named = Tables::of(&apps);
        let or = |given: &Option<String>, named: String| given.clone().unwrap_or(named);
        Tables {
            accounts: or(&self.accounts_table, named.accounts),
            profiles: or(&self.profiles_table, named.profiles),
            conversations: or(&self.conversations_table, named.conversations),
            participants: or(&self.participants_table, named.participants),
            messages: or(&self.messages_table, named.messages),
            outstanding_tokens: or(&self.outstanding_tokens_table, named.outstanding_tokens),
            blacklisted_tokens: or(&self.blacklisted_tokens_table, named.blacklisted_tokens),
        }
    }
}

/// With the setting that leads to Django's tables, or with the one that names its database, which is `url`.
pub(crate) fn explain(error: DjangoError, url: &str) -> anyhow::Error {
    match error {
        DjangoError::Layout(refused) => {
            let (setting, mend) = mend(&refused);
            Misconfigured::new(setting, format!("{refused}; {mend}")).into()
        }
        DjangoError::BadUrl(_) => Misconfigured::new(url, error).into(),
        DjangoError::Unavailable(_) => anyhow::Error::new(error).context(url.to_owned()),
    }
}

fn mend(refused: &LayoutError) -> (&'static str, String) {
    let (table, app) = settings(refused.part());
    let mend = match (refused, app) {
        (LayoutError::NoTable { .. }, Some(app)) => format!("name it, or its app with {app}"),
        (LayoutError::NoTable { .. }, None) => "name it".to_owned(),
        (LayoutError::Stranger { .. }, _) => {
            "name those tables with --accounts-table and --profiles-table, or this one".to_owned()
        }
        (LayoutError::NoColumn { .. } | LayoutError::NoNumber { .. }, _) => {
            "name the table of a Django chat".to_owned()
        }
    };
    (table, mend)
}

fn settings(part: Part) -> (&'static str, Option<&'static str>) {
    match part {
        Part::Accounts => ("--accounts-table", Some("--accounts-app")),
        Part::Profiles => ("--profiles-table", Some("--profiles-app")),
        Part::Conversations => ("--conversations-table", Some("--chat-app")),
        Part::Participants => ("--participants-table", Some("--chat-app")),
        Part::Messages => ("--messages-table", Some("--chat-app")),
        Part::OutstandingTokens => ("--outstanding-tokens-table", None),
        Part::BlacklistedTokens => ("--blacklisted-tokens-table", None),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        tables: TablesConfig,
    }

    #[test]
    fn names_follow_the_apps_unless_they_are_given() {
        let given = ["natter", "--chat-app", "talk", "--messages-table", "lines"];
        let tables = Command::try_parse_from(given).unwrap().tables.tables();
        assert_eq!(tables.conversations, "talk_conversation");
        assert_eq!(tables.messages, "lines");
        assert_eq!(tables.accounts, Tables::default().accounts);
    }

    #[test]
    fn a_missing_table_is_told_with_what_to_set() {
        let refused = LayoutError::NoTable { part: Part::Messages, name: "chat_message".to_owned() };
        let said = explain(refused.into(), "--from").to_string();
        assert_eq!(said, "--messages-table: there is no table `chat_message`; name it, or its app with --chat-app");
    }
}
