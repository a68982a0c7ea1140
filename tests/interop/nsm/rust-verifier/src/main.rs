// SPDX-License-Identifier: Apache-2.0

//! verifier ROOT.PEM SECONDS DOCUMENT: is this document genuine, if that root
//! is trusted, at that time? See ../README.

use std::process::ExitCode;

use nsm_nitro_enclave_utils::api::nsm::AttestationDoc;
use nsm_nitro_enclave_utils::api::{ByteBuf, Time};
use nsm_nitro_enclave_utils::verify::AttestationDocVerifierExt;
use rustls_pki_types::{pem::PemObject, CertificateDer};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn optional(name: &str, bytes: &Option<ByteBuf>) {
    let text = bytes
        .as_ref()
        .map_or("none".to_string(), |bytes| hex(bytes));
    println!("{name} {text}");
}

fn print(document: &AttestationDoc) {
    println!("module_id {}", document.module_id);
    println!("digest {:?}", document.digest);
    println!("timestamp {}", document.timestamp);
    for (index, value) in &document.pcrs {
        println!("pcr {index} {}", hex(value));
    }
    println!("certificate {}", hex(&document.certificate));
    for certificate in &document.cabundle {
        println!("cabundle {}", hex(certificate));
    }
    optional("public_key", &document.public_key);
    optional("user_data", &document.user_data);
    optional("nonce", &document.nonce);
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, root, seconds, document] = arguments.as_slice() else {
        eprintln!("usage: verifier ROOT.PEM SECONDS DOCUMENT");
        return ExitCode::from(2);
    };
    let root = CertificateDer::from_pem_file(root).expect("no root");
    let seconds: u64 = seconds.parse().expect("no time");
    let document = std::fs::read(document).expect("no document");

    match AttestationDoc::from_cose(
        &document,
        &root,
        Time::new(Box::new(move || seconds * 1000)),
    ) {
        Ok(document) => print(&document),
        Err(error) => {
            eprintln!("refused: {error:?}");
            return ExitCode::from(1);
        }
    }
    ExitCode::SUCCESS
}
