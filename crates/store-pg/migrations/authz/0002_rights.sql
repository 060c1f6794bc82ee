-- Rights that ended, in the order in which they did: whoever follows them remembers the last id it has seen. Writers go
-- one after the other (an advisory lock), so that ids become visible in their order.
CREATE TABLE rights_changes (
    change_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- One token; all tokens of an account that were made in a second or before; a part in a conversation.
    kind            text NOT NULL CHECK (kind IN ('token', 'tokens', 'participant')),
    account_id      bigint,
    conversation_id bigint,
    jti             text,
    -- Seconds since the Unix epoch.
    issued_up_to    bigint,
    changed_at      timestamptz NOT NULL,
    -- From then on nobody needs to know.
    expires_at      timestamptz NOT NULL,
    -- Does the log know, if it has to?
    announced       boolean NOT NULL,
    CHECK ((kind = 'token') = (jti IS NOT NULL)),
    CHECK ((kind = 'tokens') = (issued_up_to IS NOT NULL)),
    CHECK ((kind = 'participant') = (conversation_id IS NOT NULL)),
    CHECK (kind = 'token' OR account_id IS NOT NULL)
);

CREATE UNIQUE INDEX rights_changes_by_jti ON rights_changes (jti) WHERE kind = 'token';
CREATE UNIQUE INDEX rights_changes_by_account ON rights_changes (account_id) WHERE kind = 'tokens';
CREATE INDEX rights_changes_by_participant ON rights_changes (conversation_id, account_id) WHERE kind = 'participant';
CREATE INDEX rights_changes_unannounced ON rights_changes (change_id) WHERE NOT announced;
CREATE INDEX rights_changes_by_expiry ON rights_changes (expires_at);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
