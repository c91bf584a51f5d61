//! Reference data of a market: what every device needs to run the rules.

use serde::{Deserialize, Serialize};
use souk_domain::context::{FeePlan, PlatformKey, Policies, Reference};
use souk_domain::money::{Bp, Ppm};
use souk_domain::time::Span;

use crate::auth::ServerKey;

/// Reference data of a market.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReferenceView {
    /// Rises with each change.
    pub version: u32,
    /// Deadlines and delays.
    pub policies: PoliciesView,
    /// Commission.
    pub fee_plan: FeePlanView,
    /// The platform's public keys.
    pub platform_keys: Vec<ServerKey>,
    /// Reverse domain in our payment codes.
    pub emv_guid: String,
}

/// Deadlines and delays, microseconds (spec/money.md 4.2, 4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PoliciesView {
    /// An unpaid order ends.
    pub pay_window_us: Span,
    /// PayStart moves the end of the window to at least this far from now, once.
    pub pay_extend_us: Span,
    /// A paid order should be shipped.
    pub ship_deadline_us: Span,
    /// A paid order that was never shipped is refunded.
    pub ship_auto_cancel_us: Span,
    /// A buyer may take a paid order back without asking.
    pub cancel_free_us: Span,
    /// Silence of the seller on a refund request counts as consent.
    pub case_silence_us: Span,
    /// Delay from delivery to release with E2.
    pub release_e2_us: Span,
    /// Delay with E1.
    pub release_e1_us: Span,
    /// Delay with an outside carrier's word.
    pub release_ec_us: Span,
    /// Released money becomes available to the seller.
    pub reserve_us: Span,
    /// A rail that has not answered for so long is a blocker.
    pub rail_unknown_us: Span,
}

/// Commission.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeePlanView {
    /// Version, frozen in each order.
    pub version: u32,
    /// Commission on goods, basis points.
    pub commission_bp: Bp,
    /// Tax on the commission, millionths.
    pub commission_tax_ppm: Ppm,
}

impl From<&Reference> for ReferenceView {
    fn from(reference: &Reference) -> ReferenceView {
        let policies = reference.policies;
        ReferenceView {
            version: reference.version,
            policies: PoliciesView {
                pay_window_us: policies.pay_window_us,
                pay_extend_us: policies.pay_extend_us,
                ship_deadline_us: policies.ship_deadline_us,
                ship_auto_cancel_us: policies.ship_auto_cancel_us,
                cancel_free_us: policies.cancel_free_us,
                case_silence_us: policies.case_silence_us,
                release_e2_us: policies.release_e2_us,
                release_e1_us: policies.release_e1_us,
                release_ec_us: policies.release_ec_us,
                reserve_us: policies.reserve_us,
                rail_unknown_us: policies.rail_unknown_us,
            },
            fee_plan: FeePlanView {
                version: reference.fee_plan.version,
                commission_bp: reference.fee_plan.commission,
                commission_tax_ppm: reference.fee_plan.commission_tax,
            },
            platform_keys: reference
                .platform_keys
                .iter()
                .map(|key| ServerKey { id: key.id, public: key.public })
                .collect(),
            emv_guid: reference.emv_guid.clone(),
        }
    }
}

impl From<ReferenceView> for Reference {
    fn from(view: ReferenceView) -> Reference {
        let policies = view.policies;
        Reference {
            version: view.version,
            policies: Policies {
                pay_window_us: policies.pay_window_us,
                pay_extend_us: policies.pay_extend_us,
                ship_deadline_us: policies.ship_deadline_us,
                ship_auto_cancel_us: policies.ship_auto_cancel_us,
                cancel_free_us: policies.cancel_free_us,
                case_silence_us: policies.case_silence_us,
                release_e2_us: policies.release_e2_us,
                release_e1_us: policies.release_e1_us,
                release_ec_us: policies.release_ec_us,
                reserve_us: policies.reserve_us,
                rail_unknown_us: policies.rail_unknown_us,
            },
            fee_plan: FeePlan {
                version: view.fee_plan.version,
                commission: view.fee_plan.commission_bp,
                commission_tax: view.fee_plan.commission_tax_ppm,
            },
            platform_keys: view
                .platform_keys
                .into_iter()
                .map(|key| PlatformKey { id: key.id, public: key.public })
                .collect(),
            emv_guid: view.emv_guid,
        }
    }
}
