//! ICAO VDS-NC.

use serde_json::Value;

use super::{Decoded, Summary, Times, TrustedKeys};
use crate::codes::vds_nc::decode::decode as decode_text;
use crate::codes::vds_nc::{TEST, VACCINATION, VERSION};
use crate::codes::{DecodeError, KeyUsage};
use crate::fhir_date;

pub(super) fn decode<'a>(text: &str, keys: &'a TrustedKeys) -> Result<Decoded<'a>, DecodeError> {
    let seal = decode_text(text)?;
    let key_usage = match seal.data["hdr"]["t"].as_str() {
        Some(VACCINATION) => Some(KeyUsage::Vaccination),
        Some(TEST) => Some(KeyUsage::Test),
        _ => None,
    };
    Ok(Decoded {
        candidates: keys.with_der(&seal.certificate),
        no_candidate: "the certificate in the seal is not trusted",
        algorithm: seal.algorithm,
        key_usages: key_usage.into_iter().collect(),
        // A seal states no times; its certificate's validity counts.
        times: Times::default(),
        schema: schema(&seal.data, key_usage),
        summary: summary(&seal.data, key_usage),
        to_be_signed: seal.to_be_signed,
        signature: seal.signature,
        payload: seal.data,
    })
}

/// What the technical report requires: header, person and event.
fn schema(data: &Value, key_usage: Option<KeyUsage>) -> Result<(), String> {
    let (header, message) = (&data["hdr"], &data["msg"]);
    if header["v"] != VERSION {
        return Err("hdr.v is not 1".into());
    }
    if !is_country(&header["is"]) {
        return Err("hdr.is is not a three-letter country code".into());
    }
    let person = &message["pid"];
    require(has_text(&person["n"]), "msg.pid.n")?;
    let is_known = date(&person["dob"]) || has_text(&person["i"]) || has_text(&person["dn"]);
    require(is_known, "msg.pid: a date of birth or a document's number")?;
    match key_usage {
        Some(KeyUsage::Vaccination) => {
            require(has_text(&message["uvci"]), "msg.uvci")?;
            for event in at_least_one(&message["ve"], "msg.ve")? {
                require(has_text(&event["des"]), "msg.ve.des")?;
                require(has_text(&event["nam"]), "msg.ve.nam")?;
                for dose in at_least_one(&event["vd"], "msg.ve.vd")? {
                    require(date(&dose["dvc"]), "msg.ve.vd.dvc")?;
                    let is_counted = dose["seq"].as_u64().is_some_and(|number| number >= 1);
                    require(is_counted, "msg.ve.vd.seq")?;
                    require(is_country(&dose["ctr"]), "msg.ve.vd.ctr")?;
                    require(has_text(&dose["adm"]), "msg.ve.vd.adm")?;
                }
            }
            Ok(())
        }
        Some(KeyUsage::Test) => {
            require(has_text(&message["utci"]), "msg.utci")?;
            require(is_country(&message["sp"]["ctr"]), "msg.sp.ctr")?;
            require(has_text(&message["dat"]["sc"]), "msg.dat.sc")?;
            require(has_text(&message["tr"]["tc"]), "msg.tr.tc")?;
            require(has_text(&message["tr"]["r"]), "msg.tr.r")
        }
        _ => Err("hdr.t is neither icao.vacc nor icao.test".into()),
    }
}

fn require(holds: bool, element: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{element} is missing or of the wrong form"))
    }
}

fn at_least_one<'a>(value: &'a Value, element: &str) -> Result<&'a Vec<Value>, String> {
    let items = value.as_array().filter(|items| !items.is_empty());
    items.ok_or_else(|| format!("{element} is missing or empty"))
}

fn has_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

fn is_country(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn date(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| fhir_date::days_of_date(text).is_some())
}

fn summary(data: &Value, key_usage: Option<KeyUsage>) -> Summary {
    let text = |pointer: &str| data.pointer(pointer).and_then(Value::as_str);
    let doses = data["msg"]["ve"].as_array().into_iter().flatten();
    let vaccinations: Vec<String> = doses
        .flat_map(|event| {
            let name = event["nam"].as_str().unwrap_or("?");
            let doses = event["vd"].as_array().into_iter().flatten();
            doses.map(move |dose| {
                format!(
                    "vaccination, dose {}, {name} on {}",
                    dose["seq"],
                    dose["dvc"].as_str().unwrap_or("?")
                )
            })
        })
        .collect();
    Summary {
        issuer: text("/hdr/is").map(str::to_owned),
        holder: text("/msg/pid/n").map(str::to_owned),
        birth_date: text("/msg/pid/dob").map(str::to_owned),
        event: match key_usage {
            Some(KeyUsage::Test) => Some(format!(
                "test, {}, sample of {}",
                text("/msg/tr/r").unwrap_or("no result"),
                text("/msg/dat/sc").unwrap_or("?")
            )),
            _ => (!vaccinations.is_empty()).then(|| vaccinations.join("; ")),
        },
        ..Summary::default()
    }
}
