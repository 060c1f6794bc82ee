//! What the tables look like: which columns there are, and whose ids they hold.
//!
//! Later versions of the chat put the profile in place of the account, as participant and as sender, under a column that
//! keeps its name. So the foreign keys are looked at.

use crate::database::{Column, Database};
use crate::error::{DjangoError, LayoutError};
use crate::tables::{Part, Tables};

/// Whose ids participants and senders are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Those of accounts.
    Accounts,
    /// Those of profiles, of which an account may have several.
    Profiles,
}

/// What was found out about the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The column of the participants' table that says who takes part.
    pub participant_column: String,
    /// Whose ids stand there.
    pub participants: Identity,
    /// Whose ids stand in the messages' `sender_id`.
    pub senders: Identity,
    /// There is a table of profiles.
    pub has_profiles: bool,
    /// There are tables of refresh tokens, and of those that were taken back.
    pub has_tokens: bool,
    /// Accounts have the column `admin_deleted`.
    pub has_admin_deleted: bool,
}

const ACCOUNT_COLUMNS: &[&str] = &["username", "email", "password", "is_active"];
const MESSAGE_COLUMNS: &[&str] =
    &["content", "attachment", "timestamp", "is_read", "read_at", "is_deleted", "edited_at"];

impl Layout {
    /// Looks at the tables.
    pub(crate) async fn inspect(database: &Database, tables: &Tables) -> Result<Self, DjangoError> {
        let look = async |part| {
            Ok::<_, DjangoError>(Table { part, tables, columns: database.columns(tables.name(part)).await? })
        };
        let accounts = look(Part::Accounts).await?.with_ids(&["id"])?.with(ACCOUNT_COLUMNS)?;
        look(Part::Conversations).await?.with_ids(&["id"])?.with(&["created_at"])?;
        let messages = look(Part::Messages).await?.with_ids(&["id", "conversation_id", "sender_id"])?;
        let messages = messages.with(MESSAGE_COLUMNS)?;
        let participants = look(Part::Participants).await?.with_ids(&["id", "conversation_id"])?;
        let profiles = look(Part::Profiles).await?;
        let has_profiles = !profiles.columns.is_empty();

        let participant = participants.participant()?;
        let participants_are = participants.identity(participant)?;
        let senders = match messages.column("sender_id").and_then(|column| column.target.as_deref()) {
            Some(_) => messages.identity("sender_id")?,
            // Both changed together.
            None => participants_are,
        };
        if has_profiles || [participants_are, senders].contains(&Identity::Profiles) {
            profiles.with_ids(&["id", "account_id"])?.with(&["profile_type"])?;
        }
        let outstanding = look(Part::OutstandingTokens).await?;
        let blacklisted = look(Part::BlacklistedTokens).await?;
        let has_tokens = !outstanding.columns.is_empty() && !blacklisted.columns.is_empty();
        if has_tokens {
            outstanding.with_ids(&["id", "user_id"])?.with(&["jti", "expires_at"])?;
            blacklisted.with_ids(&["token_id"])?;
        }
        Ok(Self {
            participant_column: participant.to_owned(),
            participants: participants_are,
            senders,
            has_profiles,
            has_tokens,
            has_admin_deleted: accounts.column("admin_deleted").is_some(),
        })
    }
}

/// A table as it was found. Without columns, if it was not.
struct Table<'a> {
    part: Part,
    tables: &'a Tables,
    columns: Vec<Column>,
}

impl Table<'_> {
    fn name(&self) -> String {
        self.tables.name(self.part).to_owned()
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn with(self, columns: &[&str]) -> Result<Self, LayoutError> {
        let part = self.part;
        if self.columns.is_empty() {
            return Err(LayoutError::NoTable { part, name: self.name() });
        }
        match columns.iter().find(|column| self.column(column).is_none()) {
            None => Ok(self),
            Some(missing) => Err(LayoutError::NoColumn { part, name: self.name(), column: (*missing).to_owned() }),
        }
    }

    fn with_ids(self, columns: &[&str]) -> Result<Self, LayoutError> {
        let table = self.with(columns)?;
        let is_number = |column: &&&str| table.column(column).is_some_and(|column| column.is_integer);
        match columns.iter().find(|column| !is_number(column)) {
            None => Ok(table),
            Some(column) => {
                Err(LayoutError::NoNumber { part: table.part, name: table.name(), column: (*column).to_owned() })
            }
        }
    }

    /// The column of the participants' table that is neither its id nor the conversation.
    fn participant(&self) -> Result<&str, LayoutError> {
        let other = self.columns.iter().find(|column| !["id", "conversation_id"].contains(&column.name.as_str()));
        let missing = || LayoutError::NoColumn { part: self.part, name: self.name(), column: "account_id".to_owned() };
        let other = other.ok_or_else(missing)?;
        if !other.is_integer {
            return Err(LayoutError::NoNumber { part: self.part, name: self.name(), column: other.name.clone() });
        }
        Ok(&other.name)
    }

    /// By the column's foreign key, else by its name.
    fn identity(&self, column: &str) -> Result<Identity, LayoutError> {
        let target = self.column(column).and_then(|column| column.target.as_deref());
        match target {
            Some(target) if target == self.tables.accounts => Ok(Identity::Accounts),
            Some(target) if target == self.tables.profiles => Ok(Identity::Profiles),
            Some(target) => Err(LayoutError::Stranger {
                part: self.part,
                name: self.name(),
                column: column.to_owned(),
                target: target.to_owned(),
            }),
            None if column == "profile_id" => Ok(Identity::Profiles),
            None => Ok(Identity::Accounts),
        }
    }
}
