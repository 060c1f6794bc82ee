//! The gRPC face: each call goes to the file that answers it.

use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;
use natter_proto::v1;
use natter_proto::v1::authz_server::Authz as Service;
use tonic::{Request, Response, Status};

use crate::{Authz, metrics};

#[async_trait]
impl Service for Authz {
    async fn admit(&self, request: Request<v1::AdmitRequest>) -> Result<Response<v1::AdmitReply>, Status> {
        self.decide_admission(request.into_inner()).await.map(Response::new)
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountReply>, Status> {
        self.find_account(request.into_inner()).await.map(Response::new)
    }

    async fn log_in(&self, request: Request<v1::LogInRequest>) -> Result<Response<v1::LogInReply>, Status> {
        let reply = self.check_credentials(request.into_inner()).await?;
        metrics::log_in(reply.outcome());
        Ok(Response::new(reply))
    }

    async fn refresh_access(
        &self,
        request: Request<v1::RefreshAccessRequest>,
    ) -> Result<Response<v1::RefreshAccessReply>, Status> {
        let access = self.access_for(&request.into_inner()).await?.unwrap_or_default();
        Ok(Response::new(v1::RefreshAccessReply { access }))
    }

    async fn renew_refresh(
        &self,
        request: Request<v1::RenewRefreshRequest>,
    ) -> Result<Response<v1::RenewRefreshReply>, Status> {
        self.renew(&request.into_inner()).await.map(Response::new)
    }

    async fn log_out(&self, request: Request<v1::LogOutRequest>) -> Result<Response<v1::LogOutReply>, Status> {
        let request = request.into_inner();
        let revoked = self.log_out_here(&request.refresh, &request.access).await?;
        Ok(Response::new(v1::LogOutReply { revoked }))
    }

    async fn log_out_everywhere(
        &self,
        request: Request<v1::LogOutEverywhereRequest>,
    ) -> Result<Response<v1::LogOutEverywhereReply>, Status> {
        let issued_up_to_s = self.revoke_all_of(request.into_inner().account_id).await?;
        Ok(Response::new(v1::LogOutEverywhereReply { issued_up_to_s }))
    }

    async fn start_conversation(
        &self,
        request: Request<v1::StartConversationRequest>,
    ) -> Result<Response<v1::StartConversationReply>, Status> {
        self.start(request.into_inner()).await.map(Response::new)
    }

    async fn list_conversations(
        &self,
        request: Request<v1::ListConversationsRequest>,
    ) -> Result<Response<v1::ListConversationsReply>, Status> {
        self.list(request.into_inner()).await.map(Response::new)
    }

    async fn list_all_conversations(
        &self,
        request: Request<v1::ListAllConversationsRequest>,
    ) -> Result<Response<v1::ListAllConversationsReply>, Status> {
        self.list_all(request.into_inner()).await.map(Response::new)
    }

    async fn get_conversation(
        &self,
        request: Request<v1::GetConversationRequest>,
    ) -> Result<Response<v1::Conversation>, Status> {
        let request = request.into_inner();
        let conversation = self.conversation_of(request.account_id, request.conversation_id).await?;
        Ok(Response::new(crate::reply::conversation(conversation)))
    }

    type WatchRightsStream = Pin<Box<dyn Stream<Item = Result<v1::RightsChange, Status>> + Send>>;

    async fn watch_rights(
        &self,
        request: Request<v1::WatchRightsRequest>,
    ) -> Result<Response<Self::WatchRightsStream>, Status> {
        Ok(Response::new(Box::pin(self.watch(request.into_inner().after))))
    }

    async fn delete_conversation(
        &self,
        request: Request<v1::DeleteConversationRequest>,
    ) -> Result<Response<v1::DeleteConversationReply>, Status> {
        self.delete(request.into_inner()).await?;
        Ok(Response::new(v1::DeleteConversationReply {}))
    }
}

#[cfg(test)]
mod tests;
