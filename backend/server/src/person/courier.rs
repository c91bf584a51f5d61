//! `souk courier …`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use souk_codes::qr::Symbol;
use souk_device::facade::requests::{AttemptRequest, DeliverRequest};
use souk_device::runtime::Device;

use super::picture::{Kind, Scanned, scan, show};
use super::{Done, Own, Place, Role, done, own, with_device};
use crate::failure::Failure;
use crate::people;

/// `souk courier …`
#[derive(Debug, Args)]
pub struct CourierArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: CourierVerb,
}

#[derive(Debug, Subcommand)]
enum CourierVerb {
    /// Opens a shift.
    OpenShift {
        /// Hours that the certificate lasts.
        #[arg(default_value_t = 12)]
        hours: u8,
    },
    /// The round.
    Stops,
    /// What is owed for delivered parcels.
    Balance,
    /// Reads the picture of a label and says whether the parcel is on the round.
    Scan {
        /// The picture.
        file: PathBuf,
    },
    /// Loads a parcel: by the picture of its label.
    Load {
        /// The picture.
        file: PathBuf,
    },
    /// Sets out with a parcel.
    Out {
        /// Picture of the label.
        file: PathBuf,
    },
    /// Hands a parcel over: picture of the label, picture of the buyer's code. Shows the acknowledgement.
    Deliver {
        /// Picture of the label.
        label: PathBuf,
        /// Picture of the buyer's code.
        code: PathBuf,
        /// File for the picture of the acknowledgement.
        #[arg(long)]
        png: Option<PathBuf>,
    },
    /// Records a failed attempt.
    Attempt {
        /// Picture of the label.
        file: PathBuf,
        /// Reason, e.g. `consignee_not_home`.
        #[arg(default_value = "consignee_not_home")]
        reason: String,
    },
    /// Ends the shift.
    CloseShift,
    #[command(flatten)]
    Own(Own),
}

/// Does what a courier asks for; answers one JSON object.
pub async fn courier(args: CourierArgs) -> Result<Value, Failure> {
    let CourierArgs { place, verb } = args;
    match verb {
        CourierVerb::Own(verb) => own(&place, Role::Courier, verb).await,
        verb => with_device(&place, Role::Courier, async |device| drive(device, verb).await).await,
    }
}

async fn drive(device: &Device, verb: CourierVerb) -> Result<Done, Failure> {
    match verb {
        CourierVerb::OpenShift { hours } => {
            done(&device.call(move |host, now| host.open_shift(hours, now)).await?)
        }
        CourierVerb::Balance => done(&device.courier_balance().await?),
        CourierVerb::Stops => Ok(json!({"stops": device.call(|host, now| host.stops(now)).await?}).into()),
        CourierVerb::Scan { file } => {
            let label = scan(&file, Kind::Label)?;
            let text = label.text.clone();
            let read = device.call(move |host, now| host.scan_parcel(&text, now)).await;
            done(&read.map_err(|error| label.explain(error.into()))?)
        }
        CourierVerb::Load { file } => {
            let label = scan(&file, Kind::Label)?;
            let text = label.text.clone();
            let saved = device.call(move |host, now| host.load_parcel(&text, None, now)).await;
            done(&saved.map_err(|error| label.explain(error.into()))?)
        }
        CourierVerb::Out { file } => {
            let label = scan(&file, Kind::Label)?;
            let text = label.text.clone();
            let saved = device.call(move |host, now| host.out_for_delivery(&text, None, now)).await;
            done(&saved.map_err(|error| label.explain(error.into()))?)
        }
        CourierVerb::Deliver { label, code, png } => {
            let (label, code) = (scan(&label, Kind::Label)?, scan(&code, Kind::HandOver)?);
            deliver(device, &label, &code, png).await
        }
        CourierVerb::Attempt { file, reason } => {
            let label = scan(&file, Kind::Label)?;
            let request = AttemptRequest { parcel: label.text.clone(), reason, fix: None };
            let saved = device.call(move |host, now| host.record_attempt(&request, now)).await;
            done(&saved.map_err(|error| label.explain(error.into()))?)
        }
        CourierVerb::CloseShift => done(&device.call(|host, now| host.close_shift(now)).await?),
        CourierVerb::Own(_) => Err(Failure::new("program.verb", "not an act of a courier")),
    }
}

/// Hands a parcel over and shows the acknowledgement.
async fn deliver(
    device: &Device,
    label: &Scanned,
    code: &Scanned,
    png: Option<PathBuf>,
) -> Result<Done, Failure> {
    let request = DeliverRequest { parcel: label.text.clone(), handover: code.text.clone(), fix: None };
    let saved = device.call(move |host, now| host.deliver(&request, now)).await;
    let saved = saved.map_err(|error| code.explain(label.explain(error.into())))?;
    if let Some(text) = &saved.ack {
        let symbol = Symbol::of_message(text).map_err(|error| Failure::new(error.code(), "code"))?;
        show(&symbol, png.as_ref(), people::message_png(text)?)?;
    }
    done(&saved)
}
