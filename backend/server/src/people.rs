//! What terminals and bots share: a device core in a folder, signing in, pictures of codes.

use std::path::Path;
use std::time::Duration;

use souk_codes::qr::Symbol;
use souk_device::facade::views::PrintView;
use souk_device::runtime::{Device, DeviceConfig};
use souk_device::scan::{
    Cascade, EDGE_MAX, IMAGE_BYTES_MAX, LumaImage, PIXELS_MAX, ScanEngine, ScanError, Want,
};
use souk_protocol::views::AddressView;

use crate::failure::Failure;
use crate::private;

/// Dots of one module in a picture of a code.
const MODULE_PX: u32 = 8;
/// Looks for a sign-in code, at most.
const CODE_LOOKS: usize = 50;
/// Time between two of them.
const CODE_LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The file of a device without which nobody is signed in on it; made here, so that it is closed to others.
const USER_FILE: &str = "user.db";
/// Its other file: public rows, but they say what somebody looks at.
const CACHE_FILE: &str = "cache.db";

/// Whether a folder holds a device.
pub fn is_there(folder: &Path) -> bool {
    folder.join(USER_FILE).is_file()
}

/// Opens the device of a folder; it works without the server, too. Folder and files are its owner's alone.
pub async fn open(folder: &Path, server: Option<&str>) -> Result<Device, Failure> {
    let named = |error: std::io::Error| Failure::from(error).about(folder.display());
    private::folder(folder).map_err(named)?;
    for name in [USER_FILE, CACHE_FILE] {
        private::file(&folder.join(name)).map_err(named)?;
    }
    let config = DeviceConfig::in_dir(folder, concat!("souk/", env!("CARGO_PKG_VERSION")));
    let config = match server {
        Some(url) => config.with_server(url),
        None => config,
    };
    Device::open(config).await.map_err(|error| Failure::from(error).about(folder.display()))
}

/// Whether somebody is signed in on it.
pub async fn is_signed_in(device: &Device) -> Result<bool, Failure> {
    Ok(device.call(|host, now| host.status(now)).await?.account.is_some())
}

/// Signs in with a contact, or up if it is new. A sandbox market lets the code be fetched.
pub async fn sign_in(device: &Device, contact: &str, name: &str, as_courier: bool) -> Result<(), Failure> {
    device.request_code(contact).await?;
    for _ in 0..CODE_LOOKS {
        if let Some(code) = device.sandbox_code(contact).await? {
            return Ok(device.join(contact, &code, name, as_courier).await?);
        }
        tokio::time::sleep(CODE_LOOK_AGAIN).await;
    }
    Err(Failure::new("auth.code", "no code has come"))
}

/// The picture of a scanned message (label, proof, acknowledgement).
pub fn message_png(text: &str) -> Result<Vec<u8>, Failure> {
    let symbol = Symbol::of_message(text).map_err(|error| Failure::new(error.code(), "code"))?;
    symbol.png(MODULE_PX).map_err(|error| Failure::new("image.size", error.to_string()))
}

/// The picture of a payment code.
pub fn pay_code_png(text: &str) -> Result<Vec<u8>, Failure> {
    let symbol = Symbol::of_pay_code(text).map_err(|error| Failure::new(error.code(), "code"))?;
    symbol.png(MODULE_PX).map_err(|error| Failure::new("image.size", error.to_string()))
}

/// The picture of a label.
pub fn label_png(print: &PrintView) -> Result<Vec<u8>, Failure> {
    let texts = souk_codes::label::LabelTexts {
        from: print.from.clone(),
        to: print.to.clone(),
        ..souk_codes::label::LabelTexts::default()
    };
    souk_codes::label::png(&print.label, &texts, souk_codes::label::Paper::Mm100x150)
        .map_err(|error| Failure::new("label", error.to_string()))
}

/// Reads the code in a picture. Refuses `scan.image`, `scan.too_large`, and `scan.code` if there is none.
pub fn read_png(file: &[u8]) -> Result<String, Failure> {
    let image = LumaImage::read(file).map_err(|error| unread(&error))?;
    let plane = image.plane().map_err(|error| unread(&error))?;
    let mut found = Vec::new();
    Cascade::new().scan(&plane, &Want::default(), &mut found);
    found
        .into_iter()
        .next()
        .map(|found| found.text)
        .ok_or_else(|| Failure::new("scan.code", "no code in the picture"))
}

fn unread(error: &ScanError) -> Failure {
    let message = match error {
        ScanError::Image(_) => "no readable PNG".to_owned(),
        ScanError::TooLarge => format!(
            "the picture is larger than {PIXELS_MAX} pixels, {EDGE_MAX} a side or {IMAGE_BYTES_MAX} bytes"
        ),
        ScanError::Frame { .. } => error.to_string(),
    };
    Failure::new(error.code(), message)
}

/// An address for people who have none.
pub fn example_address(name: &str) -> AddressView {
    AddressView {
        name: name.to_owned(),
        lines: vec!["Sejong-daero 110".to_owned()],
        city: "Seoul".to_owned(),
        postcode: "04524".to_owned(),
        country: "KR".to_owned(),
        phone: String::new(),
        place: Some((375_665_000, 1_269_780_000).into()),
    }
}
