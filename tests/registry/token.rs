//! The token flow with a real registry, which trusts the tokens that a server of the test signs.

use super::registry;
use crate::containers::{same, scratch, skopeo};
use crate::harness::{output, sx};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whom the server knows: by password, and by the token that stands for a refresh.
const SECRET: &str = "someone:secret";
const IDENTITY: &str = "identity-of-someone";

/// What signs, and what was asked.
struct Signer {
    folder: PathBuf,
    asked: Mutex<Vec<String>>,
}

impl Signer {
    fn openssl(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let done = Command::new("openssl").args(arguments).current_dir(&self.folder).output();
        let done = done.map_err(|error| error.to_string())?;
        let text = || String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(done.stdout) } else { Err(text()) }
    }

    /// A signed token (RFC 7519) that allows what is asked for.
    fn token(&self, scope: &str) -> Result<String, String> {
        let mut parts = scope.splitn(3, ':');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (kind, name, actions) = (part(), part(), part());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
        let certificate = self.openssl(&["x509", "-in", "certificate", "-outform", "DER"])?;
        let header =
            serde_json::json!({ "typ": "JWT", "alg": "RS256", "x5c": [BASE64.encode(&certificate)] });
        let claims = serde_json::json!({
            "iss": "test", "sub": "someone", "aud": "service", "jti": "1",
            "exp": now + 600, "nbf": now - 600, "iat": now,
            "access": [{ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() }],
        });
        let encoded = |value: serde_json::Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", encoded(header), encoded(claims));
        let file = tempfile::NamedTempFile::new_in(&self.folder).map_err(|error| error.to_string())?;
        fs::write(&file, &text).map_err(|error| error.to_string())?;
        let path = file.path().to_string_lossy().into_owned();
        let signature = self.openssl(&["dgst", "-sha256", "-sign", "key", &path])?;
        Ok(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
    }

    /// Answers one request: `GET` with a password, or `POST` with a form that has a token.
    fn answer(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim_end().is_empty() {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let header = |name: &str| {
            let with = |line: &&String| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
            lines.iter().find(with).map(|line| line[name.len() + 2..].to_owned()).unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        std::io::Read::read_exact(&mut reader, &mut body).ok()?;
        let target = lines.first()?.split(' ').nth(1)?.to_owned();
        let form = format!(
            "{}&{}",
            target.split_once('?').map_or("", |(_, query)| query),
            String::from_utf8(body).ok()?
        );
        let field = |name: &str| {
            let value = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or_default().replace("%3A", ":").replace("%2F", "/").replace("%2C", ",")
        };
        let basic = format!("Basic {}", BASE64.encode(SECRET.as_bytes()));
        let is_known = header("authorization") == basic || field("refresh_token") == IDENTITY;
        self.asked.lock().ok()?.push(format!("{} {}", lines[0].split(' ').next()?, field("scope")));
        let (status, body) = match is_known && field("service") == "service" {
            true => ("200 OK", serde_json::json!({ "token": self.token(&field("scope")).ok()? }).to_string()),
            false => ("401 Unauthorized", String::new()),
        };
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        reader.into_inner().write_all(answer.as_bytes()).ok()
    }
}

/// Makes a key, and serves until the tests end. Gives the signer and where it answers.
fn serve(folder: &Path) -> Result<(Arc<Signer>, String), String> {
    let signer = Arc::new(Signer { folder: folder.into(), asked: Mutex::default() });
    let own = ["req", "-x509", "-days", "2", "-subj", "/CN=test", "-newkey", "rsa:2048", "-nodes"];
    signer.openssl(&[&own[..], &["-keyout", "key", "-out", "certificate"]].concat())?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let name = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    let serving = Arc::clone(&signer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // A client that goes away is no matter.
            let _ = serving.answer(stream);
        }
    });
    Ok((signer, name))
}

pub fn token() -> Result<(), String> {
    let folder = scratch()?;
    let (signer, server) = serve(folder.path())?;
    let auth = format!(
        "auth: {{ token: {{ realm: \"http://{server}/token\", service: service, issuer: test, rootcertbundle: certificate }} }}\n"
    );
    let registry = registry(folder.path(), &auth)?;
    let image = format!("{}/sx/hello:1", registry.name);
    let file = folder.path().join("auth.json");
    let with = |entry: serde_json::Value, arguments: &[&str]| {
        let auths = serde_json::json!({ "auths": { registry.name.as_str(): entry } });
        fs::write(&file, auths.to_string()).map_err(|error| error.to_string())?;
        output(sx(arguments).arg("--auth-file").arg(&file).env("HOME", folder.path()))
    };
    let push = ["push", "pkgs.hello", "--to", &image];
    let password = |text: &str| serde_json::json!({ "auth": BASE64.encode(text.as_bytes()) });
    for wrong in [password("someone:wrong"), serde_json::json!({ "identitytoken": "of somebody else" })] {
        match with(wrong, &push) {
            Err(text) if text.contains("refuses access with the credentials given") => {}
            other => return Err(format!("{other:?}")),
        }
    }
    let digest = with(password(SECRET), &push)?.split('@').nth(1).unwrap_or_default().to_owned();
    with(serde_json::json!({ "identitytoken": IDENTITY }), &["pull", &image])?;
    // skopeo, with the same file and server, finds what was pushed.
    with(password(SECRET), &["pull", &image])?;
    let mut inspect = skopeo(folder.path());
    inspect.args(["inspect", "--tls-verify=false", "--format={{.Digest}}", "--authfile"]).arg(&file);
    same(&output(inspect.arg(format!("docker://{image}")))?, &digest, "the digest that skopeo sees")?;
    let asked = signer.asked.lock().map_err(|error| error.to_string())?;
    let has = |method: &str, action: &str| {
        let begin = format!("{method} repository:sx/hello:");
        asked.iter().any(|asked| asked.strip_prefix(&begin).is_some_and(|actions| actions.contains(action)))
    };
    if has("GET", "push") && has("POST", "pull") { Ok(()) } else { Err(format!("{asked:?}")) }
}
