-- The tables of a Django 5.2 chat on SQLite, as `manage.py migrate` makes them.

CREATE TABLE "accounts_account" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "password" varchar(128) NOT NULL,
    "last_login" datetime NULL,
    "is_superuser" bool NOT NULL,
    "username" varchar(150) NOT NULL UNIQUE,
    "first_name" varchar(150) NOT NULL,
    "last_name" varchar(150) NOT NULL,
    "is_staff" bool NOT NULL,
    "is_active" bool NOT NULL,
    "date_joined" datetime NOT NULL,
    "email" varchar(254) NOT NULL,
    "created_at" datetime NOT NULL,
    "updated_at" datetime NOT NULL,
    "last_seen" datetime NULL,
    "status" varchar(20) NULL,
    "default_profile_id" bigint NULL REFERENCES "profiles_profile" ("id") DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX "accounts_account_default_profile_id_edbc9a67" ON "accounts_account" ("default_profile_id");

CREATE TABLE "profiles_profile" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "profile_type" varchar(10) NOT NULL,
    "account_id" bigint NOT NULL REFERENCES "accounts_account" ("id") DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX "profiles_profile_account_id_679b46bb" ON "profiles_profile" ("account_id");

CREATE TABLE "chat_conversation" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "created_at" datetime NOT NULL
);

CREATE TABLE "chat_conversation_participants" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "conversation_id" bigint NOT NULL REFERENCES "chat_conversation" ("id") DEFERRABLE INITIALLY DEFERRED,
    "account_id" bigint NOT NULL REFERENCES "accounts_account" ("id") DEFERRABLE INITIALLY DEFERRED
);

CREATE UNIQUE INDEX "chat_conversation_participants_conversation_id_account_id_4891beee_uniq" ON "chat_conversation_participants" ("conversation_id", "account_id");

CREATE INDEX "chat_conversation_participants_conversation_id_f3ae152d" ON "chat_conversation_participants" ("conversation_id");

CREATE INDEX "chat_conversation_participants_account_id_66d463d5" ON "chat_conversation_participants" ("account_id");

CREATE TABLE "chat_message" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "content" text NULL,
    "attachment" varchar(100) NULL,
    "timestamp" datetime NOT NULL,
    "is_read" bool NOT NULL,
    "read_at" datetime NULL,
    "is_deleted" bool NOT NULL,
    "edited_at" datetime NULL,
    "conversation_id" bigint NOT NULL REFERENCES "chat_conversation" ("id") DEFERRABLE INITIALLY DEFERRED,
    "sender_id" bigint NOT NULL REFERENCES "accounts_account" ("id") DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX "chat_message_conversation_id_a1207bf4" ON "chat_message" ("conversation_id");

CREATE INDEX "chat_message_sender_id_991c686c" ON "chat_message" ("sender_id");

CREATE TABLE "token_blacklist_outstandingtoken" (
    "token" text NOT NULL,
    "created_at" datetime NULL,
    "expires_at" datetime NOT NULL,
    "user_id" bigint NULL REFERENCES "accounts_account" ("id") DEFERRABLE INITIALLY DEFERRED,
    "jti" varchar(255) NOT NULL UNIQUE,
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT
);

CREATE INDEX "token_blacklist_outstandingtoken_user_id_83bc629a" ON "token_blacklist_outstandingtoken" ("user_id");

CREATE TABLE "token_blacklist_blacklistedtoken" (
    "blacklisted_at" datetime NOT NULL,
    "token_id" bigint NOT NULL UNIQUE REFERENCES "token_blacklist_outstandingtoken" ("id") DEFERRABLE INITIALLY DEFERRED,
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT
);
