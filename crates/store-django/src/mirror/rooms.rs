//! Conversations that were started in Natter.

use natter_model::id::{AccountId, ConversationId};
use natter_model::timestamp::Timestamp;

use crate::mirror::error::MirrorError;
use crate::mirror::line::Value;
use crate::mirror::{Mirror, in_time};

/// A conversation as it shall stand in Django's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its id.
    pub id: ConversationId,
    /// When it was started.
    pub created_at: Timestamp,
    /// Who takes part.
    pub participants: Vec<AccountId>,
}

impl Mirror {
    /// Which of these conversations Django does not have.
    pub async fn lacks(&mut self, conversations: &[ConversationId]) -> Result<Vec<ConversationId>, MirrorError> {
        in_time(async {
            let mut lacking = Vec::new();
            let mut work = self.line.begin().await?;
            for conversation in conversations {
                let id = Value::Int(conversation.as_i64());
                if work.numbers(&self.statements.conversation, &[id]).await?.is_empty() {
                    lacking.push(*conversation);
                }
            }
            Ok(lacking)
        })
        .await
    }

    /// Makes the conversation in Django. Answers with those who should take part and are not there.
    pub async fn open_room(&mut self, room: &Room) -> Result<Vec<AccountId>, MirrorError> {
        let Self { line, statements } = self;
        in_time(async {
            let mut work = line.begin().await?;
            let id = Value::Int(room.id.as_i64());
            work.execute(&statements.open, &[id, Value::Time(room.created_at)]).await?;
            let mut unknown = Vec::new();
            for account in &room.participants {
                let found = work.numbers(&statements.participant, &[id, Value::Int(account.as_i64())]).await?;
                let Some(participant) = found.first() else {
                    unknown.push(*account);
                    continue;
                };
                work.execute(&statements.join, &[id, Value::Int(*participant)]).await?;
            }
            work.commit().await?;
            Ok(unknown)
        })
        .await
    }
}
