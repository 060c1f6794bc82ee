//! REST as the Django chat spoke it: accounts, conversations, messages and their attachments.

mod accounts;
pub(crate) mod answer;
mod auth;
mod body;
mod conversations;
mod field;
mod file_name;
mod files;
mod history;
mod later;
pub(crate) mod media;
mod messages;
mod multipart;
mod objects;
mod origin;
mod pagination;
mod path;
mod pieces;
mod resource;
mod root;
pub(crate) mod routes;
mod sending;
mod services;
mod upload;
