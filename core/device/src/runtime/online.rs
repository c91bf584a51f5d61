//! Questions that the server alone can answer. All of them are online alone (`net.offline`) and cancel-safe.

use souk_domain::id::OrderId;
use souk_protocol::courier::CourierBalanceResponse;
use souk_protocol::orders::PayCodeResponse;
use souk_protocol::seller::BalanceResponse;

use super::Device;
use crate::error::SoukError;

impl Device {
    /// A payment code of an order, signed by the server (spec/money.md 2.5). Refuses `order.unknown`, `order.closed`,
    /// `order.already_paid`.
    pub async fn pay_code(&self, order: OrderId) -> Result<PayCodeResponse, SoukError> {
        self.ask("POST", &format!("/v1/orders/{order}/pay-code"), None::<&()>, true).await
    }

    /// Money of the own shop: in escrow, in reserve, available, owed. Refuses `role.none`, `auth.forbidden`.
    pub async fn balance(&self) -> Result<BalanceResponse, SoukError> {
        self.ask("GET", "/v1/seller/balance", None::<&()>, true).await
    }

    /// What is owed to this courier for parcels whose escrow was released. Refuses `auth.forbidden`.
    pub async fn courier_balance(&self) -> Result<CourierBalanceResponse, SoukError> {
        self.ask("GET", "/v1/courier/balance", None::<&()>, true).await
    }
}
