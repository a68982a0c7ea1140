// SPDX-License-Identifier: Apache-2.0

//! All that AWS's own crate can ask of a /dev/nsm, one line for each answer;
//! see ../README.

use aws_nitro_enclaves_nsm_api::api::{Request, Response};
use aws_nitro_enclaves_nsm_api::driver;
use serde_bytes::ByteBuf;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Nsm(i32);

impl Nsm {
    fn ask(&self, request: Request) -> Response {
        driver::nsm_process_request(self.0, request)
    }

    fn describe(&self) {
        match self.ask(Request::DescribeNSM) {
            Response::DescribeNSM {
                version_major,
                version_minor,
                version_patch,
                module_id,
                max_pcrs,
                locked_pcrs,
                digest,
            } => {
                println!("module_id {module_id}");
                println!("version {version_major}.{version_minor}.{version_patch}");
                println!("max_pcrs {max_pcrs}");
                println!("digest {digest:?}");
                let locked: Vec<_> = locked_pcrs.iter().map(u16::to_string).collect();
                println!("locked_pcrs {}", locked.join(" "));
            }
            other => panic!("DescribeNSM: {other:?}"),
        }
    }

    fn describe_pcr(&self, index: u16) {
        match self.ask(Request::DescribePCR { index }) {
            Response::DescribePCR { lock, data } => {
                let state = if lock { "locked" } else { "open" };
                println!("pcr {index} {state} {}", hex(&data));
            }
            other => panic!("DescribePCR: {other:?}"),
        }
    }

    fn extend(&self, index: u16, data: &[u8]) {
        let data = data.to_vec();
        match self.ask(Request::ExtendPCR { index, data }) {
            Response::ExtendPCR { data } => println!("extended {index} {}", hex(&data)),
            other => panic!("ExtendPCR: {other:?}"),
        }
    }

    fn lock(&self) {
        match self.ask(Request::LockPCR { index: 16 }) {
            Response::LockPCR => self.describe_pcr(16),
            other => panic!("LockPCR: {other:?}"),
        }
        match self.ask(Request::LockPCRs { range: 20 }) {
            Response::LockPCRs => self.describe(),
            other => panic!("LockPCRs: {other:?}"),
        }
    }

    fn random(&self) -> Vec<u8> {
        match self.ask(Request::GetRandom) {
            Response::GetRandom { random } => random,
            other => panic!("GetRandom: {other:?}"),
        }
    }

    fn refused(&self, what: &str, request: Request) {
        match self.ask(request) {
            Response::Error(code) => println!("error {what} {code:?}"),
            other => panic!("{what}: {other:?}"),
        }
    }

    fn document(&self, name: &str, text: Option<&[u8]>) {
        let bytes = |prefix: &[u8]| text.map(|text| ByteBuf::from([prefix, text].concat()));
        let request = Request::Attestation {
            user_data: bytes(b"user data"),
            nonce: bytes(b"nonce"),
            public_key: bytes(b"public key"),
        };
        match self.ask(request) {
            Response::Attestation { document } => println!("document {name} {}", hex(&document)),
            other => panic!("Attestation: {other:?}"),
        }
    }
}

fn main() {
    let nsm = Nsm(driver::nsm_init());
    assert!(nsm.0 >= 0, "cannot open /dev/nsm");

    nsm.describe();
    (0..32).for_each(|index| nsm.describe_pcr(index));
    nsm.extend(16, b"first");
    nsm.extend(16, b"second");
    nsm.lock();
    let (one, another) = (nsm.random(), nsm.random());
    println!("random {} {} {}", one.len(), another.len(), one != another);
    let data = b"third".to_vec();
    nsm.refused("ExtendPCR", Request::ExtendPCR { index: 16, data });
    nsm.refused("DescribePCR", Request::DescribePCR { index: 32 });
    nsm.document("bare", None);
    nsm.document("full", Some(b" \x00\xff"));
    driver::nsm_exit(nsm.0);
}
