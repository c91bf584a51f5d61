//! What a market starts with: policies, fee plan, names.

use souk_domain::context::{FeePlan, Policies, Reference};
use souk_domain::money::{Bp, Ppm};
use souk_engine::{EngineConfig, Mutants};

use crate::failure::Failure;

/// Settings of a new market: the defaults of the rules, commission 3 % with 10 % tax on it.
pub fn engine_config() -> Result<EngineConfig, Failure> {
    let reference = Reference {
        version: 1,
        policies: Policies::DEFAULT,
        fee_plan: FeePlan { version: 1, commission: Bp(300), commission_tax: Ppm(100_000) },
        platform_keys: Vec::new(),
        emv_guid: "org.souk.pay".to_owned(),
    };
    let seed =
        souk_crypto::random::array().map_err(|error| Failure::new("program.random", error.to_string()))?;
    Ok(EngineConfig { reference, seed, mutants: Mutants::NONE })
}
