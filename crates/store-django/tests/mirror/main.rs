//! What was said in Natter, written into Django's tables of both kinds.

#[path = "../../../store-pg/tests/cluster/mod.rs"]
mod cluster;
#[path = "../django/mod.rs"]
mod django;
mod rows;
mod said;
mod turns;
