//! Enrolment tokens.

use crate::{Actor, Result, Service};
use domain::{GroupId, TokenId};
use view::NewToken;

/// What a token is for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Label.
    pub label: String,
    /// Group its devices join.
    pub group: Option<GroupId>,
    /// Devices become active at once.
    pub accept: bool,
    /// Devices never install.
    pub scan_only: bool,
    /// 1 to 10,000.
    pub max_uses: u32,
    /// 1 to 24.
    pub hours: u32,
}

impl Service {
    /// Makes a token; its text `pwe_<secret>_<server key id>` is returned once and stored as a hash.
    ///
    /// # Errors
    /// Not allowed, invalid field.
    pub async fn create_token(&self, actor: &Actor, request: TokenRequest) -> Result<NewToken> {
        let _ = (actor, request);
        todo!()
    }
    /// Revokes a token; devices enrolled by it stay.
    ///
    /// # Errors
    /// Not allowed, not found, already revoked.
    pub async fn revoke_token(&self, actor: &Actor, token: TokenId) -> Result<()> {
        let _ = (actor, token);
        todo!()
    }
}
