//! Tokens that somebody else has signed, whose keys Natter has to ask for.

use natter_tests::deployment::Deployment;
use natter_tests::fixture::World;
use natter_tests::issuer::Issuer;
use natter_tests::ports::free_port;
use natter_tests::rest::Rest;
use natter_tests::stack::{Shape, Stack};
use natter_tests::story;
use natter_tests::wait::until;

story! {
    /// Nobody is sent away for a key that cannot be had: they are told to come back, and Natter is not ready.
    async fn an_issuer_that_comes_late_is_waited_for(shape: Shape) {
        let world = World::of_a_fleet();
        let mut issuer = Issuer::at(free_port());
        let mut deployment = match shape {
            Shape::Local => Deployment::local(world.first_sequence()),
            Shape::Real => Deployment::real(),
        };
        for name in ["natter", "edge"] {
            deployment = deployment.setting(name, "JWKS_URL", &issuer.url());
        }
        deployment.start_servers().await;
        deployment.prepare(world.first_sequence());
        deployment.import(&world).await;
        deployment.start_services();
        let edges: Vec<_> = deployment.services.iter().map(|service| service.name()).collect();
        let edges = edges.into_iter().filter(|name| *name == "natter" || name.starts_with("edge"));
        for edge in edges {
            let edge = deployment.service(edge);
            edge.is_bound().await;
            until("only the keys are waited for", async || {
                let (status, body) = edge.probe("readyz").await?;
                let waiting: serde_json::Value = serde_json::from_str(&body).ok()?;
                let names: Vec<_> = waiting["waiting_for"].as_object()?.keys().cloned().collect();
                (status == 503 && names == ["keys"]).then_some(())
            })
            .await;
        }
        if shape == Shape::Real {
            deployment.service("authz").is_ready().await;
        }
        let stack = Stack::of(shape, &world, deployment);

        let token = issuer.access_token(world.person("ana"));
        let mut ana = stack.client("ana");
        let by_another = format!("/ws/chat/1/?token={token}");
        let goodbye = ana.is_refused(&by_another).await;
        assert_eq!(goodbye.code, 4000, "{goodbye:?}");
        assert_eq!(ana.is_refused("/ws/chat/1/?token=nonsense").await.code, 4001, "that will never be a token");
        let rest = Rest::new(stack.edge(0)).with_token(&token);
        let list = "/api/chat/conversations/";
        let answer = rest.request(reqwest::Method::GET, list, None).await.expect_status(503);
        assert!(!answer.header("retry-after").is_empty());
        // Whoever has a token that Natter has signed need not wait.
        ana.joins(1).await;

        issuer.opens().await;
        stack.deployment().await.is_ready().await;
        ana.elsewhere().joins_by(&by_another).await;
        rest.request(reqwest::Method::GET, list, None).await.expect_status(200);
    }
}
