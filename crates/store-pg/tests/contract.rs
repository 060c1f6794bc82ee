//! The stores' contract on a real Postgres.

mod cluster;

mod accounts {
    use std::sync::Arc;

    use natter_store_pg::PgAccounts;

    use crate::cluster::Cluster;

    async fn fresh() -> (PgAccounts, Arc<Cluster>) {
        let cluster = Cluster::shared();
        let url = cluster.database().await;
        PgAccounts::migrate(&url).await.expect("a new database can be migrated");
        (PgAccounts::connect_lazy(&url).expect("a good URL"), cluster)
    }

    natter_store::account_store_contract!(super::fresh);
}

mod messages {
    use std::sync::Arc;

    use natter_store_pg::PgMessages;

    use crate::cluster::Cluster;

    async fn fresh() -> (PgMessages, Arc<Cluster>) {
        let cluster = Cluster::shared();
        let url = cluster.database().await;
        PgMessages::migrate(&url).await.expect("a new database can be migrated");
        (PgMessages::connect_lazy(&url).expect("a good URL"), cluster)
    }

    natter_store::message_store_contract!(super::fresh);
}
