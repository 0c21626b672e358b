//! An issuer of JWTs: its keys, and an https server that publishes them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, ServerConnection, StreamOwned};

use super::authority::Certified;

/// What a server is told of this issuer.
pub const ISSUER: [&str; 4] = ["--jwt-issuer", "us", "--jwt-audience", "tokenlake"];

/// Claims of this issuer for the organisation `acme`, for so many seconds from now.
#[allow(clippy::disallowed_methods, reason = "the program under test goes by the machine's clock")]
pub fn claims(scope: &str, seconds: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    json!({"org_id": "acme", "exp": now + seconds, "iss": "us", "aud": "tokenlake", "scope": scope})
}

/// A key that signs JWTs.
pub struct Signer {
    kid: String,
    pair: Pair,
}

enum Pair {
    Hs256(hmac::Key),
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Signer {
    pub fn hs256(secret: &[u8]) -> Self {
        let pair = Pair::Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self { kid: String::new(), pair }
    }

    pub fn rs256(kid: &str) -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let pair = RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Rs256(pair) }
    }

    pub fn es256(kid: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::Es256(pair) }
    }

    pub fn eddsa(kid: &str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        Self { kid: kid.to_owned(), pair: Pair::EdDsa(pair) }
    }

    /// The public key as issuers publish it.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Hs256(_) => panic!("a secret is not published"),
            Pair::Rs256(pair) => {
                let RsaPublicKeyComponents { n, e } =
                    RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "alg": "RS256", "n": text(&n), "e": text(&e)})
            }
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Pair::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Signs claims, with a header that names the key.
    pub fn sign(&self, claims: &Value) -> String {
        let algorithm = match self.pair {
            Pair::Hs256(_) => return self.sign_as(&json!({"alg": "HS256", "typ": "JWT"}), claims),
            Pair::Rs256(_) => "RS256",
            Pair::Es256(_) => "ES256",
            Pair::EdDsa(_) => "EdDSA",
        };
        self.sign_as(&json!({"alg": algorithm, "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// Signs claims under any header.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let (bytes, random) = (message.as_bytes(), SystemRandom::new());
        let signature = match &self.pair {
            Pair::Hs256(key) => hmac::sign(key, bytes).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature).unwrap();
                signature
            }
            Pair::Es256(pair) => pair.sign(&random, bytes).unwrap().as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A set of keys as its issuer publishes it, among some that are of no use here.
pub fn jwks(signers: &[&Signer]) -> String {
    let mut keys = vec![
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "AKP", "alg": "ML-DSA-65", "kid": "later"}),
    ];
    keys.extend(signers.iter().map(|signer| signer.jwk()));
    keys.push(json!({"kty": "EC", "crv": "P-521", "use": "enc", "kid": "other"}));
    json!({ "keys": keys }).to_string()
}

/// What a server answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// 200 with a body.
    Keys(String),
    /// Another status, with a line of header.
    Status(&'static str, &'static str),
    /// A body that goes on and on.
    Endless,
    /// Nothing, ever.
    Silence,
}

/// An https server on this machine that answers every request alike.
#[derive(Debug)]
pub struct KeyServer {
    port: u16,
    reply: Arc<Mutex<Reply>>,
    requests: Arc<AtomicU64>,
}

impl KeyServer {
    /// Starts it; it lives as long as the tests.
    pub fn start(certified: &Certified, reply: Reply) -> Self {
        let config = Arc::new(config(certified));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (reply, requests) = (Arc::new(Mutex::new(reply)), Arc::new(AtomicU64::new(0)));
        let server = Self { port, reply: reply.clone(), requests: requests.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, reply) = (config.clone(), reply.clone());
                let (stream, requests) = (stream.unwrap(), requests.clone());
                // A client that breaks off is none of our concern.
                std::thread::spawn(move || answer(stream, config, &reply, &requests));
            }
        });
        server
    }

    /// Where the keys are.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/keys", self.port)
    }

    /// What is answered from now on.
    pub fn set(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn config(certified: &Certified) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(certified.certificate.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    versions.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap()
}

fn answer(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    reply: &Mutex<Reply>,
    requests: &AtomicU64,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).unwrap();
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let reply = reply.lock().unwrap().clone();
    let stream = reader.get_mut();
    match reply {
        Reply::Keys(body) => write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?,
        Reply::Status(status, header) => write!(
            stream,
            "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )?,
        Reply::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n{{\"keys\":[")?;
            loop {
                stream.write_all(&[b' '; 4096])?;
            }
        }
        Reply::Silence => std::thread::sleep(Duration::from_secs(3_600)),
    }
    stream.conn.send_close_notify();
    stream.flush()
}
